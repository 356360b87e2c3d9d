// What libtorch programs use of c10: checks, warnings, ranges, lists, temporary files. torch.h includes it.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "tapir/tapir.h"

namespace c10 {
using namespace tapir;
using std::in_place;
using std::in_place_t;
using std::make_optional;
using string_view = std::string_view;
using LinAlgError = tapir::ValueError;  ///< a singular matrix and the like
using TypeError = tapir::DTypeError;
/// What TORCH_CHECK_NOT_IMPLEMENTED throws; Tapir itself throws other kinds of Error.
class NotImplementedError : public tapir::Error {
 public:
  using tapir::Error::Error;
};

/// The arguments as an ostream prints them, one after the other.
template <class... Args>
std::string str(const Args&... args) {
  std::ostringstream out;
  static_cast<void>((out << ... << args));
  return out.str();
}

namespace impl {
/// The message of a check that failed: `otherwise` where `args` give none.
template <class... Args>
std::string check_message(const char* otherwise, const Args&... args) {
  std::string message = str(args...);
  return message.empty() ? otherwise : message;
}
}  // namespace impl

/// A place in a program.
struct SourceLocation {
  const char* function;
  const char* file;
  uint32_t line;
};

/// for (auto i : irange(n)), irange(begin, end)
template <class I>
class integer_range {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = I;
    using difference_type = std::ptrdiff_t;
    using pointer = const I*;
    using reference = I;
    explicit iterator(I i) : i_(i) {}
    I operator*() const { return i_; }
    iterator& operator++() {
      ++i_;
      return *this;
    }
    iterator operator++(int) { return iterator(i_++); }
    bool operator==(const iterator& other) const { return i_ == other.i_; }
    bool operator!=(const iterator& other) const { return i_ != other.i_; }

   private:
    I i_;
  };
  integer_range(I begin, I end) : begin_(begin), end_(end < begin ? begin : end) {}
  iterator begin() const { return iterator(begin_); }
  iterator end() const { return iterator(end_); }

 private:
  I begin_, end_;
};
template <class I, std::enable_if_t<std::is_integral_v<I>, bool> = true>
integer_range<I> irange(I end) {
  return {I(), end};
}
template <class A, class I, std::enable_if_t<std::is_integral_v<A> && std::is_integral_v<I>, bool> = true>
integer_range<I> irange(A begin, I end) {
  return {static_cast<I>(begin), end};
}

template <class T>
tapir::ArrayRef<T> makeArrayRef(const std::vector<T>& v) {
  return v;
}

/// A vector by libtorch's interface. Copies are copies, not the same list.
template <class T>
class List {
 public:
  List() = default;
  List(std::initializer_list<T> values) : values_(values) {}
  explicit List(tapir::ArrayRef<T> values) : values_(values.begin(), values.end()) {}
  size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }
  void push_back(T value) { values_.push_back(std::move(value)); }
  template <class... Args>
  void emplace_back(Args&&... args) {
    values_.emplace_back(std::forward<Args>(args)...);
  }
  void reserve(size_t n) { values_.reserve(n); }
  void clear() { values_.clear(); }
  T get(size_t i) const { return values_.at(i); }
  void set(size_t i, T value) { values_.at(i) = std::move(value); }
  decltype(auto) operator[](size_t i) { return values_.at(i); }
  decltype(auto) operator[](size_t i) const { return values_.at(i); }
  auto begin() { return values_.begin(); }
  auto end() { return values_.end(); }
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }
  std::vector<T> vec() const { return values_; }
  /// As the argument of index() and index_put_(): nothing stands for a whole dimension. Valid while the list
  /// is.
  operator tapir::ArrayRef<tapir::TensorIndex>() const {
    indices_.clear();
    for (const auto& v : values_) {
      if constexpr (std::is_same_v<T, std::optional<tapir::Tensor>>) {
        if (v.has_value() && v->defined())
          indices_.emplace_back(*v);
        else
          indices_.emplace_back(tapir::Slice());
      } else {
        indices_.emplace_back(v);
      }
    }
    return indices_;
  }

 private:
  mutable std::vector<tapir::TensorIndex> indices_;
  std::vector<T> values_;
};

namespace impl {
using tapir::GenericDict;
using tapir::GenericList;
}  // namespace impl

// --- warnings ---

/// Gets the messages of TORCH_WARN; this one prints them to the standard error output.
class WarningHandler {
 public:
  virtual ~WarningHandler() = default;
  virtual void process(const SourceLocation& where, const std::string& message, const bool /*verbatim*/) {
    std::cerr << "[W " << where.file << ":" << where.line << "] Warning: " << message << " (function "
              << where.function << ")\n";
  }
};

namespace Warning {
namespace detail {
inline WarningHandler* standard_handler() {
  static WarningHandler handler;
  return &handler;
}
inline thread_local WarningHandler* handler = standard_handler();
inline bool always = false;
}  // namespace detail
inline void warn(const SourceLocation& where, const std::string& message, const bool verbatim) {
  detail::handler->process(where, message, verbatim);
}
/// Of this thread; null for the standard one. It must live as long as it is set.
inline void set_warning_handler(WarningHandler* handler) noexcept(true) {
  detail::handler = handler != nullptr ? handler : detail::standard_handler();
}
inline WarningHandler* get_warning_handler() noexcept(true) { return detail::handler; }
class WarningHandlerGuard {
 public:
  explicit WarningHandlerGuard(WarningHandler* handler) : before_(get_warning_handler()) {
    set_warning_handler(handler);
  }
  ~WarningHandlerGuard() { set_warning_handler(before_); }
  WarningHandlerGuard(const WarningHandlerGuard&) = delete;
  WarningHandlerGuard& operator=(const WarningHandlerGuard&) = delete;

