// The CPU's pointwise kernels, called through the kernel table, against one element at a time; and all
// kernels of this kind on several threads.
#include "support/catch.h"
#include "support/kernel_arrays.h"
#include "tapir/tensor/functors.h"
#include "tapir/tensor/parallel.h"

using namespace kernel_arrays;
using functors::Int;

namespace {

// --- the value of a row of pointwise.def for one element, through the functors for plain numbers ---

template <class F>
constexpr int params_of() {
  if constexpr (requires { F::kParams; }) {
    return F::kParams;
  } else {
    return 0;
  }
}
template <class F, PointwiseClass kClass, class T, size_t... I, size_t... P>
auto evaluate(const T* x, bool condition, const T* p, std::index_sequence<I...>, std::index_sequence<P...>) {
  if constexpr (kClass == PointwiseClass::Select) {
    return F()(condition, x[1], x[2]);
  } else {
    return F()(x[I]..., p[P]...);
  }
}
// Results that are differences of larger numbers: rounding is relative to those.
bool cancels(Pointwise op) {
  const std::string name = pointwise_info(op).name;
  for (const char* n : {"gelu", "mish", "silu", "tanhshrink", "cross_entropy", "divergence", "elu",
                        "softsign", "log_sigmoid", "softplus"})
    if (name.find(n) != std::string::npos) return true;
  return false;
}
// The result in the compute type T as an int64 (for Int) or a double.
template <class T>
void expect(Pointwise op, const T* x, bool condition, const T* p, double& real, int64_t& integer) {
  const auto put = [&](auto v) {
    if constexpr (std::is_same_v<decltype(v), Int>) {
      integer = v.v;
      real = static_cast<double>(v.v);
    } else {
      real = static_cast<double>(v);
      integer = std::is_same_v<decltype(v), bool> ? static_cast<int64_t>(v) : 0;
    }
  };
  switch (op) {
#define ROW(name, functor, arity, dtypes)                                                      \
  case Pointwise::name:                                                                        \
    if constexpr (std::is_same_v<T, Int> ? PointwiseClass::dtypes != PointwiseClass::Floating  \
                                         : PointwiseClass::dtypes != PointwiseClass::Integral) \
      put(evaluate<functors::functor, PointwiseClass::dtypes>(                                 \
          x, condition, p, std::make_index_sequence<arity>(),                                  \
          std::make_index_sequence<params_of<functors::functor>()>()));                        \
    break;
#define TAPIR_UNARY(name, functor, dtypes) ROW(name, functor, 1, dtypes)
#define TAPIR_PREDICATE(name, functor, dtypes) ROW(name, functor, 1, dtypes)
#define TAPIR_BINARY(name, functor, dtypes) ROW(name, functor, 2, dtypes)
#define TAPIR_KERNEL(name, functor, arity, dtypes) ROW(name, functor, arity, dtypes)
#include "tapir/tensor/pointwise.def"
    case Pointwise::kCount:
      break;
  }
}

DType compute_of(DType d) {
  if (d == kFloat64) return kFloat64;
  return is_floating_point(d) ? kFloat32 : kInt64;
}
bool gives_bool(Pointwise op) {
  const PointwiseClass c = pointwise_info(op).dtypes;
  return c == PointwiseClass::Compare || c == PointwiseClass::Logical;
}
bool same(double got, double expected, double tolerance) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected)) return got == expected;
  return got == expected || std::abs(got - expected) <= tolerance * std::abs(expected);
}
double tolerance_of(DType stored, DType compute) {
  if (stored == kFloat16) return 1e-3;
  if (stored == kBFloat16) return 8e-3;
  return compute == kFloat32 ? 4e-7 : 1e-15;
}

struct Operand {
  Array array;
  Place place;
  bool scalar = false;
  KernelScalar value;
};

