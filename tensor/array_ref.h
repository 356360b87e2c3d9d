// ArrayRef, a view of consecutive values with libtorch's interface, and Dims, the small vector that holds
// sizes.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "tapir/tensor/macros.h"

namespace tapir {

/// A non-owning view of consecutive, constant values. Like std::span<const T>, but also made from a braced
/// list or one value, as libtorch programs do. It must not outlive what it views.
template <class T>
class ArrayRef {
 public:
  using value_type = T;
  using iterator = const T*;
  using const_iterator = const T*;
  constexpr ArrayRef() = default;
  template <class P>
  requires(std::is_convertible_v<P, const T*>)  // not the number 0, which braces would make a pointer
      constexpr ArrayRef(P data, size_t size)
      : data_(data), size_(size) {}
  constexpr ArrayRef(const T& one) : data_(&one), size_(1) {}  // NOLINT
#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Winit-list-lifetime"  // a view, used within the full expression
#endif
  constexpr ArrayRef(std::initializer_list<T> list)  // NOLINT
      : data_(list.begin() == list.end() ? nullptr : list.begin()), size_(list.size()) {}
#pragma GCC diagnostic pop
  ArrayRef(const std::vector<T>& v) : data_(v.data()), size_(v.size()) {}  // NOLINT
  template <size_t N>
  constexpr ArrayRef(const T (&array)[N]) : data_(array), size_(N) {}  // NOLINT
  template <class C>
  requires(requires(const C& c) {
    { c.data() } -> std::same_as<const T*>;
    { c.size() } -> std::convertible_to<size_t>;
  }) constexpr ArrayRef(const C& c)
      : data_(c.data()), size_(c.size()) {}  // NOLINT

  constexpr const T* data() const { return data_; }
  constexpr size_t size() const { return size_; }
  constexpr bool empty() const { return size_ == 0; }
  constexpr const T& operator[](size_t i) const { return data_[i]; }
  constexpr const T& front() const { return data_[0]; }
  constexpr const T& back() const { return data_[size_ - 1]; }
  constexpr const T& at(size_t i) const {
    if (i >= size_) throw_out_of_range(i, size_);
    return data_[i];
  }
  constexpr const T* begin() const { return data_; }
  constexpr const T* end() const { return data_ + size_; }
  auto rbegin() const { return std::reverse_iterator(end()); }
  auto rend() const { return std::reverse_iterator(begin()); }
  /// `n` values from `start`; without n, all that follow.
  constexpr ArrayRef slice(size_t start, size_t n) const { return {data_ + start, n}; }
  constexpr ArrayRef slice(size_t start) const { return {data_ + start, size_ - start}; }
  std::vector<T> vec() const { return std::vector<T>(begin(), end()); }
  bool equals(ArrayRef other) const {
    if (size_ != other.size_) return false;
    for (size_t i = 0; i < size_; ++i)
      if (!(data_[i] == other.data_[i])) return false;
    return true;
  }
  friend bool operator==(ArrayRef a, ArrayRef b) { return a.equals(b); }
  friend bool operator==(ArrayRef a, const std::vector<T>& b) { return a.equals(b); }

 private:
  [[noreturn]] static void throw_out_of_range(size_t i, size_t size);
  const T* data_ = nullptr;
  size_t size_ = 0;
};
using IntArrayRef = ArrayRef<int64_t>;

/// An IntArrayRef or nothing, for parameters. A number in braces lives as long as the call; in a
/// std::optional<IntArrayRef> it would be gone before.
class OptionalIntArrayRef {
 public:
  constexpr OptionalIntArrayRef() = default;
  constexpr OptionalIntArrayRef(std::nullopt_t) {}                                   // NOLINT
  constexpr OptionalIntArrayRef(const int64_t& one) : values_(one), there_(true) {}  // NOLINT
  constexpr OptionalIntArrayRef(std::initializer_list<int64_t> list)                 // NOLINT
      : values_(list), there_(true) {}
  constexpr OptionalIntArrayRef(const std::optional<IntArrayRef>& values)  // NOLINT
      : values_(values.value_or(IntArrayRef())), there_(values.has_value()) {}
  template <class C>
  requires(!std::is_arithmetic_v<C> &&
           std::is_convertible_v<const C&, IntArrayRef>) constexpr OptionalIntArrayRef(const C& values)
      : values_(values), there_(true) {}  // NOLINT
  constexpr bool has_value() const { return there_; }
  constexpr explicit operator bool() const { return there_; }
  constexpr const IntArrayRef& operator*() const { return values_; }
  constexpr const IntArrayRef* operator->() const { return &values_; }

