// NumPy's files: .npy, one array, and .npz, several by name.
//
// Tapir's dtypes are NumPy's of the same names. bfloat16, which NumPy lacks, is written as the two raw bytes
// ("<V2") that arrays of the Python package ml_dtypes are saved as; Python gets it back with
// numpy.load(f).view(ml_dtypes.bfloat16).
#pragma once

#include <iosfwd>
#include <string>

#include "tapir/nn/ordered_dict.h"
#include "tapir/tensor/tensor.h"

namespace tapir {

/// Writes a tensor of any dtype, strides and device, as numpy.save does. The file is replaced all at once.
/// Throws IOError; ValueError for an undefined tensor.
TAPIR_API void save_npy(const std::string& path, const Tensor& tensor);
TAPIR_API void save_npy(std::ostream& stream, const Tensor& tensor);

/// Reads what numpy.save wrote: any of Tapir's dtypes in either byte order, in C or Fortran order; the tensor
/// is row-major. Where the file has just that order, the tensor shows its memory map: nothing is read before
/// it is used, and writing to the tensor does not change the file. Throws IOError, which names the file and
/// the fault, for whatever is not exactly such a file, and for NumPy's other dtypes (unsigned beyond 8 bits,
/// complex, text, objects, records). A stream is read to its end.
TAPIR_API Tensor load_npy(const std::string& path);
TAPIR_API Tensor load_npy(std::istream& stream);

/// Writes tensors by name, as numpy.savez does, or compressed (by deflate), as numpy.savez_compressed. A
/// module's whole state: save_npz(path, module->state_dict()). The file is replaced all at once. Throws
/// IOError; ValueError for an undefined tensor, or a name that holds '\0' or is longer than 65531 bytes.
TAPIR_API void save_npz(const std::string& path, const OrderedDict<std::string, Tensor>& tensors,
                        bool compressed = false);
TAPIR_API void save_npz(std::ostream& stream, const OrderedDict<std::string, Tensor>& tensors,
                        bool compressed = false);

/// Reads what numpy.savez or savez_compressed wrote, in the file's order. Tensors show the file's memory map
/// where they are stored uncompressed at an address that suits them, as save_npz does it. All is checked
/// before this returns, checksums included. Throws IOError, which names the file, the array and the fault.
TAPIR_API OrderedDict<std::string, Tensor> load_npz(const std::string& path);
TAPIR_API OrderedDict<std::string, Tensor> load_npz(std::istream& stream);

}  // namespace tapir