// One call with random dtypes and layouts, every element checked.
void check_random_call(Pointwise op, bool contiguous, bool in_place) {
  const PointwiseInfo& info = pointwise_info(op);
  const DType compute = [&] {
    if (info.dtypes == PointwiseClass::Floating) return random(2) ? kFloat32 : kFloat64;
    if (info.dtypes == PointwiseClass::Integral) return kInt64;
    return std::array{kFloat32, kFloat64, kInt64}[static_cast<size_t>(random(3))];
  }();
  const auto stored = [&] {
    if (random(2)) return compute;
    while (true) {
      const DType d = kAllDTypes[random(10)];
      if (compute_of(d) == compute || (compute != kInt64 && !is_floating_point(d))) return d;
    }
  };
  const std::vector<int64_t> sizes =
      contiguous ? std::vector<int64_t>{random(random(4) ? 70 : 6000)} : random_sizes();
  const int64_t n = product(sizes);
  std::vector<Operand> operands(static_cast<size_t>(info.arity + 1));
  PointwiseArgs args{};
  args.op = op;
  args.compute = compute;
  args.inputs = info.arity;
  args.contiguous = contiguous;
  args.ndim = static_cast<int>(sizes.size());
  args.numel = n;
  std::copy(sizes.begin(), sizes.end(), args.sizes);
  const double p[] = {static_cast<double>(random(7) - 3), static_cast<double>(random(5)), 2};
  for (int k = 0; k < 3; ++k) args.params[k] = {p[k], static_cast<int64_t>(p[k])};
  bool direct = true;
  for (size_t k = 0; k < operands.size(); ++k) {
    Operand& o = operands[k];
    const bool condition = info.dtypes == PointwiseClass::Select && k == 1;
    const DType wanted = condition || (k == 0 && gives_bool(op)) ? kBool : compute;
    const DType d = condition ? kBool : k == 0 && gives_bool(op) && random(2) ? kBool : stored();
    o.scalar = k > 0 && random(5) == 0;
    o.place = contiguous ? place(sizes, false, false, 0)
                         : place(sizes, random(2), random(2), k == 0 ? 0 : rng()() & rng()() & 15);
    o.array = Array::random_values(d, o.place.extent + (n == 0));
    if (k == 1 && in_place && !condition) {  // the output is this operand
      o.array.dtype = operands[0].array.dtype;
      o.array = Array::random_values(o.array.dtype, operands[0].place.extent + (n == 0));
      o.place = operands[0].place;
      o.scalar = false;
    }
    direct = direct && (o.scalar || o.array.dtype == wanted);
    if (o.scalar) {
      o.value.integer = random(9) - 4;
      o.value.real = static_cast<double>(o.value.integer);
    }
  }
  const bool aliased = in_place && info.dtypes != PointwiseClass::Select;
  Array out = aliased ? operands[1].array : operands[0].array;
  const Array untouched = out;
  for (size_t k = 0; k < operands.size(); ++k) {
    Operand& o = operands[k];
    auto& a = args.operands[k];
    a.data = o.scalar ? nullptr : o.array.bytes.data();
    a.dtype = o.scalar ? kFloat64 : o.array.dtype;
    a.scalar = o.value;
    std::copy(o.place.strides.begin(), o.place.strides.end(), a.strides);
  }
  args.operands[0].data = out.bytes.data();
  if (aliased) args.operands[1].data = out.bytes.data();
  args.direct = contiguous && direct;
  cpu().pointwise(args);

  std::vector<bool> written(static_cast<size_t>(out.size()));
  for (int64_t i = 0; i < n; ++i) {
    double real = 0;
    int64_t integer = 0;
    bool condition = false;
    double x[3] = {};
    int64_t xi[3] = {};
    for (size_t k = 1; k < operands.size(); ++k) {
      const Operand& o = operands[k];
      const int64_t at = offset(i, sizes, o.place.strides);
      x[k - 1] = o.scalar ? o.value.real : o.array.get(at);
      xi[k - 1] = o.scalar                           ? o.value.integer
                  : is_floating_point(o.array.dtype) ? 0
                                                     : o.array.get<int64_t>(at);
    }
    condition = x[0] != 0;
    if (compute == kFloat32) {
      const float f[] = {static_cast<float>(x[0]), static_cast<float>(x[1]), static_cast<float>(x[2])};
      const float q[] = {static_cast<float>(p[0]), static_cast<float>(p[1]), static_cast<float>(p[2])};
      expect(op, f, condition, q, real, integer);
    } else if (compute == kFloat64) {
      expect(op, x, condition, p, real, integer);
    } else {
      const Int v[] = {Int(xi[0]), Int(xi[1]), Int(xi[2])};
      const Int q[] = {Int(args.params[0].integer), Int(args.params[1].integer), Int(args.params[2].integer)};
      expect(op, v, condition, q, real, integer);
    }
    const int64_t at = offset(i, sizes, operands[0].place.strides);
    written[static_cast<size_t>(at)] = true;
    const DType stored_as = out.dtype;
    if (is_floating_point(stored_as)) {
      Array expected(stored_as, 1);
      expected.set(0, real);
      const double tiny = stored_as == kFloat16    ? 6e-8
                          : stored_as == kBFloat16 ? 1e-40
                          : compute == kFloat32    ? 3e-45
                                                   : 0;
      const bool sums = op == Pointwise::logaddexp || op == Pointwise::logaddexp2;  // may cancel
      const double rounding =
          sums ? tolerance_of(stored_as, compute) * std::max(std::abs(x[0]), std::abs(x[1])) : 0;
      const bool close = same(out.get(at), expected.get(0), tolerance_of(stored_as, compute)) ||
                         std::abs(out.get(at) - expected.get(0)) <= std::max(tiny, rounding) ||
                         (cancels(op) && std::abs(out.get(at) - expected.get(0)) <=
                                             8 * tolerance_of(stored_as, compute) * (1 + std::abs(x[0])) *
                                                 (1 + std::abs(x[1])) * (1 + std::abs(x[2])));
      if (!close) {
        INFO(info.name << " in " << dtype_name(compute) << " of (" << x[0] << ", " << x[1] << ", " << x[2]
                       << ") params " << p[0] << ", " << p[1] << ", stored as " << dtype_name(stored_as)
                       << ", element " << i << " of " << n);
        CAPTURE(out.get(at), expected.get(0));
        REQUIRE(close);
      }
    } else if (compute == kInt64 || gives_bool(op)) {
      Array expected(stored_as, 1);
      expected.set(0, integer);
      if (out.get<int64_t>(at) != expected.get<int64_t>(0)) {
        INFO(info.name << " in " << dtype_name(compute) << " of (" << x[0] << ", " << x[1] << ", " << x[2]
                       << ") params " << p[0] << ", " << p[1] << ", stored as " << dtype_name(stored_as)
                       << ", element " << i << " of " << n);
        CAPTURE(out.get<int64_t>(at), expected.get<int64_t>(0));
        REQUIRE(false);
      }
    }
  }
  // what lies between the elements stays as it was
  for (int64_t i = 0; i < out.size(); ++i) {
    if (written[static_cast<size_t>(i)] || n == 0) continue;
    const size_t item = item_size(out.dtype);
    if (std::memcmp(out.bytes.data() + static_cast<size_t>(i) * item,
                    untouched.bytes.data() + static_cast<size_t>(i) * item, item) != 0)
      FAIL(info.name << " wrote outside its output");
  }
}

}  // namespace

