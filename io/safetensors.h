// Reading and writing safetensors files, the format that moves weights between Python and here.
//
// A file is eight bytes with the header's length, a JSON header that gives each tensor's dtype, shape and
// place, and the tensors' bytes, row-major and little-endian.
#pragma once

#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir {

/// Tensors by name, in order.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;
/// A file's free text entries, in order.
using Metadata = std::vector<std::pair<std::string, std::string>>;

/// What a safetensors file holds.
struct SafeTensors {
  NamedTensors tensors;
  Metadata metadata;
  /// The tensor of that name. Throws IndexError where there is none.
  TAPIR_API const Tensor& at(const std::string& name) const;
  TAPIR_API bool contains(const std::string& name) const;
};

/// Writes tensors of any dtype, strides and device, and the metadata. The file is replaced all at once: where
/// writing fails, even by a crash, the previous file is still there. Throws IOError; ValueError for a name
/// that is used twice, is "__metadata__" or is not UTF-8, or an undefined tensor.
TAPIR_API void save_safetensors(const std::string& path, const NamedTensors& tensors,
                                const Metadata& metadata = {});

/// Reads a file, in the order of its header. The tensors show the file's memory map, so that nothing is read
/// before it is used and several tensors cost no copy; writing to them does not change the file. Throws
/// IOError, which names the file, the tensor and the fault, for whatever is not a well-formed file: it is
/// checked whole before this returns.
TAPIR_API SafeTensors load_safetensors(const std::string& path);

/// The same to and from a binary stream; the reader takes all that follows.
TAPIR_API void save_safetensors(std::ostream& stream, const NamedTensors& tensors,
                                const Metadata& metadata = {});
TAPIR_API SafeTensors load_safetensors(std::istream& stream);

}  // namespace tapir
