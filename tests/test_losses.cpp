// Losses, layer norm and group norm: values and gradients are PyTorch's, derivatives agree with finite
// differences.
#include "support/module_oracle.h"

using namespace tapir;
namespace F = tapir::nn::functional;
using nn_oracle::check;
using nn_oracle::check_case;
using nn_oracle::Inputs;
using nn_oracle::wave;

namespace {

constexpr int64_t kNoReduction = 0, kMeanReduction = 1, kSumReduction = 2;

struct Data {
  Tensor a = wave({3, 4}, 1), b = wave({3, 4}, 2), c = wave({3, 4}, 3), unit = wave({3, 4}, 4) * 0.9 + 0.5,
         half = wave({3, 4}, 5) * 0.9 + 0.5, w = wave({4}, 6) + 1,
         sign = where(b > 0, ones_like(b), -ones_like(b)), row = f64({1, -1, 1}), classes = tensor({2, 0, 3}),
         labels = tensor({{1, 3, -1, 0}, {0, -1, 2, 3}, {3, 2, 1, 0}});
};

}  // namespace

TEST_CASE("losses are PyTorch's, for each reduction") {
  const Data d;
  for (const auto& [suffix, how] : {std::pair{".none", kNone}, {".mean", kMean}, {".sum", kSum}}) {
    const LossReduction r = how;
    const auto run = [&, s = std::string(suffix)](const char* name, Inputs inputs, auto f) {
      check_case(name + s, std::move(inputs), f);
    };
    run("l1", {d.a, d.b}, [&](Inputs& x) { return nn::L1Loss(r)(x[0], x[1]); });
    run("smooth_l1", {d.a, d.b},
        [&](Inputs& x) { return nn::SmoothL1Loss(nn::SmoothL1LossOptions(r).beta(0.4))(x[0], x[1]); });
    run("huber", {d.a, d.b},
        [&](Inputs& x) { return nn::HuberLoss(nn::HuberLossOptions(r).delta(0.3))(x[0], x[1]); });
    run("bce", {d.unit},
        [&](Inputs& x) { return nn::BCELoss(nn::BCELossOptions().weight(d.w).reduction(r))(x[0], d.half); });
    run("bce_logits", {d.a}, [&](Inputs& x) {
      return nn::BCEWithLogitsLoss(nn::BCEWithLogitsLossOptions().weight(d.w).reduction(r))(x[0], d.half);
    });
    run("bce_logits_pos", {d.a}, [&](Inputs& x) {
      return nn::BCEWithLogitsLoss(nn::BCEWithLogitsLossOptions().pos_weight(d.w).reduction(r))(x[0], d.half);
    });
    run("kl_div", {d.a}, [&](Inputs& x) { return nn::KLDivLoss(r)(x[0], d.half); });
    run("kl_div_log", {d.a, d.b},
        [&](Inputs& x) { return nn::KLDivLoss(nn::KLDivLossOptions(r).log_target(true))(x[0], x[1]); });
    run("poisson", {d.a}, [&](Inputs& x) {
      return nn::PoissonNLLLoss(nn::PoissonNLLLossOptions().full(true).reduction(r))(x[0], d.half * 4);
    });
    run("poisson_plain", {d.unit}, [&](Inputs& x) {
      return nn::PoissonNLLLoss(nn::PoissonNLLLossOptions().log_input(false).reduction(r))(x[0], d.half);
    });
    run("gaussian", {d.a, d.b, d.unit}, [&](Inputs& x) {
      return nn::GaussianNLLLoss(nn::GaussianNLLLossOptions().full(true).reduction(r))(x[0], x[1], x[2]);
    });
    run("soft_margin", {d.a}, [&](Inputs& x) { return nn::SoftMarginLoss(r)(x[0], d.sign); });
    run("hinge", {d.a}, [&](Inputs& x) {
      return nn::HingeEmbeddingLoss(nn::HingeEmbeddingLossOptions().margin(0.3).reduction(r))(x[0], d.sign);
    });
    run("cosine_embedding", {d.a, d.b}, [&](Inputs& x) {
      return nn::CosineEmbeddingLoss(nn::CosineEmbeddingLossOptions().margin(0.1).reduction(r))(x[0], x[1],
                                                                                                d.row);
    });
    run("ranking", {d.a, d.b}, [&](Inputs& x) {
      return nn::MarginRankingLoss(nn::MarginRankingLossOptions().margin(0.2).reduction(r))(x[0], x[1],
                                                                                            d.sign);
    });
    run("multi_margin", {d.a}, [&](Inputs& x) {
      return nn::MultiMarginLoss(nn::MultiMarginLossOptions().margin(0.5).weight(d.w).reduction(r))(
          x[0], d.classes);
    });
    run("multi_margin2", {d.a}, [&](Inputs& x) {
      return nn::MultiMarginLoss(nn::MultiMarginLossOptions().p(2).reduction(r))(x[0], d.classes);
    });
    run("multilabel_margin", {d.a}, [&](Inputs& x) { return nn::MultiLabelMarginLoss(r)(x[0], d.labels); });
    run("multilabel_soft", {d.a}, [&](Inputs& x) {
      return nn::MultiLabelSoftMarginLoss(nn::MultiLabelSoftMarginLossOptions().weight(d.w).reduction(r))(
          x[0], d.half);
    });
    run("triplet", {d.a, d.b, d.c}, [&](Inputs& x) {
      return nn::TripletMarginLoss(nn::TripletMarginLossOptions().margin(0.6).swap(true).reduction(r))(
          x[0], x[1], x[2]);
    });
    for (const bool zero : {false, true})
      run(zero ? "ctc1" : "ctc0", {wave({6, 3, 4}, 1) * 3}, [&](Inputs& x) {
        return nn::CTCLoss(nn::CTCLossOptions().reduction(r).zero_infinity(zero))(
            x[0].log_softmax(2), tensor({{1, 1, 2}, {3, 1, 2}, {2, 0, 0}}), tensor({6, 5, 4}),
            tensor({3, 2, 1}));
      });
  }
  check_case("kl_div.batchmean", {d.a}, [&](Inputs& x) { return nn::KLDivLoss(kBatchMean)(x[0], d.half); });
  check_case("ctc_flat", {wave({6, 2, 4}, 1) * 3}, [&](Inputs& x) {
    return ctc_loss(x[0].log_softmax(2), tensor({1, 3, 2, 2, 2, 2}), IntArrayRef({6, 3}), IntArrayRef({2, 4}),
                    0, 2, true);
  });
  check_case("cosine_similarity", {d.a, d.b}, [](Inputs& x) { return nn::CosineSimilarity()(x[0], x[1]); });
  check_case("pairwise_distance", {d.a, d.b}, [](Inputs& x) {
    return nn::PairwiseDistance(nn::PairwiseDistanceOptions().p(3).keepdim(true))(x[0], x[1]);
  });
}

