#include "tapir/tensor/dtype.h"

#include <atomic>

#include "tapir/tensor/error_format.h"

namespace tapir {

const char* dtype_name(DType dtype) {
  switch (dtype) {
    case DType::UInt8:
      return "uint8";
    case DType::Int8:
      return "int8";
    case DType::Int16:
      return "int16";
    case DType::Int32:
      return "int32";
    case DType::Int64:
      return "int64";
    case DType::Float16:
      return "float16";
    case DType::Float32:
      return "float32";
    case DType::Float64:
      return "float64";
    case DType::Bool:
      return "bool";
    case DType::BFloat16:
      return "bfloat16";
  }
  return "unknown dtype";
}

DType promote_types(DType a, DType b) {
  if (a == b) return a;
  if (a == kBool) return b;
  if (b == kBool) return a;
  const bool fa = is_floating_point(a), fb = is_floating_point(b);
  if (fa != fb) return fa ? a : b;
  if (fa) {
    if (a == kFloat64 || b == kFloat64) return kFloat64;
    return kFloat32;  // float32 with a half type, or float16 with bfloat16
  }
  // Integers: signed ones are ordered by value; uint8 needs a signed type wider than itself.
  const DType wide = static_cast<uint8_t>(a) > static_cast<uint8_t>(b) ? a : b;
  const DType narrow = wide == a ? b : a;
  if (narrow == kUInt8 && wide == kInt8) return kInt16;
  return wide;
}

namespace {
std::atomic<DType> default_dtype{kFloat32};
}

DType get_default_dtype() { return default_dtype.load(std::memory_order_relaxed); }

void set_default_dtype(DType dtype) {
  TAPIR_CHECK_AS(DTypeError, is_floating_point(dtype),
                 "set_default_dtype: got {}, expected a floating-point dtype such as float32 or float64",
                 dtype);
  default_dtype.store(dtype, std::memory_order_relaxed);
}

}  // namespace tapir
