// Python's pickles, as far as tensors and plain containers take them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "tapir/autograd/ivalue.h"

namespace tapir::io {

/// The storage that a pickle names by its key: `numel` elements of `dtype`. Throws IOError where it has none.
using StorageSource = std::function<Ref<StorageImpl>(const std::string& key, DType dtype, int64_t numel)>;

/// The value that a pickle of protocol 2 to 5 stands for. Nothing is executed: a pickle is a program for a
/// small stack machine, and this one knows the instructions that build None, bools, 64-bit integers, floats,
/// strings, lists, tuples, dicts and OrderedDicts, and, of what a pickle may call by name, only what PyTorch
/// makes tensors with. Tensors lie within their storages. Memory is bounded by a budget, nesting by a depth,
/// and no container holds itself. All else is an IOError that begins with `where` and names what was refused.
///
/// With `objects`, an object of a class of TorchScript's, whose names begin with "__torch__", is the dict of
/// its attributes. `end`, where given, becomes the number of bytes read.
TAPIR_API IValue unpickle(std::string_view pickle, const std::string& where, const StorageSource& storages,
                          bool objects = false, size_t* end = nullptr);

/// The name of the storage class that PyTorch's pickles have for a dtype, such as "FloatStorage".
TAPIR_API const char* storage_class(DType dtype);

}  // namespace tapir::io
