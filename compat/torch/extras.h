// Functions of torch::utils, of dtypes by libtorch's names, and others without a place of their own. torch.h
// includes it.
#pragma once

#include <atomic>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "tapir/tapir.h"
#include "torch/support.h"

// dtypes are values of one type: what libtorch calls caffe2::TypeMeta and c10::ScalarType.
namespace caffe2 {
class TypeMeta {
 public:
  constexpr TypeMeta() = default;
  constexpr TypeMeta(tapir::DType dtype) : dtype_(dtype) {}   // NOLINT
  constexpr operator tapir::DType() const { return dtype_; }  // NOLINT
  template <class T>
  static constexpr TypeMeta Make() {
    return tapir::dtype_of<T>;
  }
  size_t itemsize() const { return tapir::item_size(dtype_); }
  std::string name() const { return tapir::detail::stream_text(dtype_); }

 private:
  tapir::DType dtype_ = tapir::kFloat32;
};
}  // namespace caffe2

namespace c10 {
inline caffe2::TypeMeta scalarTypeToTypeMeta(tapir::DType d) { return d; }
inline tapir::DType typeMetaToScalarType(caffe2::TypeMeta d) { return d; }
inline tapir::DType get_default_dtype_as_scalartype() { return tapir::get_default_dtype(); }
inline tapir::DType promoteTypes(tapir::DType a, tapir::DType b) { return tapir::promote_types(a, b); }
inline bool isFloatingType(tapir::DType d) { return tapir::is_floating_point(d); }
inline bool isIntegralType(tapir::DType d, bool include_bool) { return tapir::is_integral(d, include_bool); }
inline bool isComplexType(tapir::DType) { return false; }
template <class T>
struct CppTypeToScalarType : std::integral_constant<tapir::DType, tapir::dtype_of<T>> {};
/// The strings with `separator` between them.
template <class Container>
std::string Join(const std::string& separator, const Container& values) {
  std::ostringstream text;
  bool first = true;
  for (const auto& value : values) text << (std::exchange(first, false) ? "" : separator) << value;
  return text.str();
}
/// "Float", "Long", ...
inline std::string toString(tapir::DType d) { return tapir::detail::stream_text(d); }
}  // namespace c10

namespace at {
using c10::CppTypeToScalarType;
using c10::isComplexType;
using c10::isFloatingType;
using c10::isIntegralType;
using c10::Join;
using c10::promoteTypes;
using c10::scalarTypeToTypeMeta;
using c10::toString;
using c10::typeMetaToScalarType;

inline bool hasCUDA() { return tapir::cuda::is_available(); }

namespace detail {
inline std::atomic<int>& interop_threads() {
  static std::atomic<int> threads{1};
  return threads;
}
}  // namespace detail
/// What was set, at first 1. Tapir has one pool of threads, and starts nothing beside the thread that calls:
/// the number changes nothing else.
inline int get_num_interop_threads() { return detail::interop_threads(); }
/// Throws ValueError unless n > 0.
inline void set_num_interop_threads(int n) {
  if (n <= 0)
    throw tapir::ValueError("set_num_interop_threads: " + std::to_string(n) +
                            " threads, expected one or more");
  detail::interop_threads() = n;
}
/// Nothing is left to be done: the pool starts by itself.
inline void init_num_threads() {}

struct CPUGeneratorImpl {};
namespace detail {
inline tapir::Generator createCPUGenerator(uint64_t seed = 67280421310721u) {
  tapir::Generator g;
  g.manual_seed(seed);
  return g;
}
inline const tapir::Generator& getDefaultCPUGenerator() { return tapir::default_generator(); }
}  // namespace detail
/// make_generator<CPUGeneratorImpl>(seed)
template <class Impl>
tapir::Generator make_generator(uint64_t seed = 67280421310721u) {
  static_assert(std::is_same_v<Impl, CPUGeneratorImpl>, "only generators of the CPU");
  return detail::createCPUGenerator(seed);
}
}  // namespace at

