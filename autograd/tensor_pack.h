// The tensors inside arguments and results of any shape: a Tensor, an optional one, and tuples, pairs,
// vectors, arrays of such, nested. What else a value holds is passed over.
#pragma once

#include <array>
#include <optional>
#include <tuple>
#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir::detail {

template <class T>
struct TensorPack {
  static constexpr bool kHolds = std::is_same_v<T, Tensor>;
  template <class F>
  static void each(T& value, F& f) {
    if constexpr (kHolds) f(value);
  }
};
template <class T>
struct TensorPack<std::optional<T>> {
  static constexpr bool kHolds = TensorPack<T>::kHolds;
  template <class F>
  static void each(std::optional<T>& value, F& f) {
    if (value) TensorPack<T>::each(*value, f);
  }
};
template <class T>
struct TensorPackOfRange {
  static constexpr bool kHolds = TensorPack<typename T::value_type>::kHolds;
  template <class F>
  static void each(T& values, F& f) {
    if constexpr (kHolds)
      for (auto& v : values) TensorPack<typename T::value_type>::each(v, f);
  }
};
template <class T, class A>
struct TensorPack<std::vector<T, A>> : TensorPackOfRange<std::vector<T, A>> {};
template <class T, size_t N>
struct TensorPack<std::array<T, N>> : TensorPackOfRange<std::array<T, N>> {};
template <class A, class B>
struct TensorPack<std::pair<A, B>> {
  static constexpr bool kHolds = TensorPack<A>::kHolds || TensorPack<B>::kHolds;
  template <class F>
  static void each(std::pair<A, B>& value, F& f) {
    TensorPack<A>::each(value.first, f);
    TensorPack<B>::each(value.second, f);
  }
};
template <class... T>
struct TensorPack<std::tuple<T...>> {
  static constexpr bool kHolds = (TensorPack<std::decay_t<T>>::kHolds || ...);
  template <class F>
  static void each(std::tuple<T...>& value, F& f) {
    std::apply([&](auto&... v) { (element(v, f), ...); }, value);
  }
  template <class E, class F>
  static void element(E& v, F& f) {
    if constexpr (TensorPack<std::decay_t<E>>::kHolds) TensorPack<std::decay_t<E>>::each(v, f);
  }
};

template <class T>
inline constexpr bool holds_tensors = TensorPack<std::decay_t<T>>::kHolds;

/// Calls f(Tensor&) for each tensor in `value`, in order.
template <class T, class F>
void each_tensor(T& value, F f) {
  TensorPack<std::remove_const_t<T>>::each(value, f);
}

/// The tensors in `value`, undefined ones too.
template <class T>
std::vector<Tensor> tensors_in(T& value) {
  std::vector<Tensor> found;
  each_tensor(value, [&](Tensor& t) { found.push_back(t); });
  return found;
}

/// Puts `tensors` in the places that tensors_in listed.
template <class T>
void put_tensors(T& value, const std::vector<Tensor>& tensors) {
  size_t i = 0;
  each_tensor(value, [&](Tensor& t) { t = tensors[i++]; });
}

}  // namespace tapir::detail
