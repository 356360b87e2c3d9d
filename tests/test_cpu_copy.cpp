// The CPU's copy, fill and read kernels, called through the kernel table, against one element at a time.
#include "support/catch.h"
#include "support/kernel_arrays.h"

using namespace kernel_arrays;

namespace {

// What copy stores for x: through int64 into integers, saturating there, then wrapping.
void set_converted(Array& a, int64_t at, const Array& from, int64_t i) {
  if (!is_floating_point(from.dtype)) return a.set(at, from.get<int64_t>(i));
  const double x = from.get(i);
  if (is_floating_point(a.dtype) || a.dtype == kBool) return a.set(at, x);
  a.set(at, std::isnan(x)                ? int64_t{0}
            : x >= 9223372036854775808.0 ? INT64_MAX
            : x < -9223372036854775808.0 ? INT64_MIN
                                         : static_cast<int64_t>(x));
}
void check_copy(DType from, DType to, const std::vector<int64_t>& sizes, const Place& source,
                const Place& target) {
  Array src = Array::random_values(from, source.extent);
  for (int64_t i = 0; is_floating_point(from) && i < std::min<int64_t>(src.size(), 6); ++i)
    src.set(i, std::array{3e9, -1.0, 300.7, 1e30, -1e30, 65520.0}[static_cast<size_t>(i)]);
  Array dst = Array::random_values(to, target.extent);
  const Array before = dst;
  CopyArgs args{};
  args.dst = dst.bytes.data();
  args.src = src.bytes.data();
  args.dst_dtype = to;
  args.src_dtype = from;
  args.ndim = static_cast<int>(sizes.size());
  args.numel = product(sizes);
  std::copy(sizes.begin(), sizes.end(), args.sizes);
  std::copy(source.strides.begin(), source.strides.end(), args.src_strides);
  std::copy(target.strides.begin(), target.strides.end(), args.dst_strides);
  cpu().copy(args);
  Array expected = before;
  for (int64_t i = 0; i < args.numel; ++i)
    set_converted(expected, offset(i, sizes, target.strides), src, offset(i, sizes, source.strides));
  for (int64_t i = 0; i < dst.size(); ++i) {
    if (same_bytes(dst, i, expected, i)) continue;
    INFO(dtype_name(from) << " to " << dtype_name(to) << ", element " << i << ": " << dst.get(i)
                          << ", expected " << expected.get(i));
    REQUIRE(false);
  }
}
}  // namespace

TEST_CASE("copy converts every dtype into every other, over any layouts") {
  for (DType from : kAllDTypes) {
    for (DType to : kAllDTypes) {
      for (int trial = 0; trial < 12; ++trial) {
        const auto sizes = random_sizes();
        check_copy(from, to, sizes, place(sizes, random(2), random(2), rng()() & rng()() & 15),
                   place(sizes, random(2), random(2), 0));
      }
      const std::vector<int64_t> flat = {1 + random(3000)};
      check_copy(from, to, flat, place(flat, false, false, 0), place(flat, false, false, 0));
    }
  }
}

TEST_CASE("copy transposes matrices of every size, also inside larger arrays") {
  for (DType d : {kFloat32, kFloat64, kUInt8, kBFloat16}) {
    for (const auto& [m, n] : {std::pair<int64_t, int64_t>{8, 8}, {9, 31}, {32, 32}, {33, 100}, {257, 129}}) {
      check_copy(d, d, {m, n}, {{1, m}, m * n}, {{n, 1}, m * n});
      check_copy(d, d, {m, n}, {{1, m + 3}, (m + 3) * n}, {{n + 5, 1}, (n + 5) * m});
      check_copy(d, d, {3, m, n}, {{m * n, 1, m}, 3 * m * n}, {{m * n, n, 1}, 3 * m * n});
    }
  }
}

TEST_CASE("fill writes a value of every dtype, and read reads it back") {
  for (DType d : kAllDTypes) {
    for (int64_t n : {0, 1, 7, 100, 9000}) {
      Array a(d, n + 1);
      a.set(n, 1);
      cpu().fill(a.bytes.data(), d, n, {100.7, 100});
      CHECK(a.get(n) == 1);
      for (int64_t i = 0; i < n; ++i) {
        Array expected(d, 1);
        if (is_floating_point(d)) {
          expected.set(0, 100.7);
        } else {
          expected.set(0, 100);
        }
        REQUIRE(same_bytes(a, i, expected, 0));
        if (i > 0) continue;
        const KernelScalar s = cpu().read(a.bytes.data(), d);
        CHECK(s.real == a.get(0));
        CHECK(s.integer == static_cast<int64_t>(a.get(0)));
      }
    }
  }
  const int64_t large = INT64_MAX - 1;
  CHECK(cpu().read(&large, kInt64).integer == large);
}