TEST_CASE("the losses of fused kernels have second derivatives") {
  manual_seed(3);
  const Inputs x{random_f64({2, 3}, 0.2, 0.8, true), random_f64({2, 3}, 0.2, 0.8, true)};
  const auto twice = [&](auto f) {
    CHECK(autograd::gradcheck(f, x));
    CHECK(autograd::gradgradcheck(f, x));
  };
  twice([](const Inputs& v) { return binary_cross_entropy(v[0], v[1]); });
  twice([](const Inputs& v) { return binary_cross_entropy_with_logits(v[0], v[1]); });
  twice([](const Inputs& v) { return smooth_l1_loss(v[0], v[1] + 2, 0, 0.5); });
  twice([](const Inputs& v) { return kl_div(v[0], v[1]); });
  for (const int64_t reduction : {0, 1, 2}) {
    twice([=](const Inputs& v) { return mse_loss(v[0], v[1] + 2, reduction); });
    twice([=](const Inputs& v) { return mse_loss(v[0], v[1].narrow(0, 0, 1), reduction); });  // broadcast
    twice([=](const Inputs& v) { return l1_loss(v[0], v[1] + 2, reduction); });
    twice([=](const Inputs& v) { return huber_loss(v[0], v[1] + 0.7, reduction, 1); });
    twice([=](const Inputs& v) { return nll_loss(v[0] * v[1], tensor({2, 0}), Tensor(), reduction); });
  }
}

TEST_CASE("losses of many elements are those of their parts") {
  manual_seed(8);
  const int64_t n = 10007;  // several blocks, and a rest
  const Tensor t = rand({n}, kFloat64);
  const auto check_parts = [&](auto f) {
    Tensor x = (rand({n}, kFloat64) * 0.98 + 0.01).requires_grad_(), each = f(x, t, kNoReduction);
    const Tensor g = autograd::grad({each.sum()}, {x})[0];
    for (const int64_t reduction : {kMeanReduction, kSumReduction}) {
      const double scale = reduction == kSumReduction ? 1 : 1.0 / n;
      const Tensor all = f(x, t, reduction);
      CHECK_CLOSE(all.detach(), each.detach().sum() * scale, 1e-13);
      CHECK_CLOSE(autograd::grad({all * 3}, {x})[0], g * (3 * scale), 1e-14);
      const Tensor strided = f(x.view({1, n}).expand({2, n}).t(), t.unsqueeze(1).expand({n, 2}), reduction);
      CHECK_CLOSE(strided.detach(), all.detach() * (reduction == kSumReduction ? 2 : 1), 1e-13);
    }
  };
  check_parts([](auto x, auto t, int64_t r) { return mse_loss(x, t, r); });
  check_parts([](auto x, auto t, int64_t r) { return l1_loss(x, t, r); });
  check_parts([](auto x, auto t, int64_t r) { return smooth_l1_loss(x, t, r, 0.2); });
  check_parts([](auto x, auto t, int64_t r) { return binary_cross_entropy(x, t, {}, r); });
  check_parts([](auto x, auto t, int64_t r) { return binary_cross_entropy_with_logits(x, t, {}, {}, r); });
  check_parts([](auto x, auto t, int64_t r) { return kl_div(x, t, r); });
}