TEST_CASE("every pointwise kernel computes its functor on contiguous arrays of any dtype and length") {
  for (int op = 0; op < kPointwiseCount; ++op)
    for (int trial = 0; trial < 60; ++trial)
      check_random_call(static_cast<Pointwise>(op), true, trial % 4 == 0);
}

TEST_CASE("every pointwise kernel computes its functor on strided, permuted and broadcast operands") {
  for (int op = 0; op < kPointwiseCount; ++op)
    for (int trial = 0; trial < 60; ++trial)
      check_random_call(static_cast<Pointwise>(op), false, trial % 4 == 0);
}

namespace {
template <class T>
T one(Pointwise op, T a, T b = T(), T c = T(), double p0 = 0, double p1 = 0) {
  PointwiseArgs args{};
  T out;
  args.op = op;
  args.compute = dtype_of<T>;
  args.inputs = pointwise_info(op).arity;
  args.contiguous = args.direct = true;
  args.numel = 1;
  args.params[0] = {p0, static_cast<int64_t>(p0)};
  args.params[1] = {p1, static_cast<int64_t>(p1)};
  args.operands[0] = {&out, dtype_of<T>, {}, {}};
  args.operands[1] = {&a, dtype_of<T>, {}, {}};
  args.operands[2] = {&b, dtype_of<T>, {}, {}};
  args.operands[3] = {&c, dtype_of<T>, {}, {}};
  cpu().pointwise(args);
  return out;
}
bool negative_zero(double x) { return x == 0 && std::signbit(x); }
}  // namespace

