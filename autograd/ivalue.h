// IValue: a value of one of a few kinds, for what a user-defined function keeps beside tensors and for what a
// file holds. Lists and dicts are handles, as in Python: copies show the same list.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir {

class IValue;

/// A list of values of any kinds.
class TAPIR_API GenericList {
 public:
  GenericList();
  explicit GenericList(std::vector<IValue> values);
  size_t size() const;
  bool empty() const { return size() == 0; }
  /// Throws IndexError.
  const IValue& get(size_t index) const;
  const IValue& operator[](size_t index) const { return get(index); }
  void push_back(IValue value) const;
  const std::vector<IValue>& vec() const { return *values_; }
  const IValue* begin() const;
  const IValue* end() const;
  /// True where both are the same list.
  bool is(const GenericList& other) const { return values_ == other.values_; }
  const void* id() const { return values_.get(); }

 private:
  std::shared_ptr<std::vector<IValue>> values_;
};

/// Values by key, in the order in which the keys were first inserted. Keys are strings or integers.
class TAPIR_API GenericDict {
 public:
  class Entry;
  GenericDict();
  size_t size() const;
  bool empty() const { return size() == 0; }
  bool contains(const IValue& key) const { return find(key) != end(); }
  /// Throws IndexError where there is no such key.
  const IValue& at(const IValue& key) const;
  /// end() where there is none.
  const Entry* find(const IValue& key) const;
  /// Replaces the value of a key that is there. Throws ValueError for a key of another kind.
  void insert_or_assign(IValue key, IValue value) const;
  /// Entries, with key() and value(). Valid until the next insertion.
  const Entry* begin() const;
  const Entry* end() const;
  const void* id() const { return impl_.get(); }

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// libtorch's name for it.
template <class Key, class Value>
requires(std::same_as<Key, IValue>&& std::same_as<Value, IValue>) using Dict = GenericDict;

/// A constant sequence of values of any kinds.
class TAPIR_API Tuple {
 public:
  explicit Tuple(std::vector<IValue> elements);
  const std::vector<IValue>& elements() const { return elements_; }

 private:
  std::vector<IValue> elements_;
};

/// Holds nothing, a tensor, a number, a bool, a string, a list of these, or a list, tuple or dict of IValues.
/// Each to...() throws ValueError where another kind is held. toDouble also takes an integer; the to...Vector
/// also take a list or tuple of values of that kind.
class TAPIR_API IValue {
 public:
  IValue() = default;
  IValue(Tensor t) : value_(std::move(t)) {}                                // NOLINT
  IValue(bool v) : value_(v) {}                                             // NOLINT
  IValue(double v) : value_(v) {}                                           // NOLINT
  IValue(float v) : value_(double{v}) {}                                    // NOLINT
  IValue(std::string v) : value_(std::move(v)) {}                           // NOLINT
  IValue(const char* v) : value_(std::string(v)) {}                         // NOLINT
  IValue(std::vector<int64_t> v) : value_(std::move(v)) {}                  // NOLINT
  IValue(IntArrayRef v) : value_(v.vec()) {}                                // NOLINT
  IValue(std::vector<double> v) : value_(std::move(v)) {}                   // NOLINT
  IValue(std::vector<Tensor> v) : value_(std::move(v)) {}                   // NOLINT
  IValue(GenericList v) : value_(std::move(v)) {}                           // NOLINT
  IValue(GenericDict v) : value_(std::move(v)) {}                           // NOLINT
  IValue(Tuple v) : value_(std::make_shared<const Tuple>(std::move(v))) {}  // NOLINT
  template <std::integral I>
  requires(!std::same_as<I, bool>) IValue(I v) : value_(static_cast<int64_t>(v)) {}  // NOLINT

  bool isNone() const { return std::holds_alternative<std::monostate>(value_); }
  bool isTensor() const { return std::holds_alternative<Tensor>(value_); }
  bool isInt() const { return std::holds_alternative<int64_t>(value_); }
  bool isDouble() const { return std::holds_alternative<double>(value_); }
  bool isBool() const { return std::holds_alternative<bool>(value_); }
  bool isString() const { return std::holds_alternative<std::string>(value_); }
  /// A list of IValues; those of one kind are the three vectors.
  bool isList() const { return std::holds_alternative<GenericList>(value_); }
  bool isTuple() const { return std::holds_alternative<std::shared_ptr<const Tuple>>(value_); }
  bool isGenericDict() const { return std::holds_alternative<GenericDict>(value_); }
  bool isIntVector() const { return std::holds_alternative<std::vector<int64_t>>(value_); }
  bool isDoubleVector() const { return std::holds_alternative<std::vector<double>>(value_); }
  bool isTensorVector() const { return std::holds_alternative<std::vector<Tensor>>(value_); }

  const Tensor& toTensor() const { return get<Tensor>("a tensor"); }
  int64_t toInt() const { return get<int64_t>("an integer"); }
  double toDouble() const { return isInt() ? static_cast<double>(toInt()) : get<double>("a number"); }
  bool toBool() const { return get<bool>("a bool"); }
  const std::string& toStringRef() const { return get<std::string>("a string"); }
  const GenericList& toList() const { return get<GenericList>("a list"); }
  ArrayRef<IValue> toListRef() const;
  const std::shared_ptr<const Tuple>& toTuple() const { return get<std::shared_ptr<const Tuple>>("a tuple"); }
  const Tuple& toTupleRef() const { return *toTuple(); }
  const GenericDict& toGenericDict() const { return get<GenericDict>("a dict"); }
  std::vector<int64_t> toIntVector() const;
  std::vector<double> toDoubleVector() const;
  std::vector<Tensor> toTensorVector() const;
  /// "a tensor", "an integer", ...: for messages.
  const char* kind() const;

 private:
  template <class T>
  const T& get(const char* wanted) const {
    if (const T* v = std::get_if<T>(&value_)) return *v;
    wrong_kind(wanted);
  }
  [[noreturn]] void wrong_kind(const char* wanted) const;
  template <class T, class Convert>
  std::vector<T> vector_of(const char* wanted, Convert convert) const;

  std::variant<std::monostate, Tensor, double, int64_t, bool, std::string, std::vector<int64_t>,
               std::vector<double>, std::vector<Tensor>, GenericList, GenericDict,
               std::shared_ptr<const Tuple>>
      value_;
};

class GenericDict::Entry {
 public:
  Entry(IValue key, IValue value) : key_(std::move(key)), value_(std::move(value)) {}
  const IValue& key() const { return key_; }
  const IValue& value() const { return value_; }

 private:
  friend class GenericDict;
  IValue key_, value_;
};

}  // namespace tapir
