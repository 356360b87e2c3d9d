// Rows of float and double that are added to others, compiled once per instruction set. Neighbours that go to
// one place are summed in registers.

#undef HWY_DISABLED_TARGETS
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tapir/tensor/cpu/add_rows.cpp"
#include "hwy/foreach_target.h"  // IWYU pragma: keep
//
#include "hwy/highway.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapir::cpu::rows::HWY_NAMESPACE {

/// A run of rows that go to one place: to[j] += the sum of factor[r] * src[from[r] * row + j].
template <class T>
struct Run {
  const T* src;
  const int64_t* from;
  const T* factor;        ///< or null
  int64_t row, n, ahead;  ///< `ahead`: how far from[] goes on after the first of the run
};

/// Where it is likely to be missed by the cache, a row is fetched this many rows before its turn.
constexpr int64_t kAhead = 8;

/// kHeld vectors of the sum from column j on.
template <int kHeld, class T>
HWY_INLINE void add_columns(const Run<T>& a, T* to, int64_t j) {
  const Tag<T> d;
  constexpr int64_t L = kLanes<T>;
  V<T> v0 = hn::LoadU(d, to + j), v1 = v0, v2 = v0, v3 = v0;
  if constexpr (kHeld > 1) v1 = hn::LoadU(d, to + j + L);
  if constexpr (kHeld > 2) v2 = hn::LoadU(d, to + j + 2 * L), v3 = hn::LoadU(d, to + j + 3 * L);
  for (int64_t r = 0; r < a.n; ++r) {
    const T* const p = a.src + a.from[r] * a.row + j;
    if (r + kAhead < a.ahead) {
      const T* const next = a.src + a.from[r + kAhead] * a.row + j;
      for (int64_t l = 0; l < kHeld * L; l += 64 / static_cast<int64_t>(sizeof(T)))
        __builtin_prefetch(next + l);
    }
    const V<T> f = splat(a.factor ? a.factor[r] : T(1));
    v0 = hn::MulAdd(f, hn::LoadU(d, p), v0);
    if constexpr (kHeld > 1) v1 = hn::MulAdd(f, hn::LoadU(d, p + L), v1);
    if constexpr (kHeld > 2) {
      v2 = hn::MulAdd(f, hn::LoadU(d, p + 2 * L), v2);
      v3 = hn::MulAdd(f, hn::LoadU(d, p + 3 * L), v3);
    }
  }
  hn::StoreU(v0, d, to + j);
  if constexpr (kHeld > 1) hn::StoreU(v1, d, to + j + L);
  if constexpr (kHeld > 2) hn::StoreU(v2, d, to + j + 2 * L), hn::StoreU(v3, d, to + j + 3 * L);
}

template <class T>
void add_run(const Run<T>& a, T* to) {
  constexpr int64_t L = kLanes<T>;
  int64_t j = 0;
  for (; j + 4 * L <= a.row; j += 4 * L) add_columns<4>(a, to, j);
  if (j + 2 * L <= a.row) add_columns<2>(a, to, j), j += 2 * L;
  if (j + L <= a.row) add_columns<1>(a, to, j), j += L;
  for (; j < a.row; ++j) {
    T sum = to[j];
    for (int64_t r = 0; r < a.n; ++r) sum += a.src[a.from[r] * a.row + j] * (a.factor ? a.factor[r] : T(1));
    to[j] = sum;
  }
}

/// Those that go to places [low, high).
template <class T>
void add_picked(const AddRowsArgs& a, int64_t low, int64_t high) {
  const T* const factor = static_cast<const T*>(a.factor);
  for (int64_t i = 0; i < a.n;) {
    const int64_t place = a.index[i];
    int64_t end = i + 1;
    while (end < a.n && a.index[end] == place) ++end;
    if (place != a.skip && place >= low && place < high) {
      if (i + kAhead < a.n) __builtin_prefetch(static_cast<const T*>(a.dst) + a.index[i + kAhead] * a.row);
      add_run<T>(
          {static_cast<const T*>(a.src), a.from + i, factor ? factor + i : nullptr, a.row, end - i, a.n - i},
          static_cast<T*>(a.dst) + place * a.row);
    }
    i = end;
  }
}

void add_picked_simd(const AddRowsArgs& a, int64_t low, int64_t high) {
  a.dtype == kFloat32 ? add_picked<float>(a, low, high) : add_picked<double>(a, low, high);
}

}  // namespace tapir::cpu::rows::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapir::cpu {
namespace rows {
HWY_EXPORT(add_picked_simd);
}  // namespace rows

void add_picked_rows(const AddRowsArgs& a, int64_t low, int64_t high) {
  using namespace rows;
  HWY_DYNAMIC_DISPATCH(add_picked_simd)(a, low, high);
}

}  // namespace tapir::cpu
#endif