 private:
  IntArrayRef values_;
  bool there_ = false;
};

namespace detail {
[[noreturn]] TAPIR_API TAPIR_COLD void array_index_failure(size_t i, size_t size);
[[noreturn]] TAPIR_API TAPIR_COLD void too_many_dims(size_t n);
}  // namespace detail
template <class T>
void ArrayRef<T>::throw_out_of_range(size_t i, size_t size) {
  detail::array_index_failure(i, size);
}

/// "[2, 3]"
TAPIR_API std::string shape_str(IntArrayRef sizes);

/// A tensor has at most this many dimensions.
inline constexpr int kMaxDims = 16;

/// Up to kMaxDims values, the first five in place: the sizes or the strides of a tensor.
class Dims {
 public:
  static constexpr uint32_t kInline = 5;
  Dims() : size_(0) {}
  Dims(IntArrayRef values) { assign(values); }                                  // NOLINT
  Dims(std::initializer_list<int64_t> values) { assign(IntArrayRef(values)); }  // NOLINT
  TAPIR_ALWAYS_INLINE Dims(const Dims& other) { copy(other); }
  TAPIR_ALWAYS_INLINE Dims(Dims&& other) noexcept { take(other); }
  Dims& operator=(const Dims& other) {
    if (this != &other) {
      destroy();
      copy(other);
    }
    return *this;
  }
  Dims& operator=(Dims&& other) noexcept {
    if (this != &other) {
      destroy();
      take(other);
    }
    return *this;
  }
  ~Dims() { destroy(); }
  /// n values, uninitialised.
  static Dims uninitialized(size_t n) {
    Dims d;
    d.allocate(n);
    return d;
  }
  static Dims filled(size_t n, int64_t value) {
    Dims d = uninitialized(n);
    for (auto& x : d) x = value;
    return d;
  }

  uint32_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int64_t* data() { return size_ <= kInline ? inline_ : heap_; }
  const int64_t* data() const { return size_ <= kInline ? inline_ : heap_; }
  int64_t& operator[](size_t i) { return data()[within(i)]; }
  int64_t operator[](size_t i) const { return data()[within(i)]; }
  int64_t back() const { return data()[size_ - 1]; }
  int64_t* begin() { return data(); }
  int64_t* end() { return data() + size_; }
  const int64_t* begin() const { return data(); }
  const int64_t* end() const { return data() + size_; }
  void push_back(int64_t value) { insert(size_, value); }
  void insert(size_t at, int64_t value) {
    Dims d = uninitialized(size_ + 1);
    for (size_t i = 0, j = 0; i < d.size_; ++i) d[i] = i == at ? value : (*this)[j++];
    *this = std::move(d);
  }
  void erase(size_t at) {
    Dims d = uninitialized(size_ - 1);
    for (size_t i = 0, j = 0; i < size_; ++i)
      if (i != at) d[j++] = (*this)[i];
    *this = std::move(d);
  }
  friend bool operator==(const Dims& a, const Dims& b) {
    if (a.size_ != b.size_) return false;
    const int64_t *x = a.data(), *y = b.data();
    for (uint32_t i = 0; i < a.size_; ++i)
      if (x[i] != y[i]) return false;
    return true;
  }
  operator IntArrayRef() const { return {data(), size_}; }  // NOLINT

 private:
  /// i; the sanitizers' builds stop where it is none of ours, which they would not see in inline_.
  size_t within(size_t i) const {
#ifdef __SANITIZE_ADDRESS__
    if (i >= size_) __builtin_unreachable();
#endif
    return i;
  }
  void allocate(size_t n) {
    if (TAPIR_UNLIKELY(n > kInline)) {
      if (n > kMaxDims) detail::too_many_dims(n);
      heap_ = new int64_t[n];
    }
    size_ = static_cast<uint32_t>(n);
  }
  void assign(IntArrayRef values) {
    allocate(values.size());
    int64_t* d = data();
    for (size_t i = 0; i < values.size(); ++i) d[i] = values[i];
  }
  void copy(const Dims& o) {
    if (TAPIR_LIKELY(o.size_ <= kInline)) {
      size_ = o.size_;
      std::memcpy(inline_, o.inline_, sizeof(inline_));
    } else {
      assign(IntArrayRef(o.heap_, o.size_));
    }
  }
  void take(Dims& o) {
    size_ = o.size_;
    std::memcpy(static_cast<void*>(inline_), static_cast<const void*>(o.inline_), sizeof(inline_));
    o.size_ = 0;
  }
  void destroy() {
    if (TAPIR_UNLIKELY(size_ > kInline)) delete[] heap_;
  }

  uint32_t size_;
  union {
    int64_t inline_[kInline];
    int64_t* heap_;
  };
};

}  // namespace tapir
