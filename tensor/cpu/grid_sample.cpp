// Sampling of images at the places of a grid. A place is a list of elements with weights, which is found once
// for many channels.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/cpu/staging.h"

namespace tapir::cpu {

namespace {

constexpr int64_t kGrain = 1 << 13;  // multiply-adds
constexpr int64_t kBlock = 64;       // places
constexpr int64_t kChannels = 16;    // for which one thread finds the same places
constexpr int kMaxReach = 4, kMaxTaps = 16;

/// What a place takes along one dimension: some elements, -1 for one outside, with their weights and how
/// those change with the coordinate of the grid.
template <class T>
struct Reach {
  int64_t at[kMaxReach];
  T weight[kMaxReach], slope[kMaxReach];
};

/// `place` within [0, last], and what its derivative is multiplied with.
template <class T>
T held(T place, T last, T& factor) {
  if (place > 0 && place < last) return place;
  factor = 0;
  return place >= last ? last : T(0);
}
/// `place` mirrored at the centres of the first and last elements, or at their outer edges.
template <class T>
T mirrored(T place, int64_t size, bool aligned, T& factor) {
  const T low = aligned ? T(0) : T(-0.5), span = static_cast<T>(aligned ? size - 1 : size);
  if (span == 0) {
    factor = 0;
    return 0;
  }
  const T away = std::abs(place - low), rest = std::fmod(away, span);
  const bool turned = std::fmod(std::floor(away / span), T(2)) != 0;
  if ((place < low) != turned) factor = -factor;
  return (turned ? span - rest : rest) + low;
}
template <class T>
T padded(const GridSampleArgs& a, T place, int64_t size, T& factor) {
  if (a.padding == GridPadding::Zeros) return place;
  if (a.padding == GridPadding::Reflection) place = mirrored(place, size, a.aligned, factor);
  return held(place, static_cast<T>(size - 1), factor);
}
/// A whole number as an index of [0, size), or -1.
template <class T>
int64_t index_of(T whole, int64_t size) {
  return whole >= 0 && whole < static_cast<T>(size) ? static_cast<int64_t>(whole) : -1;
}

/// Keys' cubic convolution with a = -3/4, and its derivative.
template <class T>
T cubic(T x) {
  constexpr T a = T(-0.75);
  x = std::abs(x);
  return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}
template <class T>
T cubic_slope(T x) {
  constexpr T a = T(-0.75);
  const T s = std::abs(x);
  const T slope = s <= 1 ? (3 * (a + 2) * s - 2 * (a + 3)) * s : (3 * a * s - 10 * a) * s + 8 * a;
  return x < 0 ? -slope : slope;
}

/// std::floor, which is a call on older processors.
template <class T>
T floor_of(T x) {
  if (!(std::abs(x) < T(1 << 30))) return std::floor(x);
  const T whole = static_cast<T>(static_cast<int32_t>(x));
  return whole > x ? whole - 1 : whole;
}

template <class T, GridMode mode>
Reach<T> reach_of(const GridSampleArgs& a, T coordinate, int64_t size) {
  if (std::isnan(coordinate)) coordinate = -1;
  T scale = static_cast<T>(a.aligned ? size - 1 : size) / 2;
  T place = (coordinate + 1) * scale - (a.aligned ? T(0) : T(0.5));
  Reach<T> r;
  if constexpr (mode == GridMode::Cubic) {
    const T whole = floor_of(place), rest = place - whole;
    for (int i = 0; i < 4; ++i) {
      T unused = 0;
      r.at[i] = index_of(std::rint(padded(a, whole + static_cast<T>(i - 1), size, unused)), size);
      r.weight[i] = cubic(rest - static_cast<T>(i - 1));
      r.slope[i] = cubic_slope(rest - static_cast<T>(i - 1)) * scale;
    }
    return r;
  }
  place = padded(a, place, size, scale);
  if constexpr (mode == GridMode::Nearest) {
    r.at[0] = index_of(std::rint(place), size);
    r.weight[0] = 1;
    r.slope[0] = 0;
    return r;
  }
  const T whole = floor_of(place), rest = place - whole;
  for (int i = 0; i < 2; ++i) {
    r.at[i] = index_of(whole + static_cast<T>(i), size);
    r.weight[i] = i == 0 ? 1 - rest : rest;
    r.slope[i] = i == 0 ? -scale : scale;
  }
  return r;
}

/// The elements of up to kBlock places, tap by tap: where each is in its plane, -1 for one outside.
template <class T>
struct Taps {
  int64_t at[kMaxTaps][kBlock];
  T weight[kMaxTaps][kBlock];
  T slope[kMaxSpatial][kMaxTaps][kBlock];  ///< by coordinate of the grid; where asked for
  int count = 0;
};
template <class T, int d, GridMode mode>
void find_taps_in(const GridSampleArgs& a, const T* grid, int64_t n, bool slopes, Taps<T>& taps) {
  constexpr int kReach = mode == GridMode::Cubic ? 4 : mode == GridMode::Linear ? 2 : 1;
  for (int64_t p = 0; p < n; ++p) {
    Reach<T> reach[kMaxSpatial];  // by dimension
    for (int i = 0; i < d; ++i) reach[i] = reach_of<T, mode>(a, grid[p * d + d - 1 - i], a.in[i]);
    int t = 0;
    const auto put = [&](int64_t at, const int* k) {
      T weight = 1;
      for (int i = 0; i < d; ++i) weight *= reach[i].weight[k[i]];
      taps.at[t][p] = at;
      taps.weight[t][p] = weight;
      for (int i = 0; slopes && i < d; ++i) {
        T slope = reach[i].slope[k[i]];
        for (int j = 0; j < d; ++j) slope *= j == i ? T(1) : reach[j].weight[k[j]];
        taps.slope[d - 1 - i][t][p] = slope;
      }
      ++t;
    };
    int k[kMaxSpatial];
    const auto join = [&](int64_t row, int64_t at, int64_t size) {
      return row < 0 || at < 0 ? -1 : row * size + at;
    };
    for (k[0] = 0; k[0] < kReach; ++k[0])
      for (k[1] = 0; k[1] < kReach; ++k[1]) {
        const int64_t at = join(reach[0].at[k[0]], reach[1].at[k[1]], a.in[1]);
        if constexpr (d == 2)
          put(at, k);
        else
          for (k[2] = 0; k[2] < kReach; ++k[2]) put(join(at, reach[2].at[k[2]], a.in[2]), k);
      }
    taps.count = t;
  }
}
template <class T>
void find_taps(const GridSampleArgs& a, const T* grid, int64_t n, bool slopes, Taps<T>& taps) {
  const auto find = [&]<GridMode mode>() {
    a.spatial == 2 ? find_taps_in<T, 2, mode>(a, grid, n, slopes, taps)
                   : find_taps_in<T, 3, mode>(a, grid, n, slopes, taps);
  };
  if (a.mode == GridMode::Linear) return find.template operator()<GridMode::Linear>();
  if (a.mode == GridMode::Nearest) return find.template operator()<GridMode::Nearest>();
  find_taps_in<T, 2, GridMode::Cubic>(a, grid, n, slopes, taps);
}

int64_t plane_of(const GridSampleArgs& a) { return a.in[0] * a.in[1] * (a.spatial == 3 ? a.in[2] : 1); }

template <class T>
void sample(const GridSampleArgs& a) {
  const int64_t plane = plane_of(a), blocks = (a.places + kBlock - 1) / kBlock;
  const T *const x = static_cast<const T*>(a.x), *const grid = static_cast<const T*>(a.grid);
  T* const y = static_cast<T*>(a.y);
  parallel_for(0, a.batch * blocks, std::max<int64_t>(1, kGrain / (kBlock * 4 * (a.channels + 8))),
               [&](int64_t lo, int64_t hi) {
                 Taps<T> taps;
                 for (int64_t i = lo; i < hi; ++i) {
                   const int64_t b = i / blocks, first = i % blocks * kBlock,
                                 n = std::min(kBlock, a.places - first);
                   find_taps(a, grid + (b * a.places + first) * a.spatial, n, false, taps);
                   for (int64_t c = b * a.channels; c < (b + 1) * a.channels; ++c) {
                     const T* const from = x + c * plane;
                     T* const to = y + c * a.places + first;
                     for (int64_t p = 0; p < n; ++p) {
                       T sum = 0;
                       for (int t = 0; t < taps.count; ++t)
                         if (taps.at[t][p] >= 0) sum += taps.weight[t][p] * from[taps.at[t][p]];
                       to[p] = sum;
                     }
                   }
                 }
               });
}

/// The gradient of x: each thread has channels of its own.
template <class T>
void scatter_back(const GridSampleBackwardArgs& b) {
  const GridSampleArgs& a = b.forward;
  const int64_t plane = plane_of(a), groups = (a.channels + kChannels - 1) / kChannels;
  const T *const grid = static_cast<const T*>(a.grid), *const g = static_cast<const T*>(b.grad_y);
  T* const x = static_cast<T*>(b.grad_x);
  parallel_for(0, a.batch * groups, 1, [&](int64_t lo, int64_t hi) {
    Taps<T> taps;
    for (int64_t i = lo; i < hi; ++i) {
      const int64_t n = i / groups, first = n * a.channels + i % groups * kChannels,
                    last = std::min(first + kChannels, (n + 1) * a.channels);
      std::fill_n(x + first * plane, (last - first) * plane, T(0));
      for (int64_t from = 0; from < a.places; from += kBlock) {
        const int64_t count = std::min(kBlock, a.places - from);
        find_taps(a, grid + (n * a.places + from) * a.spatial, count, false, taps);
        for (int64_t c = first; c < last; ++c)
          for (int64_t p = 0; p < count; ++p)
            for (int t = 0; t < taps.count; ++t)
              if (taps.at[t][p] >= 0)
                x[c * plane + taps.at[t][p]] += taps.weight[t][p] * g[c * a.places + from + p];
      }
    }
  });
}

template <class T>
void slope_back(const GridSampleBackwardArgs& b) {
  const GridSampleArgs& a = b.forward;
  const int64_t plane = plane_of(a), blocks = (a.places + kBlock - 1) / kBlock;
  const T *const x = static_cast<const T*>(a.x), *const grid = static_cast<const T*>(a.grid),
                 *const g = static_cast<const T*>(b.grad_y);
  T* const out = static_cast<T*>(b.grad_grid);
  parallel_for(0, a.batch * blocks, std::max<int64_t>(1, kGrain / (kBlock * 8 * (a.channels + 8))),
               [&](int64_t lo, int64_t hi) {
                 Taps<T> taps;
                 T dot[kMaxTaps][kBlock];  // of the gradients and the elements of each tap, over the channels
                 for (int64_t i = lo; i < hi; ++i) {
                   const int64_t n = i / blocks, first = i % blocks * kBlock,
                                 count = std::min(kBlock, a.places - first);
                   find_taps(a, grid + (n * a.places + first) * a.spatial, count, true, taps);
                   for (int t = 0; t < taps.count; ++t) std::fill_n(dot[t], count, T(0));
                   for (int64_t c = n * a.channels; c < (n + 1) * a.channels; ++c)
                     for (int t = 0; t < taps.count; ++t)
                       for (int64_t p = 0; p < count; ++p)
                         if (taps.at[t][p] >= 0)
                           dot[t][p] += g[c * a.places + first + p] * x[c * plane + taps.at[t][p]];
                   for (int64_t p = 0; p < count; ++p)
                     for (int d = 0; d < a.spatial; ++d) {
                       T sum = 0;
                       for (int t = 0; t < taps.count; ++t)
                         if (taps.at[t][p] >= 0) sum += taps.slope[d][t][p] * dot[t][p];
                       out[(n * a.places + first + p) * a.spatial + d] = sum;
                     }
                 }
               });
}

template <class T>
void sample_back(const GridSampleBackwardArgs& b) {
  if (b.grad_x) scatter_back<T>(b);
  if (!b.grad_grid) return;
  const GridSampleArgs& a = b.forward;
  if (a.mode == GridMode::Nearest)
    std::fill_n(static_cast<T*>(b.grad_grid), a.batch * a.places * a.spatial, T(0));
  else
    slope_back<T>(b);
}

}  // namespace

void grid_sample(const GridSampleArgs& a) {
  if (is_half(a.dtype)) {
    Staged x(a.x, a.dtype, a.batch * a.channels * plane_of(a)),
        grid(a.grid, a.dtype, a.batch * a.places * a.spatial), y(a.dtype, a.batch * a.channels * a.places);
    GridSampleArgs b = a;
    b.dtype = kFloat32;
    b.x = x.data();
    b.grid = grid.data();
    b.y = y.data();
    grid_sample(b);
    return y.write(a.y);
  }
  a.dtype == kFloat32 ? sample<float>(a) : sample<double>(a);
}

void grid_sample_backward(const GridSampleBackwardArgs& b) {
  const GridSampleArgs& a = b.forward;
  if (is_half(a.dtype)) {
    const int64_t images = a.batch * a.channels * plane_of(a), places = a.batch * a.places * a.spatial;
    Staged x(a.x, a.dtype, images), grid(a.grid, a.dtype, places),
        g(b.grad_y, a.dtype, a.batch * a.channels * a.places), grad_x(a.dtype, b.grad_x ? images : 0),
        grad_grid(a.dtype, b.grad_grid ? places : 0);
    GridSampleBackwardArgs s = b;
    s.forward.dtype = kFloat32;
    s.forward.x = x.data();
    s.forward.grid = grid.data();
    s.grad_y = g.data();
    s.grad_x = grad_x.data();
    s.grad_grid = grad_grid.data();
    grid_sample_backward(s);
    if (b.grad_x) grad_x.write(b.grad_x);
    if (b.grad_grid) grad_grid.write(b.grad_grid);
    return;
  }
  a.dtype == kFloat32 ? sample_back<float>(b) : sample_back<double>(b);
}

}  // namespace tapir::cpu
