#include "tapir/autograd/functions/activation.h"

#include <cmath>

#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/index.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/ops/random.h"

namespace tapir {

namespace {

struct P {
  double p0 = 0, p1 = 0, p2 = 0;
  raw::Params raw() const { return {Scalar(p0), Scalar(p1), Scalar(p2)}; }
};

// What the forward, its backward and the derivative of that have in common: `Second` gives f''(x) with
// differentiable ops, or an undefined tensor where it is zero.
using BackwardFunction = Tensor (*)(const Tensor& g, const Tensor& x, double, double, double);
using SecondFunction = Tensor (*)(const Tensor& x, const P& p);

struct ActivationBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return label; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, f(g[0], saved(0), p.p0, p.p1, p.p2)); }
  const char* label;
  BackwardFunction f;
  P p;
};

TAPIR_ALWAYS_INLINE Tensor activation(Pointwise op, const char* label, const Tensor& x, BackwardFunction f,
                                      const P& p = {}) {
  Tensor y = raw::unary(op, x, p.raw());
  if (recording(x)) {
    auto* node = record<ActivationBackward>(TAPIR_HERE, y, x);
    node->label = label;
    node->f = f;
    node->p = p;
    node->save(x);
  }
  return y;
}

struct SecondBackward final : NodeOf<2, 2> {
  const char* type_name() const override { return "ActivationBackwardBackward"; }
  void backward(Grads gg, GradSink& sink) override {
    const Tensor x = saved(1);
    if (sink.wants(0)) sink.set(0, f(gg[0], x, p.p0, p.p1, p.p2));
    if (!sink.wants(1)) return;
    const Tensor second = curvature(x, p);
    sink.set(1, second.defined() ? mul(mul(gg[0], saved(0)), second) : Tensor());
  }
  BackwardFunction f;
  SecondFunction curvature;
  P p;
};

TAPIR_ALWAYS_INLINE Tensor backward_of(Pointwise op, const Tensor& g, const Tensor& x, const P& p,
                                       BackwardFunction f, SecondFunction curvature) {
  Tensor y = raw::binary(op, g, x, p.raw());
  if (recording(g, x)) {
    auto* node = record<SecondBackward>(TAPIR_HERE, y, g, x);
    node->save(g, x);
    node->f = f;
    node->curvature = curvature;
    node->p = p;
  }
  return y;
}

Tensor none(const Tensor&, const P&) { return {}; }

Tensor normal_density(const Tensor& x) {
  return mul(exp(mul(square(x), Scalar(-0.5))), Scalar(1 / std::sqrt(2 * M_PI)));
}
Tensor elu_second(const Tensor& x, const P& p) {
  const Tensor e = mul(exp(mul(x, Scalar(p.p2))), Scalar(p.p1 * p.p2 * p.p2));
  return where(lt(x, Scalar(0)), e, Scalar(0));
}
Tensor gelu_second(const Tensor& x, const P&) { return mul(normal_density(x), 2 - square(x)); }
Tensor gelu_tanh_second(const Tensor& x, const P&) {
  const double c = 2 * std::sqrt(2 / M_PI), a = 0.044715;
  const Tensor s = sigmoid(c * (x + a * x * x * x)), ds = s * (1 - s), du = c * (1 + 3 * a * x * x);
  return 2 * ds * du + x * (ds * (1 - 2 * s) * du * du + ds * (6 * a * c) * x);
}
Tensor silu_second(const Tensor& x, const P&) {
  const Tensor s = sigmoid(x), ds = s * (1 - s);
  return ds * (2 + x * (1 - 2 * s));
}
Tensor mish_second(const Tensor& x, const P&) {
  const Tensor s = sigmoid(x), t = tanh(softplus(x)), dt = (1 - t * t) * s;
  return 2 * dt + x * (dt * (1 - s) - 2 * t * dt * s);
}
Tensor softplus_second(const Tensor& x, const P& p) {
  const Tensor z = x * p.p0, s = sigmoid(z);
  return where(gt(z, Scalar(p.p1)), Scalar(0), s * (1 - s) * p.p0);
}
Tensor log_sigmoid_second(const Tensor& x, const P&) {
  const Tensor s = sigmoid(x);
  return s * (s - 1);
}
Tensor hardswish_second(const Tensor& x, const P&) {
  return where(logical_or(le(x, Scalar(-3)), ge(x, Scalar(3))), Scalar(0),
               raw::full(x.sizes(), 1.0 / 3, x.dtype(), x.device()));
}
Tensor softsign_second(const Tensor& x, const P&) { return -2 * sign(x) * pow(abs(x) + 1, Scalar(-3)); }
Tensor tanhshrink_second(const Tensor& x, const P&) {
  const Tensor t = tanh(x);
  return 2 * t * (1 - t * t);
}
SecondFunction leaky_relu_second = none, shrink_second = none, hardtanh_second = none,
               hardsigmoid_second = none;

