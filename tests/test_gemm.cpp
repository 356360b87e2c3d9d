#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "support/catch.h"
#include "tapir/tensor/cpu/gemm.h"
#include "tapir/tensor/cpu/parallel.h"

using tapir::BFloat16;
using tapir::Half;
using tapir::cpu::gemm;
using tapir::cpu::gemm_batched;
using tapir::cpu::GemmArgs;
using tapir::cpu::GemmScalar;

namespace {

std::mt19937_64 generator(20);

template <class T>
T random_value() {
  if constexpr (std::is_integral_v<T>) {
    return static_cast<T>(generator());
  } else {
    return static_cast<T>(std::normal_distribution<float>()(generator));
  }
}

template <class T>
std::vector<T> random_values(int64_t count) {
  std::vector<T> values(static_cast<size_t>(count));
  for (T& v : values) v = random_value<T>();
  return values;
}

struct Case {
  bool trans_a, trans_b;
  int64_t m, n, k;
  double alpha = 1, beta = 0;
  bool bias = false;
  int64_t padding = 0;  // elements between the rows of every matrix
};

template <class T>
struct Problem {
  explicit Problem(const Case& c)
      : lda((c.trans_a ? c.m : c.k) + c.padding),
        ldb((c.trans_b ? c.k : c.n) + c.padding),
        ldc(c.n + c.padding),
        a(random_values<T>((c.trans_a ? c.k : c.m) * lda)),
        b(random_values<T>((c.trans_b ? c.n : c.k) * ldb)),
        c(random_values<T>(c.m * ldc)),
        bias(random_values<T>(c.n)) {
    args.trans_a = c.trans_a;
    args.trans_b = c.trans_b;
    args.m = c.m;
    args.n = c.n;
    args.k = c.k;
    args.alpha = static_cast<GemmScalar<T>>(c.alpha);
    args.beta = static_cast<GemmScalar<T>>(c.beta);
    args.a = a.data();
    args.lda = lda;
    args.b = b.data();
    args.ldb = ldb;
    args.c = this->c.data();
    args.ldc = ldc;
    args.bias = c.bias ? bias.data() : nullptr;
  }

