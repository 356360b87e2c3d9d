// The CPU's pointwise, copy, fill and read kernels, called through the kernel table.
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "support/catch.h"
#include "tapir/tensor/functors.h"
#include "tapir/tensor/kernels.h"
#include "tapir/tensor/parallel.h"

using namespace tapir;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const KernelTable& cpu() { return kernels(kCPU); }

// An array of any dtype, set and read as doubles (or int64, for integers) one element at a time.
struct Array {
  DType dtype;
  std::vector<std::byte> bytes;
  explicit Array(DType d, size_t n) : dtype(d), bytes(n * item_size(d)) {}
  template <class T>
  Array(DType d, const std::vector<T>& values) : Array(d, values.size()) {
    for (size_t i = 0; i < values.size(); ++i) set(i, values[i]);
  }
  template <class T>
  void set(size_t i, T value) {
    visit_dtype(dtype, [&](auto tag) {
      using U = typename decltype(tag)::type;
      U u;
      if constexpr (std::is_arithmetic_v<U>) {
        u = static_cast<U>(value);
      } else {
        u = U(static_cast<float>(value));
      }
      std::memcpy(bytes.data() + i * sizeof(U), &u, sizeof(U));
    });
  }
  template <class T = double>
  T get(size_t i) const {
    return visit_dtype(dtype, [&](auto tag) {
      using U = typename decltype(tag)::type;
      U u;
      std::memcpy(&u, bytes.data() + i * sizeof(U), sizeof(U));
      return static_cast<T>(u);
    });
  }
  size_t size() const { return bytes.size() / item_size(dtype); }
};

DType compute_of(DType d) {
  if (d == kFloat64) return kFloat64;
  return is_floating_point(d) ? kFloat32 : kInt64;
}
bool gives_bool(Pointwise op) {
  const PointwiseClass c = pointwise_info(op).dtypes;
  return c == PointwiseClass::Compare || c == PointwiseClass::Logical;
}

// Calls `op` on contiguous arrays.
void call(Pointwise op, Array& out, const std::vector<const Array*>& in, DType compute, double p0 = 0,
          double p1 = 0) {
  PointwiseArgs args{};
  args.op = op;
  args.compute = compute;
  args.inputs = static_cast<uint8_t>(in.size());
  args.contiguous = true;
  args.numel = static_cast<int64_t>(out.size());
  args.params[0] = {p0, static_cast<int64_t>(p0)};
  args.params[1] = {p1, static_cast<int64_t>(p1)};
  args.direct = out.dtype == compute || (gives_bool(op) && out.dtype == kBool);
  args.operands[0] = {out.bytes.data(), out.dtype, {}, {}};
  for (size_t k = 0; k < in.size(); ++k) {
    args.operands[k + 1] = {const_cast<std::byte*>(in[k]->bytes.data()), in[k]->dtype, {}, {}};
    const bool condition = pointwise_info(op).dtypes == PointwiseClass::Select && k == 0;
    args.direct = args.direct && in[k]->dtype == (condition ? kBool : compute);
  }
  cpu().pointwise(args);
}

}  // namespace

TEST_CASE("a pointwise kernel adds arrays of every length") {
  for (int n : {0, 1, 3, 7, 8, 15, 16, 17, 31, 33, 100, 1000}) {
    for (DType d : {kFloat32, kFloat64, kInt64, kInt32, kUInt8, kFloat16, kBFloat16}) {
      Array a(d, n), b(d, n), out(d, n);
      for (int i = 0; i < n; ++i) {
        a.set(i, i % 40);
        b.set(i, 2 * (i % 30));
      }
      call(Pointwise::add, out, {&a, &b}, compute_of(d), 2);
      for (int i = 0; i < n; ++i) REQUIRE(out.get(i) == i % 40 + 4 * (i % 30));
    }
  }
}
