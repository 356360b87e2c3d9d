// TensorOptions: dtype, device and requires_grad of a tensor to be made.
#pragma once

#include <cstdint>
#include <optional>

#include "tapir/tensor/device.h"
#include "tapir/tensor/dtype.h"

namespace tapir {

/// Sparse has a name only: a tensor of it is refused.
enum class Layout_ : int8_t { Strided, Sparse };
inline constexpr Layout_ kStrided = Layout_::Strided;
inline constexpr Layout_ kSparse = Layout_::Sparse;
enum class MemoryFormat : int8_t { Contiguous, Preserve, ChannelsLast, ChannelsLast3d };

namespace detail {
[[noreturn]] TAPIR_API TAPIR_COLD void layout_failure();
}  // namespace detail

using std::nullopt;
using std::optional;

/// What a factory function makes: unset parts are the defaults (default dtype, CPU, no gradient).
///   zeros({2, 3}, dtype(kFloat64).requires_grad(true))
class TensorOptions {
 public:
  constexpr TensorOptions() = default;
  constexpr TensorOptions(DType d) : dtype_(d), has_dtype_(true) {}     // NOLINT
  constexpr TensorOptions(Device d) : device_(d), has_device_(true) {}  // NOLINT
  constexpr TensorOptions(DeviceType d) : TensorOptions(Device(d)) {}   // NOLINT
  constexpr TensorOptions(Layout_) {}                                   // NOLINT

  [[nodiscard]] constexpr TensorOptions dtype(DType d) const {
    TensorOptions o = *this;
    o.dtype_ = d;
    o.has_dtype_ = true;
    return o;
  }
  [[nodiscard]] constexpr TensorOptions device(Device d) const {
    TensorOptions o = *this;
    o.device_ = d;
    o.has_device_ = true;
    return o;
  }
  [[nodiscard]] constexpr TensorOptions device(DeviceType type, DeviceIndex index = -1) const {
    return device(Device(type, index));
  }
  [[nodiscard]] constexpr TensorOptions device_index(DeviceIndex index) const {
    return device(Device(kCUDA, index));
  }
  [[nodiscard]] constexpr TensorOptions requires_grad(bool r) const {
    TensorOptions o = *this;
    o.requires_grad_ = r;
    return o;
  }
  /// Throws ValueError for kSparse.
  [[nodiscard]] constexpr TensorOptions layout(Layout_ layout) const {
    if (layout != kStrided) detail::layout_failure();
    return *this;
  }
  [[nodiscard]] constexpr TensorOptions memory_format(MemoryFormat) const { return *this; }

  DType dtype() const { return has_dtype_ ? dtype_ : get_default_dtype(); }
  /// The dtype of T, as an argument.
  template <class T>
  [[nodiscard]] constexpr TensorOptions dtype() const {
    return dtype(DTypeOf<T>::value);
  }
  constexpr Device device() const { return device_; }
  constexpr DeviceIndex device_index() const { return device_.index(); }
  constexpr bool requires_grad() const { return requires_grad_; }
  constexpr Layout_ layout() const { return kStrided; }
  constexpr bool has_dtype() const { return has_dtype_; }
  constexpr bool has_device() const { return has_device_; }

 private:
  Device device_{kCPU};
  DType dtype_ = kFloat32;
  bool has_dtype_ = false;
  bool has_device_ = false;
  bool requires_grad_ = false;
};

inline TensorOptions dtype(DType d) { return TensorOptions(d); }
template <class T>
TensorOptions dtype() {
  return TensorOptions(DTypeOf<T>::value);
}
inline TensorOptions device(Device d) { return TensorOptions(d); }
inline TensorOptions device(DeviceType type, DeviceIndex index = -1) {
  return TensorOptions(Device(type, index));
}
inline TensorOptions device_index(DeviceIndex index) { return TensorOptions().device_index(index); }
inline TensorOptions requires_grad(bool r = true) { return TensorOptions().requires_grad(r); }
inline TensorOptions layout(Layout_ l) { return TensorOptions(l); }

}  // namespace tapir
