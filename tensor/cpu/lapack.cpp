// Batches of matrices through LAPACK: each matrix on one thread, the batch on our pool.
#include "tapir/tensor/cpu/lapack.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <new>
#include <vector>

#include "tapir/tensor/cpu/kernels.h"
#include "tapir/tensor/cpu/one_thread.h"
#include "tapir/tensor/cpu/parallel.h"

namespace tapir::cpu {

namespace {

// An OpenBLAS that has threads of its own, not OpenMP's, is told to leave them; that is the process's
// setting.
void keep_openblas_serial() {
  static std::once_flag once;
  std::call_once(once, [] {
    const auto parallel = reinterpret_cast<decltype(&fortran::openblas_get_parallel)>(
        openblas_function("openblas_get_parallel"));
    const auto set_threads = reinterpret_cast<decltype(&fortran::openblas_set_num_threads)>(
        openblas_function("openblas_set_num_threads"));
    if (constexpr int kOpenMp = 2; parallel() != kOpenMp) set_threads(1);
  });
}

template <class T>
bool finite(const T* x, int64_t n) {
  return std::all_of(x, x + n, [](T v) { return std::isfinite(v); });
}

// Memory that begins a cache line: OpenBLAS's kernels round otherwise where memory lies otherwise, and what
// malloc gives depends on the thread.
template <class T>
struct Lined {
  using value_type = T;
  Lined() = default;
  template <class U>
  explicit Lined(const Lined<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{64})); }
  void deallocate(T* p, size_t) { ::operator delete (p, std::align_val_t{64}); }
  bool operator==(const Lined&) const { return true; }
};

// The matrices of one batch, and scratch memory for one at a time.
template <class T>
struct Batch {
  explicit Batch(const LapackArgs& args)
      : g(args),
        m(static_cast<int>(args.m)),
        n(static_cast<int>(args.n)),
        k(static_cast<int>(args.k)),
        least(std::min(m, n)),
        lda(std::max(args.op == Lapack::Lu || args.op == Lapack::Qr || args.op == Lapack::Svd ||
                             args.op == Lapack::LeastSquares
                         ? m
                         : n,
                     1)) {}

  T* a(int64_t i) const { return static_cast<T*>(g.a) + i * lda * n; }
  T* b(int64_t i, int64_t size) const { return static_cast<T*>(g.b) + i * size; }
  int* pivots(int64_t i) const { return g.pivots + i * least; }

  // call(work, lwork) with as much work as it asks for in work[0] where lwork is -1.
  template <class F>
  void with_work(const F& call) {
    if (work.empty()) {
      T wanted[1] = {};
      const int query = -1;
      call(wanted, &query);
      // In float the size may have been rounded down.
      const double size = std::ceil(static_cast<double>(std::nextafter(wanted[0], T(2) * wanted[0] + 1)));
      work.resize(static_cast<size_t>(std::max(1.0, size)));
    }
    const int lwork = static_cast<int>(work.size());
    call(work.data(), &lwork);
  }
  int* integers(size_t size) {
    if (iwork.size() < size) iwork.resize(size);
    return iwork.data();
  }

