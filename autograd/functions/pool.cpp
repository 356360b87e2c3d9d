#include "tapir/autograd/functions/pool.h"

#include <algorithm>
#include <cmath>

#include "tapir/autograd/functions/banded.h"
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/scatter.h"
#include "tapir/autograd/functions/spatial.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

namespace {

using raw::Band;

void check_input(const char* op, const Tensor& x, size_t spatial) {
  const auto n = static_cast<int64_t>(spatial);
  TAPIR_CHECK_AS(ShapeError, x.dim() == n + 1 || x.dim() == n + 2,
                 "{}: input has sizes {}, expected {} dimensions, or {} for one sample without a batch", op,
                 x.sizes(), n + 2, n + 1);
  for (int64_t d = x.dim() - n - 1; d < x.dim(); ++d)
    TAPIR_CHECK_AS(ShapeError, x.size(d) > 0, "{}: input has sizes {}, expected an empty batch at most", op,
                   x.sizes());
}

/// The sizes and strides of a pooling, checked.
struct Pooling {
  Pooling(const char* op, const Tensor& x, size_t spatial, IntArrayRef kernel_size, IntArrayRef stride_in,
          IntArrayRef padding_in, IntArrayRef dilation_in, bool ceil_mode) {
    check_input(op, x, spatial);
    kernel = numbers(op, "kernel_size", kernel_size, spatial, 1);
    stride = stride_in.empty() ? kernel : numbers(op, "stride", stride_in, spatial, 1);
    padding = numbers(op, "padding", padding_in, spatial, 0);
    dilation = numbers(op, "dilation", dilation_in, spatial, 1);
    for (size_t d = 0; d < spatial; ++d) {
      in.push_back(x.size(static_cast<int64_t>(d) - static_cast<int64_t>(spatial)));
      TAPIR_CHECK_AS(ValueError, padding[d] <= kernel[d] / 2,
                     "{}: padding {}, expected at most half of the kernel's size {}", op, padding_in,
                     kernel_size);
      const int64_t left = in[d] + 2 * padding[d] - dilation[d] * (kernel[d] - 1) - 1;
      int64_t places = left < 0 ? (ceil_mode && left + stride[d] > 0 ? 1 : 0)
                                : (left + (ceil_mode ? stride[d] - 1 : 0)) / stride[d] + 1;
      if (ceil_mode && places > 0 && (places - 1) * stride[d] >= in[d] + padding[d]) --places;
      TAPIR_CHECK_AS(
          ShapeError, places > 0,
          "{}: no window of kernel_size {} and dilation {} fits into input of sizes {} with padding {}", op,
          kernel_size, dilation_in, x.sizes(), padding_in);
      out.push_back(places);
    }
  }
  Dims kernel, stride, padding, dilation, in, out;
};

struct MaxPoolBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "MaxPoolBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor& indices = saved(0);
    const int64_t places = count(IntArrayRef(sizes).slice(sizes.size() - spatial)),
                  windows = count(indices.sizes().slice(sizes.size() - spatial)),
                  planes = windows ? indices.numel() / windows : 0;
    const Tensor g = reshape(grads[0], {planes, windows});
    sink.set(0, reshape(scatter_add(zeros({planes, places}, g.options()), 1,
                                    reshape(indices, {planes, windows}), g),
                        sizes));
  }
  Dims sizes;
  size_t spatial;
};

std::tuple<Tensor, Tensor> max_windows(const char* op, const Tensor& x, const raw::Windows& windows,
                                       const void* site) {
  raw::MaxPoolResult r = raw::max_pool(op, x, windows);
  if (recording(x)) {
    auto* node = record<MaxPoolBackward>(site, r.y, x);
    node->save(r.indices);
    node->sizes = x.sizes();
    node->spatial = windows.begin.size();
  }
  return {r.y, r.indices};
}

