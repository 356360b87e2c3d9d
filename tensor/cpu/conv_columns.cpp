// Convolution as products with a matrix of columns (im2col: Chellapilla, Puri and Simard 2006): column p
// holds what the kernel sees at place p of the output.
#include <algorithm>
#include <vector>

#include "tapir/tensor/cpu/conv.h"
#include "tapir/tensor/cpu/gemm.h"
#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/parallel.h"
#include "tapir/tensor/cpu/staging.h"

namespace tapir::cpu {

namespace {

constexpr int64_t kGrain = 1 << 15;  // additions

/// The places [lo, hi) of an output dimension at which a kernel's element, `offset` from the place times
/// `stride`, lies inside the input.
struct Inside {
  Inside(int64_t offset, int64_t stride, int64_t in, int64_t out) {
    lo = std::clamp<int64_t>(offset >= 0 ? 0 : (-offset + stride - 1) / stride, 0, out);
    hi = std::clamp<int64_t>(in - offset > 0 ? (in - offset - 1) / stride + 1 : 0, lo, out);
  }
  int64_t lo, hi;
};

/// Calls f(row of columns, place in it, place in x, count, step in x) for each run of the matrix of columns
/// of `channels` channels that comes from inside x.
template <class F>
void for_each_run(const ConvArgs& a, int64_t channels, F f) {
  const int64_t places = volume(a.out), plane = volume(a.in);
  int64_t row = 0;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t k0 = 0; k0 < a.kernel[0]; ++k0)
      for (int64_t k1 = 0; k1 < a.kernel[1]; ++k1)
        for (int64_t k2 = 0; k2 < a.kernel[2]; ++k2, ++row) {
          const int64_t o0 = k0 * a.dilation[0] - a.padding[0], o1 = k1 * a.dilation[1] - a.padding[1],
                        o2 = k2 * a.dilation[2] - a.padding[2];
          const Inside i0(o0, a.stride[0], a.in[0], a.out[0]), i1(o1, a.stride[1], a.in[1], a.out[1]),
              i2(o2, a.stride[2], a.in[2], a.out[2]);
          if (i2.lo == i2.hi) continue;
          for (int64_t p0 = i0.lo; p0 < i0.hi; ++p0)
            for (int64_t p1 = i1.lo; p1 < i1.hi; ++p1)
              f(row * places + (p0 * a.out[1] + p1) * a.out[2] + i2.lo,
                c * plane + ((p0 * a.stride[0] + o0) * a.in[1] + p1 * a.stride[1] + o1) * a.in[2] +
                    i2.lo * a.stride[2] + o2,
                i2.hi - i2.lo, a.stride[2]);
        }
}

template <class T>
void to_columns(const ConvArgs& a, int64_t channels, const T* x, T* columns) {
  const bool all_inside = a.padding[0] == 0 && a.padding[1] == 0 && a.padding[2] == 0;
  if (!all_inside) std::fill_n(columns, channels * volume(a.kernel) * volume(a.out), T(0));
  for_each_run(a, channels, [&](int64_t to, int64_t from, int64_t count, int64_t step) {
    if (step == 1)
      std::copy_n(x + from, count, columns + to);
    else
      for (int64_t i = 0; i < count; ++i) columns[to + i] = x[from + i * step];
  });
}

/// x += the sum of what each column says of it.
template <class T>
void from_columns(const ConvArgs& a, int64_t channels, const T* columns, T* x) {
  for_each_run(a, channels, [&](int64_t from, int64_t to, int64_t count, int64_t step) {
    const T* const v = columns + from;
    T* const sum = x + to;
    if (step == 1)
      for (int64_t i = 0; i < count; ++i) sum[i] += v[i];
    else
      for (int64_t i = 0; i < count; ++i) sum[i * step] += v[i];
  });
}

/// In eight sums, so that the compiler can keep them in a vector.
template <class T>
T sum_of(const T* x, int64_t n) {
  constexpr int64_t kSums = 8;
  T sums[kSums] = {};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums)
    for (int64_t j = 0; j < kSums; ++j) sums[j] += x[i + j];
  for (; i < n; ++i) sums[0] += x[i];
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

template <class T>
void run(const ConvArgs& a) {
  const int64_t g_in = a.in_channels / a.groups, g_out = a.out_channels / a.groups, places = volume(a.out),
                depth = g_in * volume(a.kernel), problems = a.batch * a.groups;
  T *const x = static_cast<T*>(a.x), *const w = static_cast<T*>(a.w), *const y = static_cast<T*>(a.y),
           *const bias = static_cast<T*>(a.bias);
  const bool plain = is_product(a);
  const auto x_of = [&](int64_t i) { return x + i * g_in * volume(a.in); };
  const auto y_of = [&](int64_t i) { return y + i * g_out * places; };
  const auto w_of = [&](int64_t i) { return w + i % a.groups * g_out * depth; };
  const auto columns_size = static_cast<size_t>(plain ? 0 : depth * places);

  if (a.op == Conv::Weight) {
    if (bias) {
      parallel_for(0, a.out_channels, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, a.batch * places)),
                   [&](int64_t lo, int64_t hi) {
                     for (int64_t o = lo; o < hi; ++o) {
                       T sum = 0;
                       for (int64_t n = 0; n < a.batch; ++n)
                         sum += sum_of(y + (n * a.out_channels + o) * places, places);
                       bias[o] = sum;
                     }
                   });
    }
    std::fill_n(w, a.out_channels * depth, T(0));
    // One group's sum over the batch stays on one thread, so that its order does not change.
    parallel_for(0, a.groups, 1, [&](int64_t lo, int64_t hi) {
      std::vector<T> columns(columns_size);
      for (int64_t g = lo; g < hi; ++g)
        for (int64_t n = 0; n < a.batch; ++n) {
          const int64_t i = n * a.groups + g;
          if (!plain) to_columns(a, g_in, x_of(i), columns.data());
          gemm(GemmArgs<T>{.trans_b = true,
                           .m = g_out,
                           .n = depth,
                           .k = places,
                           .a = y_of(i),
                           .lda = places,
                           .b = plain ? x_of(i) : columns.data(),
                           .ldb = places,
                           .beta = 1,
                           .c = w_of(g),
                           .ldc = depth});
        }
    });
    return;
  }
  parallel_for(0, problems, 1, [&](int64_t lo, int64_t hi) {
    std::vector<T> columns(columns_size);
    for (int64_t i = lo; i < hi; ++i) {
      if (a.op == Conv::Forward) {
        if (!plain) to_columns(a, g_in, x_of(i), columns.data());
        if (bias)
          for (int64_t o = 0; o < g_out; ++o)
            std::fill_n(y_of(i) + o * places, places, bias[i % a.groups * g_out + o]);
        gemm(GemmArgs<T>{.m = g_out,
                         .n = places,
                         .k = depth,
                         .a = w_of(i),
                         .lda = depth,
                         .b = plain ? x_of(i) : columns.data(),
                         .ldb = places,
                         .beta = bias ? T(1) : T(0),
                         .c = y_of(i),
                         .ldc = places});
      } else {
        gemm(GemmArgs<T>{.trans_a = true,
                         .m = depth,
                         .n = places,
                         .k = g_out,
                         .a = w_of(i),
                         .lda = depth,
                         .b = y_of(i),
                         .ldb = places,
                         .c = plain ? x_of(i) : columns.data(),
                         .ldc = places});
        if (plain) continue;
        std::fill_n(x_of(i), g_in * volume(a.in), T(0));
        from_columns(a, g_in, columns.data(), x_of(i));
      }
    }
  });
}

