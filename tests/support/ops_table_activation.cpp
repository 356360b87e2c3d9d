// Rows of the activations and elementwise losses, tensor/activation.def among them.
#include "support/ops_table.h"
#include "tapir/tensor/ops/pointwise.h"

using namespace tapir;
using Inputs = std::vector<Tensor>;

namespace {

using Domain = OpRow::Domain;
constexpr Domain kAny{-2, 2}, kUnit{0.1, 0.9};

OpRow row(const char* name, OpRow::Call call, std::vector<Domain> domain) {
  OpRow r{name, "activation", std::move(call)};
  r.domain = std::move(domain);
  r.sums = true;  // of terms that cancel: rounding is relative to the largest result
  r.float32_tolerance = 1e-6;
  r.float64_tolerance = 2e-15;
  return r;
}
OpRow kernel_row(const char* name, OpRow::Call call, std::vector<Domain> domain) {
  OpRow r = row(name, std::move(call), std::move(domain));
  r.differentiable = r.differentiable_twice = false;
  return r;
}

#define CALL(...) [](const OracleCase&, const Inputs& x) -> Inputs { return {__VA_ARGS__}; }

}  // namespace

void add_activation_rows(std::vector<OpRow>& rows) {
  const Domain negative{-2, -0.1}, positive{0.1, 2};
  const OpRow more[] = {
      row("elu", CALL(elu(x[0], 0.7, 1.1, 1.3)), {negative}),
      row("elu_backward", CALL(elu_backward(x[0], x[1], 1.1, 0.7 * 1.1, 1.3)), {kAny, negative}),
      row("selu", CALL(selu(x[0])), {negative}),
      row("celu", CALL(celu(x[0], 1.4)), {negative}),
      row("leaky_relu", CALL(leaky_relu(x[0], 0.2)), {negative}),
      row("leaky_relu_backward", CALL(leaky_relu_backward(x[0], x[1], 0.2)), {kAny, positive}),
      kernel_row("prelu", CALL(raw::binary(Pointwise::prelu, x[0], x[1])), {positive, kAny}),
      row("gelu", CALL(gelu(x[0])), {kAny}),
      row("gelu_backward", CALL(gelu_backward(x[0], x[1])), {kAny, kAny}),
      row("gelu_tanh", CALL(gelu(x[0], "tanh")), {kAny}),
      row("gelu_tanh_backward", CALL(gelu_tanh_backward(x[0], x[1])), {kAny, kAny}),
      row("silu", CALL(silu(x[0])), {kAny}),
      row("silu_backward", CALL(silu_backward(x[0], x[1])), {kAny, kAny}),
      row("mish", CALL(mish(x[0])), {kAny}),
      row("mish_backward", CALL(mish_backward(x[0], x[1])), {kAny, kAny}),
      row("softplus", CALL(softplus(x[0], 0.8, 3)), {kAny}),
      row("softplus_backward", CALL(softplus_backward(x[0], x[1], 0.8, 3)), {kAny, kAny}),
      row("log_sigmoid", CALL(log_sigmoid(x[0])), {kAny}),
      row("log_sigmoid_backward", CALL(log_sigmoid_backward(x[0], x[1])), {kAny, kAny}),
      row("hardshrink", CALL(hardshrink(x[0], 0.6)), {{0.7, 2}}),
      row("softshrink", CALL(softshrink(x[0], 0.6)), {{-2, -0.7}}),
      row("shrink_backward", CALL(shrink_backward(x[0], x[1], 0.6)), {kAny, {0.7, 2}}),
      row("hardtanh", CALL(hardtanh(x[0], -0.5, 1.5)), {{-0.4, 1.4}}),
      row("hardtanh_backward", CALL(hardtanh_backward(x[0], x[1], -0.5, 1.5)), {kAny, {-0.4, 1.4}}),
      row("relu6", CALL(relu6(x[0])), {positive}),
      row("hardsigmoid", CALL(hardsigmoid(x[0])), {kAny}),
      row("hardsigmoid_backward", CALL(hardsigmoid_backward(x[0], x[1])), {kAny, kAny}),
      row("hardswish", CALL(hardswish(x[0])), {kAny}),
      row("hardswish_backward", CALL(hardswish_backward(x[0], x[1])), {kAny, kAny}),
      row("softsign", CALL(softsign(x[0])), {negative}),
      row("softsign_backward", CALL(softsign_backward(x[0], x[1])), {kAny, positive}),
      row("tanhshrink", CALL(tanhshrink(x[0])), {kAny}),
      row("tanhshrink_backward", CALL(tanhshrink_backward(x[0], x[1])), {kAny, kAny}),
      kernel_row("huber", CALL(raw::binary(Pointwise::huber, x[0], x[1], {0.75, 0.5, 0.75})), {kAny, kAny}),
      kernel_row("huber_backward",
                 CALL(raw::ternary(Pointwise::huber_backward, x[0], x[1], x[2], {0.75, 0.5, 0.75})),
                 {kAny, kAny, kAny}),
      kernel_row("kl_divergence", CALL(raw::binary(Pointwise::kl_divergence, x[0], x[1])), {kAny, kUnit}),
      kernel_row("kl_divergence_backward",
                 CALL(raw::ternary(Pointwise::kl_divergence_backward, x[0], x[1], x[2])),
                 {kAny, kAny, kUnit}),
      kernel_row("binary_cross_entropy", CALL(raw::binary(Pointwise::binary_cross_entropy, x[0], x[1])),
                 {kUnit, kUnit}),
      kernel_row("binary_cross_entropy_backward",
                 CALL(raw::ternary(Pointwise::binary_cross_entropy_backward, x[0], x[1], x[2])),
                 {kAny, kUnit, kUnit}),
      kernel_row("logit_cross_entropy", CALL(raw::binary(Pointwise::logit_cross_entropy, x[0], x[1])),
                 {kAny, kUnit}),
      kernel_row("logit_cross_entropy_backward",
                 CALL(raw::ternary(Pointwise::logit_cross_entropy_backward, x[0], x[1], x[2])),
                 {kAny, kAny, kUnit}),
  };
  rows.insert(rows.end(), std::begin(more), std::end(more));
}
