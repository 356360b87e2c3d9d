#include "tapir/data/weighted_sampler.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>

#include "tapir/tensor/error_format.h"
#include "tapir/tensor/generator_impl.h"

namespace tapir::data::samplers {

WeightedRandomSampler::WeightedRandomSampler(std::vector<double> weights, size_t num_samples,
                                             bool replacement, std::optional<Generator> generator)
    : DrawnSampler(num_samples, std::move(generator)),
      weights_(std::move(weights)),
      replacement_(replacement) {
  for (size_t i = 0; i < weights_.size(); ++i)
    TAPIR_CHECK_AS(ValueError, std::isfinite(weights_[i]) && weights_[i] >= 0,
                   "WeightedRandomSampler: weight {} is {}, expected a finite number of at least 0", i,
                   weights_[i]);
  check_size(num_samples);
}

void WeightedRandomSampler::check_size(size_t num_samples) const {
  const auto above =
      static_cast<size_t>(std::count_if(weights_.begin(), weights_.end(), [](double w) { return w > 0; }));
  TAPIR_CHECK_AS(ValueError, above > 0 && (replacement_ || num_samples <= above),
                 "WeightedRandomSampler: got {} samples {} replacement of {} weights above 0", num_samples,
                 replacement_ ? "with" : "without", above);
}

void WeightedRandomSampler::reset(std::optional<size_t> new_size) {
  if (new_size) check_size(*new_size);
  DrawnSampler::reset(new_size);
}

// Drawn as torch.multinomial does.
std::vector<size_t> WeightedRandomSampler::draw(Generator& generator, size_t) const {
  check_size(size_);
  const size_t n = weights_.size();
  std::vector<size_t> result(size_);
  std::vector<double> values(n);
  const std::lock_guard lock(generator.impl().mutex);
  if (replacement_) {
    std::partial_sum(weights_.begin(), weights_.end(), values.begin());
    const double sum = values.back();
    for (double& v : values) v /= sum;
    // Rounding must not lead behind the last weight that is not 0.
    size_t last = n - 1;
    while (weights_[last] == 0) --last;
    for (size_t i = last; i < n; ++i) values[i] = 1;
    for (size_t& i : result)
      i = static_cast<size_t>(
          std::lower_bound(values.begin(), values.end(), generator.impl().uniform_double()) - values.begin());
    // A draw of exactly 0 would find a first weight of 0.
    for (size_t& i : result)
      while (weights_[i] == 0) ++i;
    return result;
  }
  // The greatest of w / e with e exponentially distributed: i comes first with probability w_i / sum(w).
  for (size_t i = 0; i < n; ++i) values[i] = weights_[i] / -std::log1p(-generator.impl().uniform_double());
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), size_t{0});
  const auto before = [&](size_t a, size_t b) {
    return values[a] != values[b] && !std::isnan(values[a]) ? values[a] > values[b] || std::isnan(values[b])
                                                            : a < b && !std::isnan(values[a]);
  };
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(size_), order.end(), before);
  std::copy_n(order.begin(), size_, result.begin());
  return result;
}

}  // namespace tapir::data::samplers
