// Pictures of the graph.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tapir/autograd/engine.h"

namespace tapir::autograd {

/// The recorded graph that led to `outputs` as text for Graphviz (dot -Tsvg): a box for each leaf, with its
/// name from `names` where it is there, an ellipse for each op, each with the sizes and dtype of its results;
/// arrows run from inputs to results.
///   to_dot({loss}, {{"weight", w}, {"bias", b}})
TAPIR_API std::string to_dot(const variable_list& outputs,
                             const std::vector<std::pair<std::string, Tensor>>& names = {});
inline std::string to_dot(const Tensor& output,
                          const std::vector<std::pair<std::string, Tensor>>& names = {}) {
  return to_dot(variable_list{output}, names);
}

}  // namespace tapir::autograd
