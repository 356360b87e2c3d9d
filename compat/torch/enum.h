// torch::enumtype: the types of libtorch's named choices, of which each converts to Tapir's choice of that
// name, and torch::variant over them. torch.h includes it.
#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <variant>

#include "tapir/tapir.h"

namespace torch::enumtype {
#define TAPIR_COMPAT_ENUM(name)                               \
  struct name {                                               \
    using Value = std::remove_const_t<decltype(tapir::name)>; \
    constexpr operator Value() const { return tapir::name; }  \
    static constexpr const char* kName = #name;               \
  }
TAPIR_COMPAT_ENUM(kArea);
TAPIR_COMPAT_ENUM(kBatchMean);
TAPIR_COMPAT_ENUM(kBicubic);
TAPIR_COMPAT_ENUM(kBilinear);
TAPIR_COMPAT_ENUM(kBorder);
TAPIR_COMPAT_ENUM(kCircular);
TAPIR_COMPAT_ENUM(kConstant);
TAPIR_COMPAT_ENUM(kConv1D);
TAPIR_COMPAT_ENUM(kConv2D);
TAPIR_COMPAT_ENUM(kConv3D);
TAPIR_COMPAT_ENUM(kConvTranspose1D);
TAPIR_COMPAT_ENUM(kConvTranspose2D);
TAPIR_COMPAT_ENUM(kConvTranspose3D);
TAPIR_COMPAT_ENUM(kFanIn);
TAPIR_COMPAT_ENUM(kFanOut);
TAPIR_COMPAT_ENUM(kGELU);
TAPIR_COMPAT_ENUM(kGRU);
TAPIR_COMPAT_ENUM(kLSTM);
TAPIR_COMPAT_ENUM(kLeakyReLU);
TAPIR_COMPAT_ENUM(kLinear);
TAPIR_COMPAT_ENUM(kMax);
TAPIR_COMPAT_ENUM(kMean);
TAPIR_COMPAT_ENUM(kNearest);
TAPIR_COMPAT_ENUM(kNearestExact);
TAPIR_COMPAT_ENUM(kNone);
TAPIR_COMPAT_ENUM(kRNN_RELU);
TAPIR_COMPAT_ENUM(kRNN_TANH);
TAPIR_COMPAT_ENUM(kReLU);
TAPIR_COMPAT_ENUM(kReflect);
TAPIR_COMPAT_ENUM(kReflection);
TAPIR_COMPAT_ENUM(kReplicate);
TAPIR_COMPAT_ENUM(kSigmoid);
TAPIR_COMPAT_ENUM(kSum);
TAPIR_COMPAT_ENUM(kTanh);
TAPIR_COMPAT_ENUM(kTrilinear);
TAPIR_COMPAT_ENUM(kZeros);
#undef TAPIR_COMPAT_ENUM

/// A type of those above.
template <class T>
concept Choice = requires {
  T::kName;
};

/// "kMean" for kMean. Layers without a function, such as kConv1D, are all "kLinear".
inline std::string get_enum_name(tapir::LossReduction v) {
  constexpr const char* kNames[] = {"kNone", "kMean", "kSum", "kBatchMean"};
  return kNames[static_cast<size_t>(v)];
}
inline std::string get_enum_name(tapir::Nonlinearity v) {
  constexpr const char* kNames[] = {"kLinear", "kSigmoid", "kTanh", "kReLU", "kLeakyReLU", "kSELU", "kGELU"};
  return kNames[static_cast<size_t>(v)];
}
inline std::string get_enum_name(tapir::FanMode v) { return v == tapir::kFanIn ? "kFanIn" : "kFanOut"; }
inline std::string get_enum_name(tapir::PadMode v) {
  constexpr const char* kNames[] = {"kConstant", "kReflect", "kReplicate", "kCircular"};
  return kNames[static_cast<size_t>(v)];
}
inline std::string get_enum_name(tapir::OutsideGrid v) {
  return v == tapir::kBorder ? "kBorder" : "kReflection";
}
inline std::string get_enum_name(tapir::Interpolation v) {
  constexpr const char* kNames[] = {"kNearest", "kNearestExact", "kBilinear",
                                    "kBicubic", "kTrilinear",    "kArea"};
  return kNames[static_cast<size_t>(v)];
}
inline std::string get_enum_name(tapir::RnnMode v) {
  constexpr const char* kNames[] = {"kLSTM", "kGRU", "kRNN_TANH", "kRNN_RELU"};
  return kNames[static_cast<size_t>(v)];
}
inline std::string get_enum_name(tapir::nn::EmbeddingBagMode v) {
  return v.number() == 2 ? "kMax" : v.number() == 1 ? "kMean" : "kSum";
}
template <Choice... C>
std::string get_enum_name(const std::variant<C...>& v) {
  return std::visit([](auto c) { return std::string(decltype(c)::kName); }, v);
}
/// The number that functions such as torch::nll_loss take.
inline int64_t reduction_get_enum(tapir::LossReduction v) { return static_cast<int64_t>(v); }
template <Choice... C>
int64_t reduction_get_enum(const std::variant<C...>& v) {
  return std::visit([](auto c) { return static_cast<int64_t>(tapir::LossReduction(c)); }, v);
}
}  // namespace torch::enumtype

namespace c10 {

/// std::variant; one over the types of torch::enumtype also takes Tapir's choices, torch::kMean and the like.
template <class... T>
class variant : public std::variant<T...> {
  using Base = std::variant<T...>;
  template <class C, class V>
  static constexpr bool can_be = [] {
    if constexpr (torch::enumtype::Choice<C>)
      return std::same_as<typename C::Value, V>;
    else
      return false;
  }();
  template <class V>
  static Base chosen(const V& value) {
    Base result;
    const auto offer = [&]<class C>(std::type_identity<C>) {
      if constexpr (can_be<C, V>)
        if (typename C::Value(C()) == value) result.template emplace<C>();
    };
    (offer(std::type_identity<T>()), ...);
    return result;
  }

 public:
  using Base::Base;
  using Base::operator=;
  variant() = default;
  template <class V>
  requires((can_be<T, V> || ...)) variant(const V& value) : Base(chosen(value)) {}  // NOLINT
  template <class V>
  requires((can_be<T, V> || ...)) variant& operator=(const V& value) {
    Base::operator=(chosen(value));
    return *this;
  }
};

using std::get;
using std::get_if;
using std::holds_alternative;
using std::visit;

// An option of Tapir's read as the variant that it is in libtorch: whether it is the choice of that type.
template <torch::enumtype::Choice C, class V>
requires(std::convertible_to<typename C::Value, V>&& std::equality_comparable<V>)  //
    const C* get_if(const V* option) {
  static constexpr C choice;
  return option != nullptr && *option == V(typename C::Value(choice)) ? &choice : nullptr;
}
template <torch::enumtype::Choice C, class V>
requires(std::convertible_to<typename C::Value, V>&& std::equality_comparable<V>)  //
    bool holds_alternative(const V& option) {
  return option == V(typename C::Value(C()));
}

}  // namespace c10

namespace torch {
using c10::get;
using c10::get_if;
using c10::holds_alternative;
using c10::variant;
using c10::visit;
}  // namespace torch
