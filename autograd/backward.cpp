// backward() and grad(): what they check before the engine runs.
#include "tapir/autograd/engine.h"
#include "tapir/autograd/engine_run.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/autograd/inference_mode.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"

namespace tapir {

namespace autograd {
namespace {

struct Roots {
  std::vector<Edge> edges;
  std::vector<Tensor> grads;
};

Roots make_roots(const char* op, const variable_list& tensors, const variable_list& grads) {
  TAPIR_CHECK_AS(ValueError, grads.empty() || grads.size() == tensors.size(),
                 "{}: {} tensors but {} gradients; give one for each, or none", op, tensors.size(),
                 grads.size());
  Roots roots;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const Tensor& t = tensors[i];
    TAPIR_CHECK_AS(AutogradError, t.defined(), "{}: tensor {} is undefined", op, i);
    TAPIR_CHECK_AS(AutogradError, requires_grad(t),
                   "{}: tensor {} (sizes {}) does not require a gradient: no op on a tensor with "
                   "requires_grad led to it, or "
                   "it was made under NoGradGuard",
                   op, i, t.sizes());
    Tensor g = i < grads.size() ? grads[i] : Tensor();
    if (!g.defined()) {
      TAPIR_CHECK_AS(ShapeError, t.numel() == 1,
                     "{}: tensor {} has sizes {}; only one with a single element needs no gradient argument: "
                     "sum it to a loss, or "
                     "pass a gradient of its sizes",
                     op, i, t.sizes());
      g = raw::full(t.sizes(), 1, t.dtype(), t.device());
    } else {
      if (g.numel() == 1 && t.numel() == 1) g = reshape(g, t.sizes());  // ones({1}) for a loss of sizes []
      TAPIR_CHECK_AS(ShapeError, g.sizes() == t.sizes(),
                     "{}: the gradient for tensor {} has sizes {}, expected {}", op, i, g.sizes(), t.sizes());
    }
    roots.edges.push_back(gradient_edge(t));
    roots.grads.push_back(std::move(g));
  }
  return roots;
}

}  // namespace

namespace {
// Gradients are normal tensors, also where backward is called in inference mode.
struct NormalMode {
  NormalMode() {
    if (TAPIR_UNLIKELY(InferenceMode::is_enabled())) mode.emplace(false);
  }
  std::optional<InferenceMode> mode;
};
}  // namespace

void backward(const variable_list& tensors, const variable_list& grad_tensors,
              std::optional<bool> retain_graph, bool create_graph, const variable_list& inputs) {
  NormalMode normal;
  Roots roots = make_roots("backward", tensors, grad_tensors);
  EngineRun run(retain_graph.value_or(create_graph), create_graph);
  if (!inputs.empty()) {
    std::vector<Edge> targets;
    for (const Tensor& t : inputs) {
      TAPIR_CHECK_AS(
          AutogradError, t.defined() && requires_grad(t),
          "backward: an input does not require a gradient; call requires_grad_() before the forward");
      if (!t.is_leaf()) t.retain_grad();
      targets.push_back(gradient_edge(t));
    }
    run.capture(roots.edges, targets, true);
  }
  run.run(roots.edges, std::move(roots.grads));
}

variable_list grad(const variable_list& outputs, const variable_list& inputs,
                   const variable_list& grad_outputs, std::optional<bool> retain_graph, bool create_graph,
                   bool allow_unused) {
  NormalMode normal;
  Roots roots = make_roots("grad", outputs, grad_outputs);
  std::vector<Edge> targets;
  for (size_t i = 0; i < inputs.size(); ++i) {
    TAPIR_CHECK_AS(AutogradError, inputs[i].defined() && requires_grad(inputs[i]),
                   "grad: input {} does not require a gradient; call requires_grad_() before the forward", i);
    targets.push_back(gradient_edge(inputs[i]));
  }
  EngineRun run(retain_graph.value_or(create_graph), create_graph);
  run.capture(roots.edges, targets, false);
  run.run(roots.edges, std::move(roots.grads));
  for (size_t i = 0; i < inputs.size(); ++i)
    TAPIR_CHECK_AS(AutogradError, run.captured()[i].defined() || allow_unused,
                   "grad: the outputs do not depend on input {} (sizes {}); pass allow_unused = true for an "
                   "undefined gradient",
                   i, inputs[i].sizes());
  return std::move(run.captured());
}

}  // namespace autograd
}  // namespace tapir
