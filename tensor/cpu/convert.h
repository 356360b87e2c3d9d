// Conversion of contiguous arrays between dtypes.
#pragma once

#include "tapir/tensor/kernels.h"

namespace tapir::cpu {

/// dst[i] = cast(src[i]) for contiguous arrays that do not overlap.
using ConvertLoop = void (*)(int64_t n, const void* src, void* dst);

/// How to convert from one dtype to another: one loop, or two through a block of the dtype between.
///
/// Floats are rounded to nearest even, also into the half types (which larger integers reach through float,
/// as in PyTorch). Floats become integers by cutting to int64, where values out of range give the nearest
/// int64 and NaN gives 0, and then wrapping to narrower integers. Anything becomes bool by comparison with
/// zero.
struct Conversion {
  ConvertLoop first = nullptr, second = nullptr;
  int64_t from_item = 0, to_item = 0;  ///< bytes per element

  /// Any n.
  void operator()(int64_t n, const void* src, void* dst) const {
    if (!second) {
      first(n, src, dst);
    } else {
      through_middle(n, src, dst);
    }
  }

 private:
  void through_middle(int64_t n, const void* src, void* dst) const;
};

/// `from` differs from `to`.
Conversion conversion(DType from, DType to);

/// A value as a kernel sees it.
union KernelValue {
  float f;
  double d;
  int64_t i;
  uint8_t b;
};
/// `s` as float, double, int64 or bool.
inline KernelValue kernel_value(const KernelScalar& s, DType dtype) {
  KernelValue v;
  if (dtype == kFloat32) {
    v.f = static_cast<float>(s.real);
  } else if (dtype == kFloat64) {
    v.d = s.real;
  } else if (dtype == kBool) {
    v.b = s.real != 0 || s.integer != 0;
  } else {
    v.i = s.integer;
  }
  return v;
}

}  // namespace tapir::cpu