  int64_t lda, ldb, ldc;
  std::vector<T> a, b, c, bias;
  GemmArgs<T> args;
};

/// The largest error of gemm in units of what rounding can cause: each term once per step of the summation at
/// worst, so errors are measured against the sum of the terms' magnitudes, in units of the type's epsilon.
/// Infinite if anything outside the result was written. Integers: 0, or infinite where a value is wrong.
template <class T>
double error_of(const Case& c) {
  const double bad = std::numeric_limits<double>::infinity();
  Problem<T> p(c);
  const std::vector<T> before = p.c;
  if (!std::is_integral_v<T> && c.beta == 0) {  // what beta = 0 must not read
    for (int64_t i = 0; i < c.m; ++i) {
      for (int64_t j = 0; j < c.n; ++j) {
        p.c[static_cast<size_t>(i * p.ldc + j)] = static_cast<T>(std::numeric_limits<float>::quiet_NaN());
      }
    }
  }
  gemm(p.args);
  double worst = 0;
  const auto at = [](const std::vector<T>& v, int64_t i) { return v[static_cast<size_t>(i)]; };
  for (int64_t i = 0; i < c.m; ++i) {
    for (int64_t j = 0; j < p.ldc; ++j) {
      const T got = at(p.c, i * p.ldc + j), old = at(before, i * p.ldc + j);
      if (j >= c.n) {
        if (std::memcmp(&got, &old, sizeof(T)) != 0) return bad;
        continue;
      }
      const auto a = [&](int64_t k) { return at(p.a, c.trans_a ? k * p.lda + i : i * p.lda + k); };
      const auto b = [&](int64_t k) { return at(p.b, c.trans_b ? j * p.ldb + k : k * p.ldb + j); };
      if constexpr (std::is_integral_v<T>) {
        uint64_t sum = 0;
        for (int64_t k = 0; k < c.k; ++k) sum += static_cast<uint64_t>(a(k)) * static_cast<uint64_t>(b(k));
        sum *= static_cast<uint64_t>(static_cast<int64_t>(c.alpha));
        sum += static_cast<uint64_t>(static_cast<int64_t>(c.beta)) * static_cast<uint64_t>(old);
        if (c.bias) sum += static_cast<uint64_t>(at(p.bias, j));
        if (static_cast<T>(sum) != got) return bad;
      } else {
        double sum = 0, magnitude = 0;
        for (int64_t k = 0; k < c.k; ++k) {
          const double term = c.alpha * static_cast<double>(a(k)) * static_cast<double>(b(k));
          sum += term;
          magnitude += std::fabs(term);
        }
        if (c.beta != 0) {
          sum += c.beta * static_cast<double>(old);
          magnitude += std::fabs(c.beta * static_cast<double>(old));
        }
        if (c.bias) {
          sum += static_cast<double>(at(p.bias, j));
          magnitude += std::fabs(static_cast<double>(at(p.bias, j)));
        }
        double unit = std::numeric_limits<float>::epsilon() * magnitude;
        if constexpr (std::is_same_v<T, double>) unit = std::numeric_limits<double>::epsilon() * magnitude;
        // Half an ulp of the one rounding to 16 bits; the smallest half is 2^-24.
        if constexpr (std::is_same_v<T, Half>) unit = std::fabs(sum) / 2048 + 0x1p-24 + 16 * unit;
        if constexpr (std::is_same_v<T, BFloat16>) unit = std::fabs(sum) / 256 + 16 * unit;
        const double error = std::fabs(sum - static_cast<double>(got));
        if (!(error == 0 || error / unit <= worst)) worst = std::isnan(error) ? bad : error / unit;
      }
    }
  }
  return worst;
}

std::string name(const Case& c) {
  return std::string(c.trans_a ? "T" : "N") + (c.trans_b ? "T" : "N") + " m=" + std::to_string(c.m) +
         " n=" + std::to_string(c.n) + " k=" + std::to_string(c.k) + " alpha=" + std::to_string(c.alpha) +
         " beta=" + std::to_string(c.beta) + " bias=" + std::to_string(c.bias) +
         " padding=" + std::to_string(c.padding);
}

/// Every shape over these sizes, all transpositions, alpha, beta, bias and padding drawn at random.
template <class T>
void check_grid(const std::vector<int64_t>& rows, const std::vector<int64_t>& columns,
                const std::vector<int64_t>& depths, double tolerance) {
  for (int64_t m : rows) {
    for (int64_t n : columns) {
      for (int64_t k : depths) {
        for (int trans = 0; trans < 4; ++trans) {
          const auto draw = [](std::initializer_list<double> of) {
            return of.begin()[generator() % of.size()];
          };
          Case c{trans % 2 == 1, trans / 2 == 1, m, n, k};
          c.alpha = std::is_integral_v<T> ? draw({1, 3, -2}) : draw({1, 1, 0.5, -2});
          c.beta = std::is_integral_v<T> ? draw({0, 1, -3}) : draw({0, 0, 1, 1, -0.5});
          c.bias = draw({0, 1}) == 1;
          c.padding = static_cast<int64_t>(draw({0, 0, 1, 5}));
          const double error = error_of<T>(c);
          if (!(error <= tolerance)) {
            INFO(name(c));
            CHECK(error <= tolerance);
          }
        }
      }
    }
  }
  CHECK(error_of<T>({false, true, rows.back(), columns.back(), depths.back()}) <= tolerance);
}

const std::vector<int64_t> kSizes = {0, 1, 2, 3, 4, 5, 8, 13, 15, 16, 17, 31, 33, 50};
const std::vector<int64_t> kDepths = {0, 1, 2, 3, 5, 8, 16, 19, 34};

}  // namespace

TEMPLATE_TEST_CASE("Small products of every shape agree with a sum in double", "", float, double) {
  check_grid<TestType>(kSizes, kSizes, kDepths, 4);
}

TEMPLATE_TEST_CASE("Larger products agree, where operands are packed and k is cut", "", float, double) {
  check_grid<TestType>({14, 67, 182}, {34, 129, 300}, {65, 530}, 16);
  check_grid<TestType>({350}, {1100}, {70}, 16);
  check_grid<TestType>({350}, {300}, {530}, 16);
}

TEST_CASE("Products are right on several threads") {
  const int before = tapir::get_num_threads();
  for (int threads : {2, 5}) {
    tapir::set_num_threads(threads);
    check_grid<float>({1, 3, 40, 300}, {1, 5, 257, 1030}, {33, 260}, 16);
  }
  tapir::set_num_threads(before);
}

TEMPLATE_TEST_CASE("Vectors and a few rows agree", "", float, double) {
  check_grid<TestType>({1, 2, 3, 4, 7}, {257, 2050}, {40, 259}, 16);
  check_grid<TestType>({257, 1030}, {1, 2, 3, 4, 7}, {40, 259}, 16);
}

// One rounding to 16 bits, plus what the sum in float may lose.
TEMPLATE_TEST_CASE("16-bit floats are summed in float and rounded once", "", Half, BFloat16) {
  check_grid<TestType>({0, 1, 2, 5, 17, 40}, {0, 1, 3, 16, 35}, {0, 1, 7, 33, 100}, 1);
  check_grid<TestType>({150}, {130}, {300}, 1);
}

