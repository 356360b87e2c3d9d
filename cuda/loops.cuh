// What the CUDA kernels over elements share: loading and storing any dtype, the iteration space, the launch.
#pragma once

#include <cstdint>
#include <type_traits>

#include "tapir/cuda/context.h"
#include "tapir/tensor/kernels.h"

namespace tapir::cuda {

inline constexpr int kThreads = 256;

/// A grid that fills the device; kernels walk the rest with a grid-stride loop, in 64-bit indices.
inline unsigned blocks_for(int64_t n) {
  const int64_t blocks = (n + kThreads - 1) / kThreads;
  return static_cast<unsigned>(blocks < 65536 ? blocks : 65536);
}

/// `value` as a T. A float outside an int64's range gives the nearest value; NaN gives 0, where the device's
/// own conversion gives the smallest.
template <class T, class U>
__device__ __forceinline__ T cast(U value) {
  if constexpr (std::is_same_v<T, int64_t> && std::is_floating_point_v<U>) {
    if (value != value) return 0;
    if (value >= U(9223372036854775808.0)) return INT64_MAX;
    if (value <= U(-9223372036854775808.0)) return INT64_MIN;
  }
  return static_cast<T>(value);
}

/// Element i of `data`, converted to T as cast() does.
template <class T>
__device__ __forceinline__ T load(const void* data, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::UInt8:
      return static_cast<T>(static_cast<const uint8_t*>(data)[i]);
    case DType::Int8:
      return static_cast<T>(static_cast<const int8_t*>(data)[i]);
    case DType::Int16:
      return static_cast<T>(static_cast<const int16_t*>(data)[i]);
    case DType::Int32:
      return static_cast<T>(static_cast<const int32_t*>(data)[i]);
    case DType::Int64:
      return static_cast<T>(static_cast<const int64_t*>(data)[i]);
    case DType::Float16:
      return cast<T>(static_cast<float>(static_cast<const Half*>(data)[i]));
    case DType::BFloat16:
      return cast<T>(static_cast<float>(static_cast<const BFloat16*>(data)[i]));
    case DType::Float64:
      return cast<T>(static_cast<const double*>(data)[i]);
    case DType::Bool:
      return static_cast<T>(static_cast<const uint8_t*>(data)[i] != 0);
    case DType::Float32:
      break;
  }
  return cast<T>(static_cast<const float*>(data)[i]);
}

/// Stores `value` as element i of `data`.
template <class T>
__device__ __forceinline__ void store(void* data, DType dtype, int64_t i, T value) {
  switch (dtype) {
    case DType::UInt8:
      static_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(cast<int64_t>(value));
      return;
    case DType::Int8:
      static_cast<int8_t*>(data)[i] = static_cast<int8_t>(cast<int64_t>(value));
      return;
    case DType::Int16:
      static_cast<int16_t*>(data)[i] = static_cast<int16_t>(cast<int64_t>(value));
      return;
    case DType::Int32:
      static_cast<int32_t*>(data)[i] = static_cast<int32_t>(cast<int64_t>(value));
      return;
    case DType::Int64:
      static_cast<int64_t*>(data)[i] = cast<int64_t>(value);
      return;
    case DType::Float16:
      static_cast<Half*>(data)[i] = Half(static_cast<float>(value));
      return;
    case DType::BFloat16:
      static_cast<BFloat16*>(data)[i] = BFloat16(static_cast<float>(value));
      return;
    case DType::Float64:
      static_cast<double*>(data)[i] = static_cast<double>(value);
      return;
    case DType::Bool:
      static_cast<uint8_t*>(data)[i] = value != T(0);
      return;
    case DType::Float32:
      break;
  }
  static_cast<float*>(data)[i] = static_cast<float>(value);
}

/// Sizes of an iteration space and the strides of kOperands operands over it, innermost first.
template <int kOperands>
struct Space {
  int ndim;
  int64_t sizes[kMaxDims];
  int64_t strides[kOperands][kMaxDims];

  /// The operands' offsets of element i, counted with the innermost dimension fastest.
  __device__ __forceinline__ void offsets(int64_t i, int64_t* out) const {
    for (int k = 0; k < kOperands; ++k) out[k] = 0;
    for (int d = 0; d < ndim; ++d) {
      const int64_t at = i % sizes[d];
      i /= sizes[d];
      for (int k = 0; k < kOperands; ++k) out[k] += at * strides[k][d];
    }
  }
};

}  // namespace tapir::cuda