TEST_CASE("losses at extremes are PyTorch's") {
  const double inf = INFINITY;
  const Tensor x = f64({inf, -inf, NAN, 1e200, 0}), zero = zeros({5}, kFloat64);
  const auto check_at = [&](auto f, const Tensor& values, const Tensor& slopes) {
    Tensor a = x.clone().requires_grad_();
    const Tensor y = f(a);
    CHECK(y.detach().allclose(values, 0, 0, true));
    y.backward(ones_like(y));
    CHECK(a.grad().allclose(slopes, 0, 0, true));
  };
  check_at([&](const Tensor& a) { return mse_loss(a, zero, 0); }, f64({inf, inf, NAN, inf, 0}),
           f64({inf, -inf, NAN, 2e200, 0}));
  check_at([&](const Tensor& a) { return huber_loss(a, zero, 0, 2); }, f64({inf, inf, NAN, 2e200, 0}),
           f64({2, -2, NAN, 2, 0}));
  check_at([&](const Tensor& a) { return l1_loss(a, zero, 0); }, f64({inf, inf, NAN, 1e200, 0}),
           f64({1, -1, 0, 1, 0}));
  for (const bool create_graph : {false, true}) {
    const Tensor a = leaf({inf, NAN, 1}), b = leaf({inf, 0, 0});
    const auto g = autograd::grad({l1_loss(a, b)}, {a, b}, {}, true, create_graph);
    CHECK_CLOSE(g[0].detach(), f64({0, 0, 1.0 / 3}), 1e-16);
    CHECK_CLOSE(g[1].detach(), f64({0, 0, -1.0 / 3}), 1e-16);
  }
  // integers, and losses of nothing
  CHECK(mse_loss(tensor({1, 5}), tensor({4, 1}), kSumReduction).item<int64_t>() == 25);
  CHECK(std::isnan(mse_loss(empty({0}), empty({0})).item<double>()));
  CHECK(mse_loss(empty({0}), empty({0}), kSumReduction).item<double>() == 0);
}

TEST_CASE("layer norm and group norm are PyTorch's and have second derivatives") {
  nn::LayerNorm layer(std::vector<int64_t>{4, 5});
  nn_oracle::fill(*layer);
  check_case(
      "layer_norm", {wave({3, 4, 5}, 1)}, [&](Inputs& x) { return layer(x[0]); }, layer.get());
  check_case("layer_norm_plain", {wave({3, 37}, 1)}, [](Inputs& x) { return layer_norm(x[0], {37}); });
  nn::GroupNorm group(3, 6);
  nn_oracle::fill(*group);
  check_case(
      "group_norm", {wave({2, 6, 5}, 1)}, [&](Inputs& x) { return group(x[0]); }, group.get());
  check_case(
      "group_norm_flat", {wave({2, 6}, 1)}, [&](Inputs& x) { return group(x[0]); }, group.get());
  manual_seed(4);
  const Inputs x{random_f64({2, 6, 3}, -1, 1, true), random_f64({6, 3}, -1, 1, true),
                 random_f64({6, 3}, -1, 1, true)};
  const auto by_layer = [](const Inputs& v) { return layer_norm(v[0], {6, 3}, v[1], v[2]); };
  CHECK(autograd::gradcheck(by_layer, x));
  CHECK(autograd::gradgradcheck(by_layer, x));
  const Inputs z{x[0], random_f64({6}, -1, 1, true), random_f64({6}, -1, 1, true)};
  const auto by_group = [](const Inputs& v) { return group_norm(v[0], 2, v[1], v[2]); };
  CHECK(autograd::gradcheck(by_group, z));
  CHECK(autograd::gradgradcheck(by_group, z));
}

