// Checkpointing: what a part of the forward would keep for its backward is thrown away and computed again
// when the backward comes (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016).
//
//   Tensor y = autograd::checkpoint([&](const Tensor& x) { return block->forward(x); }, x);
#pragma once

#include <functional>
#include <memory>

#include "tapir/autograd/engine.h"
#include "tapir/autograd/tensor_pack.h"

namespace tapir::autograd {

struct CheckpointOptions {
  /// The second run draws the same random numbers: the default generators (CPU, and CUDA where an argument is
  /// there) are set back for it, and afterwards to where they were.
  bool preserve_rng_state = true;
};

namespace detail {
using CheckpointedFunction = std::function<variable_list(const variable_list& inputs)>;
/// The results of `function`, which can be called again and again.
TAPIR_API variable_list checkpoint(CheckpointedFunction function, const variable_list& inputs,
                                   const CheckpointOptions& options);
}  // namespace detail

/// function(arguments...), which keeps only the arguments: backward calls it a second time, records that, and
/// goes backward through the record. Gradients reach the arguments, and tensors that the function captures,
/// such as weights; they are the same as without checkpoint, but for the order in which those of a weight
/// that is used in several places are summed. Arguments and result are tensors, optionals, vectors, tuples of
/// them, or anything that can be copied.
///
/// What else holds:
///   - backward(), grad() with some of the inputs, retain_graph (the function then runs once more per
///   backward),
///     create_graph and higher derivatives, hooks, checkpoints inside checkpoints, no argument that requires
///     a gradient: all as without it. PyTorch's use_reentrant=false is the closest.
///   - The function must do the same each time: AutogradError where its second run gives other sizes or
///   depends on
///     other tensors. What it changes outside of itself, it changes twice.
///   - A hook on a tensor inside runs once per backward. retain_grad() on a tensor inside is lost with the
///   record.
///   - A result that shares memory with an argument or with another result may not be changed in place;
///   clone() it.
///   - Without recording (NoGradGuard), it is just the call.
/// The first run holds the record of one call at a time, so that a chain of n calls of k ops needs memory for
/// n + k results instead of n * k.
template <class F, class... Args>
TAPIR_ALWAYS_INLINE auto checkpoint(const CheckpointOptions& options, F function, Args&&... arguments) {
  using Result = std::decay_t<std::invoke_result_t<F&, std::decay_t<Args>&...>>;
  static_assert(tapir::detail::holds_tensors<Result>, "checkpoint: the function returns no tensor");
  // Held by the graph: arguments without their tensors, which the graph keeps as what an op saves.
  struct Call {
    F function;
    std::tuple<std::decay_t<Args>...> arguments;
    std::unique_ptr<Result> result;  // of the first run
  };
  auto call = std::make_shared<Call>(Call{std::move(function), {std::forward<Args>(arguments)...}, nullptr});
  const variable_list inputs = tapir::detail::tensors_in(call->arguments);
  tapir::detail::put_tensors(call->arguments, variable_list(inputs.size()));
  const variable_list outputs = detail::checkpoint(
      [call](const variable_list& in) {
        auto given = call->arguments;
        tapir::detail::put_tensors(given, in);
        Result result = std::apply(call->function, given);
        variable_list out = tapir::detail::tensors_in(result);
        if (!call->result) {
          tapir::detail::put_tensors(result, variable_list(out.size()));
          call->result = std::make_unique<Result>(std::move(result));
        }
        return out;
      },
      inputs, options);
  Result result = *call->result;
  tapir::detail::put_tensors(result, outputs);
  return result;
}
template <class F, class... Args>
requires(!std::is_same_v<std::decay_t<F>, CheckpointOptions>) TAPIR_ALWAYS_INLINE
    auto checkpoint(F function, Args&&... arguments) {
  return checkpoint(CheckpointOptions(), std::move(function), std::forward<Args>(arguments)...);
}

/// functions applied one after the other, in `segments` parts of like length, of which all but the last are
/// checkpointed: with about sqrt(n) segments of n functions, memory for 2 sqrt(n) results. Throws ValueError
/// where segments is not between 1 and their number.
TAPIR_API Tensor checkpoint_sequential(const std::vector<std::function<Tensor(const Tensor&)>>& functions,
                                       int64_t segments, const Tensor& input,
                                       const CheckpointOptions& options = {});

}  // namespace tapir::autograd