template <class T>
void all_columns(const ConvArgs& a) {
  const int64_t plane = volume(a.in), block = volume(a.kernel) * volume(a.out);
  T *const x = static_cast<T*>(a.x), *const y = static_cast<T*>(a.y);
  parallel_for(0, a.batch * a.in_channels, std::max<int64_t>(1, kGrain / block), [&](int64_t lo, int64_t hi) {
    for (int64_t i = lo; i < hi; ++i) {
      if (a.op == Conv::Forward) {
        to_columns(a, 1, x + i * plane, y + i * block);
      } else {
        std::fill_n(x + i * plane, plane, T(0));
        from_columns(a, 1, y + i * block, x + i * plane);
      }
    }
  });
}

}  // namespace

void columns(const ConvArgs& a) {
  if (is_half(a.dtype)) {
    const int64_t planes = a.batch * a.in_channels, images = planes * volume(a.in),
                  all = planes * volume(a.kernel) * volume(a.out);
    const bool forward = a.op == Conv::Forward;
    Staged from(forward ? a.x : a.y, a.dtype, forward ? images : all), to(a.dtype, forward ? all : images);
    ConvArgs b = a;
    b.dtype = kFloat32;
    b.x = (forward ? from : to).data();
    b.y = (forward ? to : from).data();
    columns(b);
    return to.write(forward ? a.y : a.x);
  }
  a.dtype == kFloat32 ? all_columns<float>(a) : all_columns<double>(a);
}

void conv_columns(const ConvArgs& a) { a.dtype == kFloat32 ? run<float>(a) : run<double>(a); }

}  // namespace tapir::cpu
