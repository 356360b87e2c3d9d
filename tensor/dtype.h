// Element types, their names and the rules of type promotion.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tapir/tensor/half.h"
#include "tapir/tensor/macros.h"

namespace tapir {

/// The element type of a tensor. The values are those of PyTorch's ScalarType.
enum class DType : uint8_t {
  UInt8 = 0,
  Int8 = 1,
  Int16 = 2,
  Int32 = 3,
  Int64 = 4,
  Float16 = 5,
  Float32 = 6,
  Float64 = 7,
  Bool = 11,
  BFloat16 = 15,
  // PyTorch's names
  Byte = UInt8,
  Char = Int8,
  Short = Int16,
  Int = Int32,
  Long = Int64,
  Half = Float16,
  Float = Float32,
  Double = Float64,
};
using ScalarType = DType;
using Dtype = DType;

inline constexpr DType kUInt8 = DType::UInt8, kByte = DType::UInt8;
inline constexpr DType kInt8 = DType::Int8, kChar = DType::Int8;
inline constexpr DType kInt16 = DType::Int16, kShort = DType::Int16;
inline constexpr DType kInt32 = DType::Int32, kInt = DType::Int32;
inline constexpr DType kInt64 = DType::Int64, kLong = DType::Int64;
inline constexpr DType kFloat16 = DType::Float16, kHalf = DType::Float16;
inline constexpr DType kFloat32 = DType::Float32, kFloat = DType::Float32;
inline constexpr DType kFloat64 = DType::Float64, kDouble = DType::Float64;
inline constexpr DType kBool = DType::Bool;
inline constexpr DType kBFloat16 = DType::BFloat16;

/// Every dtype once, for loops over all of them.
inline constexpr DType kAllDTypes[] = {kUInt8,   kInt8,    kInt16,   kInt32, kInt64,
                                       kFloat16, kFloat32, kFloat64, kBool,  kBFloat16};

/// Bytes per element.
constexpr size_t item_size(DType dtype) {
  constexpr uint8_t sizes[16] = {1, 1, 2, 4, 8, 2, 4, 8, 0, 0, 0, 1, 0, 0, 0, 2};
  return sizes[static_cast<uint8_t>(dtype)];
}
constexpr size_t elementSize(DType dtype) { return item_size(dtype); }

constexpr bool is_floating_point(DType d) {
  return d == kFloat32 || d == kFloat64 || d == kFloat16 || d == kBFloat16;
}
constexpr bool is_half(DType d) { return d == kFloat16 || d == kBFloat16; }
constexpr bool is_integral(DType d, bool include_bool = false) {
  return static_cast<uint8_t>(d) <= 4 || (include_bool && d == kBool);
}
constexpr bool is_signed(DType d) { return d != kUInt8 && d != kBool; }

/// "float32", "int64", ...
TAPIR_API const char* dtype_name(DType dtype);

/// The dtype that holds values of both, by PyTorch's table: bool < integers < floats; uint8 with a signed
/// integer gives the next wider signed one; float16 with bfloat16 gives float32.
TAPIR_API DType promote_types(DType a, DType b);
inline DType promoteTypes(DType a, DType b) { return promote_types(a, b); }

/// True where PyTorch lets an in-place or out= result of dtype `from` be stored in `to` (no float into an
/// integer, no number into bool).
constexpr bool can_cast(DType from, DType to) {
  if (is_floating_point(from) && !is_floating_point(to)) return false;
  return from == kBool || to != kBool;
}

/// Default dtype of floating-point factories, float32 at start.
TAPIR_API DType get_default_dtype();
TAPIR_API void set_default_dtype(DType dtype);

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<uint8_t> {
  static constexpr DType value = kUInt8;
};
template <>
struct DTypeOf<int8_t> {
  static constexpr DType value = kInt8;
};
template <>
struct DTypeOf<int16_t> {
  static constexpr DType value = kInt16;
};
template <>
struct DTypeOf<int32_t> {
  static constexpr DType value = kInt32;
};
template <>
struct DTypeOf<int64_t> {
  static constexpr DType value = kInt64;
};
template <>
struct DTypeOf<long long> {
  static constexpr DType value = kInt64;
};
template <>
struct DTypeOf<Half> {
  static constexpr DType value = kFloat16;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = kFloat32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = kFloat64;
};
template <>
struct DTypeOf<bool> {
  static constexpr DType value = kBool;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = kBFloat16;
};
/// The dtype of a C++ type: dtype_of<float> is kFloat32.
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

template <class T>
struct TypeTag {
  using type = T;
};

/// Calls f(TypeTag<T>{}) with the C++ type of `dtype`.
template <class F>
decltype(auto) visit_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::UInt8:
      return f(TypeTag<uint8_t>{});
    case DType::Int8:
      return f(TypeTag<int8_t>{});
    case DType::Int16:
      return f(TypeTag<int16_t>{});
    case DType::Int32:
      return f(TypeTag<int32_t>{});
    case DType::Int64:
      return f(TypeTag<int64_t>{});
    case DType::Float16:
      return f(TypeTag<Half>{});
    case DType::Float64:
      return f(TypeTag<double>{});
    case DType::Bool:
      return f(TypeTag<bool>{});
    case DType::BFloat16:
      return f(TypeTag<BFloat16>{});
    case DType::Float32:
      break;
  }
  return f(TypeTag<float>{});
}

}  // namespace tapir
