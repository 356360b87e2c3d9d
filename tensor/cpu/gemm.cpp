#include "tapir/tensor/cpu/gemm.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "tapir/tensor/cpu/gemm_kernels.h"
#include "tapir/tensor/cpu/parallel.h"

// Which kernel serves which shape, and how the work is cut for the pool. docs/gemm.md says how the figures
// were chosen.
//
// Every kernel adds up along k in an order that depends on the sizes alone, so that the result does not
// depend on the number of threads.

namespace tapir::cpu {
namespace detail {

void* scratch(int64_t bytes) {
  struct Buffer {
    void* data = nullptr;
    size_t size = 0;
    ~Buffer() { std::free(data); }
  };
  static thread_local Buffer buffer;
  if (buffer.size < static_cast<size_t>(bytes)) {
    std::free(buffer.data);
    buffer.size = 0;
    const size_t size = (static_cast<size_t>(bytes) + 4095) / 4096 * 4096;
    buffer.data = std::aligned_alloc(4096, size);
    if (buffer.data == nullptr) throw std::bad_alloc();
    buffer.size = size;
  }
  return buffer.data;
}

}  // namespace detail

namespace {

using detail::Product;

constexpr int64_t kTaskMultiplies = 1 << 19;  // multiply-adds worth handing to another thread, about 4 µs
constexpr int64_t kWakeMultiplies = 1 << 23;  // worth waking a thread for, about 75 µs
constexpr double kEvenMultiplies =
    1 << 30;  // beyond it a thread takes several pieces, in case another one is held up
constexpr int64_t kTaskBytes = 128 << 10;  // of a matrix that is read once, likewise
constexpr int64_t kLongDots = 256;         // from here on, dot products of a few more rows pay
constexpr double kOneDnnElements = 300e3;  // of A, B and C together

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// C^T = B^T A^T.
template <class T>
Product<T> swapped(const Product<T>& p) {
  Product<T> q = p;
  std::swap(q.m, q.n);
  std::swap(q.a, q.b);
  q.a_row = p.b_col;
  q.a_col = p.b_row;
  q.b_row = p.a_col;
  q.b_col = p.a_row;
  std::swap(q.c_row, q.c_col);
  std::swap(q.bias_row, q.bias_col);
  return q;
}

/// The rows [i0, i1) and columns [j0, j1) of the result.
template <class T>
Product<T> part(const Product<T>& p, int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
  Product<T> q = p;
  q.m = i1 - i0;
  q.n = j1 - j0;
  q.a += i0 * p.a_row;
  q.b += j0 * p.b_col;
  q.c += i0 * p.c_row + j0 * p.c_col;
  if (q.bias != nullptr) q.bias += i0 * p.bias_row + j0 * p.bias_col;
  return q;
}

/// Runs a kernel that reads B once, its columns shared out among the threads in multiples of `unit`: in equal
/// shares, two pieces or more to each, so that a thread finds the part in its cache that it had the last
/// time.
template <class T>
void run_columns(void (*kernel)(const Product<T>&), const Product<T>& p, int64_t unit) {
  const int64_t bytes = p.n * p.k * static_cast<int64_t>(sizeof(T));
  if (bytes < 2 * kTaskBytes) return kernel(p);
  const int64_t units = divide_up(p.n, unit), pieces = 2 * static_cast<int64_t>(get_num_threads());
  const int64_t grain = divide_up(units, pieces * divide_up(bytes, pieces * kTaskBytes));
  parallel_for(0, units, grain,
               [&](int64_t lo, int64_t hi) { kernel(part(p, 0, p.m, lo * unit, std::min(p.n, hi * unit))); });
}

/// One row times a B that is contiguous along n: B is cut along k into blocks that depend on its sizes alone,
/// so that each thread walks through memory without gaps. The blocks' sums are added up in their order.
template <class T>
void run_axpy(void (*axpy)(const Product<T>&), const Product<T>& p) {
  const int64_t rows =
      std::max<int64_t>(64, 2 * kTaskBytes / (p.n * static_cast<int64_t>(sizeof(T))) / 8 * 8);
  const int64_t blocks = divide_up(p.k, rows);
  if (blocks < 2) return run_columns(axpy, p, 64);
  std::vector<T> sums(static_cast<size_t>(blocks * p.n));
  parallel_for(0, blocks, 1, [&](int64_t lo, int64_t hi) {
    for (int64_t i = lo; i < hi; ++i) {
      Product<T> q = p;
      q.a += i * rows * p.a_col;
      q.b += i * rows * p.b_row;
      q.k = std::min(rows, p.k - i * rows);
      q.c = sums.data() + i * p.n;
      q.beta = T(0);
      q.bias = nullptr;
      axpy(q);
    }
  });
  for (int64_t i = 1; i < blocks; ++i)
    for (int64_t j = 0; j < p.n; ++j) sums[static_cast<size_t>(j)] += sums[static_cast<size_t>(i * p.n + j)];
  for (int64_t j = 0; j < p.n; ++j) {
    const T x = sums[static_cast<size_t>(j)] + (p.bias != nullptr ? p.bias[j] : T(0));
    p.c[j] = p.beta == T(0) ? x : p.beta * p.c[j] + x;
  }
}

/// Runs a kernel on the result cut into a grid of about equal pieces.
template <class T>
void run_grid(void (*run)(const Product<T>&), const detail::BlockKernel<T>& kernel, const Product<T>& p) {
  const int64_t threads = get_num_threads();
  const double multiplies = static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  // A few rows: it takes longer to read B than to multiply.
  const int64_t read = (p.n * p.k + p.m * p.k) * static_cast<int64_t>(sizeof(T));
  if (threads == 1 || in_parallel()) return run(p);
  if (multiplies < 2 * kTaskMultiplies && read < 4 * kTaskBytes) return run(p);
  const int64_t most_rows = divide_up(p.m, kernel.rows), most_columns = divide_up(p.n, kernel.lanes);
  const int64_t wanted = multiplies < 2 * kTaskMultiplies * threads
                             ? std::max<int64_t>(2, static_cast<int64_t>(multiplies / kTaskMultiplies))
                         : multiplies < kEvenMultiplies * static_cast<double>(threads) ? threads
                                                                                       : 2 * threads;
  // Of the grids with enough pieces the one whose pieces are smallest, and among those the one that packs
  // least: each piece packs its own panels, so A is packed once per column of the grid and B once per row.
  int64_t rows = p.m, columns = p.n;
  double least = 0;
  for (int64_t r = 1; r <= std::min(wanted, most_rows); ++r) {
    const int64_t c = std::min(divide_up(wanted, r), most_columns);
    if (r * c < wanted && r < std::min(wanted, most_rows)) continue;
    const int64_t piece_rows = divide_up(p.m, r);
    const int64_t piece_columns = divide_up(divide_up(p.n, c), kernel.lanes) * kernel.lanes;
    constexpr double kPacking = 4;  // multiply-adds of a lane that packing one element costs
    const double cost = static_cast<double>(piece_rows) * static_cast<double>(piece_columns) +
                        kPacking * static_cast<double>(piece_rows + piece_columns);
    if (least == 0 || cost < least) {
      least = cost;
      rows = piece_rows;
      columns = piece_columns;
    }
  }
  const int64_t grid_rows = divide_up(p.m, rows), grid_columns = divide_up(p.n, columns);
  const auto piece = [&](int64_t lo, int64_t hi) {
    for (int64_t task = lo; task < hi; ++task) {
      const int64_t i = task / grid_columns * rows, j = task % grid_columns * columns;
      run(part(p, i, std::min(p.m, i + rows), j, std::min(p.n, j + columns)));
    }
  };
  parallel_for(0, grid_rows * grid_columns, 1, piece,
               multiplies < kWakeMultiplies ? Wake::IfSlow : Wake::AtOnce);
}

/// Whether the blocked kernel does better on C^T = B^T A^T: estimated cycles.
template <class T>
bool prefer_swapped(const detail::BlockKernel<T>& kernel, const Product<T>& p) {
  if (p.n == 1 && p.bias != nullptr) return false;  // the one value would have to serve a whole row
  constexpr double kTurn = 2.5;                     // to transpose one vector while packing or storing
  const double m = static_cast<double>(p.m), n = static_cast<double>(p.n), k = static_cast<double>(p.k);
  const double lanes = static_cast<double>(kernel.lanes);
  const auto vectors = [&](int64_t size) { return static_cast<double>(divide_up(size, kernel.lanes)); };
  const double plain = m * k * vectors(p.n) / 2 + (p.b_col == 1 ? 0 : kTurn * n * k / lanes);
  const double turned = n * k * vectors(p.m) / 2 + kTurn * ((p.a_row == 1 ? 0 : m * k) + m * n) / lanes;
  return turned < plain;
}

/// Whether oneDNN is faster: where the matrices do not fit the second-level cache, since its kernels hide
/// that memory better, but not where a few rows meet a B that is contiguous along k, which it would have to
/// turn.
bool onednn_pays(const detail::BlockKernel<float>& kernel, const Product<float>& p) {
#if defined(__x86_64__)
  const double elements = static_cast<double>(p.m) * static_cast<double>(p.k) +
                          static_cast<double>(p.k) * static_cast<double>(p.n) +
                          static_cast<double>(p.m) * static_cast<double>(p.n);
  if (kernel.lanes < 8 || elements < kOneDnnElements || p.m < 8 || p.n < 16) return false;
  return p.b_col == 1 || (p.m > 64 && p.n > 64);
#else
  (void)kernel, (void)p;
  return false;
#endif
}

template <class T>
void run(const Product<T>& p) {
  const detail::VectorKernels<T>& vector = detail::vector_kernels<T>();
  const int64_t dot_rows = p.k >= kLongDots ? 2 * vector.dot_rows : vector.dot_rows;
  if (p.m <= dot_rows && p.b_row == 1 && (p.a_col == 1 || p.m == 1)) {
    Product<T> q = p;
    if (p.a_col != 1) {
      T* const x = static_cast<T*>(detail::scratch(p.k * static_cast<int64_t>(sizeof(T))));
      for (int64_t k = 0; k < p.k; ++k) x[k] = p.a[k * p.a_col];
      q.a = x;
      q.a_col = 1;
    }
    return run_columns(vector.dot, q, 4);
  }
  if (p.n <= dot_rows && p.a_col == 1) {
    Product<T> q = swapped(p);
    if (p.b_row != 1) {
      T* const x = static_cast<T*>(detail::scratch(p.n * p.k * static_cast<int64_t>(sizeof(T))));
      for (int64_t k = 0; k < p.k; ++k) {
        for (int64_t j = 0; j < p.n; ++j) x[j * p.k + k] = p.b[k * p.b_row + j * p.b_col];
      }
      q.a = x;
      q.a_row = p.k;
      q.a_col = 1;
    }
    return run_columns(vector.dot, q, 4);
  }
  if (p.m == 1 && p.b_col == 1) return run_axpy(vector.axpy, p);
  if (p.n == 1 && p.a_row == 1 && p.c_row == 1 && p.bias == nullptr) {
    return run_axpy(vector.axpy, swapped(p));
  }
  const detail::BlockKernel<T>& block = detail::block_kernel<T>();
  if constexpr (std::is_same_v<T, float>) {
    if (onednn_pays(block, p)) return run_grid(detail::onednn_gemm, block, p);
  }
  run_grid(block.run, block, prefer_swapped(block, p) ? swapped(p) : p);
}

/// C = beta C + bias.
template <class T>
void scale(const GemmArgs<T>& g) {
  using S = GemmScalar<T>;
  for (int64_t i = 0; i < g.m; ++i) {
    T* const c = g.c + i * g.ldc;
    for (int64_t j = 0; j < g.n; ++j) {
      const S add = g.bias != nullptr ? static_cast<S>(g.bias[j]) : S(0);
      if constexpr (std::is_integral_v<T>) {
        const uint64_t old = g.beta == 0 ? 0 : static_cast<uint64_t>(g.beta) * static_cast<uint64_t>(c[j]);
        c[j] = static_cast<T>(old + static_cast<uint64_t>(add));
      } else {
        c[j] = static_cast<T>(g.beta == S(0) ? add : g.beta * static_cast<S>(c[j]) + add);
      }
    }
  }
}

template <class T>
void gemm_simd(const GemmArgs<T>& g) {
  run(Product<T>{g.m, g.n, g.k, g.alpha, g.a, g.trans_a ? 1 : g.lda, g.trans_a ? g.lda : 1, g.b,
                 g.trans_b ? 1 : g.ldb, g.trans_b ? g.ldb : 1, g.beta, g.c, g.ldc, 1, g.bias, 0, 1});
}

/// Sums wrap around, so the order of summation and the width of the sum (at least T's) do not matter.
template <class T>
void gemm_integer(const GemmArgs<T>& g) {
  using U = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  const int64_t a_row = g.trans_a ? 1 : g.lda, a_col = g.trans_a ? g.lda : 1;
  // B by rows, so that the inner loop runs along contiguous memory.
  std::vector<T> turned;
  const T* b = g.b;
  int64_t b_row = g.ldb;
  if (g.trans_b) {
    turned.resize(static_cast<size_t>(g.k * g.n));
    for (int64_t j = 0; j < g.n; ++j) {
      for (int64_t k = 0; k < g.k; ++k) turned[static_cast<size_t>(k * g.n + j)] = g.b[j * g.ldb + k];
    }
    b = turned.data();
    b_row = g.n;
  }
  constexpr int64_t kColumns = 512;  // the sums in use stay in the first-level cache
  const int64_t grain = std::max<int64_t>(1, kTaskMultiplies / 8 / std::max<int64_t>(1, g.n * g.k));
  parallel_for(0, g.m, grain, [&](int64_t lo, int64_t hi) {
    U sum[kColumns];
    for (int64_t i = lo; i < hi; ++i) {
      for (int64_t j0 = 0; j0 < g.n; j0 += kColumns) {
        const int64_t n = std::min(kColumns, g.n - j0);
        std::fill(sum, sum + n, U(0));
        for (int64_t k = 0; k < g.k; ++k) {
          const U x = static_cast<U>(g.a[i * a_row + k * a_col]);
          const T* const row = b + k * b_row + j0;
          for (int64_t j = 0; j < n; ++j) sum[j] += x * static_cast<U>(row[j]);
        }
        T* const c = g.c + i * g.ldc + j0;
        for (int64_t j = 0; j < n; ++j) {
          U x = static_cast<U>(g.alpha) * sum[j];
          if (g.beta != 0) x += static_cast<U>(g.beta) * static_cast<U>(c[j]);
          if (g.bias != nullptr) x += static_cast<U>(g.bias[j0 + j]);
          c[j] = static_cast<T>(x);
        }
      }
    }
  });
}

/// Copies `rows` rows of `columns` elements, converting.
template <class To, class From>
void convert(const From* from, int64_t from_row, To* to, int64_t to_row, int64_t rows, int64_t columns) {
  const int64_t grain = std::max<int64_t>(1, (1 << 14) / std::max<int64_t>(1, columns));
  parallel_for(0, rows, grain, [&](int64_t lo, int64_t hi) {
    for (int64_t i = lo; i < hi; ++i) {
      for (int64_t j = 0; j < columns; ++j) to[i * to_row + j] = static_cast<To>(from[i * from_row + j]);
    }
  });
}

/// In float, a slab of rows of C at a time, to bound the memory for the converted copies.
template <class T>
void gemm_half(const GemmArgs<T>& g) {
  constexpr int64_t kSlab = 1 << 22;  // elements
  const int64_t rows = std::clamp<int64_t>(kSlab / (g.k + g.n), 1, g.m);
  const auto floats = [](int64_t count) {
    return std::unique_ptr<float[]>(new float[static_cast<size_t>(count)]);
  };
  const auto a = floats(rows * g.k), b = floats(g.k * g.n), c = floats(rows * g.n);
  const auto bias = floats(g.bias != nullptr ? g.n : 0);
  GemmArgs<float> f;
  f.trans_a = g.trans_a;
  f.trans_b = g.trans_b;
  f.n = g.n;
  f.k = g.k;
  f.alpha = g.alpha;
  f.beta = g.beta;
  f.a = a.get();
  f.b = b.get();
  f.c = c.get();
  f.ldb = g.trans_b ? g.k : g.n;
  f.ldc = g.n;
  convert(g.b, g.ldb, b.get(), f.ldb, g.trans_b ? g.n : g.k, f.ldb);
  if (g.bias != nullptr) {
    convert(g.bias, 0, bias.get(), 0, 1, g.n);
    f.bias = bias.get();
  }
  for (int64_t i = 0; i < g.m; i += rows) {
    f.m = std::min(rows, g.m - i);
    f.lda = g.trans_a ? f.m : g.k;
    if (g.trans_a) {
      convert(g.a + i, g.lda, a.get(), f.lda, g.k, f.m);
    } else {
      convert(g.a + i * g.lda, g.lda, a.get(), f.lda, f.m, g.k);
    }
    if (g.beta != 0) convert(g.c + i * g.ldc, g.ldc, c.get(), g.n, f.m, g.n);
    gemm_simd(f);
    convert(c.get(), g.n, g.c + i * g.ldc, g.ldc, f.m, g.n);
  }
}

}  // namespace

template <class T>
void gemm(const GemmArgs<T>& g) {
  if (g.m <= 0 || g.n <= 0) return;
  if (g.k <= 0 || g.alpha == 0) return scale(g);
  if constexpr (std::is_integral_v<T>) {
    gemm_integer(g);
  } else if constexpr (sizeof(T) == 2) {
    gemm_half(g);
  } else {
    gemm_simd(g);
  }
}

template <class T>
void gemm_batched(int64_t batch, const GemmArgs<T>& args, int64_t stride_a, int64_t stride_b,
                  int64_t stride_c) {
  const double multiplies = static_cast<double>(args.m) * static_cast<double>(args.n) *
                            static_cast<double>(std::max<int64_t>(args.k, 1));
  const auto some = [&](int64_t lo, int64_t hi) {
    GemmArgs<T> g = args;
    for (int64_t i = lo; i < hi; ++i) {
      g.a = args.a + i * stride_a;
      g.b = args.b + i * stride_b;
      g.c = args.c + i * stride_c;
      gemm(g);
    }
  };
  // Large products are shared out one by one, small ones whole.
  if (batch < get_num_threads() || multiplies > 64.0 * kTaskMultiplies) return some(0, batch);
  parallel_for(0, batch, static_cast<int64_t>(kTaskMultiplies / std::max(multiplies, 1.0)), some);
}

#define TAPIR_GEMM_INSTANTIATE(T)                      \
  template TAPIR_API void gemm<T>(const GemmArgs<T>&); \
  template TAPIR_API void gemm_batched<T>(int64_t, const GemmArgs<T>&, int64_t, int64_t, int64_t);
TAPIR_GEMM_INSTANTIATE(float)
TAPIR_GEMM_INSTANTIATE(double)
TAPIR_GEMM_INSTANTIATE(Half)
TAPIR_GEMM_INSTANTIATE(BFloat16)
TAPIR_GEMM_INSTANTIATE(int8_t)
TAPIR_GEMM_INSTANTIATE(uint8_t)
TAPIR_GEMM_INSTANTIATE(int16_t)
TAPIR_GEMM_INSTANTIATE(int32_t)
TAPIR_GEMM_INSTANTIATE(int64_t)
#undef TAPIR_GEMM_INSTANTIATE

}  // namespace tapir::cpu
