// Where a tensor's memory is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tapir/tensor/macros.h"

namespace tapir {

enum class DeviceType : int8_t { CPU = 0, CUDA = 1 };
inline constexpr DeviceType kCPU = DeviceType::CPU;
inline constexpr DeviceType kCUDA = DeviceType::CUDA;
using DeviceIndex = int8_t;

/// A device: its type and, for CUDA, its index (-1: the current one).
struct Device {
  constexpr Device(DeviceType type, DeviceIndex index = -1) : type_(type), index_(index) {}  // NOLINT
  /// From "cpu", "cuda" or "cuda:1". Throws ValueError for anything else.
  TAPIR_API Device(std::string_view text);                             // NOLINT
  Device(const char* text) : Device(std::string_view(text)) {}         // NOLINT
  Device(const std::string& text) : Device(std::string_view(text)) {}  // NOLINT

  constexpr DeviceType type() const { return type_; }
  constexpr DeviceIndex index() const { return index_; }
  constexpr bool has_index() const { return index_ >= 0; }
  constexpr bool is_cpu() const { return type_ == kCPU; }
  constexpr bool is_cuda() const { return type_ == kCUDA; }
  /// "cpu", "cuda", "cuda:1".
  TAPIR_API std::string str() const;
  friend constexpr bool operator==(Device a, Device b) = default;

 private:
  DeviceType type_;
  DeviceIndex index_;
};

}  // namespace tapir