constexpr double kSeluAlpha = 1.6732632423543772848170429916717,
                 kSeluScale = 1.0507009873554804934193349852946;

}  // namespace

#define TAPIR_ACTIVATION_BACKWARD(name, params)                                                          \
  Tensor name##_backward(const Tensor& g, const Tensor& x, double p0, double p1, double p2) {            \
    return backward_of(Pointwise::name##_backward, g, x, {p0, p1, p2}, &name##_backward, name##_second); \
  }
TAPIR_ACTIVATION_BACKWARDS(TAPIR_ACTIVATION_BACKWARD)
#undef TAPIR_ACTIVATION_BACKWARD

Tensor elu(const Tensor& x, double alpha, double scale, double input_scale) {
  return activation(Pointwise::elu, "EluBackward", x, elu_backward, {scale, alpha * scale, input_scale});
}
Tensor selu(const Tensor& x) {
  return activation(Pointwise::elu, "SeluBackward", x, elu_backward,
                    {kSeluScale, kSeluAlpha * kSeluScale, 1});
}
Tensor celu(const Tensor& x, double alpha) {
  TAPIR_CHECK_AS(ValueError, alpha != 0, "celu: alpha is 0, by which x is divided");
  return activation(Pointwise::elu, "CeluBackward", x, elu_backward, {1, alpha, 1 / alpha});
}
Tensor gelu(const Tensor& x, std::string_view approximate) {
  if (approximate == "none") return activation(Pointwise::gelu, "GeluBackward", x, gelu_backward);
  TAPIR_CHECK_AS(ValueError, approximate == "tanh", "gelu: approximate is '{}', expected 'none' or 'tanh'",
                 approximate);
  return activation(Pointwise::gelu_tanh, "GeluBackward", x, gelu_tanh_backward);
}
Tensor glu(const Tensor& x, int64_t dim) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ShapeError, x.dim() > 0 && x.size(dim) % 2 == 0,
                 "glu: got sizes {}, expected an even size of dimension {}, which is cut into halves",
                 x.sizes(), dim);
  const int64_t half = x.size(dim) / 2;
  return mul(narrow(x, dim, 0, half), sigmoid(narrow(x, dim, half, half)));
}
Tensor hardshrink(const Tensor& x, double lambda) {
  return activation(Pointwise::hardshrink, "HardshrinkBackward", x, shrink_backward, {lambda});
}
Tensor softshrink(const Tensor& x, double lambda) {
  TAPIR_CHECK_AS(ValueError, lambda >= 0, "softshrink: lambda is {}, expected at least 0", lambda);
  return activation(Pointwise::softshrink, "SoftshrinkBackward", x, shrink_backward, {lambda});
}
Tensor hardtanh(const Tensor& x, double min_val, double max_val) {
  return activation(Pointwise::clamp, "HardtanhBackward", x, hardtanh_backward, {min_val, max_val});
}
Tensor relu6(const Tensor& x) {
  return activation(Pointwise::clamp, "Relu6Backward", x, hardtanh_backward, {0, 6});
}
Tensor hardsigmoid(const Tensor& x) {
  return activation(Pointwise::hardsigmoid, "HardsigmoidBackward", x, hardsigmoid_backward);
}
Tensor hardswish(const Tensor& x) {
  return activation(Pointwise::hardswish, "HardswishBackward", x, hardswish_backward);
}
Tensor leaky_relu(const Tensor& x, double negative_slope) {
  return activation(Pointwise::leaky_relu, "LeakyReluBackward", x, leaky_relu_backward, {negative_slope});
}
Tensor log_sigmoid(const Tensor& x) {
  return activation(Pointwise::log_sigmoid, "LogSigmoidBackward", x, log_sigmoid_backward);
}
Tensor mish(const Tensor& x) { return activation(Pointwise::mish, "MishBackward", x, mish_backward); }
Tensor silu(const Tensor& x) { return activation(Pointwise::silu, "SiluBackward", x, silu_backward); }
Tensor softplus(const Tensor& x, double beta, double threshold) {
  return activation(Pointwise::softplus, "SoftplusBackward", x, softplus_backward, {beta, threshold});
}
Tensor softsign(const Tensor& x) {
  return activation(Pointwise::softsign, "SoftsignBackward", x, softsign_backward);
}
Tensor tanhshrink(const Tensor& x) {
  return activation(Pointwise::tanhshrink, "TanhshrinkBackward", x, tanhshrink_backward);
}
// --- with a tensor of slopes ---

namespace {
struct PreluBackward final : NodeOf<2, 2> {
  const char* type_name() const override { return "PreluBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor x = saved(0), positive = gt(x, Scalar(0));
    if (sink.wants(0)) sink.set(0, where(positive, g[0], mul(g[0], saved(1))));
    if (sink.wants(1)) sink.set(1, where(positive, Scalar(0), mul(g[0], x)));
  }
};
}  // namespace

