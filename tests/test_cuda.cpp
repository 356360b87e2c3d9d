// The CUDA backend, where there is a device; elsewhere one line says that it was skipped and why.
#include <cstdio>
#include <initializer_list>
#include <vector>

#include "support/catch.h"
#include "tapir/autograd/functions/compare.h"
#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/config.h"
#include "tapir/cuda/cuda.h"
#include "tapir/tensor/error.h"
#include "tapir/tensor/kernels.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/matmul.h"
#include "tapir/tensor/ops/pointwise.h"

using namespace tapir;

namespace {

bool skip(const char* what) {
  if (cuda::is_available()) return false;
  std::printf("skipped: %s on CUDA: %s\n", what,
              TAPIR_CUDA ? "there is no CUDA device here" : "this build has no CUDA");
  return true;
}

bool same(const Tensor& a, const Tensor& b) { return allclose(to(a, Device(kCPU)), b, 1e-5, 1e-6, true); }

}  // namespace

TEST_CASE("without a CUDA device, asking for one is a DeviceError that names a way out") {
  if (cuda::is_available()) return;
  REQUIRE(cuda::device_count() == 0);
  REQUIRE_THROWS_AS(raw::zeros({2}, kFloat32, Device(kCUDA)), DeviceError);
  REQUIRE_THROWS_AS(to(raw::zeros({2}, kFloat32), Device(kCUDA)), DeviceError);
}

TEST_CASE("every pointwise row gives the CPU's values on CUDA, in every dtype and layout") {
  if (skip("pointwise ops")) return;
  for (int row = 0; row < kPointwiseCount; ++row) {
    const auto op = static_cast<Pointwise>(row);
    const PointwiseInfo& info = pointwise_info(op);
    for (const DType dtype : kAllDTypes) {
      if (dtype == kBool && info.dtypes != PointwiseClass::Logical && info.dtypes != PointwiseClass::Compare)
        continue;
      const bool integers_only = info.dtypes == PointwiseClass::Integral;
      const bool floats_only = op == Pointwise::frac || op == Pointwise::round_decimals;
      if (is_floating_point(dtype) ? integers_only : floats_only) continue;
      if (op == Pointwise::nextafter && dtype != kFloat32 && dtype != kFloat64) continue;
      const Tensor flat = to(linspace(1, 3, 12), dtype);
      const Tensor a = flat.view({3, 4}), b = to(linspace(2, 1, 4), dtype);  // b broadcasts
      const Tensor at = flat.view({4, 3}).t();                               // strided
      const Tensor condition = gt(a, b);
      const auto run = [&](Device d) {
        const Tensor x = to(a, d), y = to(b, d), xt = to(flat, d).view({4, 3}).t(), c = to(condition, d);
        if (info.dtypes == PointwiseClass::Select) return raw::ternary(op, c, x, y);
        if (info.arity == 1) return raw::unary(op, xt, {Scalar(1), Scalar(2)});
        if (info.arity == 2) return raw::binary(op, xt, y, {Scalar(1), Scalar(2)});
        return raw::ternary(op, xt, x, y, {Scalar(1), Scalar(2)});
      };
      INFO(info.name << " in " << dtype_name(dtype));
      const double tolerance = is_half(dtype) ? 1e-2 : 1e-5;
      const Tensor cpu = run(kCPU), gpu = to(run(Device(kCUDA, 0)), Device(kCPU));
      REQUIRE(gpu.dtype() == cpu.dtype());
      REQUIRE(allclose(to(gpu, kFloat64), to(cpu, kFloat64), tolerance, tolerance, true));
    }
  }
}

namespace {
constexpr int64_t kShapes[][3] = {{1, 70000, 1}, {3, 257, 1}, {600, 33, 1}, {2, 300, 7}, {1, 1000, 65}};

/// `results` tensors of the given sizes and dtype, as `call` fills them on the CPU and on CUDA, agree.
template <class F>
void on_both(const Tensor& in, std::initializer_list<Tensor> results, F call) {
  std::vector<Tensor> there, here(results);
  for (const Tensor& t : results) there.push_back(to(t, Device(kCUDA)));
  call(cpu_kernels, in, here);
  call(kernels(Device(kCUDA)), to(in, Device(kCUDA)), there);
  for (size_t i = 0; i < here.size(); ++i)  // sums are taken in another order
    CHECK(allclose(to(there[i], Device(kCPU)), here[i], 1e-4, 1e-3, true));
}
}  // namespace

