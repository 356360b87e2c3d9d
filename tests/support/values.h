// Tensors from numbers and numbers from tensors, for tests.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"

namespace values {

using tapir::DType;
using tapir::IntArrayRef;
using tapir::Tensor;

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr double kInf = std::numeric_limits<double>::infinity();

/// The elements in row-major order.
inline std::vector<double> of(const Tensor& t) {
  const Tensor d = tapir::raw::clone_contiguous(tapir::raw::cast(t, tapir::kFloat64));
  return {d.data_ptr<double>(), d.data_ptr<double>() + d.numel()};
}
inline std::vector<int64_t> integers(const Tensor& t) {
  const Tensor d = tapir::raw::clone_contiguous(tapir::raw::cast(t, tapir::kInt64));
  return {d.data_ptr<int64_t>(), d.data_ptr<int64_t>() + d.numel()};
}
inline std::vector<int64_t> sizes(const Tensor& t) { return t.sizes().vec(); }

inline Tensor make(const std::vector<double>& v, IntArrayRef sizes, DType dtype = tapir::kFloat32) {
  return tapir::raw::from_values(v.data(), sizes, dtype);
}
inline Tensor make(const std::vector<double>& v, DType dtype = tapir::kFloat32) {
  return make(v, {static_cast<int64_t>(v.size())}, dtype);
}
inline Tensor ints(const std::vector<int64_t>& v, IntArrayRef sizes) {
  return tapir::raw::from_values(v.data(), sizes, tapir::kInt64);
}
inline Tensor ints(const std::vector<int64_t>& v) { return ints(v, {static_cast<int64_t>(v.size())}); }

/// Numbers spread over [-2, 2] (integers over [-9, 9], no sign where there is none), the same for a seed
/// everywhere.
inline Tensor random(IntArrayRef sizes, DType dtype = tapir::kFloat32, uint64_t seed = 1) {
  std::vector<double> v(static_cast<size_t>(tapir::count(sizes)));
  uint64_t state = seed * 0x9e3779b97f4a7c15u + 1;
  for (double& x : v) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const double u = static_cast<double>(state >> 11) / 9007199254740992.0;
    if (tapir::is_floating_point(dtype))
      x = 4 * u - 2;
    else if (dtype == tapir::kBool)
      x = u < 0.5;
    else
      x = std::floor(tapir::is_signed(dtype) ? 19 * u - 9 : 10 * u);
  }
  return make(v, sizes, dtype);
}

/// Both NaN, equal, or within `relative` of the larger of |expected| and `scale`.
inline bool close(double got, double expected, double relative, double scale = 0) {
  if (std::isnan(expected)) return std::isnan(got);
  if (got == expected) return true;
  return std::fabs(got - expected) <= relative * std::max(std::fabs(expected), scale);
}
inline bool close(const std::vector<double>& got, const std::vector<double>& expected, double relative,
                  double scale = 0) {
  if (got.size() != expected.size()) return false;
  for (size_t i = 0; i < got.size(); ++i)
    if (!close(got[i], expected[i], relative, scale)) return false;
  return true;
}
inline bool close(const Tensor& got, const Tensor& expected, double relative, double scale = 0) {
  return got.sizes() == expected.sizes() && close(of(got), of(expected), relative, scale);
}

/// Half a unit in the last place of `dtype`, relative.
inline double rounding(DType dtype) {
  return dtype == tapir::kFloat64    ? 0x1p-53
         : dtype == tapir::kFloat32  ? 0x1p-24
         : dtype == tapir::kFloat16  ? 0x1p-11
         : dtype == tapir::kBFloat16 ? 0x1p-8
                                     : 0;
}

}  // namespace values
