#include "tapir/models/init.h"

#include "tapir/nn/conv.h"
#include "tapir/nn/init.h"
#include "tapir/nn/linear.h"

namespace tapir::models {

void init_weights(nn::Module& module, std::optional<double> linear_std) {
  for (const auto& child : module.modules(/*include_self=*/false)) {
    if (auto* conv = child->as<nn::Conv2d>()) {
      nn::init::kaiming_normal_(conv->weight, 0, kFanOut, kReLU);
      if (conv->bias.defined()) nn::init::zeros_(conv->bias);
    } else if (auto* linear = child->as<nn::Linear>(); linear && linear_std) {
      nn::init::normal_(linear->weight, 0, *linear_std);
      nn::init::zeros_(linear->bias);
    }
  }
}

}  // namespace tapir::models
