#include "tapir/autograd/anomaly_mode.h"

#include <atomic>

#include "tapir/autograd/engine_run.h"
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/tensor/error_format.h"

namespace tapir {

namespace {
std::atomic<bool> enabled{false}, looks_for_nan{true};

struct Nans {
  int64_t count = 0;
  Dims first;  // index of the first one
};

Nans find_nans(const Tensor& t) {
  NoGradGuard no_grad;
  const Tensor flags = isnan(t).to(Device(kCPU)).contiguous();
  const bool* is = flags.data_ptr<bool>();
  Nans found;
  for (int64_t i = 0; i < flags.numel(); ++i) {
    if (!is[i] || ++found.count > 1) continue;
    found.first = t.layout_of().sizes;
    int64_t rest = i;
    for (int64_t d = t.dim(); d-- > 0; rest /= t.size(d))
      found.first[static_cast<size_t>(d)] = rest % t.size(d);
  }
  return found;
}
}  // namespace

void EngineRun::check_anomaly(const Node& n, size_t input, const Tensor& grad,
                              const std::vector<Tensor>& got) {
  if (!is_floating_point(grad.dtype())) return;
  const Nans nans = find_nans(grad);
  if (nans.count == 0) return;
  std::string context;
  for (const Tensor& g : got) {
    if (!g.defined()) continue;
    const int64_t before = find_nans(g).count;
    context += fmt::format("; the gradient that it got (sizes {}) holds {} NaN", g.sizes(),
                           before ? std::to_string(before) : "no");
  }
  throw_error<AutogradError>(
      "anomaly mode: {} gave NaN in the gradient of its input {} (sizes {}, {}): {} of {} elements, the "
      "first at {}{}",
      n.name(), input, grad.sizes(), grad.dtype(), nans.count, grad.numel(), IntArrayRef(nans.first),
      context);
}

namespace autograd {

bool AnomalyMode::is_enabled() { return enabled.load(std::memory_order_relaxed); }
bool AnomalyMode::should_check_nan() { return is_enabled() && looks_for_nan.load(std::memory_order_relaxed); }
void AnomalyMode::set_enabled(bool on, bool check_nan) {
  looks_for_nan.store(check_nan, std::memory_order_relaxed);
  enabled.store(on, std::memory_order_relaxed);
}

DetectAnomalyGuard::DetectAnomalyGuard(bool check_nan)
    : was_enabled_(AnomalyMode::is_enabled()), checked_nan_(looks_for_nan.load(std::memory_order_relaxed)) {
  AnomalyMode::set_enabled(true, check_nan);
}
DetectAnomalyGuard::~DetectAnomalyGuard() { AnomalyMode::set_enabled(was_enabled_, checked_nan_); }

}  // namespace autograd
}  // namespace tapir
