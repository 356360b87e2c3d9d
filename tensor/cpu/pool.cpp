// Max pooling, and products with banded matrices, of which average pooling and interpolation are made;
// compiled once per instruction set.

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/pool.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include <algorithm>
#include <type_traits>
#include <vector>

#include "hwy/highway.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/cpu/rows-inl.h"
#include "tapir/tensor/cpu/staging.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::rows::HWY_NAMESPACE {

constexpr int64_t kGrain = 8192;  // multiply-adds

/// y = B x for one vector.
template <class T>
void banded_vector(const BandedArgs& a, const T* w, const T* x, T* y) {
  for (int64_t p = 0; p < a.out; ++p) {
    const T* const v = x + a.begin[p];
    T sum = 0;
    for (int64_t i = a.offset[p]; i < a.offset[p + 1]; ++i) sum += w[i] * v[i - a.offset[p]];
    y[p] = sum;
  }
}

#if HWY_TARGET != HWY_SCALAR
/// The same for a narrow band, several rows of B side by side.
class NarrowBand {
 public:
  /// Whether that pays.
  static bool fits(const BandedArgs& a) {
    int64_t most = 0;
    for (int64_t p = 0; p < a.out; ++p) most = std::max(most, a.offset[p + 1] - a.offset[p]);
    return a.out > 2 && most <= 8 && a.in < (int64_t{1} << 31);
  }
  explicit NarrowBand(const BandedArgs& a) : begins_(a.begin, a.begin + a.out) {
    for (int64_t p = 0; p < a.out; ++p) {
      counts_.push_back(static_cast<int32_t>(a.offset[p + 1] - a.offset[p]));
      most_ = std::max(most_, counts_.back());
    }
    const size_t padded = counts_.size() + kBehind;
    begins_.resize(padded);
    counts_.resize(padded);
    weights_.resize(padded * static_cast<size_t>(most_));
    for (int64_t p = 0; p < a.out; ++p)
      for (int64_t i = a.offset[p]; i < a.offset[p + 1]; ++i)
        weights_[static_cast<size_t>(i - a.offset[p]) * padded + static_cast<size_t>(p)] =
            static_cast<float>(a.weights[i]);
  }
  void operator()(const BandedArgs& a, const float* x, float* y) const {
    const hn::ScalableTag<float> d;
    const hn::ScalableTag<int32_t> di;
    const auto L = static_cast<int64_t>(hn::Lanes(d));
    const auto one = hn::Set(di, 1), last = hn::Set(di, static_cast<int32_t>(a.in - 1));
    for (int64_t p = 0; p < a.out; p += L) {
      auto i = hn::LoadU(di, begins_.data() + p);
      const auto counts = hn::LoadU(di, counts_.data() + p);
      auto sum = hn::Zero(d);
      for (int32_t k = 0; k < most_; ++k, i = hn::Min(hn::Add(i, one), last)) {
        const auto w = hn::LoadU(d, weights_.data() + static_cast<size_t>(k) * begins_.size() + p);
        // Only what is in the band: zero times infinity is not zero.
        sum = hn::IfThenElse(hn::RebindMask(d, hn::Gt(counts, hn::Set(di, k))),
                             hn::MulAdd(w, hn::GatherIndex(d, x, i), sum), sum);
      }
      if (p + L <= a.out)
        hn::StoreU(sum, d, y + p);
      else
        store_first(sum, y + p, a.out - p);
    }
  }

 private:
  static constexpr size_t kBehind = hn::MaxLanes(hn::ScalableTag<int32_t>());
  std::vector<int32_t> begins_, counts_;
  std::vector<float> weights_;  ///< the k-th of each row after one another
  int32_t most_ = 0;
};
#endif

