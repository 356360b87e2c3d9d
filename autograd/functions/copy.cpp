#include "tapir/autograd/functions/copy.h"

#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/pointwise.h"
#include "tapir/tensor/undefined.h"

namespace tapir {

namespace {

struct CloneBackward final : NodeOf<1> {
  const char* type_name() const override { return "CloneBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, std::move(g[0])); }
};
struct ToBackward final : NodeOf<1> {
  const char* type_name() const override { return "ToCopyBackward"; }
  void backward(Grads g, GradSink& sink) override { sink.set(0, to(to(g[0], dtype), device)); }
  DType dtype = kFloat32;
  Device device{kCPU};
};

// Over recorded values, which get a gradient of zeros.
struct CopyIntoBackward final : NodeOf<2> {
  const char* type_name() const override { return "CopyBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(0)) sink.set(0, to(to(g[0], dtype), device));
    if (sink.wants(1)) sink.set(1, raw::zeros(g[0].sizes(), g[0].dtype(), g[0].device()));
  }
  DType dtype = kFloat32;
  Device device{kCPU};
};

// Records a copy in a dtype that may have a gradient.
void record_to(const void* site, const Tensor& y, const Tensor& x) {
  if (!recording(x) || !is_floating_point(y.dtype())) return;
  auto* node = record<ToBackward>(site, y, x);
  node->dtype = x.dtype();
  node->device = x.device();
}

}  // namespace

Tensor clone(const Tensor& x) {
  Tensor y = raw::clone(x);
  if (recording(x)) record<CloneBackward>(TAPIR_HERE, y, x);
  return y;
}

Tensor contiguous(const Tensor& x) {
  if (x.is_contiguous()) return x;
  Tensor y = raw::clone_contiguous(x);
  if (recording(x)) record<CloneBackward>(TAPIR_HERE, y, x);
  return y;
}

Tensor to(const Tensor& x, DType dtype, bool copy) {
  if (x.dtype() == dtype && !copy) return x;
  Tensor y = x.dtype() == dtype ? raw::clone(x) : raw::cast(x, dtype);
  record_to(TAPIR_HERE, y, x);
  return y;
}

Tensor to(const Tensor& x, Device device, bool copy) {
  const bool same =
      x.device().type() == device.type() && (!device.has_index() || device.index() == x.device().index());
  if (same && !copy) return x;
  Tensor y = same ? raw::clone(x) : raw::to_device(x, device);
  record_to(TAPIR_HERE, y, x);
  return y;
}

void copy_(const Tensor& dst, const Tensor& src) {
  check_inplace(dst, "copy_");
  detail::check_defined(src, "copy_");
  const bool record_it = recording(dst, src) && is_floating_point(dst.dtype());
  raw::copy_into(dst, src);
  if (!record_it) return;
  auto* node = new CopyIntoBackward;
  Ref<Node> ref = Ref<Node>::adopt(node);
  node->set_edge(0, src);
  if (!dst.is_view()) node->set_edge(1, dst);  // the old part of a base gets its zeros there
  node->dtype = src.dtype();
  node->device = src.device();
  node->set_call_site(TAPIR_HERE);
  node->describe_output(0, dst);
  rebase_history(dst, std::move(ref));
}

void fill_(const Tensor& x, const Scalar& value) {
  check_inplace(x, "fill_");
  raw::check_writable(x, "fill_");
  const bool record_it = recording(x);
  raw::fill(x, value);
  if (!record_it) return;
  cut_history(x, TAPIR_HERE);
}

Tensor& Tensor::operator=(const Tensor& values) && {
  CallSite site(TAPIR_HERE);
  tapir::copy_(*this, values);
  return *this;
}
Tensor& Tensor::operator=(const Scalar& value) && {
  CallSite site(TAPIR_HERE);
  tapir::fill_(*this, value);
  return *this;
}

}  // namespace tapir
