// A float copy of half-type data, for kernels that compute in float.
#pragma once

#include <cstdint>
#include <vector>

#include "tapir/tensor/dtype.h"

namespace tapir::cpu {

class Staged {
 public:
  Staged() = default;
  /// `n` floats for an output of a half type.
  Staged(DType dtype, int64_t n) : dtype_(dtype), values_(static_cast<size_t>(n)) {}
  /// The n values of a half type at `source`; none where it is null.
  Staged(const void* source, DType dtype, int64_t n)
      : dtype_(dtype), values_(static_cast<size_t>(source ? n : 0)) {
    each([&]<class T>(const T*) {
      for (size_t i = 0; i < values_.size(); ++i) values_[i] = static_cast<const T*>(source)[i];
    });
  }
  float* data() { return values_.empty() ? nullptr : values_.data(); }
  /// Rounds the values into `to`.
  void write(void* to) const {
    each([&]<class T>(const T*) {
      for (size_t i = 0; i < values_.size(); ++i) static_cast<T*>(to)[i] = T(values_[i]);
    });
  }

 private:
  template <class F>
  void each(F f) const {
    if (dtype_ == kFloat16)
      f(static_cast<const Half*>(nullptr));
    else
      f(static_cast<const BFloat16*>(nullptr));
  }
  DType dtype_ = kFloat16;
  std::vector<float> values_;
};

}  // namespace tapir::cpu