template <class T>
void banded_rows(const BandedArgs& a) {
  const T* const x = static_cast<const T*>(a.x);
  T* const y = static_cast<T*>(a.y);
  const int64_t entries = a.offset[a.out];
  const int64_t work = std::max<int64_t>(1, (entries + a.out) * a.inner);
  const int64_t grain = std::max<int64_t>(1, kGrain / work);
#if HWY_TARGET != HWY_SCALAR
  if constexpr (std::is_same_v<T, float>) {
    if (a.inner == 1 && NarrowBand::fits(a)) {
      const NarrowBand band(a);
      return parallel_for(0, a.outer, grain, [&](int64_t lo, int64_t hi) HWY_ATTR {
        for (int64_t o = lo; o < hi; ++o) band(a, x + o * a.in, y + o * a.out);
      });
    }
  }
#endif
  std::vector<T> weights(static_cast<size_t>(entries));
  for (int64_t i = 0; i < entries; ++i) weights[static_cast<size_t>(i)] = static_cast<T>(a.weights[i]);
  const T* const w = weights.data();
  parallel_for(0, a.outer, grain, [&](int64_t lo, int64_t hi) HWY_ATTR {
    for (int64_t o = lo; o < hi; ++o) {
      const T* const from = x + o * a.in * a.inner;
      T* to = y + o * a.out * a.inner;
      if (a.inner == 1) {
        banded_vector(a, w, from, to);
        continue;
      }
      for (int64_t p = 0; p < a.out; ++p, to += a.inner) {
        const T* const v = from + a.begin[p] * a.inner;
        const int64_t first = a.offset[p], count = a.offset[p + 1] - first;
        const T w0 = count > 0 ? w[first] : T(0), w1 = count > 1 ? w[first + 1] : T(0);
        if (count == 2) {
          const V<T> s0 = splat(w0), s1 = splat(w1);
          map_row(v, v + a.inner, to, a.inner,
                  [=](V<T> b, V<T> c) HWY_ATTR { return hn::MulAdd(s1, c, hn::Mul(s0, b)); });
          continue;
        }
        if (count == 0) {
          std::fill_n(to, a.inner, T(0));
          continue;
        }
        const V<T> s0 = splat(w0);
        map_row(v, to, a.inner, [=](V<T> b) HWY_ATTR { return hn::Mul(s0, b); });
        for (int64_t k = 1; k < count; ++k) {
          const V<T> s = splat(w[first + k]);
          map_row(v + k * a.inner, to, to, a.inner,
                  [=](V<T> b, V<T> c) HWY_ATTR { return hn::MulAdd(s, b, c); });
        }
      }
    }
  });
}

/// Where the windows of a row of places begin along the last dimension, and what lies before their first
/// rows.
struct Row {
  int64_t first, begin;  ///< of dimensions 0 and 1
  int64_t count0, count1;
};

/// One row of places, one after the other. Elements are met in the order of their places, so that of equal
/// ones the first stays; the last NaN wins.
template <class T>
void max_pool_row(const MaxPoolArgs& a, const T* from, const Row& r, const int64_t* begin, T* y,
                  int64_t* indices) {
  for (int64_t p = 0; p < a.out[2]; ++p) {
    int64_t place = (r.first * a.in[1] + r.begin) * a.in[2] + begin[p];
    T largest = from[place];
    for (int64_t k0 = 0; k0 < r.count0; ++k0)
      for (int64_t k1 = 0; k1 < r.count1; ++k1) {
        int64_t i = ((r.first + k0 * a.step[0]) * a.in[1] + r.begin + k1 * a.step[1]) * a.in[2] + begin[p];
        for (int64_t k2 = 0; k2 < a.count[2][p]; ++k2, i += a.step[2]) {
          const bool wins = from[i] > largest || from[i] != from[i];
          largest = wins ? from[i] : largest;
          place = wins ? i : place;
        }
      }
    y[p] = largest;
    indices[p] = place;
  }
}

#if HWY_TARGET != HWY_SCALAR
/// The same side by side, with places counted in 32 bits. `begin` and `count` are readable for a vector past
/// the end.
void max_pool_row(const MaxPoolArgs& a, const float* from, const Row& r, const int32_t* begin,
                  const int32_t* count, int32_t most, float* y, int64_t* indices) {
  const hn::ScalableTag<float> d;
  const hn::ScalableTag<int32_t> di;
  const auto L = static_cast<int64_t>(hn::Lanes(d));
  const auto last = hn::Set(di, static_cast<int32_t>(a.in[2] - 1));
  const auto step = hn::Set(di, static_cast<int32_t>(a.step[2]));
  for (int64_t p = 0; p < a.out[2]; p += L) {
    const auto begins = hn::LoadU(di, begin + p), counts = hn::LoadU(di, count + p);
    const int64_t corner = (r.first * a.in[1] + r.begin) * a.in[2];
    auto largest = hn::GatherIndex(d, from + corner, begins);
    auto place = hn::Add(hn::Set(di, static_cast<int32_t>(corner)), begins);
    for (int64_t k0 = 0; k0 < r.count0; ++k0)
      for (int64_t k1 = 0; k1 < r.count1; ++k1) {
        const int64_t row = ((r.first + k0 * a.step[0]) * a.in[1] + r.begin + k1 * a.step[1]) * a.in[2];
        const auto rows = hn::Set(di, static_cast<int32_t>(row));
        auto i = begins;
        for (int32_t k2 = 0; k2 < most; ++k2, i = hn::Min(hn::Add(i, step), last)) {
          const auto v = hn::GatherIndex(d, from + row, i);
          const auto wins = hn::And(hn::RebindMask(d, hn::Gt(counts, hn::Set(di, k2))),
                                    hn::Or(hn::Gt(v, largest), hn::IsNaN(v)));
          largest = hn::IfThenElse(wins, v, largest);
          place = hn::IfThenElse(hn::RebindMask(di, wins), hn::Add(rows, i), place);
        }
      }
    HWY_ALIGN float values[hn::MaxLanes(d)];
    HWY_ALIGN int32_t places[hn::MaxLanes(di)];
    hn::Store(largest, d, values);
    hn::Store(place, di, places);
    const int64_t n = std::min(L, a.out[2] - p);
    std::copy_n(values, n, y + p);
    std::copy_n(places, n, indices + p);
  }
}
#endif

