// ExpandingArray, with which options give one number for each spatial dimension.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "tapir/tensor/array_ref.h"
#include "tapir/tensor/error.h"

namespace tapir {

/// D numbers, or one that stands for D of them: 3, {3, 5}, a vector, an array. Throws ValueError for a list
/// of another length.
template <size_t D, class T = int64_t>
class ExpandingArray {
 public:
  ExpandingArray(T one) { values_.fill(one); }                                           // NOLINT
  ExpandingArray(std::initializer_list<T> list) : ExpandingArray(ArrayRef<T>(list)) {}   // NOLINT
  ExpandingArray(const std::vector<T>& values) : ExpandingArray(ArrayRef<T>(values)) {}  // NOLINT
  ExpandingArray(const std::array<T, D>& values) : values_(values) {}                    // NOLINT
  ExpandingArray(ArrayRef<T> values) {                                                   // NOLINT
    if (values.size() != D)
      throw ValueError("expected " + std::to_string(D) + " values, one for each spatial dimension, got " +
                       std::to_string(values.size()));
    for (size_t i = 0; i < D; ++i) values_[i] = values[i];
  }

  std::array<T, D>& operator*() { return values_; }
  const std::array<T, D>& operator*() const { return values_; }
  std::array<T, D>* operator->() { return &values_; }
  const std::array<T, D>* operator->() const { return &values_; }
  operator ArrayRef<T>() const { return {values_.data(), D}; }  // NOLINT
  T operator[](size_t i) const { return values_[i]; }
  size_t size() const { return D; }
  friend bool operator==(const ExpandingArray& a, const ExpandingArray& b) { return a.values_ == b.values_; }

 private:
  std::array<T, D> values_;
};

/// The same with places that may be left open by nullopt.
template <size_t D, class T = int64_t>
class ExpandingArrayWithOptionalElem : public ExpandingArray<D, std::optional<T>> {
 public:
  using Base = ExpandingArray<D, std::optional<T>>;
  using Base::Base;
  ExpandingArrayWithOptionalElem(T one) : Base(std::optional<T>(one)) {}  // NOLINT
  ExpandingArrayWithOptionalElem(std::initializer_list<T> list)           // NOLINT
      : Base(std::vector<std::optional<T>>(list.begin(), list.end())) {}
  ExpandingArrayWithOptionalElem(const std::vector<T>& values)  // NOLINT
      : Base(std::vector<std::optional<T>>(values.begin(), values.end())) {}
};

namespace nn {
using tapir::ExpandingArray;
using tapir::ExpandingArrayWithOptionalElem;
}  // namespace nn

}  // namespace tapir
