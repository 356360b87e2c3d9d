// IValue: a value of one of a few kinds, for what a user-defined function keeps beside tensors and for what a
// file holds. Lists and dicts are handles, as in Python: copies show the same list.
#pragma once

#include <memory>
#include <string>
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
  IValue(Tensor t) : kind_(Kind::kTensor), tensor_(std::move(t)) {}  // NOLINT
  IValue(bool v) : kind_(Kind::kBool), integer_(v) {}                // NOLINT
  IValue(double v) : kind_(Kind::kDouble), number_(v) {}             // NOLINT
  IValue(float v) : IValue(double{v}) {}                             // NOLINT
  IValue(std::string v);                                             // NOLINT
  IValue(const char* v) : IValue(std::string(v)) {}                  // NOLINT
  IValue(std::vector<int64_t> v);                                    // NOLINT
  IValue(IntArrayRef v) : IValue(v.vec()) {}                         // NOLINT
  IValue(std::vector<double> v);                                     // NOLINT
  IValue(std::vector<Tensor> v);                                     // NOLINT
  IValue(GenericList v);                                             // NOLINT
  IValue(GenericDict v);                                             // NOLINT
  IValue(Tuple v);                                                   // NOLINT
  template <std::integral I>
  requires(!std::same_as<I, bool>) IValue(I v)
      : kind_(Kind::kInt), integer_(static_cast<int64_t>(v)) {}  // NOLINT

  bool isNone() const { return kind_ == Kind::kNone; }
  bool isTensor() const { return kind_ == Kind::kTensor; }
  bool isInt() const { return kind_ == Kind::kInt; }
  bool isDouble() const { return kind_ == Kind::kDouble; }
  bool isBool() const { return kind_ == Kind::kBool; }
  bool isString() const { return kind_ == Kind::kString; }
  /// A list of IValues; those of one kind are the three vectors.
  bool isList() const { return kind_ == Kind::kList; }
  bool isTuple() const { return kind_ == Kind::kTuple; }
  bool isGenericDict() const { return kind_ == Kind::kDict; }
  bool isIntVector() const { return kind_ == Kind::kIntVector; }
  bool isDoubleVector() const { return kind_ == Kind::kDoubleVector; }
  bool isTensorVector() const { return kind_ == Kind::kTensorVector; }

  const Tensor& toTensor() const { return expect(Kind::kTensor), tensor_; }
  int64_t toInt() const { return expect(Kind::kInt), integer_; }
  double toDouble() const;
  bool toBool() const { return expect(Kind::kBool), integer_ != 0; }
  const std::string& toStringRef() const { return object<std::string>(Kind::kString); }
  const GenericList& toList() const { return object<GenericList>(Kind::kList); }
  ArrayRef<IValue> toListRef() const;
  std::shared_ptr<const Tuple> toTuple() const;
  const Tuple& toTupleRef() const { return object<Tuple>(Kind::kTuple); }
  const GenericDict& toGenericDict() const { return object<GenericDict>(Kind::kDict); }
  std::vector<int64_t> toIntVector() const;
  std::vector<double> toDoubleVector() const;
  std::vector<Tensor> toTensorVector() const;
  /// "a tensor", "an integer", ...: for messages.
  const char* kind() const { return name_of(kind_); }

 private:
  enum class Kind : uint8_t {
    kNone,
    kTensor,
    kDouble,
    kInt,
    kBool,
    kString,
    kIntVector,
    kDoubleVector,
    kTensorVector,
    kList,
    kDict,
    kTuple
  };
  static const char* name_of(Kind kind);
  void expect(Kind wanted) const {
    if (kind_ != wanted) wrong_kind(wanted);
  }
  [[noreturn]] void wrong_kind(Kind wanted) const;
  template <class T>
  const T& object(Kind wanted) const {
    expect(wanted);
    return *static_cast<const T*>(object_.get());
  }
  template <class T>
  static std::shared_ptr<const void> share(T value);
  template <class T, class Convert>
  std::vector<T> vector_of(Kind wanted, Convert convert) const;

  // A std::variant of all kinds would cost every program that includes Tapir a twentieth of its compile time.
  Kind kind_ = Kind::kNone;
  union {
    int64_t integer_ = 0;
    double number_;
  };
  Tensor tensor_;
  std::shared_ptr<const void> object_;  // of the other kinds; constant, so that copies share it
};

class GenericDict::Entry {
 public:
  Entry(IValue key, IValue value);
  const IValue& key() const { return key_; }
  const IValue& value() const { return value_; }

 private:
  friend class GenericDict;
  IValue key_, value_;
};

}  // namespace tapir