std::tuple<Tensor, Tensor> max_pool(const char* op, const Tensor& x, size_t spatial, IntArrayRef kernel_size,
                                    IntArrayRef stride, IntArrayRef padding, IntArrayRef dilation,
                                    bool ceil_mode, const void* site) {
  const Pooling p(op, x, spatial, kernel_size, stride, padding, dilation, ceil_mode);
  raw::Windows w;
  w.step = p.dilation;
  for (size_t d = 0; d < spatial; ++d) {
    w.begin.emplace_back();
    w.count.emplace_back();
    for (int64_t o = 0; o < p.out[d]; ++o) {
      const int64_t from = o * p.stride[d] - p.padding[d], step = p.dilation[d];
      const int64_t skipped = from < 0 ? (-from + step - 1) / step : 0, first = from + skipped * step;
      const int64_t inside = (p.in[d] - first + step - 1) / step;
      TAPIR_CHECK_AS(
          ShapeError, inside > 0,
          "{}: a window of kernel_size {} and dilation {} with padding {} meets nothing of input of "
          "sizes {}",
          op, kernel_size, dilation, padding, x.sizes());
      w.begin.back().push_back(first);
      w.count.back().push_back(std::min(p.kernel[d] - skipped, inside));
    }
  }
  return max_windows(op, x, w, site);
}

/// begin and end of the window at place o of an adaptive pooling.
std::pair<int64_t, int64_t> adaptive_window(int64_t o, int64_t in, int64_t out) {
  return {o * in / out, ((o + 1) * in + out - 1) / out};
}
Dims adaptive_sizes(const char* op, const Tensor& x, size_t spatial, IntArrayRef output_size) {
  check_input(op, x, spatial);
  Dims out = numbers(op, "output_size", output_size, spatial, INT64_MIN);
  for (size_t d = 0; d < spatial; ++d) {
    if (out[d] < 0) out[d] = x.size(static_cast<int64_t>(d) - static_cast<int64_t>(spatial));
    TAPIR_CHECK_AS(ValueError, out[d] < (int64_t{1} << 31), "{}: output_size {} is too large", op,
                   output_size);
  }
  return out;
}

/// Applies a band to each spatial dimension; first those that make x smaller.
Tensor in_each_dimension(const char* op, const char* label, Tensor x,
                         const std::vector<std::shared_ptr<Band>>& bands, const void* site) {
  for (const bool smaller : {true, false})
    for (size_t d = 0; d < bands.size(); ++d)
      if ((bands[d]->rows() < bands[d]->columns) == smaller)
        x = banded(op, label, x, x.dim() + static_cast<int64_t>(d) - static_cast<int64_t>(bands.size()),
                   bands[d], site);
  return x;
}

Tensor avg_pool(const char* op, const Tensor& x, size_t spatial, IntArrayRef kernel_size, IntArrayRef stride,
                IntArrayRef padding, bool ceil_mode, bool count_include_pad, std::optional<int64_t> divisor,
                const void* site) {
  const Pooling p(op, x, spatial, kernel_size, stride, padding, 1, ceil_mode);
  TAPIR_CHECK_AS(ValueError, !divisor || *divisor != 0, "{}: divisor_override is 0", op);
  std::vector<std::shared_ptr<Band>> bands;
  for (size_t d = 0; d < spatial; ++d) {
    bands.push_back(std::make_shared<Band>());
    bands.back()->columns = p.in[d];
    for (int64_t o = 0; o < p.out[d]; ++o) {
      const int64_t from = o * p.stride[d] - p.padding[d],
                    to = std::min(from + p.kernel[d], p.in[d] + p.padding[d]);
      const int64_t first = std::max<int64_t>(from, 0), inside = std::min(to, p.in[d]) - first;
      const double share = divisor ? (d == 0 ? 1.0 / static_cast<double>(*divisor) : 1.0)
                                   : 1.0 / static_cast<double>(count_include_pad ? to - from : inside);
      bands.back()->add_row(first, std::vector<double>(static_cast<size_t>(inside), share));
    }
  }
  return in_each_dimension(op, "AvgPoolBackward", x, bands, site);
}