TEMPLATE_TEST_CASE("NaN, infinities, zeros and ties behave as in PyTorch", "", float, double) {
  using T = TestType;
  const T nan = T(kNan), inf = T(kInf);
  CHECK(one<T>(Pointwise::sign, nan) == 0);
  CHECK(one<T>(Pointwise::sign, -inf) == -1);
  CHECK(std::isnan(one<T>(Pointwise::relu, nan)));
  CHECK(std::isnan(one<T>(Pointwise::maximum, nan, T(1))));
  CHECK(std::isnan(one<T>(Pointwise::maximum, T(1), nan)));
  CHECK(std::isnan(one<T>(Pointwise::minimum, nan, T(1))));
  CHECK(std::isnan(one<T>(Pointwise::minimum, T(1), nan)));
  CHECK(std::isnan(one<T>(Pointwise::clamp, nan, T(), T(), 0, 1)));
  CHECK(one<T>(Pointwise::clamp, T(1), T(), T(), 2, 1) == 1);  // the upper bound wins
  CHECK(std::isnan(one<T>(Pointwise::clamp, T(1), T(), T(), kNan, 3)));
  CHECK(one<T>(Pointwise::round, T(0.5)) == 0);
  CHECK(one<T>(Pointwise::round, T(1.5)) == 2);
  CHECK(one<T>(Pointwise::round, T(2.5)) == 2);
  CHECK(negative_zero(one<T>(Pointwise::round, T(-0.4))));
  CHECK(negative_zero(one<T>(Pointwise::neg, T(0))));
  CHECK(one<T>(Pointwise::div, T(1), T(0)) == inf);
  CHECK(std::isnan(one<T>(Pointwise::div, T(0), T(0))));
  CHECK(one<T>(Pointwise::lerp, T(3), T(7), T(), 1) == 7);
  CHECK(one<T>(Pointwise::lerp, T(-1e30), T(7), T(), 1) == 7);
  CHECK(one<T>(Pointwise::relu_backward, T(5), T(0)) == 0);
  CHECK(one<T>(Pointwise::clamp_backward, T(5), T(2), T(), 2, 3) == 5);
  CHECK(one<T>(Pointwise::clamp_backward, T(5), T(3.5), T(), 2, 3) == 0);
}

TEST_CASE("integers wrap, and nothing that they are given is undefined") {
  const int64_t lowest = INT64_MIN;
  CHECK(one<int64_t>(Pointwise::neg, lowest) == lowest);
  CHECK(one<int64_t>(Pointwise::abs, lowest) == lowest);
  CHECK(one<int64_t>(Pointwise::add, INT64_MAX, 1, 0, 1) == lowest);
  CHECK(one<int64_t>(Pointwise::mul, lowest, -1) == lowest);
  CHECK(one<int64_t>(Pointwise::square, int64_t{1} << 32) == 0);
  CHECK(one<int64_t>(Pointwise::pow, 3, 4) == 81);
  CHECK(one<int64_t>(Pointwise::pow, 0, 0) == 1);
  CHECK(one<int64_t>(Pointwise::pow, 7, -1) == 0);
  CHECK(one<int64_t>(Pointwise::pow, 0, -1) == 0);
  CHECK(one<int64_t>(Pointwise::pow, -1, -3) == -1);
  CHECK(one<int64_t>(Pointwise::pow, -1, lowest) == 1);
  CHECK(one<int64_t>(Pointwise::pow, 2, 64) == 0);
  CHECK(one<int64_t>(Pointwise::pow, 3, INT64_MAX) == static_cast<int64_t>(uint64_t{0xAAAAAAAAAAAAAAABu}));
}

TEST_CASE("a huge output, which is written past the caches, is the same as a small one") {
  const int64_t n = (int64_t{9} << 20) + 5;
  std::vector<float> a(static_cast<size_t>(n)), b(a), out(a);
  for (size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(i % 1013);
    b[i] = static_cast<float>(i % 7);
  }
  PointwiseArgs args{};
  args.op = Pointwise::add;
  args.compute = kFloat32;
  args.inputs = 2;
  args.contiguous = args.direct = true;
  args.numel = n;
  args.params[0] = {2, 2};
  args.operands[0] = {out.data(), kFloat32, {}, {}};
  args.operands[1] = {a.data(), kFloat32, {}, {}};
  args.operands[2] = {b.data(), kFloat32, {}, {}};
  cpu().pointwise(args);
  bool right = true;
  for (size_t i = 0; i < a.size(); ++i) right = right && out[i] == a[i] + 2 * b[i];
  CHECK(right);
  args.operands[1].data = out.data();  // in place, with a number
  args.operands[2].data = nullptr;
  args.operands[2].scalar = {1, 1};
  cpu().pointwise(args);
  for (size_t i = 0; i < a.size(); ++i) right = right && out[i] == a[i] + 2 * b[i] + 2;
  CHECK(right);
}

