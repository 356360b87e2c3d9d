// Formatted errors for library sources. Private: includes fmt, so no public header includes it.
#pragma once

#include <fmt/format.h>

#include <utility>

#include "tapir/tensor/array_ref.h"
#include "tapir/tensor/device.h"
#include "tapir/tensor/dtype.h"
#include "tapir/tensor/error.h"

template <>
struct fmt::formatter<tapir::DType> : fmt::formatter<fmt::string_view> {
  auto format(tapir::DType d, format_context& ctx) const {
    return formatter<fmt::string_view>::format(tapir::dtype_name(d), ctx);
  }
};
template <>
struct fmt::formatter<tapir::Device> : fmt::formatter<fmt::string_view> {
  auto format(const tapir::Device& d, format_context& ctx) const {
    return formatter<fmt::string_view>::format(d.str(), ctx);
  }
};
/// Sizes print as [2, 3].
template <>
struct fmt::formatter<tapir::ArrayRef<int64_t>> : fmt::formatter<fmt::string_view> {
  auto format(tapir::ArrayRef<int64_t> sizes, format_context& ctx) const {
    return formatter<fmt::string_view>::format(tapir::shape_str(sizes), ctx);
  }
};

namespace tapir {

template <class E, class... Args>
[[noreturn]] TAPIR_COLD void throw_error(fmt::format_string<Args...> format, Args&&... args) {
  throw E(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tapir

/// TAPIR_CHECK_AS(ShapeError, a == b, "op: got {}, expected {}", a, b)
#define TAPIR_CHECK_AS(E, condition, ...) \
  (TAPIR_LIKELY(condition) ? void(0) : ::tapir::throw_error<::tapir::E>(__VA_ARGS__))
