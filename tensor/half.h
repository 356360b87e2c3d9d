// The 16-bit floating-point types: storage with conversion to and from float, rounding to nearest even.
#pragma once

#include <cstdint>

#include "tapir/tensor/macros.h"

namespace tapir {

/// bfloat16: float32 with the mantissa cut to 7 bits (same exponent range).
struct BFloat16 {
  uint16_t bits;
  BFloat16() = default;
  TAPIR_HD explicit BFloat16(float value) : bits(round(value)) {}
  TAPIR_HD operator float() const { return to_float(bits); }  // NOLINT: implicit as in PyTorch

  TAPIR_HD static uint16_t round(float value) {
    const uint32_t u = __builtin_bit_cast(uint32_t, value);
    if ((u & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((u >> 16) | 0x40u);  // quiet NaN
    return static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  TAPIR_HD static float to_float(uint16_t bits) {
    return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16);
  }
};

/// IEEE 754 binary16.
struct Half {
  uint16_t bits;
  Half() = default;
  TAPIR_HD explicit Half(float value) : bits(round(value)) {}
  TAPIR_HD operator float() const { return to_float(bits); }  // NOLINT: implicit as in PyTorch

  TAPIR_HD static uint16_t round(float value) {
    const uint32_t u = __builtin_bit_cast(uint32_t, value);
    const uint32_t sign = (u >> 16) & 0x8000u;
    const uint32_t magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<uint16_t>(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) return static_cast<uint16_t>(sign | 0x7c00u);  // rounds past 65504
    if (magnitude < 0x38800000u) {  // below 2^-14: a multiple of 2^-24, which float addition rounds for us
      const float shifted = __builtin_bit_cast(float, magnitude) + 0.5f;
      return static_cast<uint16_t>(sign | (__builtin_bit_cast(uint32_t, shifted) - 0x3f000000u));
    }
    const uint32_t odd = (magnitude >> 13) & 1u;
    return static_cast<uint16_t>(sign | ((magnitude - 0x38000000u + 0xfffu + odd) >> 13));
  }
  TAPIR_HD static float to_float(uint16_t bits) {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x8000u) << 16;
    const uint32_t magnitude = bits & 0x7fffu;
    if (magnitude >= 0x7c00u)
      return __builtin_bit_cast(float, sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13));
    if (magnitude < 0x0400u) {  // zero and subnormals: magnitude * 2^-24, exact in float
      const float value = static_cast<float>(magnitude) * 5.9604644775390625e-8f;
      return __builtin_bit_cast(float, sign | __builtin_bit_cast(uint32_t, value));
    }
    return __builtin_bit_cast(float, sign | ((magnitude << 13) + 0x38000000u));
  }
};

}  // namespace tapir