Tensor adaptive_avg_pool(const char* op, const Tensor& x, size_t spatial, IntArrayRef output_size,
                         const void* site) {
  const Dims out = adaptive_sizes(op, x, spatial, output_size);
  std::vector<std::shared_ptr<Band>> bands;
  for (size_t d = 0; d < spatial; ++d) {
    const int64_t in = x.size(static_cast<int64_t>(d) - static_cast<int64_t>(spatial));
    bands.push_back(std::make_shared<Band>());
    bands.back()->columns = in;
    for (int64_t o = 0; o < out[d]; ++o) {
      const auto [from, to] = adaptive_window(o, in, out[d]);
      bands.back()->add_row(
          from, std::vector<double>(static_cast<size_t>(to - from), 1.0 / static_cast<double>(to - from)));
    }
  }
  return in_each_dimension(op, "AdaptiveAvgPoolBackward", x, bands, site);
}

std::tuple<Tensor, Tensor> adaptive_max_pool(const char* op, const Tensor& x, size_t spatial,
                                             IntArrayRef output_size, const void* site) {
  const Dims out = adaptive_sizes(op, x, spatial, output_size);
  raw::Windows w;
  w.step = Dims::filled(spatial, 1);
  for (size_t d = 0; d < spatial; ++d) {
    const int64_t in = x.size(static_cast<int64_t>(d) - static_cast<int64_t>(spatial));
    w.begin.emplace_back();
    w.count.emplace_back();
    for (int64_t o = 0; o < out[d]; ++o) {
      const auto [from, to] = adaptive_window(o, in, out[d]);
      w.begin.back().push_back(from);
      w.count.back().push_back(to - from);
    }
  }
  return max_windows(op, x, w, site);
}

std::tuple<Tensor, Tensor> fractional_max_pool(const char* op, const Tensor& x, size_t spatial,
                                               IntArrayRef kernel_size, IntArrayRef output_size,
                                               const Tensor& samples, const void* site) {
  check_input(op, x, spatial);
  const Dims kernel = numbers(op, "kernel_size", kernel_size, spatial, 1),
             out = numbers(op, "output_size", output_size, spatial, 1);
  const auto n = static_cast<int64_t>(spatial);
  const bool batched = x.dim() == n + 2;
  const int64_t batch = batched ? x.size(0) : 1, channels = x.size(batched ? 1 : 0);
  TAPIR_CHECK_AS(ShapeError, samples.sizes() == IntArrayRef({batch, channels, n}),
                 "{}: random_samples has sizes {}, expected {} for input of sizes {}", op, samples.sizes(),
                 IntArrayRef({batch, channels, n}), x.sizes());
  const Tensor u = raw::contiguous(raw::cast(samples.detach(), kFloat64)).cpu();
  const double* const values = u.data_ptr<double>();
  raw::Windows w;
  w.own = true;
  w.step = Dims::filled(spatial, 1);
  for (size_t d = 0; d < spatial; ++d) {
    const int64_t in = x.size(static_cast<int64_t>(d) - n);
    TAPIR_CHECK_AS(ValueError, out[d] + kernel[d] - 1 <= in,
                   "{}: output_size {} with kernel_size {} does not fit into input of sizes {}", op,
                   output_size, kernel_size, x.sizes());
    w.begin.emplace_back();
    w.count.emplace_back(static_cast<size_t>(out[d]), kernel[d]);
    for (int64_t plane = 0; plane < batch * channels; ++plane) {
      // The samples of a plane stand in the order of the last dimension first.
      const double sample = values[plane * n + (n - 1 - static_cast<int64_t>(d))];
      const double a = out[d] > 1 ? static_cast<double>(in - kernel[d]) / static_cast<double>(out[d] - 1) : 0;
      for (int64_t o = 0; o + 1 < out[d]; ++o)
        w.begin.back().push_back(static_cast<int64_t>((static_cast<double>(o) + sample) * a) -
                                 static_cast<int64_t>(sample * a));
      w.begin.back().push_back(in - kernel[d]);
    }
  }
  return max_windows(op, x, w, site);
}

