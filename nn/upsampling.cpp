#include "tapir/nn/upsampling.h"

#include <ostream>
#include <string>

#include "tapir/autograd/functions/interpolate.h"

namespace tapir::nn {

Tensor functional::interpolate(const Tensor& input, const InterpolateFuncOptions& o) {
  CallSite site(TAPIR_HERE);
  return tapir::interpolate(input, o.size(), o.scale_factor(), o.mode().name(), o.align_corners(),
                            o.recompute_scale_factor());
}

void UpsampleImpl::pretty_print(std::ostream& stream) const {
  const auto list = [&](const auto& values) {
    stream << '[';
    for (size_t i = 0; i < values.size(); ++i) stream << (i ? ", " : "") << values[i];
    stream << ']';
  };
  stream << "tapir::nn::Upsample(";
  if (options.scale_factor()) {
    stream << "scale_factor=";
    list(*options.scale_factor());
  } else if (options.size()) {
    stream << "size=";
    list(*options.size());
  }
  stream << ", mode=" << options.mode().name() << ')';
}

Tensor UpsampleImpl::forward(const Tensor& input) {
  CallSite site(TAPIR_HERE);
  return tapir::interpolate(input, options.size(), options.scale_factor(), options.mode().name(),
                            options.align_corners());
}

}  // namespace tapir::nn