TEST_CASE("kernels over rows and columns give the CPU's values on CUDA") {
  if (skip("kernels over rows and columns")) return;
  for (const auto& [outer, n, inner] : kShapes) {
    CAPTURE(outer, n, inner);
    const Tensor in = raw::unary(Pointwise::sin, linspace(0, 5000, outer * n * inner), {});
    const auto empty = [](int64_t count, DType dtype = kFloat32) { return raw::zeros({count}, dtype); };
    const int64_t outputs = outer * inner;
    for (const Reduction op : {Reduction::Sum, Reduction::NormTwo, Reduction::LogSumExp})
      on_both(in, {empty(outputs)}, [&](const KernelTable& k, const Tensor& x, std::vector<Tensor>& out) {
        k.reduce({op, x.data_ptr(), kFloat32, out[0].data_ptr(), kFloat32, nullptr, outer, n, inner, 1});
      });
    for (const Reduction op : {Reduction::MaxIndex, Reduction::MinIndex})
      on_both(in, {empty(outputs), empty(outputs, kInt64)},
              [&](const KernelTable& k, const Tensor& x, std::vector<Tensor>& out) {
                k.reduce({op, x.data_ptr(), kFloat32, out[0].data_ptr(), kFloat32,
                          static_cast<int64_t*>(out[1].data_ptr()), outer, n, inner, 1});
              });
    for (const bool log : {false, true})
      on_both(in, {empty(in.numel()), empty(in.numel())},
              [&](const KernelTable& k, const Tensor& x, std::vector<Tensor>& out) {
                k.softmax({log, kFloat32, x.data_ptr(), out[0].data_ptr(), outer, n, inner});
                k.softmax_backward(
                    {log, kFloat32, x.data_ptr(), out[0].data_ptr(), out[1].data_ptr(), outer, n, inner});
              });
    on_both(in, {empty(outputs), empty(outputs)},
            [&](const KernelTable& k, const Tensor& x, std::vector<Tensor>& out) {
              k.moments(
                  {kFloat32, x.data_ptr(), out[0].data_ptr(), out[1].data_ptr(), outer, n, inner, 1, false});
            });
    on_both(in, {empty(in.numel()), empty(n), empty(n), empty(n), empty(in.numel()), empty(n), empty(n)},
            [&](const KernelTable& k, const Tensor& x, std::vector<Tensor>& out) {
              k.batch_norm({kFloat32, x.data_ptr(), nullptr, nullptr, out[0].data_ptr(), out[1].data_ptr(),
                            out[2].data_ptr(), out[3].data_ptr(), outer, n, inner, 1e-2, true});
              k.batch_norm_backward({kFloat32, x.data_ptr(), x.data_ptr(), out[1].data_ptr(),
                                     out[3].data_ptr(), nullptr, out[4].data_ptr(), out[5].data_ptr(),
                                     out[6].data_ptr(), outer, n, inner, true});
            });
    const int64_t rows = outer * inner;
    on_both(in, {empty(in.numel()), empty(rows), empty(rows), empty(in.numel()), empty(n), empty(n)},
            [&](const KernelTable& k, const Tensor& x, std::vector<Tensor>& out) {
              k.row_norm({kFloat32, x.data_ptr(), nullptr, nullptr, out[0].data_ptr(), out[1].data_ptr(),
                          out[2].data_ptr(), rows, n, 1, 1, 1e-2});
              k.row_norm_backward({kFloat32, x.data_ptr(), x.data_ptr(), out[1].data_ptr(), out[2].data_ptr(),
                                   nullptr, out[3].data_ptr(), out[4].data_ptr(), out[5].data_ptr(), rows, n,
                                   1, 1});
            });
    const Tensor targets = raw::zeros({rows}, kInt64);
    on_both(in, {empty(rows), empty(in.numel()), empty(in.numel()), targets},
            [&](const KernelTable& k, const Tensor& x, std::vector<Tensor>& out) {
              const auto* target = static_cast<const int64_t*>(out[3].data_ptr());
              double weight_sum = 0;
              int64_t bad_row = 0;
              k.cross_entropy({kFloat32, x.data_ptr(), target, nullptr, out[0].data_ptr(), out[1].data_ptr(),
                               &weight_sum, &bad_row, rows, n, -100, 0.1});
              CHECK(weight_sum == static_cast<double>(rows));
              CHECK(bad_row == -1);
              k.cross_entropy_backward({kFloat32, x.data_ptr(), 0, 1.0, out[1].data_ptr(), target, nullptr,
                                        out[2].data_ptr(), rows, n, -100, 0.1});
            });
  }
}

TEST_CASE("copies between host and device keep values, for any strides and dtypes") {
  if (skip("copies")) return;
  const Tensor x = to(linspace(-5, 5, 24), kFloat32).view({2, 3, 4});
  const Device gpu(kCUDA, 0);
  REQUIRE(same(to(x, gpu), x));
  REQUIRE(same(to(x.transpose(0, 2), gpu), x.transpose(0, 2)));
  REQUIRE(same(to(to(x, gpu).transpose(0, 1), kFloat64), to(x.transpose(0, 1), kFloat64)));
  REQUIRE(same(to(to(x, gpu), kInt64), to(x, kInt64)));
  REQUIRE(raw::full({3}, 7, kInt32, gpu).select(0, 1).item<int>() == 7);
}

TEST_CASE("matrix products on CUDA equal the CPU's") {
  if (skip("matmul")) return;
  const Device gpu(kCUDA, 0);
  for (const DType dtype : {kFloat32, kFloat64}) {
    const Tensor a = to(linspace(-1, 1, 35), dtype).view({5, 7}),
                 b = to(linspace(0, 2, 21), dtype).view({7, 3});
    const Tensor expected = raw::mm(a, b);
    REQUIRE(same(raw::mm(to(a, gpu), to(b, gpu)), expected));
    REQUIRE(same(raw::mm(to(a.t().contiguous(), gpu).t(), to(b.t().contiguous(), gpu).t()), expected));
  }
}

TEST_CASE("the CUDA allocator counts what is held and gives it back") {
  if (skip("the allocator")) return;
  const Device gpu(kCUDA, 0);
  const size_t before = memory_stats(gpu).allocated_bytes;
  {
    const Tensor x = raw::zeros({1 << 20}, kFloat32, gpu);
    REQUIRE(memory_stats(gpu).allocated_bytes >= before + (4u << 20));
  }
  cuda::synchronize();
  REQUIRE(memory_stats(gpu).allocated_bytes == before);
  empty_cache(gpu);
  REQUIRE_THROWS_AS(raw::zeros({int64_t{1} << 50}, kFloat32, gpu), OutOfMemoryError);
}
