// The exceptions of Tapir. A message names the op, what it was given, what it expected and a way out.
#pragma once

#include <stdexcept>
#include <string>

#include "tapir/tensor/macros.h"

namespace tapir {

/// Base of every exception that Tapir throws.
class TAPIR_API Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message), message_(message) {}
  ~Error() override;
  const char* what() const noexcept override { return message_.c_str(); }
  /// The message; libtorch appends a C++ backtrace to what(), Tapir does not.
  const char* what_without_backtrace() const noexcept { return what(); }
  /// Adds where it happened, on a line of its own.
  void add_context(const std::string& context) { message_ += "\n  " + context; }

 private:
  std::string message_;
};

#define TAPIR_DECLARE_ERROR(Name)       \
  class TAPIR_API Name : public Error { \
   public:                              \
    using Error::Error;                 \
    ~Name() override;                   \
  }
TAPIR_DECLARE_ERROR(ShapeError);     ///< sizes, strides or dimensions do not fit
TAPIR_DECLARE_ERROR(DTypeError);     ///< an element type the op does not take or cannot combine
TAPIR_DECLARE_ERROR(DeviceError);    ///< tensors on different devices, or a device that is not there
TAPIR_DECLARE_ERROR(IndexError);     ///< an index or dimension out of range
TAPIR_DECLARE_ERROR(ValueError);     ///< an argument outside its domain
TAPIR_DECLARE_ERROR(AutogradError);  ///< a graph that was freed, changed in place, or does not reach
TAPIR_DECLARE_ERROR(IOError);        ///< a file that cannot be read, is cut short or is not what it claims
TAPIR_DECLARE_ERROR(OutOfMemoryError);
TAPIR_DECLARE_ERROR(InternalError);  ///< a broken invariant of Tapir itself: please report it
#undef TAPIR_DECLARE_ERROR

namespace detail {
[[noreturn]] TAPIR_API TAPIR_COLD void internal_failure(const char* condition, const char* file, int line);
}  // namespace detail

/// Throws E with a message formatted by fmt; for library sources, which include <fmt/format.h> themselves:
///   throw_error<ShapeError>("matmul: got {} and {}", a, b)  (in tensor/error_format.h)

}  // namespace tapir

/// A broken invariant of ours, not of the user's: throws InternalError.
#define TAPIR_INTERNAL_CHECK(condition) \
  (TAPIR_LIKELY(condition) ? void(0) : ::tapir::detail::internal_failure(#condition, __FILE__, __LINE__))
