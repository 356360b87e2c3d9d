// Connectionist temporal classification: the alpha and beta recursions of Graves et al. 2006 in log space, in
// double.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"

namespace tapir::cpu {

namespace {

constexpr double kNone = -std::numeric_limits<double>::infinity();

double log_add(double a, double b) {
  if (a < b) std::swap(a, b);
  return b == kNone ? a : a + std::log1p(std::exp(b - a));
}

/// The target of one batch with blanks around each class: blank, c0, blank, c1, ..., blank.
struct Extended {
  const int64_t* target;
  int64_t blank, states;
  Extended(const CtcArgs& a, int64_t b)
      : target(a.targets + a.offsets[b]), blank(a.blank), states(2 * a.target_lengths[b] + 1) {}
  int64_t operator[](int64_t s) const { return s % 2 ? target[s / 2] : blank; }
  /// A state may be reached past the blank before it where that parts two different classes.
  bool skips(int64_t s) const { return s >= 2 && s % 2 && target[s / 2] != target[s / 2 - 1]; }
};

template <class T>
void forward(const CtcArgs& a, int64_t b) {
  const T* const lp = static_cast<const T*>(a.log_probs) + b * a.classes;
  const int64_t step = (a.batch) * a.classes, width = 2 * a.longest + 1, length = a.input_lengths[b];
  double* const alpha = a.log_alpha + b * a.time * width;
  const Extended e(a, b);
  T& loss = static_cast<T*>(a.losses)[b];
  std::fill_n(alpha, a.time * width, kNone);
  if (length == 0) {
    loss = e.states == 1 ? T(0) : std::numeric_limits<T>::infinity();
    return;
  }
  alpha[0] = static_cast<double>(lp[e[0]]);
  if (e.states > 1) alpha[1] = static_cast<double>(lp[e[1]]);
  for (int64_t t = 1; t < length; ++t) {
    const double* before = alpha + (t - 1) * width;
    double* now = alpha + t * width;
    for (int64_t s = 0; s < e.states; ++s) {
      double sum = before[s];
      if (s >= 1) sum = log_add(sum, before[s - 1]);
      if (e.skips(s)) sum = log_add(sum, before[s - 2]);
      now[s] = sum + static_cast<double>(lp[t * step + e[s]]);
    }
  }
  const double* last = alpha + (length - 1) * width + e.states;
  loss = static_cast<T>(-(e.states > 1 ? log_add(last[-1], last[-2]) : last[-1]));
}

template <class T>
void backward(const CtcBackwardArgs& args, int64_t b) {
  const CtcArgs& a = args.forward;
  const T* const lp = static_cast<const T*>(a.log_probs) + b * a.classes;
  T* const out = static_cast<T*>(args.grad_in) + b * a.classes;
  const int64_t step = a.batch * a.classes, width = 2 * a.longest + 1, length = a.input_lengths[b];
  const double* const alpha = a.log_alpha + b * a.time * width;
  const auto loss = static_cast<double>(static_cast<const T*>(a.losses)[b]);
  const auto g = static_cast<double>(static_cast<const T*>(args.grad)[b]);
  const bool drop = args.zero_infinity && std::isinf(loss);
  for (int64_t t = drop ? 0 : length; t < a.time; ++t) std::fill_n(out + t * step, a.classes, T(0));
  if (drop || length == 0) return;
  const Extended e(a, b);
  const auto states = static_cast<size_t>(e.states);
  std::vector<double> beta(states, kNone), next(states), total(static_cast<size_t>(a.classes));
  for (int64_t t = length - 1; t >= 0; --t) {
    const T* p = lp + t * step;
    for (int64_t s = 0; s < e.states; ++s) {
      const auto i = static_cast<size_t>(s);
      double sum;
      if (t == length - 1) {
        sum = s >= e.states - 2 ? 0 : kNone;
      } else {
        sum = beta[i];
        if (s + 1 < e.states) sum = log_add(sum, beta[i + 1]);
        if (s + 2 < e.states && e.skips(s + 2)) sum = log_add(sum, beta[i + 2]);
      }
      next[i] = sum + static_cast<double>(p[e[s]]);
    }
    beta.swap(next);
    std::fill(total.begin(), total.end(), kNone);
    for (int64_t s = 0; s < e.states; ++s) {
      double& sum = total[static_cast<size_t>(e[s])];
      sum = log_add(sum, alpha[t * width + s] + beta[static_cast<size_t>(s)]);
    }
    for (int64_t c = 0; c < a.classes; ++c) {
      const auto x = static_cast<double>(p[c]);
      const double sum = total[static_cast<size_t>(c)];
      // of the unnormalised scores, as PyTorch has it
      out[t * step + c] = static_cast<T>(
          g * (std::exp(x) - (sum == kNone && loss < HUGE_VAL ? 0 : std::exp(sum + loss - x))));
    }
  }
}

}  // namespace

void ctc(const CtcArgs& a) {
  parallel_for(0, a.batch, 1, [&](int64_t lo, int64_t hi) {
    for (int64_t b = lo; b < hi; ++b) a.dtype == kFloat32 ? forward<float>(a, b) : forward<double>(a, b);
  });
}

void ctc_backward(const CtcBackwardArgs& a) {
  parallel_for(0, a.forward.batch, 1, [&](int64_t lo, int64_t hi) {
    for (int64_t b = lo; b < hi; ++b)
      a.forward.dtype == kFloat32 ? backward<float>(a, b) : backward<double>(a, b);
  });
}

}  // namespace tapir::cpu