Tensor max_unpool(const char* op, const Tensor& x, const Tensor& indices, size_t spatial,
                  IntArrayRef output_size, const void* site) {
  CallSite here(site);
  check_input(op, x, spatial);
  TAPIR_CHECK_AS(DTypeError, indices.dtype() == kInt64, "{}: indices are {}, expected int64", op,
                 indices.dtype());
  TAPIR_CHECK_AS(ShapeError, indices.sizes() == x.sizes(),
                 "{}: indices have sizes {}, expected those of the input, {}", op, indices.sizes(),
                 x.sizes());
  const Dims out = numbers(op, "output_size", output_size, spatial, 1);
  const size_t lead = x.sizes().size() - spatial;
  const int64_t places = count(out), windows = count(x.sizes().slice(lead)),
                planes = windows ? x.numel() / windows : 0;
  Dims sizes;
  for (size_t d = 0; d < lead; ++d) sizes.push_back(x.sizes()[d]);
  for (size_t d = 0; d < spatial; ++d) sizes.push_back(out[d]);
  return reshape(scatter(zeros({planes, places}, x.options()), 1, reshape(indices, {planes, windows}),
                         reshape(x, {planes, windows})),
                 sizes);
}

}  // namespace

#define TAPIR_POOL(n)                                                                                        \
  std::tuple<Tensor, Tensor> max_pool##n##d_with_indices(const Tensor& x, IntArrayRef kernel_size,           \
                                                         IntArrayRef stride, IntArrayRef padding,            \
                                                         IntArrayRef dilation, bool ceil_mode) {             \
    return max_pool("max_pool" #n "d", x, n, kernel_size, stride, padding, dilation, ceil_mode, TAPIR_HERE); \
  }                                                                                                          \
  Tensor max_pool##n##d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding,   \
                        IntArrayRef dilation, bool ceil_mode) {                                              \
    return std::get<0>(                                                                                      \
        max_pool("max_pool" #n "d", x, n, kernel_size, stride, padding, dilation, ceil_mode, TAPIR_HERE));   \
  }                                                                                                          \
  Tensor avg_pool##n##d(const Tensor& x, IntArrayRef kernel_size, IntArrayRef stride, IntArrayRef padding,   \
                        bool ceil_mode, bool count_include_pad, std::optional<int64_t> divisor_override) {   \
    return avg_pool("avg_pool" #n "d", x, n, kernel_size, stride, padding, ceil_mode, count_include_pad,     \
                    divisor_override, TAPIR_HERE);                                                           \
  }                                                                                                          \
  Tensor adaptive_avg_pool##n##d(const Tensor& x, IntArrayRef output_size) {                                 \
    return adaptive_avg_pool("adaptive_avg_pool" #n "d", x, n, output_size, TAPIR_HERE);                     \
  }                                                                                                          \
  std::tuple<Tensor, Tensor> adaptive_max_pool##n##d(const Tensor& x, IntArrayRef output_size) {             \
    return adaptive_max_pool("adaptive_max_pool" #n "d", x, n, output_size, TAPIR_HERE);                     \
  }                                                                                                          \
  Tensor max_unpool##n##d(const Tensor& x, const Tensor& indices, IntArrayRef output_size) {                 \
    return max_unpool("max_unpool" #n "d", x, indices, n, output_size, TAPIR_HERE);                          \
  }
TAPIR_POOL(1)
TAPIR_POOL(2)
TAPIR_POOL(3)
#undef TAPIR_POOL

std::tuple<Tensor, Tensor> fractional_max_pool2d(const Tensor& x, IntArrayRef kernel_size,
                                                 IntArrayRef output_size, const Tensor& random_samples) {
  return fractional_max_pool("fractional_max_pool2d", x, 2, kernel_size, output_size, random_samples,
                             TAPIR_HERE);
}
std::tuple<Tensor, Tensor> fractional_max_pool3d(const Tensor& x, IntArrayRef kernel_size,
                                                 IntArrayRef output_size, const Tensor& random_samples) {
  return fractional_max_pool("fractional_max_pool3d", x, 3, kernel_size, output_size, random_samples,
                             TAPIR_HERE);
}

}  // namespace tapir
