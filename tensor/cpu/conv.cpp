#include "tapir/tensor/cpu/conv.h"

#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/staging.h"

namespace tapir::cpu {

namespace {

/// In float, rounded once at the end.
void conv_half(const ConvArgs& a) {
  const int64_t x = a.batch * a.in_channels * volume(a.in), y = a.batch * a.out_channels * volume(a.out),
                w = a.out_channels * (a.in_channels / a.groups) * volume(a.kernel);
  const auto stage = [&](void* data, int64_t n, bool written) {
    return written ? Staged(a.dtype, data ? n : 0) : Staged(data, a.dtype, n);
  };
  Staged xs = stage(a.x, x, a.op == Conv::Data), ws = stage(a.w, w, a.op == Conv::Weight),
         ys = stage(a.y, y, a.op == Conv::Forward),
         bias = stage(a.bias, a.out_channels, a.op == Conv::Weight);
  ConvArgs b = a;
  b.dtype = kFloat32;
  b.x = xs.data();
  b.w = ws.data();
  b.y = ys.data();
  b.bias = bias.data();
  conv(b);
  if (a.op == Conv::Data) return xs.write(a.x);
  if (a.op == Conv::Forward) return ys.write(a.y);
  ws.write(a.w);
  if (a.bias) bias.write(a.bias);
}

}  // namespace

void conv(const ConvArgs& a) {
  if (is_half(a.dtype)) return conv_half(a);
  const bool product = a.groups == 1 && is_product(a);  // in the layouts that are there, nothing to be turned
  if (a.dtype == kFloat32 && !product && conv_onednn(a)) return;
  conv_columns(a);
}

}  // namespace tapir::cpu
