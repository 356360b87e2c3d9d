#include "tapir/autograd/checkpoint.h"

#include <algorithm>
#include <atomic>
#include <unordered_set>

#include "tapir/autograd/engine_run.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/generator.h"

namespace tapir::autograd {

namespace {

// Note [The border of a checkpoint]
//
// The first run is recorded as any code is. The record is then walked from the results down to nodes that it
// did not make itself: these, the border, are what the part depends on, arguments and captured tensors alike.
// The record is dropped, and one node with an edge to each tensor of the border takes its place. Backward
// runs the function again; that record ends at the same border, and a run of the engine over what lies above
// gives the gradients there, recorded too under create_graph.
//
// Which nodes a run made is told by their sequence numbers: while it lasts, the thread counts in a range that
// no other run of any thread has.
class Range {
 public:
  Range() : before_(tapir::detail::autograd_thread.next_sequence), first_(kFirst + taken() * kLength) {
    tapir::detail::autograd_thread.next_sequence = first_;
  }
  /// Ends the recording; the thread goes on where it was.
  void close() {
    if (std::exchange(open_, false)) tapir::detail::autograd_thread.next_sequence = before_;
  }
  ~Range() { close(); }
  Range(const Range&) = delete;
  static bool contains(uint64_t first, const Node* n) {
    return n->sequence() >= first && n->sequence() - first < kLength;
  }
  uint64_t first() const { return first_; }

 private:
  static constexpr uint64_t kFirst = uint64_t{1} << 62, kLength = uint64_t{1} << 32;
  static uint64_t taken() {
    static std::atomic<uint64_t> count{0};
    return count.fetch_add(1, std::memory_order_relaxed) % ((uint64_t{1} << 29) - 1);
  }
  uint64_t before_, first_;
  bool open_ = true;
};

// The states of the default generators.
struct RandomState {
  std::vector<uint8_t> cpu, cuda;
  static RandomState now(bool with_cuda) {
    return {default_generator(kCPU).get_state(),
            with_cuda ? default_generator(kCUDA).get_state() : std::vector<uint8_t>()};
  }
  void restore() const {
    default_generator(kCPU).set_state(cpu);
    if (!cuda.empty()) default_generator(kCUDA).set_state(cuda);
  }
};

struct SameEdge {
  size_t operator()(const Edge& e) const {
    return std::hash<const void*>()(e.function.get()) * 31 + e.input_nr;
  }
  bool operator()(const Edge& a, const Edge& b) const {
    return a.function == b.function && a.input_nr == b.input_nr;
  }
};
using EdgeSet = std::unordered_set<Edge, SameEdge, SameEdge>;

// The edges from nodes that `inside` holds for to others, each once, in the order of the walk.
template <class Inside>
std::vector<Edge> find_border(const std::vector<Edge>& roots, const Inside& inside) {
  std::vector<Edge> border;
  EdgeSet known;
  std::unordered_set<const Node*> seen;
  std::vector<Node*> stack;
  const auto visit = [&](const Edge& e) {
    if (!e.is_valid()) return;
    if (!inside(e.function.get())) {
      if (known.insert(e).second) border.push_back(e);
    } else if (seen.insert(e.function.get()).second) {
      stack.push_back(e.function.get());
    }
  };
  for (const Edge& e : roots) visit(e);
  while (!stack.empty()) {
    Node* n = stack.back();
    stack.pop_back();
    for (const Edge& e : n->edges()) visit(e);
  }
  return border;
}

class CheckpointBackward final : public DynamicNode {
 public:
  CheckpointBackward(const std::vector<Edge>& border, size_t outputs) : DynamicNode(border.size(), outputs) {
    std::copy(border.begin(), border.end(), edges().begin());
  }
  const char* type_name() const override { return "CheckpointBackward"; }
  void release_saved() override {
    released = true;
    function = nullptr;
    for (SavedTensor& s : inputs) s.release();
  }
  void backward(Grads grads, GradSink& sink) override;