TEST_CASE("a power with a number as exponent is the power") {
  Array x = Array::random_values(kFloat32, 200);
  for (double exponent : {2.0, 0.5, -0.5, -1.0, 3.0, 0.0}) {
    Array out(kFloat32, 200);
    PointwiseArgs args{};
    args.op = Pointwise::pow;
    args.compute = kFloat32;
    args.inputs = 2;
    args.contiguous = args.direct = true;
    args.numel = 200;
    args.operands[0] = {out.bytes.data(), kFloat32, {}, {}};
    args.operands[1] = {x.bytes.data(), kFloat32, {}, {}};
    args.operands[2] = {nullptr, kFloat64, {exponent, static_cast<int64_t>(exponent)}, {}};
    cpu().pointwise(args);
    for (int64_t i = 0; i < 200; ++i) {
      double expected = std::pow(x.get(i), exponent);
      // roots of -inf and -0 as sqrt and 1 / sqrt give them, as in PyTorch
      if (std::signbit(x.get(i)) && std::abs(exponent) == 0.5)
        expected = exponent > 0 ? std::sqrt(x.get(i)) : 1 / std::sqrt(x.get(i));
      INFO(x.get(i) << " to the power of " << exponent);
      const bool close = same(out.get(i), static_cast<float>(expected), 4e-7);
      CHECK(close);
    }
  }
}

TEST_CASE("large arrays give the same bits on one thread and on several") {
  const int threads = get_num_threads();
  const int64_t n = 300001;
  Array a = Array::random_values(kFloat32, n), b = Array::random_values(kFloat32, n);
  std::vector<Array> results;
  for (int t : {1, 2, 3}) {
    set_num_threads(t);
    for (Pointwise op : {Pointwise::mul, Pointwise::exp, Pointwise::pow, Pointwise::lt}) {
      for (bool strided : {false, true}) {
        Array out(gives_bool(op) ? kBool : kFloat32, n);
        PointwiseArgs args{};
        args.op = op;
        args.compute = kFloat32;
        args.inputs = pointwise_info(op).arity;
        args.contiguous = args.direct = !strided;
        args.ndim = 2;
        args.numel = strided ? 1000 * 300 : n;
        args.sizes[0] = 1000;
        args.sizes[1] = 300;
        const Array* arrays[] = {&out, &a, &b};
        for (int k = 0; k <= args.inputs; ++k) {
          auto& o = args.operands[k];
          o.data = const_cast<std::byte*>(arrays[k]->bytes.data());
          o.dtype = arrays[k]->dtype;
          o.strides[0] = k == 1 ? 1 : 300;
          o.strides[1] = k == 1 ? 1000 : 1;
        }
        cpu().pointwise(args);
        results.push_back(out);
      }
    }
    Array halves(kFloat16, n), filled(kInt32, n), transposed(kFloat32, n);
    CopyArgs copy{halves.bytes.data(), a.bytes.data(), kFloat16, kFloat32, 1, n, {n}, {1}, {1}};
    cpu().copy(copy);
    cpu().fill(filled.bytes.data(), kInt32, n, {5, 5});
    cpu().copy({transposed.bytes.data(),
                a.bytes.data(),
                kFloat32,
                kFloat32,
                2,
                300000,
                {1000, 300},
                {300, 1},
                {1, 1000}});
    results.push_back(halves);
    results.push_back(filled);
    results.push_back(transposed);
  }
  set_num_threads(threads);
  const size_t each = results.size() / 3;
  for (size_t i = 0; i < each; ++i) {
    CHECK(results[i].bytes == results[each + i].bytes);
    CHECK(results[i].bytes == results[2 * each + i].bytes);
  }
}
