#include "tapir/nn/pixel_shuffle.h"

#include <ostream>

#include "tapir/autograd/functions/pixel_shuffle.h"

namespace tapir::nn {

#define TAPIR_PIXELS(Name, function, factor)                                     \
  Tensor functional::function(const Tensor& input, const Name##FuncOptions& o) { \
    CallSite site(TAPIR_HERE);                                                   \
    return tapir::function(input, o.factor());                                   \
  }                                                                              \
  Tensor Name##Impl::forward(const Tensor& input) {                              \
    CallSite site(TAPIR_HERE);                                                   \
    return tapir::function(input, options.factor());                             \
  }                                                                              \
  void Name##Impl::pretty_print(std::ostream& stream) const {                    \
    stream << "tapir::nn::" #Name "(" #factor "=" << options.factor() << ')';    \
  }
TAPIR_PIXELS(PixelShuffle, pixel_shuffle, upscale_factor)
TAPIR_PIXELS(PixelUnshuffle, pixel_unshuffle, downscale_factor)
#undef TAPIR_PIXELS

}  // namespace tapir::nn
