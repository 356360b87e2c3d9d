// Tapir under libtorch's names, so that a program written for libtorch builds unchanged. What Tapir offers
// has libtorch's names, argument order, defaults and meaning already; here it gets libtorch's namespaces and
// macros.
//
// torch:: and at:: and c10:: are namespaces that may be reopened. torch::nn and the like are Tapir's own
// namespaces by another name, so that `using namespace torch;` leaves nn::Linear unambiguous; a program that
// adds to torch::nn has to add to tapir::nn. The headers beside this one and in ATen/ are all this one.
#pragma once

#include <iostream>
#include <sstream>
#include <string>
#include <type_traits>

#include "tapir/tapir.h"

namespace tapir {
// Declared here too, so that the aliases below have something to name whatever tapir.h includes.
namespace nn {
namespace functional {}
namespace init {}
namespace utils {
namespace rnn {}
}  // namespace utils
}  // namespace nn
namespace optim {}
namespace data {}
namespace autograd {}
namespace indexing {}
namespace linalg {}
namespace cuda {}
namespace special {}
}  // namespace tapir

namespace torch {
using namespace tapir;
namespace nn = tapir::nn;
namespace optim = tapir::optim;
namespace data = tapir::data;
namespace autograd = tapir::autograd;
namespace indexing = tapir::indexing;
namespace linalg = tapir::linalg;
namespace cuda = tapir::cuda;
namespace special = tapir::special;
namespace serialize = tapir::serialize;
}  // namespace torch

namespace at {
using namespace tapir;
namespace indexing = tapir::indexing;
}  // namespace at

namespace c10 {
using namespace tapir;
using LinAlgError = tapir::ValueError;  ///< a singular matrix and the like

/// The arguments as an ostream prints them, one after the other.
template <class... Args>
std::string str(const Args&... args) {
  std::ostringstream out;
  static_cast<void>((out << ... << args));
  return out.str();
}

namespace impl {
using tapir::GenericDict;
using tapir::GenericList;
}  // namespace impl
}  // namespace c10

namespace torch {
using c10::str;
inline int64_t numel(const Tensor& x) { return x.numel(); }
}  // namespace torch

// The types of libtorch's named choices. Each converts to Tapir's choice of that name.
namespace torch::enumtype {
#define TAPIR_COMPAT_ENUM(name)                                                                   \
  struct name {                                                                                   \
    constexpr operator std::remove_const_t<decltype(tapir::name)>() const { return tapir::name; } \
  }
TAPIR_COMPAT_ENUM(kBatchMean);
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
TAPIR_COMPAT_ENUM(kNone);
TAPIR_COMPAT_ENUM(kRNN_RELU);
TAPIR_COMPAT_ENUM(kRNN_TANH);
TAPIR_COMPAT_ENUM(kReLU);
TAPIR_COMPAT_ENUM(kReflect);
TAPIR_COMPAT_ENUM(kReplicate);
TAPIR_COMPAT_ENUM(kSigmoid);
TAPIR_COMPAT_ENUM(kSum);
TAPIR_COMPAT_ENUM(kTanh);
#undef TAPIR_COMPAT_ENUM

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
inline std::string get_enum_name(tapir::RnnMode v) {
  constexpr const char* kNames[] = {"kLSTM", "kGRU", "kRNN_TANH", "kRNN_RELU"};
  return kNames[static_cast<size_t>(v)];
}
inline std::string get_enum_name(tapir::nn::EmbeddingBagMode v) {
  return v.number() == 2 ? "kMax" : v.number() == 1 ? "kMean" : "kSum";
}
}  // namespace torch::enumtype

/// Throws torch::Error where `condition` is false. The further arguments are the message, printed as by an
/// ostream.
#define TORCH_CHECK(condition, ...) \
  (TAPIR_LIKELY(condition)          \
       ? void(0)                    \
       : ::tapir::detail::check_failure(#condition, __FILE__, __LINE__, ::c10::str(__VA_ARGS__)))
#define TORCH_INTERNAL_ASSERT(condition, ...) TORCH_CHECK(condition, ##__VA_ARGS__)
#define AT_ASSERT(condition) TORCH_CHECK(condition)
#define AT_ERROR(...) TORCH_CHECK(false, ##__VA_ARGS__)

#define TORCH_MODULE_IMPL(Name, ImplType) TAPIR_MODULE_IMPL(Name, ImplType)
#define TORCH_MODULE(Name) TAPIR_MODULE(Name)
#define TORCH_ARG(T, name) TAPIR_ARG(T, name)
// With the semicolon, which libtorch's needs none of.
#define FORWARD_HAS_DEFAULT_ARGS(...) TAPIR_FORWARD_HAS_DEFAULT_ARGS(__VA_ARGS__);