TEST_CASE("layer norm of half types, of no rows and of many rows") {
  const Tensor x = values::random({300, 130}, kFloat32, 5), w = values::random({130}, kFloat32, 6);
  const Tensor wide = layer_norm(x.to(kFloat64), {130}, w.to(kFloat64));
  CHECK_CLOSE(layer_norm(x, {130}, w).to(kFloat64), wide, 2e-6);
  CHECK_CLOSE(layer_norm(x.to(kBFloat16), {130}, w.to(kBFloat16)).to(kFloat64), wide, 0.05);
  CHECK(layer_norm(empty({0, 4}), {4}).sizes() == IntArrayRef({0, 4}));
  // the same to the bit for any number of threads
  const auto grads = [&] {
    const Tensor v = w.clone().set_requires_grad(true), y = x.clone().set_requires_grad(true);
    return autograd::grad({layer_norm(y, {130}, v)}, {y, v}, {values::random({300, 130}, kFloat32, 7)});
  };
  const int threads = get_num_threads();
  const Inputs many = grads();
  set_num_threads(1);
  const Inputs one = grads();
  set_num_threads(threads);
  CHECK_SAME(many[0], one[0]);
  CHECK_SAME(many[1], one[1]);
}

TEST_CASE("margin losses are flat where a margin is just kept") {
  const Tensor a = leaf({{1, 2, 2}}), b = leaf({{1, 2, 2}});
  multi_margin_loss(a, tensor({1})).backward();
  multilabel_margin_loss(b, tensor({{1, -1, 0}})).backward();
  for (const Tensor& x : {a, b}) CHECK_CLOSE(x.grad(), f64({{0, -1.0 / 3, 1.0 / 3}}), 1e-15);
}

TEST_CASE("second derivatives at kinks are PyTorch's") {
  const auto second = [](const Tensor& x, auto f) {
    const Tensor g = autograd::grad({f(x).sum()}, {x}, {}, true, true)[0];
    return autograd::grad({g.sum()}, {x})[0];
  };
  const Tensor zero = leaf({0}), target = f64({0, 0, 0});
  CHECK_SAME(second(zero, [](const Tensor& x) { return elu(x); }), f64({0}));
  CHECK_SAME(second(zero, [](const Tensor& x) { return selu(x); }), f64({0}));
  CHECK_SAME(second(zero, [](const Tensor& x) { return celu(x); }), f64({0}));
  CHECK_SAME(second(leaf({-3, 3, -2}), [](const Tensor& x) { return hardswish(x); }), f64({0, 0, 1.0 / 3}));
  const auto smooth = [&](const Tensor& x) { return smooth_l1_loss(x, target, 0, 2); };
  CHECK_SAME(second(leaf({-2, 2, 1}), smooth), f64({0, 0, 0.5}));
  const auto huber = [&](const Tensor& x) { return huber_loss(x, target, 0, 2); };
  CHECK_SAME(second(leaf({-2, 2, 1}), huber), f64({0, 0, 1}));
  const auto squares = [&](const Tensor& x) { return mse_loss(x, target, 0); };
  CHECK_SAME(second(leaf({-2, 0, 1}), squares), f64({2, 2, 2}));
  const auto entropy = [](const Tensor& x) { return binary_cross_entropy(x, f64({0, 1})); };
  CHECK_SAME(second(leaf({0, 1}), entropy), f64({0, 0}));
  for (const double p : {2.5, 3.0, 4.0})
    CHECK_SAME(second(leaf({0, 0, 0}), [p](const Tensor& x) { return norm(x, p); }), f64({0, 0, 0}));
}

TEST_CASE("losses and norms say what does not fit") {
  const Tensor x = ones({2, 3}), half = full({2, 3}, 0.5);
  CHECK(contains(message_of<ValueError>([&] { binary_cross_entropy(x * 2, half); }), "probabilities"));
  CHECK(contains(message_of<ShapeError>([&] { binary_cross_entropy(half, ones({3})); }), "[3]"));
  CHECK_THROWS_AS(huber_loss(x, x, 1, 0), ValueError);
  CHECK_THROWS_AS(smooth_l1_loss(x, x, 7), ValueError);
  CHECK_THROWS_AS(multi_margin_loss(x, tensor({0, 1}), 3), ValueError);
  CHECK_THROWS_AS(multi_margin_loss(x, tensor({0, 7})), IndexError);
  CHECK_THROWS_AS(multilabel_margin_loss(x, full({2, 3}, 3)), IndexError);
  const Tensor lp = zeros({4, 1, 3});
  CHECK(contains(message_of<ValueError>([&] {
                   ctc_loss(lp, tensor({{1, 2}}), tensor({5}), tensor({2}));
                 }),
                 "4 steps"));
  CHECK_THROWS_AS(ctc_loss(lp, tensor({{1, 0}}), tensor({4}), tensor({2})), IndexError);
  CHECK_THROWS_AS(ctc_loss(lp, tensor({{1, 2}}), tensor({4}), tensor({3})), ValueError);
  CHECK_THROWS_AS(layer_norm(x, {4}), ShapeError);
  CHECK_THROWS_AS(layer_norm(x, {3}, ones({2})), ShapeError);
  CHECK_THROWS_AS(group_norm(x, 2), ValueError);
  CHECK_THROWS_AS(nn::Hardtanh(nn::HardtanhOptions().min_val(2).max_val(1)), ValueError);
}
