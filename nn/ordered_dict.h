// OrderedDict: keys and values in the order of insertion, found by key in O(log n).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "tapir/tensor/error.h"

namespace tapir {

namespace detail {
[[noreturn]] TAPIR_API TAPIR_COLD void dict_failure(const std::string& subject, const char* key,
                                                    const char* problem);
}

/// A key with its value; the key cannot be changed.
template <class Key, class Value>
class OrderedDictItem {
 public:
  OrderedDictItem(Key key, Value value) : pair_(std::move(key), std::move(value)) {}
  const Key& key() const noexcept { return pair_.first; }
  Value& value() noexcept { return pair_.second; }
  const Value& value() const noexcept { return pair_.second; }
  Value& operator*() noexcept { return pair_.second; }
  const Value& operator*() const noexcept { return pair_.second; }
  Value* operator->() noexcept { return &pair_.second; }
  const Value* operator->() const noexcept { return &pair_.second; }
  const std::pair<Key, Value>& pair() const noexcept { return pair_; }
  // for (auto& [name, value] : dict)
  template <size_t I>
  auto& get() noexcept {
    if constexpr (I == 0)
      return std::as_const(pair_.first);
    else
      return pair_.second;
  }
  template <size_t I>
  const auto& get() const noexcept {
    return std::get<I>(pair_);
  }

 private:
  std::pair<Key, Value> pair_;
};

/// A dictionary that keeps the order in which its keys were inserted, with libtorch's interface. References
/// to values are valid until the next insertion or removal.
template <class Key, class Value>
class OrderedDict {
 public:
  using Item = OrderedDictItem<Key, Value>;
  using Iterator = typename std::vector<Item>::iterator;
  using ConstIterator = typename std::vector<Item>::const_iterator;

  /// `subject` is what error messages call a key.
  explicit OrderedDict(std::string subject = "Key") : subject_(std::move(subject)) {}
  OrderedDict(std::initializer_list<Item> items) : OrderedDict() {
    for (const Item& i : items) insert(i.key(), i.value());
  }

  const std::string& key_description() const noexcept { return subject_; }
  Item& front() { return items_.front(); }
  const Item& front() const { return items_.front(); }
  Item& back() { return items_.back(); }
  const Item& back() const { return items_.back(); }
  Item& operator[](size_t i) { return items_[i]; }
  const Item& operator[](size_t i) const { return items_[i]; }
  /// The value of `key`. Throws IndexError where there is none.
  Value& operator[](const Key& key) {
    if (Value* v = find(key)) return *v;
    fail(key, "is not defined");
  }
  const Value& operator[](const Key& key) const { return const_cast<OrderedDict&>(*this)[key]; }
  /// The value of `key`, or null.
  Value* find(const Key& key) noexcept {
    const auto at = place(key);
    return at != order_.end() && items_[*at].key() == key ? &items_[*at].value() : nullptr;
  }
  const Value* find(const Key& key) const noexcept { return const_cast<OrderedDict&>(*this).find(key); }
  bool contains(const Key& key) const noexcept { return find(key) != nullptr; }

  Iterator begin() { return items_.begin(); }
  ConstIterator begin() const { return items_.begin(); }
  Iterator end() { return items_.end(); }
  ConstIterator end() const { return items_.end(); }
  size_t size() const noexcept { return items_.size(); }
  bool is_empty() const noexcept { return items_.empty(); }
  void reserve(size_t n) {
    items_.reserve(n);
    order_.reserve(n);
  }

  /// Adds a key at the end. Throws ValueError where it exists.
  Value& insert(Key key, Value value) {
    const auto at = place(key);
    if (at != order_.end() && items_[*at].key() == key) fail(key, "is already defined");
    order_.insert(at, static_cast<uint32_t>(items_.size()));
    items_.emplace_back(std::move(key), std::move(value));
    return items_.back().value();
  }
  /// Adds all items of another dictionary.
  void update(const OrderedDict& other) {
    for (const Item& i : other) insert(i.key(), i.value());
  }
  /// Removes a key. Throws IndexError where there is none.
  void erase(const Key& key) {
    const auto at = place(key);
    if (at == order_.end() || items_[*at].key() != key) fail(key, "is not defined");
    const uint32_t index = *at;
    order_.erase(at);
    for (uint32_t& i : order_) i -= i > index;
    items_.erase(items_.begin() + index);
  }
  void clear() {
    items_.clear();
    order_.clear();
  }

  const std::vector<Item>& items() const noexcept { return items_; }
  std::vector<Key> keys() const {
    std::vector<Key> keys;
    keys.reserve(size());
    for (const Item& i : items_) keys.push_back(i.key());
    return keys;
  }
  std::vector<Value> values() const {
    std::vector<Value> values;
    values.reserve(size());
    for (const Item& i : items_) values.push_back(i.value());
    return values;
  }
  std::vector<std::pair<Key, Value>> pairs() const {
    std::vector<std::pair<Key, Value>> pairs;
    pairs.reserve(size());
    for (const Item& i : items_) pairs.push_back(i.pair());
    return pairs;
  }
  friend bool operator==(const OrderedDict& a, const OrderedDict& b) {
    if (a.size() != b.size()) return false;
    for (size_t i = 0; i < a.size(); ++i)
      if (a[i].pair() != b[i].pair()) return false;
    return true;
  }

 private:
  // Where in order_ the key is, or belongs.
  std::vector<uint32_t>::iterator place(const Key& key) noexcept {
    auto first = order_.begin();
    for (auto n = order_.size(); n > 0;) {
      const auto half = n / 2;
      if (const auto middle = first + static_cast<std::ptrdiff_t>(half); items_[*middle].key() < key) {
        first = middle + 1;
        n -= half + 1;
      } else {
        n = half;
      }
    }
    return first;
  }
  [[noreturn]] void fail(const Key& key, const char* problem) const {
    if constexpr (requires { key.c_str(); })
      detail::dict_failure(subject_, key.c_str(), problem);
    else
      detail::dict_failure(subject_, "", problem);
  }

  std::vector<Item> items_;
  std::vector<uint32_t> order_;  // indices into items_, by key
  std::string subject_;
};

}  // namespace tapir

template <class Key, class Value>
struct std::tuple_size<tapir::OrderedDictItem<Key, Value>> : std::integral_constant<size_t, 2> {};
template <class Key, class Value>
struct std::tuple_element<0, tapir::OrderedDictItem<Key, Value>> {
  using type = const Key;
};
template <class Key, class Value>
struct std::tuple_element<1, tapir::OrderedDictItem<Key, Value>> {
  using type = Value;
};