  int lu(int64_t i, int rows, int* at) {
    int info = 0;
    fortran::getrf<T>(&rows, &n, a(i), &lda, at, &info);
    return info;
  }
  int lu_solve(int64_t i) {
    int info = 0;
    fortran::getrs<T>(g.transpose ? "T" : "N", &n, &k, a(i), &lda, pivots(i),
                      b(i, static_cast<int64_t>(n) * k), &lda, &info, size_t{1});
    return info;
  }
  int determinant(int64_t i) {
    int* at = integers(static_cast<size_t>(n));
    lu(i, n, at);
    T sign = 1, product = 1, logarithm = 0;
    for (int d = 0; d < n; ++d) {
      const T u = a(i)[d * static_cast<int64_t>(n) + d];
      if (at[d] != d + 1) sign = -sign;
      product *= u;
      if (!(u > 0)) sign = u < 0 ? -sign : u == 0 ? T(0) : u;  // 0 and NaN stay
      logarithm += std::log(std::abs(u));
    }
    bool odd = false;
    for (int d = 0; d < n; ++d) odd ^= at[d] != d + 1;
    if (g.op == Lapack::Det) {
      static_cast<T*>(g.s)[i] = odd ? -product : product;
    } else {
      static_cast<T*>(g.s)[i] = sign;
      static_cast<T*>(g.b)[i] = sign == 0 ? -std::numeric_limits<T>::infinity() : logarithm;
    }
    return 0;
  }
  int cholesky(int64_t i) {
    int info = 0;
    fortran::potrf<T>("L", &n, a(i), &lda, &info, size_t{1});
    for (int64_t col = 1; col < n; ++col) std::fill_n(a(i) + col * n, col, T(0));
    return info;
  }
  int qr(int64_t i) {
    tau.resize(static_cast<size_t>(std::max(least, 1)));
    int info = 0;
    T* x = a(i);
    work.clear();
    with_work([&](T* w, const int* size) { fortran::geqrf<T>(&m, &n, x, &lda, tau.data(), w, size, &info); });
    if (k > 0) {
      T* q = b(i, static_cast<int64_t>(m) * k);
      std::copy_n(x, static_cast<int64_t>(m) * std::min(n, k), q);
      std::fill(q + static_cast<int64_t>(m) * std::min(n, k), q + static_cast<int64_t>(m) * k, T(0));
      work.clear();
      with_work([&](T* w, const int* size) {
        fortran::orgqr<T>(&m, &k, &least, q, &lda, tau.data(), w, size, &info);
      });
    }
    for (int64_t col = 0; col < n; ++col)
      for (int64_t row = col + 1; row < m; ++row) x[col * m + row] = 0;
    return info;
  }
  int svd(int64_t i) {
    T* x = a(i);
    if (!finite(x, static_cast<int64_t>(m) * n)) return -1;
    const bool vectors = g.b != nullptr;
    const int rows = g.full ? n : least;  // of V^T
    const int64_t size_u = static_cast<int64_t>(m) * (g.full ? m : least);
    T* u = vectors ? b(i, size_u) : nullptr;
    T* vt = vectors ? static_cast<T*>(g.c) + i * static_cast<int64_t>(rows) * n : nullptr;
    const int ldvt = std::max(rows, 1);
    int info = 0;
    int* ints = integers(8 * static_cast<size_t>(std::max(least, 1)));
    with_work([&](T* w, const int* size) {
      fortran::gesdd<T>(!vectors ? "N"
                        : g.full ? "A"
                                 : "S",
                        &m, &n, x, &lda, static_cast<T*>(g.s) + i * least, u, &lda, vt, &ldvt, w, size, ints,
                        &info, size_t{1});
    });
    return info;
  }
  int eigh(int64_t i) {
    T* x = a(i);
    T* values = static_cast<T*>(g.s) + i * n;
    for (int64_t col = 0; col < n; ++col) {
      const int64_t from = g.upper ? 0 : col, to = g.upper ? col + 1 : n;
      if (finite(x + col * n + from, to - from)) continue;
      std::fill_n(x, static_cast<int64_t>(n) * n, std::numeric_limits<T>::quiet_NaN());
      std::fill_n(values, n, std::numeric_limits<T>::quiet_NaN());
      return 0;
    }
    int info = 0;
    const int liwork = g.vectors ? 3 + 5 * n : 1;
    int* ints = integers(static_cast<size_t>(liwork));
    with_work([&](T* w, const int* size) {
      fortran::syevd<T>(g.vectors ? "V" : "N", g.upper ? "U" : "L", &n, x, &lda, values, w, size, ints,
                        &liwork, &info, size_t{1}, size_t{1});
    });
    return info;
  }
  int solve_triangular(int64_t i) {
    const T one = 1;
    fortran::trsm<T>("L", g.upper ? "U" : "L", "N", g.unit ? "U" : "N", &n, &k, &one, a(i), &lda,
                     b(i, static_cast<int64_t>(n) * k), &lda, size_t{1}, size_t{1}, size_t{1}, size_t{1});
    return 0;
  }
  int least_squares(int64_t i) {
    const int ldb = std::max(std::max(m, n), 1);
    T* x = a(i);
    T* y = b(i, static_cast<int64_t>(ldb) * k);
    T* s = static_cast<T*>(g.s) + (g.s ? i * least : 0);
    if (!finite(x, static_cast<int64_t>(m) * n) || !finite(y, static_cast<int64_t>(ldb) * k)) {
      std::fill_n(y, static_cast<int64_t>(ldb) * k, std::numeric_limits<T>::quiet_NaN());
      if (g.rank) g.rank[i] = 0;
      if (g.s) std::fill_n(s, least, std::numeric_limits<T>::quiet_NaN());
      return 0;
    }
    const T rcond = static_cast<T>(g.rcond);
    int info = 0, rank = 0;
    int* ints = nullptr;
    if (g.driver == LeastSquaresDriver::Gelsy) {
      ints = integers(static_cast<size_t>(std::max(n, 1)));
      std::fill_n(ints, n, 0);
    } else if (g.driver == LeastSquaresDriver::Gelsd && iwork.empty()) {
      T wanted[1] = {};
      int size[1] = {};
      const int query = -1;
      fortran::gelsd<T>(&m, &n, &k, x, &lda, y, &ldb, s, &rcond, &rank, wanted, &query, size, &info);
      integers(static_cast<size_t>(std::max(size[0], 1)));
    }
    if (g.driver == LeastSquaresDriver::Gelsd) ints = iwork.data();
    with_work([&](T* w, const int* size) {
      switch (g.driver) {
        case LeastSquaresDriver::Gels:
          return fortran::gels<T>("N", &m, &n, &k, x, &lda, y, &ldb, w, size, &info, size_t{1});
        case LeastSquaresDriver::Gelsy:
          return fortran::gelsy<T>(&m, &n, &k, x, &lda, y, &ldb, ints, &rcond, &rank, w, size, &info);
        case LeastSquaresDriver::Gelsd:
          return fortran::gelsd<T>(&m, &n, &k, x, &lda, y, &ldb, s, &rcond, &rank, w, size, ints, &info);
        case LeastSquaresDriver::Gelss:
          return fortran::gelss<T>(&m, &n, &k, x, &lda, y, &ldb, s, &rcond, &rank, w, size, &info);
      }
    });
    if (g.rank) g.rank[i] = rank;
    return info;
  }