 private:
  WarningHandler* before_;
};
/// Whether TORCH_WARN_ONCE warns each time.
inline void set_warnAlways(bool always) noexcept(true) { detail::always = always; }
inline bool get_warnAlways() noexcept(true) { return detail::always; }
}  // namespace Warning

// --- temporary files ---

/// A new file with a name of its own, removed at the end.
struct TempFile {
  TempFile(std::string file_name, int descriptor) : fd(descriptor), name(std::move(file_name)) {}
  TempFile(TempFile&& other) noexcept
      : fd(std::exchange(other.fd, -1)), name(std::exchange(other.name, {})) {}
  TempFile& operator=(TempFile&& other) noexcept {
    std::swap(fd, other.fd);
    std::swap(name, other.name);
    return *this;
  }
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;
  ~TempFile() {
    if (fd < 0) return;
    unlink(name.c_str());
    close(fd);
  }
  int fd;
  std::string name;
};
inline std::optional<TempFile> try_make_tempfile(std::string prefix = "torch-file-") {
  const char* folder = std::getenv("TMPDIR");
  std::string name =
      std::string(folder != nullptr && *folder != 0 ? folder : "/tmp") + "/" + prefix + "XXXXXX";
  const int fd = mkstemp(name.data());
  if (fd < 0) return std::nullopt;
  return TempFile(std::move(name), fd);
}
/// Throws IOError where there can be none.
inline TempFile make_tempfile(std::string prefix = "torch-file-") {
  if (auto file = try_make_tempfile(std::move(prefix))) return std::move(*file);
  throw tapir::IOError("make_tempfile: no temporary file can be made in $TMPDIR or /tmp");
}

}  // namespace c10

#define TAPIR_TEXT_OF(x) #x
#define TAPIR_LINE_TEXT(line) TAPIR_TEXT_OF(line)
/// Throws an error of that kind where `condition` is false. The further arguments are the message, printed as
/// by an ostream.
#define TORCH_CHECK_WITH(Kind, condition, ...)                                                      \
  (TAPIR_LIKELY(condition) ? void(0)                                                                \
                           : throw ::c10::Kind(::c10::impl::check_message(                          \
                                 "Expected " #condition " to be true, but got false. (at " __FILE__ \
                                 ":" TAPIR_LINE_TEXT(__LINE__) ")",                                 \
                                 ##__VA_ARGS__)))
/// The same, throwing torch::Error.
#define TORCH_CHECK(condition, ...) TORCH_CHECK_WITH(Error, condition, ##__VA_ARGS__)
#define TORCH_CHECK_INDEX(condition, ...) TORCH_CHECK_WITH(IndexError, condition, ##__VA_ARGS__)
#define TORCH_CHECK_VALUE(condition, ...) TORCH_CHECK_WITH(ValueError, condition, ##__VA_ARGS__)
#define TORCH_CHECK_TYPE(condition, ...) TORCH_CHECK_WITH(TypeError, condition, ##__VA_ARGS__)
#define TORCH_CHECK_NOT_IMPLEMENTED(condition, ...) \
  TORCH_CHECK_WITH(NotImplementedError, condition, ##__VA_ARGS__)
/// The message says which condition of the program's own does not hold, and where.
#define TORCH_INTERNAL_ASSERT(condition, ...)                                              \
  (TAPIR_LIKELY(condition)                                                                 \
       ? void(0)                                                                           \
       : throw ::c10::Error(::c10::str(#condition " INTERNAL ASSERT FAILED at \"" __FILE__ \
                                                  "\":" TAPIR_LINE_TEXT(__LINE__) ". ",    \
                                       ##__VA_ARGS__)))
#ifdef NDEBUG
#define TORCH_INTERNAL_ASSERT_DEBUG_ONLY(condition, ...) static_cast<void>(sizeof(bool(condition)))
#else
#define TORCH_INTERNAL_ASSERT_DEBUG_ONLY(condition, ...) TORCH_INTERNAL_ASSERT(condition, ##__VA_ARGS__)
#endif
#define AT_ASSERT(condition, ...) TORCH_INTERNAL_ASSERT(condition, ##__VA_ARGS__)
#define AT_ASSERTM(condition, ...) TORCH_CHECK(condition, ##__VA_ARGS__)
#define AT_ERROR(...) TORCH_CHECK(false, ##__VA_ARGS__)
#define TORCH_WARN(...) \
  ::c10::Warning::warn({__func__, __FILE__, static_cast<uint32_t>(__LINE__)}, ::c10::str(__VA_ARGS__), false)
#define TORCH_WARN_ONCE(...)                                            \
  do {                                                                  \
    static ::std::once_flag tapir_warned;                               \
    if (::c10::Warning::get_warnAlways())                               \
      TORCH_WARN(__VA_ARGS__);                                          \
    else                                                                \
      ::std::call_once(tapir_warned, [&] { TORCH_WARN(__VA_ARGS__); }); \
  } while (false)