  detail::CheckpointedFunction function;
  std::vector<SavedTensor> inputs;
  std::vector<size_t> numbers;  // which of the function's results are this node's outputs
  RandomState random;           // at the start of the first run, where it drew
  uint64_t first = 0;           // of the first run's range
  bool released = false;
};

void CheckpointBackward::backward(Grads grads, GradSink& sink) {
  TAPIR_CHECK_AS(
      AutogradError, !released,
      "{}: the graph was already freed by an earlier backward; pass retain_graph = true to the first one "
      "to run another",
      name());
  const bool create_graph = !sink.deferring();
  variable_list given;
  for (const SavedTensor& s : inputs) given.push_back(s.unpack(*this));

  std::vector<Edge> roots;
  std::vector<Tensor> weights;
  variable_list results;
  Range range;
  {
    struct Restore {
      const RandomState* later;
      ~Restore() {
        if (later) later->restore();
      }
    };
    RandomState later;
    Restore restore{nullptr};
    if (!random.cpu.empty()) {
      later = RandomState::now(!random.cuda.empty());
      restore.later = &later;
      random.restore();
    }
    AutoGradMode recording(true);
    results = function(given);
  }
  range.close();
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (!grads[i].defined()) continue;
    const NodeOutput& o = outputs()[i];
    const Tensor r = numbers[i] < results.size() ? results[numbers[i]] : Tensor();
    TAPIR_CHECK_AS(
        AutogradError,
        r.defined() && r.sizes() == IntArrayRef(o.sizes) && r.dtype() == o.dtype && requires_grad(r),
        "checkpoint: the function's second run gave another result {} than the first, which had sizes {}; "
        "it must do the same each time",
        numbers[i], IntArrayRef(o.sizes));
    roots.push_back(gradient_edge(r));
    weights.push_back(std::move(grads[i]));
  }
  results.clear();
  // The first run may have left nodes too, such as those of captured views that it brought up to date. A leaf
  // that it made may be a weight that was made when it was first needed.
  const auto inside = [&](const Node* n) {
    return Range::contains(range.first(), n) ||
           (Range::contains(first, n) && n->kind() != AutogradSlot::Kind::kLeaf);
  };
  const std::vector<Edge> border = find_border(roots, inside);
  const EdgeSet expected(edges().begin(), edges().end());
  for (const Edge& e : border)
    TAPIR_CHECK_AS(
        AutogradError, expected.contains(e),
        "checkpoint: the function's second run depends on a tensor (sizes {}, made by {}) that the first "
        "one did not; it must do the same each time",
        IntArrayRef(e.function->outputs()[e.input_nr].sizes), e.function->name());
  std::vector<Edge> targets;
  std::vector<size_t> places;
  for (size_t i = 0; i < edges().size(); ++i) {
    if (!sink.wants(i)) continue;
    targets.push_back(edges()[i]);
    places.push_back(i);
  }
  if (targets.empty() || roots.empty()) return;
  EngineRun run(create_graph, create_graph);
  run.capture_at_border(roots, targets, border);
  run.run(roots, std::move(weights));
  for (size_t i = 0; i < targets.size(); ++i) sink.set(places[i], std::move(run.captured()[i]));
}

}  // namespace

variable_list detail::checkpoint(CheckpointedFunction function, const variable_list& inputs,
                                 const CheckpointOptions& options) {
  if (!GradMode::is_enabled()) return function(inputs);
  RandomState random;
  if (options.preserve_rng_state)
    random = RandomState::now(std::any_of(inputs.begin(), inputs.end(),
                                          [](const Tensor& t) { return t.defined() && t.is_cuda(); }));
  Range range;
  variable_list results = function(inputs);
  range.close();
  const auto inside = [&](const Node* n) {
    return Range::contains(range.first(), n) && n->kind() != AutogradSlot::Kind::kLeaf;
  };

  // Results that are not made here (an input as it is) need nothing; nor do leaves of the function's own.
  std::vector<size_t> numbers;
  std::vector<Edge> roots;
  for (size_t i = 0; i < results.size(); ++i) {
    if (!results[i].defined()) continue;
    const Edge e = gradient_edge(results[i]);
    if (!e.is_valid() || !inside(e.function.get())) continue;
    numbers.push_back(i);
    roots.push_back(e);
  }
  if (roots.empty()) return results;
  const std::vector<Edge> border = find_border(roots, inside);
  auto* made = new CheckpointBackward(border, numbers.size());
  const Ref<Node> node = Ref<Node>::adopt(made);
  made->set_call_site(TAPIR_HERE);
  made->first = range.first();
  made->numbers = numbers;
  made->inputs.resize(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) made->inputs[i].save_input(inputs[i]);
  // Most functions draw nothing.
  if (options.preserve_rng_state &&
      (!random.cuda.empty() || random.cpu != default_generator(kCPU).get_state()))
    made->random = std::move(random);
  made->function = std::move(function);
  for (size_t i = 0; i < numbers.size(); ++i) {
    Tensor& result = results[numbers[i]];
    const Tensor alias = result.alias(result.layout_of());
    result = alias;
    set_history(result, node, static_cast<uint32_t>(i));
  }
  roots.clear();  // with it the record goes
  for (const size_t i : numbers) results[i].impl()->frozen_view = !results[i].impl()->storage->unique();
  return results;
}

Tensor checkpoint_sequential(const std::vector<std::function<Tensor(const Tensor&)>>& functions,
                             int64_t segments, const Tensor& input, const CheckpointOptions& options) {
  const auto n = static_cast<int64_t>(functions.size());
  TAPIR_CHECK_AS(ValueError, segments >= 1 && segments <= n,
                 "checkpoint_sequential: got {} segments of {} functions, expected from 1 to that many",
                 segments, n);
  const int64_t length = n / segments;
  Tensor x = input;
  for (int64_t s = 0; s < segments; ++s) {
    const int64_t from = s * length, to = s + 1 == segments ? n : from + length;
    const auto part = [fs = std::vector(functions.begin() + from, functions.begin() + to)](const Tensor& in) {
      Tensor y = in;
      for (const auto& f : fs) y = f(y);
      return y;
    };
    x = s + 1 == segments ? part(x) : checkpoint(options, part, x);
  }
  return x;
}

}  // namespace tapir::autograd
