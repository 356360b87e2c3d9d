// Cross-entropy with class indices and its backward, one pass over each row, compiled once per instruction
// set.

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/loss.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <cmath>
#include <cstring>

#include "hwy/highway.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/cpu/rows-inl.h"
#include "tapir/tensor/cpu/staging.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::rows::HWY_NAMESPACE {

constexpr int64_t kLossGrain = 4096;  // elements, of about an exponential each

/// Sum of weight[c] * (x[c] - shift), weights 1 where null.
template <class T>
T weighted_sum(const T* x, const T* weight, int64_t n, T shift) {
  const V<T> s = splat(shift);
  return sum_lanes<T>(fold_row(
      x, n, shift, splat(T(0)),
      [=](V<T> a, V<T> v, int64_t i) {
        v = hn::Sub(v, s);
        if (!weight) return hn::Add(a, v);
        const V<T> w =
            i + kLanes<T> <= n ? hn::LoadU(Tag<T>(), weight + i) : load_first(weight + i, n - i, T(0));
        return hn::MulAdd(w, v, a);
      },
      [](V<T> a, V<T> b) { return hn::Add(a, b); }));
}

template <class T>
void forward(const CrossEntropyArgs& a) {
  const int64_t n = a.classes;
  const T* weight = static_cast<const T*>(a.weight);
  const T hard = static_cast<T>(1 - a.label_smoothing);
  const T soft = static_cast<T>(a.label_smoothing / static_cast<double>(n));
  parallel_for(0, a.n, std::max<int64_t>(1, kLossGrain / n), [&](int64_t lo, int64_t hi) {
    for (int64_t i = lo; i < hi; ++i) {
      const T* x = static_cast<const T*>(a.logits) + i * n;
      const int64_t target = a.targets[i];
      const T top = row_extreme<T, false>(x, n);
      const T log_sum = std::log(row_sum_exp(x, n, top));
      if (a.log_probs) {
        const V<T> t = splat(top), l = splat(log_sum);
        map_row(x, static_cast<T*>(a.log_probs) + i * n, n,
                [t, l](V<T> v) { return hn::Sub(hn::Sub(v, t), l); });
      }
      T loss = 0;
      if (target != a.ignore_index) {
        loss = -(x[target] - top - log_sum);
        if (weight) loss *= weight[target];
        if (soft != 0) loss = hard * loss - soft * weighted_sum(x, weight, n, top + log_sum);
      }
      static_cast<T*>(a.losses)[i] = loss;
    }
  });
}

template <class T>
void backward(const CrossEntropyBackwardArgs& a) {
  const int64_t n = a.classes;
  const T* weight = static_cast<const T*>(a.weight);
  double total = static_cast<double>(n);
  if (weight && a.label_smoothing != 0) {
    total = 0;
    for (int64_t c = 0; c < n; ++c) total += static_cast<double>(weight[c]);
  }
  parallel_for(0, a.n, std::max<int64_t>(1, kLossGrain / n), [&](int64_t lo, int64_t hi) {
    for (int64_t i = lo; i < hi; ++i) {
      T* out = static_cast<T*>(a.grad_logits) + i * n;
      const int64_t target = a.targets[i];
      if (target == a.ignore_index) {
        std::fill(out, out + n, T(0));
        continue;
      }
      const double g = static_cast<double>(static_cast<const T*>(a.grad)[i * a.grad_stride]) * a.scale;
      const double hard = g * (1 - a.label_smoothing) * (weight ? static_cast<double>(weight[target]) : 1.0);
      const double soft = g * a.label_smoothing / static_cast<double>(n);
      const T* log_probs = static_cast<const T*>(a.log_probs) + i * n;
      const V<T> scale = splat(static_cast<T>(hard + soft * total)), each = splat(static_cast<T>(soft));
      if (soft == 0)
        map_row(log_probs, out, n, [=](V<T> v) { return hn::Mul(scale, exp_of_negative<T>(v)); });
      else if (weight)
        map_row(log_probs, weight, out, n, [=](V<T> v, V<T> w) {
          return hn::NegMulAdd(each, w, hn::Mul(scale, exp_of_negative<T>(v)));
        });
      else
        map_row(log_probs, out, n, [=](V<T> v) { return hn::MulSub(scale, exp_of_negative<T>(v), each); });
      out[target] -= static_cast<T>(hard);
    }
  });
}

void cross_entropy_simd(const CrossEntropyArgs& a) {
  a.dtype == kFloat32 ? forward<float>(a) : forward<double>(a);
}
void cross_entropy_backward_simd(const CrossEntropyBackwardArgs& a) {
  a.dtype == kFloat32 ? backward<float>(a) : backward<double>(a);
}

}  // namespace tapir::cpu::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {
namespace rows {
HWY_EXPORT(cross_entropy_simd);
HWY_EXPORT(cross_entropy_backward_simd);

namespace {
/// Checks the targets and sums the weights of those that count; false where one is out of range.
template <class T>
bool check_targets(const CrossEntropyArgs& a) {
  const T* weight = static_cast<const T*>(a.weight);
  double sum = 0;
  int64_t counted = 0;
  *a.bad_row = -1;
  for (int64_t i = 0; i < a.n; ++i) {
    const int64_t target = a.targets[i];
    if (target == a.ignore_index) continue;
    if (static_cast<uint64_t>(target) >= static_cast<uint64_t>(a.classes)) {
      *a.bad_row = i;
      return false;
    }
    ++counted;
    if (weight) sum += static_cast<double>(weight[target]);
  }
  *a.weight_sum = weight ? sum : static_cast<double>(counted);
  return true;
}
}  // namespace
}  // namespace rows

void cross_entropy(const CrossEntropyArgs& a) {
  if (is_half(a.dtype)) {
    Staged logits(a.logits, a.dtype, a.n * a.classes), weight(a.weight, a.dtype, a.classes);
    Staged losses(a.dtype, a.n), log_probs(a.dtype, a.log_probs ? a.n * a.classes : 0);
    CrossEntropyArgs b = a;
    b.dtype = kFloat32;
    b.logits = logits.data();
    b.weight = weight.data();
    b.losses = losses.data();
    b.log_probs = log_probs.data();
    cross_entropy(b);
    if (*a.bad_row >= 0) return;
    losses.write(a.losses);
    return log_probs.write(a.log_probs);
  }
  using namespace rows;
  if (!(a.dtype == kFloat32 ? check_targets<float>(a) : check_targets<double>(a))) return;
  if (a.classes == 0) std::memset(a.losses, 0, static_cast<size_t>(a.n) * item_size(a.dtype));  // all ignored
  if (a.n == 0 || a.classes == 0) return;
  HWY_DYNAMIC_DISPATCH(cross_entropy_simd)(a);
}

void cross_entropy_backward(const CrossEntropyBackwardArgs& a) {
  if (a.n == 0 || a.classes == 0) return;
  if (is_half(a.dtype)) {
    Staged grad(a.grad, a.dtype, a.grad_stride ? a.n : 1), log_probs(a.log_probs, a.dtype, a.n * a.classes);
    Staged weight(a.weight, a.dtype, a.classes);
    CrossEntropyBackwardArgs b = a;
    b.dtype = kFloat32;
    b.grad = grad.data();
    b.log_probs = b.grad_logits = log_probs.data();
    b.weight = weight.data();
    cross_entropy_backward(b);
    return log_probs.write(a.grad_logits);
  }
  using namespace rows;
  HWY_DYNAMIC_DISPATCH(cross_entropy_backward_simd)(a);
}

}  // namespace tapir::cpu
#endif
