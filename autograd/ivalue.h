// IValue: a value of one of a few kinds, for what a user-defined function keeps beside tensors.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir {

/// Holds nothing, a tensor, a number, a bool, a string, or a list of these. Each to...() throws ValueError
/// where another kind is held; toDouble also takes an integer.
class TAPIR_API IValue {
 public:
  IValue() = default;
  IValue(Tensor t) : value_(std::move(t)) {}                // NOLINT
  IValue(bool v) : value_(v) {}                             // NOLINT
  IValue(double v) : value_(v) {}                           // NOLINT
  IValue(float v) : value_(double{v}) {}                    // NOLINT
  IValue(std::string v) : value_(std::move(v)) {}           // NOLINT
  IValue(const char* v) : value_(std::string(v)) {}         // NOLINT
  IValue(std::vector<int64_t> v) : value_(std::move(v)) {}  // NOLINT
  IValue(IntArrayRef v) : value_(v.vec()) {}                // NOLINT
  IValue(std::vector<double> v) : value_(std::move(v)) {}   // NOLINT
  IValue(std::vector<Tensor> v) : value_(std::move(v)) {}   // NOLINT
  template <std::integral I>
  requires(!std::same_as<I, bool>) IValue(I v) : value_(static_cast<int64_t>(v)) {}  // NOLINT

  bool isNone() const { return std::holds_alternative<std::monostate>(value_); }
  bool isTensor() const { return std::holds_alternative<Tensor>(value_); }
  bool isInt() const { return std::holds_alternative<int64_t>(value_); }
  bool isDouble() const { return std::holds_alternative<double>(value_); }
  bool isBool() const { return std::holds_alternative<bool>(value_); }
  bool isString() const { return std::holds_alternative<std::string>(value_); }

  const Tensor& toTensor() const { return get<Tensor>("a tensor"); }
  int64_t toInt() const { return get<int64_t>("an integer"); }
  double toDouble() const { return isInt() ? static_cast<double>(toInt()) : get<double>("a number"); }
  bool toBool() const { return get<bool>("a bool"); }
  const std::string& toStringRef() const { return get<std::string>("a string"); }
  const std::vector<int64_t>& toIntVector() const { return get<std::vector<int64_t>>("a list of integers"); }
  const std::vector<double>& toDoubleVector() const { return get<std::vector<double>>("a list of numbers"); }
  const std::vector<Tensor>& toTensorVector() const { return get<std::vector<Tensor>>("a list of tensors"); }

 private:
  template <class T>
  const T& get(const char* wanted) const {
    if (const T* v = std::get_if<T>(&value_)) return *v;
    wrong_kind(wanted);
  }
  [[noreturn]] void wrong_kind(const char* wanted) const;

  std::variant<std::monostate, Tensor, double, int64_t, bool, std::string, std::vector<int64_t>,
               std::vector<double>, std::vector<Tensor>>
      value_;
};

}  // namespace tapir
