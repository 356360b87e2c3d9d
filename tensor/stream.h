// What goes with tensors, printed to a std::ostream as libtorch prints it: sizes as "[2, 3]", dtypes as
// "Float", devices as "cuda:0", numbers, options and indices. The program includes <ostream>, not this
// header.
#pragma once

#include <concepts>
#include <string>

#include "tapir/tensor/array_ref.h"
#include "tapir/tensor/indexing.h"
#include "tapir/tensor/options.h"
#include "tapir/tensor/scalar.h"

namespace tapir {
namespace detail {

TAPIR_API std::string stream_text(DType dtype);               // Float
TAPIR_API std::string stream_text(DeviceType type);           // cpu
TAPIR_API std::string stream_text(Device device);             // cuda:0
TAPIR_API std::string stream_text(Layout_ layout);            // Strided
TAPIR_API std::string stream_text(MemoryFormat format);       // Contiguous
TAPIR_API std::string stream_text(const Scalar& value);       // 1.5, 3, true
TAPIR_API std::string stream_text(const TensorOptions& o);    // TensorOptions(dtype=float (default), ...)
TAPIR_API std::string stream_text(const Slice& slice);        // 1:5:2
TAPIR_API std::string stream_text(const TensorIndex& index);  // None, ..., 3, true, 1:5:2, a tensor

// No conversions: what is not of these types is none of ours to print.
template <class T>
concept Streamed = std::same_as<T, DType> || std::same_as<T, DeviceType> || std::same_as<T, Device> ||
    std::same_as<T, Layout_> || std::same_as<T, MemoryFormat> || std::same_as<T, Scalar> ||
    std::same_as<T, TensorOptions> || std::same_as<T, Slice> || std::same_as<T, TensorIndex>;

template <class S>
concept TextStream = requires(S& s) {
  s.width();
  s.write("", 0);
};

}  // namespace detail

template <detail::TextStream Stream, detail::Streamed T>
Stream& operator<<(Stream& stream, const T& value) {
  stream << detail::stream_text(value);
  return stream;
}
/// "[2, 3]"; of tensors too.
template <detail::TextStream Stream, class T>
Stream& operator<<(Stream& stream, ArrayRef<T> values) {
  stream << "[";
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) stream << ", ";
    stream << values[i];
  }
  stream << "]";
  return stream;
}

// Found in the namespace of Slice and TensorIndex.
namespace indexing {
using tapir::operator<<;
}  // namespace indexing

}  // namespace tapir
