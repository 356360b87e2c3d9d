#include "tapir/autograd/functions/softmax.h"

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/tensor/ops/softmax.h"

namespace tapir {

namespace {

struct SoftmaxBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return log ? "LogSoftmaxBackward" : "SoftmaxBackward"; }
  void backward(Grads grads, GradSink& sink) override {
    const Tensor &g = grads[0], y = saved(0);
    if (!recording(g, y))
      sink.set(0, raw::softmax_backward(g, y, dim, log));
    else if (log)
      sink.set(0, sub(g, mul(exp(y), sum(g, dim, true))));
    else
      sink.set(0, mul(y, sub(g, sum(mul(g, y), dim, true))));
  }
  int64_t dim;
  bool log;
};

TAPIR_ALWAYS_INLINE Tensor softmax_of(const Tensor& x, int64_t dim, bool log, std::optional<DType> dtype,
                                      const void* site) {
  Tensor y = raw::softmax(x, dim, log, dtype);
  if (recording(x)) {
    auto* node = record<SoftmaxBackward>(site, y, x);
    node->dim = dim;
    node->log = log;
    node->save_output(0, y);
  }
  return y;
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  return softmax_of(x, dim, false, dtype, TAPIR_HERE);
}
Tensor log_softmax(const Tensor& x, int64_t dim, std::optional<DType> dtype) {
  return softmax_of(x, dim, true, dtype, TAPIR_HERE);
}

}  // namespace tapir
