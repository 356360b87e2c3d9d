#include <cmath>
#include <numbers>
#include <vector>

#include "tapir/tensor/ops/random_fill.h"

namespace tapir::raw {

namespace {

template <class T>
T from_real(double v) {
  if constexpr (std::is_same_v<T, bool>)
    return v != 0;
  else if constexpr (std::is_integral_v<T>)
    return static_cast<T>(static_cast<int64_t>(std::min(v, 9.2e18)));
  else if constexpr (std::is_same_v<T, double>)
    return v;
  else
    return T(static_cast<float>(v));
}

// Each element of x, in memory order, = draw(generator), a double.
template <class F>
void fill_reals(const Tensor& x, const char* op, const OptionalGenerator& generator, F draw) {
  draw_into(x, op, generator, [&](const Tensor& t, GeneratorImpl& g) {
    visit_dtype(t.dtype(), [&]<class Tag>(Tag) {
      using T = typename Tag::type;
      fill_serially<T>(t, [&] { return from_real<T>(draw(g)); });
    });
  });
}

// Hoermann's transformed rejection for large rates ("The transformed rejection method for generating Poisson
// random variables", 1993, algorithm PTRS); for small ones uniforms are multiplied until they fall below
// e^-rate.
double poisson_of(double rate, GeneratorImpl& g) {
  if (rate == 0) return 0;
  if (rate < 10) {
    const double limit = std::exp(-rate);
    double product = 1;
    for (int64_t count = 0;; ++count) {
      product *= g.uniform_double();
      if (!(product > limit)) return static_cast<double>(count);
    }
  }
  const double root = std::sqrt(rate), log_rate = std::log(rate);
  const double b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), accept = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = g.uniform_double() - 0.5, v = g.uniform_double();
    const double distance = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / distance + b) * u + rate + 0.43);
    if (distance >= 0.07 && v <= accept) return k;
    if (k < 0 || (distance < 0.013 && v > distance)) continue;
    if (std::log(v) + std::log(inverse_alpha) - std::log(a / (distance * distance) + b) <=
        -rate + k * log_rate - std::lgamma(k + 1))
      return k;
  }
}

}  // namespace

void exponential_(const Tensor& x, double lambda, const OptionalGenerator& generator) {
  check_floating(x, "exponential_");
  TAPIR_CHECK_AS(ValueError, lambda >= 0, "exponential_: got rate {}, expected one that is not negative",
                 lambda);
  fill_reals(x, "exponential_", generator,
             [=](GeneratorImpl& g) { return -1.0 / lambda * std::log(1.0 - g.uniform_double()); });
}

void geometric_(const Tensor& x, double p, const OptionalGenerator& generator) {
  TAPIR_CHECK_AS(DTypeError, x.dtype() != kBool, "geometric_: got bool, expected a dtype of numbers");
  TAPIR_CHECK_AS(ValueError, p > 0 && p < 1, "geometric_: got probability {}, expected one in (0, 1)", p);
  fill_reals(x, "geometric_", generator, [log_miss = std::log(1.0 - p)](GeneratorImpl& g) {
    return std::ceil(std::log(g.uniform_double()) / log_miss);
  });
}

void cauchy_(const Tensor& x, double median, double sigma, const OptionalGenerator& generator) {
  check_floating(x, "cauchy_");
  fill_reals(x, "cauchy_", generator, [=](GeneratorImpl& g) {
    return median + sigma * std::tan(std::numbers::pi * (g.uniform_double() - 0.5));
  });
}

void log_normal_(const Tensor& x, double mean, double std, const OptionalGenerator& generator) {
  check_floating(x, "log_normal_");
  TAPIR_CHECK_AS(ValueError, std > 0, "log_normal_: got std {}, expected a positive one", std);
  fill_reals(x, "log_normal_", generator,
             [=](GeneratorImpl& g) { return std::exp(std::fma(g.normal_double(), std, mean)); });
}

Tensor poisson(const Tensor& rates, const OptionalGenerator& generator) {
  check_floating(rates, "poisson");
  const Tensor wide = to_device(contiguous(cast(rates, kFloat64)), kCPU);
  const double* rate = wide.data_ptr<double>();
  // Up to 2^62 a count fits the 64 bits that PyTorch counts in.
  for (int64_t i = 0; i < wide.numel(); ++i)
    TAPIR_CHECK_AS(ValueError, rate[i] >= 0 && rate[i] < 0x1p62,
                   "poisson: got rate {}, expected one in [0, 2^62)", rate[i]);
  Tensor y = Tensor::empty(rates.sizes(), rates.dtype(), rates.device());
  fill_reals(y, "poisson", generator, [&](GeneratorImpl& g) { return poisson_of(*rate++, g); });
  return y;
}

Tensor draw_categories(const Tensor& weights, int64_t n, const OptionalGenerator& generator) {
  const DType dtype = weights.dtype() == kFloat64 ? kFloat64 : kFloat32;
  const Tensor w = to_device(contiguous(cast(weights, dtype)), kCPU);
  const int64_t categories = w.size(-1), rows = w.numel() / std::max<int64_t>(categories, 1);
  Dims sizes = w.sizes();
  sizes[sizes.size() - 1] = n;
  Tensor y = Tensor::empty(sizes, kInt64);
  visit_dtype(dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    if constexpr (std::is_floating_point_v<T>) {
      std::vector<T> below(static_cast<size_t>(rows * categories));  // running shares of each row
      for (int64_t r = 0; r < rows; ++r) {
        const T* p = w.data_ptr<T>() + r * categories;
        T* to = below.data() + r * categories;
        T sum = 0;
        for (int64_t c = 0; c < categories; ++c) {
          TAPIR_CHECK_AS(ValueError, p[c] >= 0 && std::isfinite(p[c]),
                         "multinomial: got weight {}, expected finite ones that are not negative",
                         static_cast<double>(p[c]));
          to[c] = sum += p[c];
        }
        TAPIR_CHECK_AS(ValueError, sum > 0,
                       "multinomial: the weights of row {} sum to {}, expected more than 0", r,
                       static_cast<double>(sum));
        for (int64_t c = 0; c < categories; ++c) to[c] /= sum;
        to[categories - 1] = 1;
      }
      GeneratorImpl& g = (generator ? *generator : default_generator(weights.device())).impl();
      const std::lock_guard lock(g.mutex);
      int64_t* out = y.data_ptr<int64_t>();
      for (int64_t r = 0; r < rows; ++r) {
        const T* from = below.data() + r * categories;
        for (int64_t i = 0; i < n; ++i) {
          const double u = g.uniform_double();
          *out++ = std::lower_bound(from, from + categories, u,
                                    [](T share, double at) { return static_cast<double>(share) < at; }) -
                   from;
        }
      }
    }
  });
  return to_device(y, weights.device());
}

}  // namespace tapir::raw