  int run(int64_t i) {
    switch (g.op) {
      case Lapack::Lu:
        return lu(i, m, pivots(i));
      case Lapack::LuSolve:
        return lu_solve(i);
      case Lapack::Det:
      case Lapack::LogDet:
        return determinant(i);
      case Lapack::Cholesky:
        return cholesky(i);
      case Lapack::Qr:
        return qr(i);
      case Lapack::Svd:
        return svd(i);
      case Lapack::Eigh:
        return eigh(i);
      case Lapack::SolveTriangular:
        return solve_triangular(i);
      case Lapack::LeastSquares:
        return least_squares(i);
    }
    return 0;
  }

  const LapackArgs& g;
  const int m, n, k, least, lda;
  std::vector<T, Lined<T>> work, tau;
  std::vector<int> iwork;
};

template <class T>
void run(const LapackArgs& args) {
  const double size = static_cast<double>(std::max(args.m, args.n));
  const double flops = size * size * static_cast<double>(std::max<int64_t>(args.n, args.k)) + 1;
  const auto grain = static_cast<int64_t>(std::max(1.0, 20000 / flops));
  parallel_for(0, args.batch, grain, [&](int64_t from, int64_t to) {
    const OneThread one;
    Batch<T> batch(args);
    for (int64_t i = from; i < to; ++i) args.info[i] = batch.run(i);
  });
}

}  // namespace

void lapack(const LapackArgs& args) {
  keep_openblas_serial();
  if (args.dtype == kFloat64)
    run<double>(args);
  else
    run<float>(args);
}

}  // namespace tapir::cpu
