// Memory of a device for the length of one call. Private to cuda/.
#pragma once

#include <cstddef>

#include "tapir/cuda/backend.h"

namespace tapir::cuda {

/// Freed in stream order: work that is under way may still use it.
class Scratch {
 public:
  /// Of the current device.
  explicit Scratch(size_t bytes) : Scratch(-1, bytes) {}
  Scratch(int device, size_t bytes)
      : device_(device), bytes_(bytes), data_(bytes ? allocator(device).allocate(bytes) : nullptr) {}
  ~Scratch() {
    if (data_) allocator(device_).deallocate(data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void* data() const { return data_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  int device_;
  size_t bytes_;
  void* data_;
};

}  // namespace tapir::cuda
