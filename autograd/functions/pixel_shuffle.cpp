#include "tapir/autograd/functions/pixel_shuffle.h"

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"

namespace tapir {

namespace {

void check_factor(const char* op, const char* what, int64_t factor) {
  TAPIR_CHECK_AS(ValueError, factor >= 1 && factor < (int64_t{1} << 31),
                 "{}: {} is {}, expected at least 1 and less than 2^31", op, what, factor);
}
void check_image(const char* op, const Tensor& x) {
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 3, "{}: input has sizes {}, expected (..., C, H, W)", op, x.sizes());
}

/// x as (batch, parts...), its dimensions in `order`, as the last three of x's with those sizes.
Tensor rearranged(const Tensor& x, const Dims& parts, IntArrayRef order, IntArrayRef last) {
  Dims sizes(x.sizes().slice(0, x.sizes().size() - 3));
  for (const int64_t s : last) sizes.push_back(s);
  const Tensor y = reshape(permute(reshape(x, parts), order), sizes);
  return y.is_alias_of(x) ? clone(y) : y;
}
int64_t batch_of(const Tensor& x) { return count(x.sizes().slice(0, x.sizes().size() - 3)); }

}  // namespace

Tensor pixel_shuffle(const Tensor& x, int64_t r) {
  CallSite site(TAPIR_HERE);
  check_image("pixel_shuffle", x);
  check_factor("pixel_shuffle", "upscale_factor", r);
  const int64_t h = x.size(-2), w = x.size(-1);
  TAPIR_CHECK_AS(ShapeError, x.size(-3) % (r * r) == 0,
                 "pixel_shuffle: input of sizes {} has {} channels, expected a multiple of {}, the square of "
                 "upscale_factor",
                 x.sizes(), x.size(-3), r * r);
  const int64_t c = x.size(-3) / (r * r);
  return rearranged(x, {batch_of(x), c, r, r, h, w}, {0, 1, 4, 2, 5, 3}, {c, h * r, w * r});
}

Tensor pixel_unshuffle(const Tensor& x, int64_t r) {
  CallSite site(TAPIR_HERE);
  check_image("pixel_unshuffle", x);
  check_factor("pixel_unshuffle", "downscale_factor", r);
  TAPIR_CHECK_AS(ShapeError, x.size(-2) % r == 0 && x.size(-1) % r == 0,
                 "pixel_unshuffle: input has sizes {}, expected multiples of downscale_factor {} at the end",
                 x.sizes(), r);
  const int64_t c = x.size(-3), h = x.size(-2) / r, w = x.size(-1) / r;
  return rearranged(x, {batch_of(x), c, h, r, w, r}, {0, 1, 3, 5, 2, 4}, {c * r * r, h, w});
}

Tensor channel_shuffle(const Tensor& x, int64_t groups) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() >= 3, "channel_shuffle: input has sizes {}, expected (N, C, ...)",
                 x.sizes());
  check_factor("channel_shuffle", "groups", groups);
  const int64_t c = x.size(1);
  TAPIR_CHECK_AS(ShapeError, c % groups == 0,
                 "channel_shuffle: input of sizes {} has {} channels, expected a multiple of groups {}",
                 x.sizes(), c, groups);
  const int64_t inner = count(x.sizes().slice(2));
  const Tensor y = reshape(transpose(reshape(x, {x.size(0), groups, c / groups, inner}), 1, 2), x.sizes());
  return y.is_alias_of(x) ? clone(y) : y;
}

}  // namespace tapir