template <class T>
void max_pool_planes(const MaxPoolArgs& a) {
  const T* const x = static_cast<const T*>(a.x);
  T* const y = static_cast<T*>(a.y);
  const int64_t plane = a.in[0] * a.in[1] * a.in[2], places = a.out[0] * a.out[1] * a.out[2];
  int64_t window = 1;
  for (int d = 0; d < kMaxSpatial; ++d) window *= a.out[d] > 0 ? a.count[d][0] : 1;
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, places * (window + 1)));
#if HWY_TARGET != HWY_SCALAR
  const bool side_by_side = std::is_same_v<T, float> && plane < (int64_t{1} << 31) && a.out[2] > 1;
  constexpr size_t kBehind = hn::MaxLanes(hn::ScalableTag<int32_t>());
  std::vector<int32_t> begins, counts;
  int32_t most = 0;
  if (side_by_side) {
    begins.assign(a.begin[2], a.begin[2] + (a.own_windows ? a.planes : 1) * a.out[2]);
    begins.resize(begins.size() + kBehind);
    counts.assign(a.count[2], a.count[2] + a.out[2]);
    most = *std::max_element(counts.begin(), counts.end());
    counts.resize(counts.size() + kBehind);
  }
#endif
  parallel_for(0, a.planes, grain, [&](int64_t lo, int64_t hi) HWY_ATTR {
    for (int64_t n = lo; n < hi; ++n) {
      T* to = y + n * places;
      int64_t* index = a.indices + n * places;
      const auto own = [&](int d) { return a.own_windows ? n * a.out[d] : 0; };
      for (int64_t p0 = 0; p0 < a.out[0]; ++p0)
        for (int64_t p1 = 0; p1 < a.out[1]; ++p1, to += a.out[2], index += a.out[2]) {
          const Row r{a.begin[0][own(0) + p0], a.begin[1][own(1) + p1], a.count[0][p0], a.count[1][p1]};
#if HWY_TARGET != HWY_SCALAR
          if constexpr (std::is_same_v<T, float>) {
            if (side_by_side) {
              max_pool_row(a, x + n * plane, r, begins.data() + own(2), counts.data(), most, to, index);
              continue;
            }
          }
#endif
          max_pool_row(a, x + n * plane, r, a.begin[2] + own(2), to, index);
        }
    }
  });
}

void banded_simd(const BandedArgs& a) {
  a.dtype == kFloat32 ? banded_rows<float>(a) : banded_rows<double>(a);
}
void max_pool_simd(const MaxPoolArgs& a) {
  a.dtype == kFloat32   ? max_pool_planes<float>(a)
  : a.dtype == kFloat64 ? max_pool_planes<double>(a)
                        : max_pool_planes<int64_t>(a);
}

}  // namespace tapir::cpu::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {
namespace rows {
HWY_EXPORT(banded_simd);
HWY_EXPORT(max_pool_simd);
}  // namespace rows

void banded(const BandedArgs& a) {
  if (is_half(a.dtype)) {
    Staged x(a.x, a.dtype, a.outer * a.in * a.inner), y(a.dtype, a.outer * a.out * a.inner);
    BandedArgs b = a;
    b.dtype = kFloat32;
    b.x = x.data();
    b.y = y.data();
    banded(b);
    return y.write(a.y);
  }
  using namespace rows;
  HWY_DYNAMIC_DISPATCH(banded_simd)(a);
}

void max_pool(const MaxPoolArgs& a) {
  if (is_half(a.dtype)) {
    Staged x(a.x, a.dtype, a.planes * a.in[0] * a.in[1] * a.in[2]),
        y(a.dtype, a.planes * a.out[0] * a.out[1] * a.out[2]);
    MaxPoolArgs b = a;
    b.dtype = kFloat32;
    b.x = x.data();
    b.y = y.data();
    max_pool(b);
    return y.write(a.y);
  }
  using namespace rows;
  HWY_DYNAMIC_DISPATCH(max_pool_simd)(a);
}

}  // namespace tapir::cpu
#endif
