#include "tapir/tensor/error.h"

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/tensor.h"

namespace tapir {

Error::~Error() = default;
ShapeError::~ShapeError() = default;
DTypeError::~DTypeError() = default;
DeviceError::~DeviceError() = default;
IndexError::~IndexError() = default;
ValueError::~ValueError() = default;
AutogradError::~AutogradError() = default;
IOError::~IOError() = default;
OutOfMemoryError::~OutOfMemoryError() = default;
InternalError::~InternalError() = default;

std::string shape_str(IntArrayRef sizes) {
  return fmt::format("[{}]", fmt::join(sizes.begin(), sizes.end(), ", "));
}

namespace detail {

void internal_failure(const char* condition, const char* file, int line) {
  throw_error<InternalError>("internal error, please report it: {} does not hold at {}:{}", condition, file,
                             line);
}
void check_failure(const char* condition, const char* file, int line, const std::string& message) {
  throw Error(message.empty() ? fmt::format("expected {} at {}:{}", condition, file, line) : message);
}
void array_index_failure(size_t i, size_t size) {
  throw_error<IndexError>("ArrayRef::at: index {} is out of range for {} values", i, size);
}
void too_many_dims(size_t n) {
  throw_error<ShapeError>("tensor: {} dimensions; a tensor has at most {}", n, kMaxDims);
}
void undefined_tensor_failure() {
  throw ValueError(
      "tensor: it is undefined (default-constructed or never assigned); assign a value before using it");
}
void data_type_failure(DType wanted, DType got) {
  throw_error<DTypeError>(
      "data_ptr: asked for {}, but the tensor holds {}; use data_ptr of that type or to(...) first", wanted,
      got);
}
void dim_failure(const char* op, int64_t wanted, IntArrayRef got) {
  throw_error<ShapeError>("{}: expected a tensor with {} dimensions, got sizes {}", op, wanted, got);
}

}  // namespace detail
}  // namespace tapir