Tensor prelu(const Tensor& x, const Tensor& weight_in) {
  CallSite site(TAPIR_HERE);
  const int64_t n = weight_in.numel(), channels = x.dim() > 1 ? x.size(1) : 1;
  TAPIR_CHECK_AS(
      ShapeError, weight_in.dim() <= 1 && (n == 1 || n == channels),
      "prelu: weight has sizes {}, expected one element or one for each of {} channels (x has sizes {})",
      weight_in.sizes(), channels, x.sizes());
  Tensor weight = weight_in;
  if (x.dim() > 1 && n > 1) {
    Dims sizes = Dims::filled(static_cast<size_t>(x.dim()), 1);
    sizes[1] = n;
    weight = reshape(weight, sizes);
  } else if (x.dim() == 0) {
    weight = reshape(weight, {});
  }
  Tensor y = raw::binary(Pointwise::prelu, x, weight);
  if (recording(x, weight)) record<PreluBackward>(TAPIR_HERE, y, x, weight)->save(x, weight);
  return y;
}

Tensor rrelu(const Tensor& x, double lower, double upper, bool training, std::optional<Generator> generator) {
  CallSite site(TAPIR_HERE);
  TAPIR_CHECK_AS(ValueError, lower <= upper, "rrelu: the slopes' lower bound {} is above the upper one, {}",
                 lower, upper);
  if (!training) return leaky_relu(x, (lower + upper) / 2);
  // A float64 uniform for each element that is not positive, in row-major order, with two roundings as
  // PyTorch's: uniform_(lower, upper) would fuse them.
  const Tensor slopes = raw::full(x.sizes(), 1, x.dtype(), x.device());
  const Tensor negative = raw::contiguous(raw::binary(Pointwise::le, x, Scalar(0)));
  const raw::IndexPlan plan = raw::plan_index(x.sizes(), {negative});
  const Tensor drawn = Tensor::empty(plan.sizes, kFloat64, x.device());
  raw::uniform_(drawn, 0, 1, generator);
  const Tensor slope = add(mul(drawn, Scalar(upper - lower)), Scalar(lower));
  if (x.dim() == 0) {
    if (slope.numel()) raw::copy_into(slopes, slope.alias(Layout::of({})));
  } else {
    raw::index_put(slopes, plan, raw::cast(slope, x.dtype()), false);
  }
  return mul(x, slopes);
}

Tensor& gelu_out(Tensor& out, const Tensor& x, std::string_view approximate) {
  return detail::assign_out(out, "gelu", {x}, [&] { return gelu(x, approximate); });
}
Tensor& silu_out(Tensor& out, const Tensor& x) {
  return detail::assign_out(out, "silu", {x}, [&] { return silu(x); });
}

// --- in place ---

#define TAPIR_IN_PLACE(call, name)                                                    \
  CallSite site(TAPIR_HERE);                                                          \
  detail::assign_inplace(x, name, [&](const Tensor& old) -> Tensor { return call; }); \
  return x
Tensor& elu_(Tensor& x, double alpha, double scale, double input_scale) {
  TAPIR_IN_PLACE(elu(old, alpha, scale, input_scale), "elu_");
}
Tensor& selu_(Tensor& x) { TAPIR_IN_PLACE(selu(old), "selu_"); }
Tensor& celu_(Tensor& x, double alpha) { TAPIR_IN_PLACE(celu(old, alpha), "celu_"); }
Tensor& hardtanh_(Tensor& x, double min_val, double max_val) {
  TAPIR_IN_PLACE(hardtanh(old, min_val, max_val), "hardtanh_");
}
Tensor& relu6_(Tensor& x) { TAPIR_IN_PLACE(relu6(old), "relu6_"); }
Tensor& hardsigmoid_(Tensor& x) { TAPIR_IN_PLACE(hardsigmoid(old), "hardsigmoid_"); }
Tensor& hardswish_(Tensor& x) { TAPIR_IN_PLACE(hardswish(old), "hardswish_"); }
Tensor& leaky_relu_(Tensor& x, double negative_slope) {
  TAPIR_IN_PLACE(leaky_relu(old, negative_slope), "leaky_relu_");
}
Tensor& mish_(Tensor& x) { TAPIR_IN_PLACE(mish(old), "mish_"); }
Tensor& silu_(Tensor& x) { TAPIR_IN_PLACE(silu(old), "silu_"); }
Tensor& rrelu_(Tensor& x, double lower, double upper, bool training, std::optional<Generator> generator) {
  TAPIR_IN_PLACE(rrelu(old, lower, upper, training, generator), "rrelu_");
}

}  // namespace tapir
