// Tapir under libtorch's names, so that a program written for libtorch builds unchanged. What Tapir offers
// has libtorch's names, argument order, defaults and meaning already; here it gets libtorch's namespaces and
// macros.
//
// torch:: and at:: and c10:: are namespaces that may be reopened. torch::nn and the like are Tapir's own
// namespaces by another name, so that `using namespace torch;` leaves nn::Linear unambiguous; a program that
// adds to torch::nn has to add to tapir::nn. The headers that forwarded.txt names are all this
// one.
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

// --- c10's support, and the types of named choices ---

#include "torch/enum.h"
#include "torch/support.h"

namespace at {
using ITensorListRef = tapir::TensorList;
using c10::irange;
using c10::List;
using c10::makeArrayRef;
/// Numbers that loss functions take.
namespace Reduction {
enum Reduction { None, Mean, Sum, END };
}  // namespace Reduction
}  // namespace at

namespace torch {
using c10::irange;
using c10::make_tempfile;
using c10::SourceLocation;
using c10::str;
using c10::TempFile;
using c10::try_make_tempfile;
using c10::WarningHandler;
namespace Warning = c10::Warning;
inline int64_t numel(const Tensor& x) { return x.numel(); }
namespace Reduction = at::Reduction;
}  // namespace torch

#include "torch/extras.h"

#define TORCH_MODULE_IMPL(Name, ImplType) TAPIR_MODULE_IMPL(Name, ImplType)
#define TORCH_MODULE(Name) TAPIR_MODULE(Name)
#define TORCH_ARG(T, name) TAPIR_ARG(T, name)
// With the semicolon, which libtorch's needs none of.
#define FORWARD_HAS_DEFAULT_ARGS(...) TAPIR_FORWARD_HAS_DEFAULT_ARGS(__VA_ARGS__);
