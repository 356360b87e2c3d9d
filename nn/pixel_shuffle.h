// Layers that move elements between channels and places; autograd/functions/pixel_shuffle.h says how.
#pragma once

#include "tapir/nn/module.h"

namespace tapir::nn {

struct PixelShuffleOptions {
  PixelShuffleOptions(int64_t upscale_factor) : upscale_factor_(upscale_factor) {}  // NOLINT
  TAPIR_ARG(int64_t, upscale_factor);
};
struct PixelUnshuffleOptions {
  PixelUnshuffleOptions(int64_t downscale_factor) : downscale_factor_(downscale_factor) {}  // NOLINT
  TAPIR_ARG(int64_t, downscale_factor);
};

namespace functional {
using PixelShuffleFuncOptions = PixelShuffleOptions;
using PixelUnshuffleFuncOptions = PixelUnshuffleOptions;
TAPIR_API Tensor pixel_shuffle(const Tensor& input, const PixelShuffleFuncOptions& options);
TAPIR_API Tensor pixel_unshuffle(const Tensor& input, const PixelUnshuffleFuncOptions& options);
}  // namespace functional

#define TAPIR_PIXELS(Name)                                      \
  class TAPIR_API Name##Impl : public Cloneable<Name##Impl> {   \
   public:                                                      \
    explicit Name##Impl(const Name##Options& o) : options(o) {} \
    void reset() override {}                                    \
    void pretty_print(std::ostream& stream) const override;     \
    Tensor forward(const Tensor& input);                        \
    Name##Options options;                                      \
  };                                                            \
  TAPIR_BUILTIN_MODULE(Name)
/// (..., C r^2, H, W) as (..., C, H r, W r)
TAPIR_PIXELS(PixelShuffle);
/// (..., C, H r, W r) as (..., C r^2, H, W)
TAPIR_PIXELS(PixelUnshuffle);
#undef TAPIR_PIXELS

}  // namespace tapir::nn