TEST_CASE("Slabs of a large 16-bit product fit together") {
  CHECK(error_of<Half>({true, false, 700, 3, 9000}) <= 1);  // more than one slab
}

TEMPLATE_TEST_CASE("Integers wrap around", "", int8_t, uint8_t, int16_t, int32_t, int64_t) {
  check_grid<TestType>({0, 1, 2, 5, 17}, {0, 1, 3, 16, 35}, {0, 1, 7, 33}, 0);
  check_grid<TestType>({70}, {600}, {50}, 0);
}

TEST_CASE("Repeated products are equal to the bit, whatever the threads do") {
  const int before = tapir::get_num_threads();
  for (const Case& c : {Case{false, false, 200, 300, 500}, Case{false, false, 600, 500, 400},
                        Case{false, true, 32, 1024, 256}, Case{true, false, 512, 256, 64, 1, 1},
                        Case{false, true, 1, 4096, 512}, Case{false, false, 1, 4096, 512},
                        Case{true, true, 300, 200, 400}, Case{false, true, 2000, 3, 300}}) {
    INFO(name(c));
    Problem<float> p(c);
    const std::vector<float> start = p.c;
    for (int threads : {1, 2, 3, 5}) {
      tapir::set_num_threads(threads);
      std::vector<float> first;
      for (int round = 0; round < 5; ++round) {
        std::copy(start.begin(), start.end(), p.c.begin());
        gemm(p.args);
        if (round == 0) first = p.c;
        CHECK(p.c == first);
      }
    }
  }
  tapir::set_num_threads(before);
}

TEST_CASE("A, B and C are not read where they do not count") {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> a(6, nan), b(6, nan), c = {1, 2, 3, 4};
  GemmArgs<float> g;
  g.m = 2;
  g.n = 2;
  g.k = 3;
  g.alpha = 0;
  g.beta = 2;
  g.a = a.data();
  g.lda = 3;
  g.b = b.data();
  g.ldb = 2;
  g.c = c.data();
  g.ldc = 2;
  gemm(g);
  CHECK(c == std::vector<float>{2, 4, 6, 8});
  g.alpha = 1;
  g.k = 0;
  g.a = g.b = nullptr;
  gemm(g);
  CHECK(c == std::vector<float>{4, 8, 12, 16});
  c.assign(4, nan);
  g.beta = 0;
  gemm(g);
  CHECK(c == std::vector<float>(4, 0));
}

TEST_CASE("NaN and infinity in the operands reach the result, and only where they should") {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  for (int64_t m : {1, 3, 20}) {
    for (int64_t n : {1, 5, 37}) {
      for (int trans = 0; trans < 4; ++trans) {
        Case c{trans % 2 == 1, trans / 2 == 1, m, n, 19};
        CAPTURE(name(c));
        Problem<float> p(c);
        // Row m - 1 of op(A) holds a NaN, column n - 1 of op(B) an infinity, at different k.
        p.a[static_cast<size_t>(c.trans_a ? 3 * p.lda + m - 1 : (m - 1) * p.lda + 3)] = nan;
        p.b[static_cast<size_t>(c.trans_b ? (n - 1) * p.ldb + 7 : 7 * p.ldb + n - 1)] = inf;
        gemm(p.args);
        bool good = true;
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            const float x = p.c[static_cast<size_t>(i * p.ldc + j)];
            good = good && (i == m - 1 ? std::isnan(x) : j == n - 1 ? std::isinf(x) : std::isfinite(x));
          }
        }
        CHECK(good);
      }
    }
  }
}

TEST_CASE("A batch equals its products one by one") {
  const int before = tapir::get_num_threads();
  tapir::set_num_threads(3);
  for (int64_t batch : {0, 1, 2, 50}) {
    for (int64_t size : {3, 40, 260}) {
      if (batch * size > 3000) continue;
      CAPTURE(batch, size);
      const int64_t step = size * size;
      const auto a = random_values<float>(std::max<int64_t>(1, batch) * step), b = random_values<float>(step);
      std::vector<float> c(static_cast<size_t>(std::max<int64_t>(1, batch) * (step + 7)), 5), expected = c;
      GemmArgs<float> g;
      g.trans_b = true;
      g.m = g.n = g.k = g.lda = g.ldb = g.ldc = size;
      g.a = a.data();
      g.b = b.data();
      g.c = c.data();
      gemm_batched(batch, g, step, 0, step + 7);  // B is shared, C has gaps
      for (int64_t i = 0; i < batch; ++i) {
        GemmArgs<float> one = g;
        one.a = a.data() + i * step;
        one.c = expected.data() + i * (step + 7);
        gemm(one);
      }
      CHECK(c == expected);
    }
  }
  tapir::set_num_threads(before);
}
