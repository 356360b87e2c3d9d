#include "tapir/autograd/functions/loss_margin.h"

#include <algorithm>

#include "tapir/autograd/functions/activation.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/loss_elementwise.h"
#include "tapir/autograd/functions/loss_reduce.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"

namespace tapir {

using detail::check_losses;
using detail::check_reduction;
using detail::reduce_losses;

Tensor cosine_similarity(const Tensor& x1, const Tensor& x2, int64_t dim, double eps) {
  CallSite site(TAPIR_HERE);
  const Dims sizes = broadcast_sizes(x1.sizes(), x2.sizes(), "cosine_similarity");
  const Tensor a = expand(x1, sizes), b = expand(x2, sizes);
  const auto unit = [&](const Tensor& x) {
    return div(x, clamp_min(norm(x, Scalar(2), dim, true), Scalar(eps)));
  };
  return sum(mul(unit(a), unit(b)), dim);
}

Tensor pairwise_distance(const Tensor& x1, const Tensor& x2, double p, double eps, bool keepdim) {
  CallSite site(TAPIR_HERE);
  broadcast_sizes(x1.sizes(), x2.sizes(), "pairwise_distance");
  return norm(add(sub(x1, x2), Scalar(eps)), Scalar(p), -1, keepdim);
}

Tensor cosine_embedding_loss(const Tensor& a, const Tensor& b, const Tensor& target, double margin,
                             int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_reduction("cosine_embedding_loss", reduction);
  TAPIR_CHECK_AS(
      ShapeError, target.dim() <= 1 && a.dim() == target.dim() + 1 && b.dim() == a.dim(),
      "cosine_embedding_loss: inputs have sizes {} and {}, target {}; expected (N, D) and (N), or (D) and ()",
      a.sizes(), b.sizes(), target.sizes());
  broadcast_sizes(a.sizes(), b.sizes(), "cosine_embedding_loss");
  const int64_t dim = target.dim();
  const Scalar eps(1e-12);
  const Tensor lengths = sqrt(mul(add(sum(mul(a, a), dim), eps), add(sum(mul(b, b), dim), eps)));
  const Tensor cosine = div(sum(mul(a, b), dim), lengths);
  const Tensor like = where(eq(target, Scalar(1)), 1 - cosine, Scalar(0));
  const Tensor unlike = where(eq(target, Scalar(-1)), clamp_min(cosine - margin, Scalar(0)), Scalar(0));
  return reduce_losses(add(like, unlike), reduction);
}

Tensor margin_ranking_loss(const Tensor& input1, const Tensor& input2, const Tensor& target, double margin,
                           int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_losses("margin_ranking_loss", reduction, input1, input2, target);
  return reduce_losses(clamp_min(margin + mul(target, sub(input2, input1)), Scalar(0)), reduction);
}

Tensor multi_margin_loss(const Tensor& input, const Tensor& target, const Scalar& p, const Scalar& margin,
                         const Tensor& weight, int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_reduction("multi_margin_loss", reduction);
  const double power = p.to_double();
  TAPIR_CHECK_AS(ValueError, power == 1 || power == 2, "multi_margin_loss: p is {}, expected 1 or 2", power);
  const bool one = input.dim() == 1;
  TAPIR_CHECK_AS(
      ShapeError,
      (one && target.numel() == 1 && target.dim() <= 1) ||
          (input.dim() == 2 && target.dim() == 1 && target.size(0) == input.size(0)),
      "multi_margin_loss: input has sizes {} and target {}; expected (N, C) and (N), or (C) and ()",
      input.sizes(), target.sizes());
  const Tensor x = one ? unsqueeze(input, 0) : input, t = reshape(target, {x.size(0)});
  const int64_t classes = x.size(1);
  TAPIR_CHECK_AS(ShapeError, !weight.defined() || (weight.dim() == 1 && weight.numel() == classes),
                 "multi_margin_loss: weight has sizes {}, expected one for each of {} classes",
                 weight.sizes(), classes);
  const Tensor at = unsqueeze(t, 1);
  Tensor z = relu(add(sub(x, gather(x, 1, at)), margin));  // unlike clamp_min, flat at 0
  if (power == 2) z = square(z);
  if (weight.defined()) z = mul(z, unsqueeze(index_select(weight, 0, t), 1));
  const Tensor own = eq(raw::arange(0, classes, 1, kInt64, x.device()), at);
  const Tensor losses = div(sum(masked_fill(z, own, 0), 1), Scalar(static_cast<double>(classes)));
  return reduce_losses(one ? squeeze(losses, 0) : losses, reduction);
}

Tensor multilabel_margin_loss(const Tensor& input, const Tensor& target, int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_reduction("multilabel_margin_loss", reduction);
  TAPIR_CHECK_AS(ShapeError, (input.dim() == 1 || input.dim() == 2) && target.sizes() == input.sizes(),
                 "multilabel_margin_loss: input has sizes {} and target {}; expected (N, C) or (C) of both",
                 input.sizes(), target.sizes());
  TAPIR_CHECK_AS(DTypeError, target.dtype() == kInt64, "multilabel_margin_loss: target of {}, expected int64",
                 target.dtype());
  const bool one = input.dim() == 1;
  const Tensor x = one ? unsqueeze(input, 0) : input;
  const int64_t rows = x.size(0), classes = x.size(1);
  const Tensor t = raw::clone_contiguous(raw::to_device(one ? unsqueeze(target, 0) : target, kCPU));
  const Tensor counts = raw::zeros({rows, classes, 1}, kFloat64),
               others = raw::full({rows, 1, classes}, 1, kFloat64);
  for (int64_t r = 0; r < rows; ++r) {
    int64_t* row = t.data_ptr<int64_t>() + r * classes;
    bool ended = false;
    for (int64_t j = 0; j < classes; ++j) {
      ended = ended || row[j] == -1;
      if (ended) {
        row[j] = 0;
        continue;
      }
      TAPIR_CHECK_AS(IndexError, row[j] >= 0 && row[j] < classes,
                     "multilabel_margin_loss: target {} at row {} is not a class of [0, {}), nor -1", row[j],
                     r, classes);
      counts.data_ptr<double>()[r * classes + j] = 1;
      others.data_ptr<double>()[r * classes + row[j]] = 0;
    }
  }
  const auto back = [&](const Tensor& m) {
    return raw::to_device(raw::cast(m, input.dtype()), input.device());
  };
  const Tensor chosen = unsqueeze(gather(x, 1, raw::to_device(t, input.device())), 2);  // (N, targets, 1)
  const Tensor z = relu(1 - chosen + unsqueeze(x, 1));  // (N, targets, others)
  const Tensor losses =
      div(sum(mul(mul(z, back(counts)), back(others)), {1, 2}), Scalar(static_cast<double>(classes)));
  return reduce_losses(one ? squeeze(losses, 0) : losses, reduction);
}

Tensor multilabel_soft_margin_loss(const Tensor& input, const Tensor& target, const Tensor& weight,
                                   int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_reduction("multilabel_soft_margin_loss", reduction);
  const Tensor losses = binary_cross_entropy_with_logits(input, target, weight, {}, detail::kNoReduction);
  return reduce_losses(input.dim() == 0 ? losses : mean(losses, -1), reduction);
}

Tensor triplet_margin_loss(const Tensor& anchor, const Tensor& positive, const Tensor& negative,
                           double margin, double p, double eps, bool swap, int64_t reduction) {
  CallSite site(TAPIR_HERE);
  check_reduction("triplet_margin_loss", reduction);
  TAPIR_CHECK_AS(
      ShapeError, anchor.dim() == positive.dim() && anchor.dim() == negative.dim(),
      "triplet_margin_loss: anchor has sizes {}, positive {} and negative {}; expected as many dimensions",
      anchor.sizes(), positive.sizes(), negative.sizes());
  check_losses("triplet_margin_loss", reduction, anchor, positive);
  check_losses("triplet_margin_loss", reduction, anchor, negative);
  if (swap) check_losses("triplet_margin_loss", reduction, positive, negative);
  const Tensor near = pairwise_distance(anchor, positive, p, eps);
  Tensor far = pairwise_distance(anchor, negative, p, eps);
  if (swap) far = minimum(far, pairwise_distance(positive, negative, p, eps));
  check_losses("triplet_margin_loss", reduction, near, far);
  return reduce_losses(clamp_min(add(sub(near, far), Scalar(margin)), Scalar(0)), reduction);
}

}  // namespace tapir
