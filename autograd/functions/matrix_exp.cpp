// The matrix exponential and its derivative.
#include <cmath>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/linalg.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/linalg.h"

namespace tapir {

namespace {

/// The Taylor polynomial of degree 18 of e^x, good to 2^-53 where the 1-norm is at most 1.09: in powers of
/// A^4, with polynomials of degree 3 as its coefficients (Paterson and Stockmeyer).
Tensor taylor(const Tensor& a) {
  const Tensor one = eye(a.size(-1), TensorOptions(a.dtype()).device(a.device()));
  const Tensor a2 = matmul(a, a), a3 = matmul(a2, a), a4 = matmul(a2, a2);
  const auto factor = [](int k) { return Scalar(1 / std::tgamma(k + 1.0)); };
  const auto part = [&](int k) {
    return add(add(mul(one, factor(k)), mul(a, factor(k + 1))),
               add(mul(a2, factor(k + 2)), mul(a3, factor(k + 3))));
  };
  Tensor y = add(mul(one, factor(16)), add(mul(a, factor(17)), mul(a2, factor(18))));
  for (int k = 12; k >= 0; k -= 4) y = add(part(k), matmul(a4, y));
  return y;
}

/// Each matrix divided by a power of two of its own, and squared as often.
Tensor exponential(const Tensor& a) {
  const Tensor size = std::get<0>(max(sum(abs(a), {-2}), -1));  // (...): the 1-norms
  Tensor times = ceil(log2(div(size, Scalar(1.09))));
  times =
      where(logical_and(isfinite(times), gt(times, Scalar(0))), times, Scalar(0)).unsqueeze(-1).unsqueeze(-1);
  Tensor y = taylor(mul(a, exp2(neg(times))));
  const auto most = static_cast<int64_t>(max(times).item<double>());
  for (int64_t i = 1; i <= most; ++i) {
    const Tensor square = matmul(y, y);
    y = where(ge(times, Scalar(i)), square, y);
  }
  return y;
}

// The derivative in direction G is the upper right block of exp([[A, G], [0, A]]); backward takes A^T.
struct MatrixExpBackward final : NodeOf<1, 1> {
  const char* type_name() const override { return "LinalgMatrixExpBackward"; }
  void backward(Grads g, GradSink& sink) override {
    const Tensor at = transpose(saved(0), -2, -1);
    const int64_t n = at.size(-1);
    const Tensor top = cat({at, g[0]}, -1), bottom = cat({zeros_like(at), at}, -1);
    sink.set(0, narrow(narrow(linalg::matrix_exp(cat({top, bottom}, -2)), -2, 0, n), -1, n, n));
  }
};

}  // namespace

Tensor linalg::matrix_exp(const Tensor& a) {
  raw::check_matrices(a, true, "linalg.matrix_exp");
  Tensor y;
  {
    NoGradGuard no_grad;
    y = a.numel() == 0 ? clone(a) : exponential(a.detach());
  }
  if (recording(a)) record<MatrixExpBackward>(TAPIR_HERE, y, a)->save(a);
  return y;
}
Tensor matrix_exp(const Tensor& a) {
  CallSite site(TAPIR_HERE);
  return linalg::matrix_exp(a);
}

}  // namespace tapir
