// Products on the CPU, of every pair of dtypes.
#include <algorithm>
#include <type_traits>
#include <vector>

#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/scalar.h"

namespace tapir::cpu {
namespace {

constexpr int64_t kGrain = 16384;
constexpr int64_t kPart = 65536;  // a longer row is done in parts of this many elements
constexpr int64_t kWidth = 256;   // columns done side by side
constexpr int64_t kLanes = 32;

template <class A>
A times(A x, A y) {
  if constexpr (std::is_integral_v<A>)
    return static_cast<A>(static_cast<uint64_t>(x) * static_cast<uint64_t>(y));  // wraps
  else
    return x * y;
}

template <class A, class T>
A as(T x) {
  if constexpr (std::is_same_v<A, int64_t> && !std::is_integral_v<T>)
    return Scalar(static_cast<double>(x)).to_int64();
  else
    return static_cast<A>(x);
}

template <class T, class A>
A of_row(const T* p, int64_t n) {
  A lanes[kLanes];
  std::fill(lanes, lanes + kLanes, A(1));
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = times(lanes[l], as<A>(p[i + l]));
  for (int64_t l = 0; i < n; ++i, ++l) lanes[l] = times(lanes[l], as<A>(p[i]));
  for (int64_t width = kLanes / 2; width > 0; width /= 2)
    for (int64_t l = 0; l < width; ++l) lanes[l] = times(lanes[l], lanes[l + width]);
  return lanes[0];
}

template <class T, class A>
void prod_in(const ReduceArgs& a) {
  const T* in = static_cast<const T*>(a.in);
  const auto store = [&](int64_t at, A value) {
    visit_dtype(a.out_dtype, [&]<class Tag>(Tag) {
      using U = typename Tag::type;
      static_cast<U*>(a.out)[at] = Scalar(value).cast<U>();
    });
  };
  if (a.inner == 1) {
    const int64_t parts = std::max<int64_t>(1, (a.reduced + kPart - 1) / kPart);
    std::vector<A> partial(static_cast<size_t>(a.outer * parts));
    const int64_t work = std::max<int64_t>(1, std::min(a.reduced, kPart));
    parallel_for(0, a.outer * parts, std::max<int64_t>(1, kGrain / work), [&](int64_t lo, int64_t hi) {
      for (int64_t t = lo; t < hi; ++t) {
        const int64_t begin = (t % parts) * kPart;
        partial[static_cast<size_t>(t)] =
            of_row<T, A>(in + (t / parts) * a.reduced + begin, std::min(kPart, a.reduced - begin));
      }
    });
    for (int64_t o = 0; o < a.outer; ++o) store(o, of_row<A, A>(partial.data() + o * parts, parts));
    return;
  }
  const int64_t blocks = (a.inner + kWidth - 1) / kWidth, work = a.reduced * std::min(a.inner, kWidth);
  parallel_for(0, a.outer * blocks, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, work)),
               [&](int64_t lo, int64_t hi) {
                 for (int64_t t = lo; t < hi; ++t) {
                   const int64_t o = t / blocks, j = (t % blocks) * kWidth;
                   const int64_t width = std::min(kWidth, a.inner - j);
                   A product[kWidth];
                   std::fill(product, product + width, A(1));
                   for (int64_t r = 0; r < a.reduced; ++r) {
                     const T* p = in + (o * a.reduced + r) * a.inner + j;
                     for (int64_t c = 0; c < width; ++c) product[c] = times(product[c], as<A>(p[c]));
                   }
                   for (int64_t c = 0; c < width; ++c) store(o * a.inner + j + c, product[c]);
                 }
               });
}

}  // namespace

void prod(const ReduceArgs& a) {
  visit_dtype(a.dtype, [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    if (a.out_dtype == kFloat64)
      prod_in<T, double>(a);
    else if (is_floating_point(a.out_dtype))
      prod_in<T, float>(a);
    else
      prod_in<T, int64_t>(a);
  });
}

}  // namespace tapir::cpu