namespace torch {
using at::CPUGeneratorImpl;
using at::get_num_interop_threads;
using at::hasCUDA;
using at::init_num_threads;
using at::make_generator;
using at::set_num_interop_threads;
using c10::CppTypeToScalarType;
using c10::get_default_dtype_as_scalartype;
using c10::isComplexType;
using c10::isFloatingType;
using c10::isIntegralType;
using c10::Join;
using c10::promoteTypes;
using c10::scalarTypeToTypeMeta;
using c10::toString;
using c10::typeMetaToScalarType;
using std::enable_if_t;
using std::make_unique;

template <bool... values>
struct all_of : std::bool_constant<(values && ...)> {};
template <bool... values>
struct any_of : std::bool_constant<(values || ...)> {};

/// function(argument) for each argument in turn.
template <class Function, class... Args>
void apply(Function function, Args&&... args) {
  (function(std::forward<Args>(args)), ...);
}

namespace utils {
using torch::get_num_interop_threads;
using torch::init_num_threads;
using torch::set_num_interop_threads;
/// The elements of all tensors in one vector.
inline tapir::Tensor flatten_dense_tensors(tapir::TensorList tensors) {
  std::vector<tapir::Tensor> flat;
  for (const auto& t : tensors) flat.push_back(t.reshape({-1}));
  return tapir::cat(flat);
}
/// Views of a flat vector with the sizes of `tensors`, one after the other; what is left over stays unused.
/// Throws IndexError where there is too little.
inline std::vector<tapir::Tensor> unflatten_dense_tensors(const tapir::Tensor& flat,
                                                          tapir::TensorList tensors) {
  std::vector<tapir::Tensor> parts;
  int64_t start = 0;
  for (const auto& t : tensors) {
    parts.push_back(flat.narrow(0, start, t.numel()).view(t.sizes()));
    start += t.numel();
  }
  return parts;
}
}  // namespace utils
using utils::flatten_dense_tensors;
using utils::unflatten_dense_tensors;
}  // namespace torch

namespace at {
using torch::utils::flatten_dense_tensors;
using torch::utils::unflatten_dense_tensors;
}  // namespace at

// --- the queues between a loader and its workers ---

#include "torch/data_queues.h"

// --- scalar_t by dtype ---

/// AT_DISPATCH_FLOATING_TYPES(t.scalar_type(), "name", [&] { ... scalar_t ... }) calls the lambda with
/// scalar_t the C++ type of the dtype. Throws DTypeError for others than those that the macro is named for.
#define TAPIR_DISPATCH_CASE(dtype, type, ...) \
  case dtype: {                               \
    using scalar_t [[maybe_unused]] = type;   \
    return __VA_ARGS__();                     \
  }
#define TAPIR_DISPATCH_FLOATING(...)                         \
  TAPIR_DISPATCH_CASE(::tapir::kFloat32, float, __VA_ARGS__) \
  TAPIR_DISPATCH_CASE(::tapir::kFloat64, double, __VA_ARGS__)
#define TAPIR_DISPATCH_INTEGRAL(...)                         \
  TAPIR_DISPATCH_CASE(::tapir::kUInt8, uint8_t, __VA_ARGS__) \
  TAPIR_DISPATCH_CASE(::tapir::kInt8, int8_t, __VA_ARGS__)   \
  TAPIR_DISPATCH_CASE(::tapir::kInt16, int16_t, __VA_ARGS__) \
  TAPIR_DISPATCH_CASE(::tapir::kInt32, int32_t, __VA_ARGS__) \
  TAPIR_DISPATCH_CASE(::tapir::kInt64, int64_t, __VA_ARGS__)
#define TAPIR_DISPATCH_HALF(...) TAPIR_DISPATCH_CASE(::tapir::kFloat16, ::tapir::Half, __VA_ARGS__)
#define TAPIR_DISPATCH(dtype, name, ...)                                                               \
  [&] {                                                                                                \
    const ::tapir::DType tapir_dtype = dtype;                                                          \
    switch (tapir_dtype) {                                                                             \
      __VA_ARGS__                                                                                      \
      default:                                                                                         \
        throw ::tapir::DTypeError(::c10::str(name, ": not there for ", ::c10::toString(tapir_dtype))); \
    }                                                                                                  \
  }()
#define AT_DISPATCH_FLOATING_TYPES(dtype, name, ...) \
  TAPIR_DISPATCH(dtype, name, TAPIR_DISPATCH_FLOATING(__VA_ARGS__))
#define AT_DISPATCH_INTEGRAL_TYPES(dtype, name, ...) \
  TAPIR_DISPATCH(dtype, name, TAPIR_DISPATCH_INTEGRAL(__VA_ARGS__))
#define AT_DISPATCH_ALL_TYPES(dtype, name, ...) \
  TAPIR_DISPATCH(dtype, name, TAPIR_DISPATCH_FLOATING(__VA_ARGS__) TAPIR_DISPATCH_INTEGRAL(__VA_ARGS__))
#define AT_DISPATCH_FLOATING_TYPES_AND_HALF(dtype, name, ...) \
  TAPIR_DISPATCH(dtype, name, TAPIR_DISPATCH_FLOATING(__VA_ARGS__) TAPIR_DISPATCH_HALF(__VA_ARGS__))
