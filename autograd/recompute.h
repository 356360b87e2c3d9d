// Double backward of fused ops.
#pragma once

#include "tapir/autograd/engine.h"
#include "tapir/autograd/functions/view.h"

namespace tapir {

/// The backward of a fused node under create_graph: runs `forward`, the same function written with
/// differentiable ops, on the node's inputs again, and puts the recorded gradients of its results, weighted
/// with `grads`, into the sink. forward(inputs) -> std::vector<Tensor>, one per output of the node.
template <class F>
void backward_by_recomputing(Grads grads, GradSink& sink, std::vector<Tensor> inputs, F forward) {
  // Views give each use of a tensor an edge of its own: h and c, say, may be the same tensor.
  std::vector<Tensor> wanted;
  std::vector<size_t> numbers;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined() || !sink.wants(i)) continue;
    inputs[i] = view(inputs[i], inputs[i].sizes());
    wanted.push_back(inputs[i]);
    numbers.push_back(i);
  }
  const std::vector<Tensor> results = forward(inputs);
  std::vector<Tensor> roots, weights;
  for (size_t i = 0; i < grads.size(); ++i) {
    if (!grads[i].defined() || !requires_grad(results[i])) continue;
    roots.push_back(results[i]);
    weights.push_back(grads[i]);
  }
  if (roots.empty() || wanted.empty()) return;
  std::vector<Tensor> found = autograd::grad(roots, wanted, weights, true, true, true);
  for (size_t i = 0; i < found.size(); ++i) sink.set(numbers[i], std::move(found[i]));
}

}  // namespace tapir
