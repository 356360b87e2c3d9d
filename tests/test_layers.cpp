// Bags of embeddings, the relatives of dropout, the adaptive softmax and smaller functions: values, gradients
// and first values are PyTorch's.
#include <sstream>

#include "support/module_oracle.h"

using namespace tapir;
namespace F = tapir::nn::functional;
using nn_oracle::check;
using nn_oracle::check_case;
using nn_oracle::fill;
using nn_oracle::Inputs;
using nn_oracle::wave;

namespace {
Tensor ids() { return tensor({4, 1, 1, 0, 5, 2, 1}, kInt64); }
Tensor starts() { return tensor({0, 3, 3, 6}, kInt64); }
}  // namespace

TEST_CASE("bags of embeddings are PyTorch's, with padding, empty bags, in rows, and with an end") {
  const Tensor table = wave({6, 3}, 1);
  const std::pair<const char*, nn::EmbeddingBagMode> modes[] = {
      {"sum", kSum}, {"mean", kMean}, {"max", kMax}};
  for (const auto& [name, mode] : modes) {
    const auto bag = [&, m = mode](const char* suffix, const Tensor& input,
                                   const F::EmbeddingBagFuncOptions& o) {
      check_case(std::string("bag.") + name + suffix, {table}, [&](Inputs& x) {
        return F::embedding_bag(input, x[0], F::EmbeddingBagFuncOptions(o).mode(m));
      });
      check_case(std::string("bag.") + name + suffix, {table}, [&](Inputs& x) {  // int32 indices
        return F::embedding_bag(input.to(kInt32), x[0], F::EmbeddingBagFuncOptions(o).mode(m));
      });
    };
    const F::EmbeddingBagFuncOptions plain;
    bag("", ids(), F::EmbeddingBagFuncOptions().offsets(starts()));
    bag(".padding", ids(), F::EmbeddingBagFuncOptions().offsets(starts()).padding_idx(1));
    bag(".padding", ids(), F::EmbeddingBagFuncOptions().offsets(starts()).padding_idx(-5));
    bag(".rows", ids().narrow(0, 0, 6).view({2, 3}), plain);
    bag(".last", ids(),
        F::EmbeddingBagFuncOptions().offsets(tensor({0, 2, 7}, kInt64)).include_last_offset(true));
  }
  check_case("bag.weighted", {table, wave({7}, 2)}, [&](Inputs& x) {
    return F::embedding_bag(
        ids(), x[0], F::EmbeddingBagFuncOptions().offsets(starts()).mode(kSum).per_sample_weights(x[1]));
  });
  check_case("bag.freq", {table}, [&](Inputs& x) {
    return F::embedding_bag(
        ids(), x[0], F::EmbeddingBagFuncOptions().offsets(starts()).mode(kSum).scale_grad_by_freq(true));
  });
  const Tensor renormed = table.clone();
  check("bag.max_norm",
        F::embedding_bag(ids(), renormed,
                         F::EmbeddingBagFuncOptions().offsets(starts()).mode(kSum).max_norm(0.5)),
        1e-12);
  check("bag.max_norm.weight", renormed, 1e-12);
}

TEST_CASE("bags of embeddings: derivatives, sparse gradients, extremes, refusals") {
  manual_seed(1);
  const Tensor table = random_f64({6, 3}, -1, 1, true), factors = random_f64({7}, -1, 1, true);
  const auto f = [](const Inputs& x) {
    return F::embedding_bag(
        ids(), x[0], F::EmbeddingBagFuncOptions().offsets(starts()).mode(kSum).per_sample_weights(x[1]));
  };
  CHECK(autograd::gradcheck(f, {table, factors}));
  CHECK(autograd::gradgradcheck(f, {table, factors}));
  for (const nn::EmbeddingBagMode mode : {nn::EmbeddingBagMode(kMean), nn::EmbeddingBagMode(kMax)}) {
    const auto g = [mode](const Inputs& x) {
      return F::embedding_bag(ids(), x[0], F::EmbeddingBagFuncOptions().offsets(starts()).mode(mode));
    };
    CHECK(autograd::gradcheck(g, {table}));
    CHECK(autograd::gradgradcheck(g, {table}));
  }
  // row-sparse gradients are the dense ones
  nn::EmbeddingBag dense(nn::EmbeddingBagOptions(6, 3)._weight(table.detach().clone()).mode(kMean));
  nn::EmbeddingBag sparse(
      nn::EmbeddingBagOptions(6, 3)._weight(table.detach().clone()).mode(kMean).sparse(true));
  const Tensor g = random_f64({4, 3});
  dense(ids(), starts()).backward(g);
  sparse(ids(), starts()).backward(g);
  REQUIRE(row_gradient(sparse->weight));
  CHECK(row_gradient(sparse->weight)->rows.numel() == 5);
  CHECK_CLOSE(sparse->weight.grad(), dense->weight.grad(), 1e-15);

  const Tensor none = zeros({0}, kInt64);
  CHECK(F::embedding_bag(none, table, F::EmbeddingBagFuncOptions().offsets(none)).sizes() ==
        IntArrayRef({0, 3}));
  for (const nn::EmbeddingBagMode mode : {nn::EmbeddingBagMode(kSum), nn::EmbeddingBagMode(kMax)}) {
    const Tensor y =
        F::embedding_bag(none, table, F::EmbeddingBagFuncOptions().offsets(zeros({2}, kInt64)).mode(mode));
    CHECK(y.equal(zeros({2, 3}, kFloat64)));
    CHECK(F::embedding_bag(zeros({2, 0}, kInt64), table, F::EmbeddingBagFuncOptions().mode(mode))
              .equal(zeros({2, 3}, kFloat64)));
  }
  const Tensor strange = tensor({{1.0, -INFINITY}, {NAN, -INFINITY}, {3.0, INFINITY}}, kFloat64);
  const Tensor top =
      F::embedding_bag(tensor({0, 1, 2, 0}, kInt64), strange,
                       F::EmbeddingBagFuncOptions().offsets(tensor({0, 3}, kInt64)).mode(kMax));
  CHECK(std::isnan(top[0][0].item<double>()));
  CHECK(top[0][1].item<double>() == INFINITY);
  CHECK(top[1][1].item<double>() == -INFINITY);

  const auto with = [&](const Tensor& input, const F::EmbeddingBagFuncOptions& o) {
    return [&table, input, o] { static_cast<void>(F::embedding_bag(input, table, o)); };
  };
  using O = F::EmbeddingBagFuncOptions;
  CHECK_THROWS_AS(with(ids(), O())(), ValueError);
  CHECK_THROWS_AS(with(ids().view({7, 1}), O().offsets(starts()))(), ValueError);
  CHECK_THROWS_AS(with(ids() + 2, O().offsets(starts()))(), IndexError);
  CHECK_THROWS_AS(with(ids(), O().offsets(tensor({1, 2}, kInt64)))(), ValueError);
  CHECK_THROWS_AS(with(ids(), O().offsets(tensor({0, 5, 3}, kInt64)))(), ValueError);
  CHECK_THROWS_AS(with(ids(), O().offsets(tensor({0, 8}, kInt64)))(), ValueError);
  CHECK_THROWS_AS(with(ids(), O().offsets(starts()).mode(kMax).sparse(true))(), ValueError);
  CHECK_THROWS_AS(with(ids(), O().offsets(starts()).mode(kNone))(), ValueError);
  CHECK_THROWS_AS(with(ids(), O().offsets(starts()).per_sample_weights(factors))(), ValueError);
  CHECK_THROWS_AS(with(ids(), O().offsets(starts()).mode(kSum).per_sample_weights(table))(), ShapeError);
  CHECK_THROWS_AS(with(ids(), O().offsets(starts()).padding_idx(6))(), ValueError);
  CHECK_THROWS_AS(with(ids().to(kFloat32), O().offsets(starts()))(), DTypeError);
}

TEST_CASE("bags of embeddings with weights, padding and rare rows: sparse gradients are the dense ones") {
  manual_seed(5);
  const int64_t count = GENERATE(300, 100000);  // many of 300 rows, few of 100,000
  const Tensor first = rand({count, 5}, kFloat64), index = randint(0, 300, {2000}, kInt64);
  const Tensor bags = arange(0, 2000, 40, kInt64), factors = random_f64({2000}, -1, 1, true);
  const auto run = [&](bool sparse) {
    const Tensor table = first.clone().requires_grad_();
    const Tensor y = F::embedding_bag(index, table,
                                      F::EmbeddingBagFuncOptions()
                                          .offsets(bags)
                                          .mode(kSum)
                                          .per_sample_weights(factors)
                                          .padding_idx(7)
                                          .sparse(sparse));
    manual_seed(6);
    y.backward(random_f64({50, 5}));
    CHECK((row_gradient(table) != nullptr) == sparse);
    return table.grad();
  };
  const Tensor dense = run(false), of_factors = factors.grad().clone();
  factors.mutable_grad() = Tensor();
  CHECK_CLOSE(run(true), dense, 1e-14);
  CHECK_CLOSE(factors.grad(), of_factors, 1e-15);
  CHECK(dense[7].eq(0).all().item<bool>());
  CHECK(of_factors.masked_select(index == 7).eq(0).all().item<bool>());
  // in words: each bag's rows, times their factors
  const Tensor rows = (first.index_select(0, index) * factors.detach().unsqueeze(1))
                          .masked_fill((index == 7).unsqueeze(1), 0)
                          .view({50, 40, 5})
                          .sum(1);
  CHECK_CLOSE(F::embedding_bag(index, first,
                               F::EmbeddingBagFuncOptions()
                                   .offsets(bags)
                                   .mode(kSum)
                                   .per_sample_weights(factors.detach())
                                   .padding_idx(7)),
              rows, 1e-14);
}

TEST_CASE("indices of bags that change before backward are refused") {
  const Tensor table = ones({5, 2}).requires_grad_();
  Tensor index = tensor({1, 2, 3}, kInt64);
  const Tensor y = F::embedding_bag(index, table, F::EmbeddingBagFuncOptions().offsets(tensor({0}, kInt64)));
  index.fill_(100);
  CHECK_THROWS_AS(y.sum().backward(), AutogradError);
}

TEST_CASE("sums and means of bags never hold all their rows") {
  const int64_t n = 100000;
  const Tensor table = rand({1000, 64}).requires_grad_(), index = randint(0, 1000, {n}, kInt64);
  const Tensor bags = arange(0, n, 100, kInt64);
  const size_t before = memory_stats().peak_allocated_bytes;
  for (const nn::EmbeddingBagMode mode : {nn::EmbeddingBagMode(kSum), nn::EmbeddingBagMode(kMean)})
    F::embedding_bag(index, table, F::EmbeddingBagFuncOptions().offsets(bags).mode(mode)).sum().backward();
  CHECK(memory_stats().peak_allocated_bytes - before < static_cast<size_t>(n) * 64 * 4 / 2);
}

TEST_CASE("EmbeddingBag starts, prints, clones and is frozen as PyTorch's") {
  manual_seed(4);
  nn::EmbeddingBag bag(nn::EmbeddingBagOptions(4, 5).padding_idx(-2).mode(kSum));
  check("init.bag", bag->weight, 0);
  std::ostringstream text;
  text << *bag;
  CHECK(text.str() == "tapir::nn::EmbeddingBag(num_embeddings=4, embedding_dim=5, mode=kSum, padding_idx=2)");
  const auto copy = std::dynamic_pointer_cast<nn::EmbeddingBagImpl>(bag->clone());
  CHECK_SAME(copy->forward(tensor({{1, 2}}, kInt64)).detach(), bag(tensor({{1, 2}}, kInt64)).detach());
  CHECK(!nn::EmbeddingBag::from_pretrained(ones({3, 2}))->weight.requires_grad());
  const auto thawed =
      nn::EmbeddingBag::from_pretrained(ones({3, 2}), nn::EmbeddingBagFromPretrainedOptions().freeze(false));
  CHECK(thawed->weight.requires_grad());
  nn::Sequential both(bag, nn::Linear(5, 2));
  CHECK(both->forward(tensor({{1, 2}}, kInt64)).sizes() == IntArrayRef({1, 2}));
}

TEST_CASE("the relatives of dropout draw what PyTorch draws") {
  const auto run = [](const char* name, auto f, auto in_place) {
    check_case(name, {wave({3, 4, 5}, 1)}, [&](Inputs& x) {
      manual_seed(3);
      return f(x[0], 0.4, true);
    });
    Tensor x = wave({3, 4, 5}, 1);
    manual_seed(3);
    in_place(x, 0.4, true);
    check(name, x, 1e-12);
    CHECK(f(x, 0.4, false).is_same(x));
    CHECK(f(x, 1, true).equal(zeros_like(x)));
    CHECK_THROWS_AS(f(x, 1.5, true), ValueError);
    CHECK_THROWS_AS(f(x.to(kInt64), 0.5, true), DTypeError);
  };
  run("dropout.alpha", alpha_dropout, alpha_dropout_);
  run("dropout.feature", feature_dropout, feature_dropout_);
  run("dropout.feature_alpha", feature_alpha_dropout, feature_alpha_dropout_);
  CHECK_THROWS_AS(feature_dropout(ones({3}), 0.5, true), ShapeError);

  const auto module = [](const char* name, auto m) {
    manual_seed(3);
    check(name, m(wave({3, 4, 5}, 1)), 1e-12);
    m->eval();
    const Tensor x = wave({2, 2}, 1);
    CHECK(m(x).is_same(x));
  };
  module("dropout.alpha", nn::AlphaDropout(0.4));
  module("dropout.feature", nn::Dropout2d(0.4));
  module("dropout.feature", nn::Dropout3d(nn::Dropout3dOptions(0.4).inplace(true)));
  module("dropout.feature_alpha", nn::FeatureAlphaDropout(nn::FeatureAlphaDropoutOptions().p(0.4)));
  CHECK_THROWS_AS(nn::Dropout2d(-0.1), ValueError);
  const Tensor x = wave({3, 4, 5}, 1);
  CHECK(F::alpha_dropout(x).is_same(x));  // not training by default
  manual_seed(3);
  check("dropout.alpha", F::detail::alpha_dropout(x, 0.4, true, false), 1e-12);
}

TEST_CASE("the adaptive softmax is PyTorch's") {
  const Tensor y = tensor({0, 11, 4, 2, 8, 7, 3}, kInt64), x = wave({7, 5}, 1);
  for (const bool bias : {false, true}) {
    nn::AdaptiveLogSoftmaxWithLoss m(
        nn::AdaptiveLogSoftmaxWithLossOptions(5, 12, {3, 7, 9}).div_value(1.5).head_bias(bias));
    fill(*m);
    const std::string name = bias ? "adaptive1" : "adaptive0";
    check_case(
        name, {x}, [&](Inputs& v) { return m(v[0], y).output; }, m.get());
    check_case(
        name + ".log_prob", {x}, [&](Inputs& v) { return m->log_prob(v[0]); }, m.get());
    const nn::ASMoutput out = m(x, y);
    check(name + ".loss", full({1}, out.loss, kFloat64), 1e-12);
    CHECK(out.loss_tensor.item<double>() == out.loss);
    check(name + ".predict", m->predict(x * 8), 0);
    const nn::ASMoutput one = m(x[1], y[1]);
    CHECK(one.output.dim() == 0);
    CHECK_CLOSE(one.output.detach(), out.output[1].detach(), 1e-12);
    const auto copy = std::dynamic_pointer_cast<nn::AdaptiveLogSoftmaxWithLossImpl>(m->clone());
    CHECK_CLOSE(copy->log_prob(x).detach(), m->log_prob(x).detach(), 0);
    CHECK(std::isnan(m(x.narrow(0, 0, 0), y.narrow(0, 0, 0)).loss));  // the mean of nothing
    CHECK_THROWS_AS(m(x, y + 1), IndexError);
    CHECK_THROWS_AS(m(x, y.narrow(0, 0, 3)), ShapeError);
    CHECK_THROWS_AS(m(x, y.to(kFloat32)), DTypeError);
  }
  CHECK(nn::AdaptiveLogSoftmaxWithLoss(8, 10, std::vector<int64_t>{4, 6})->named_parameters().keys() ==
        std::vector<std::string>{"head.weight", "tail.0.0.weight", "tail.0.1.weight", "tail.1.0.weight",
                                 "tail.1.1.weight"});
  // Its layers draw their weights one after the other.
  manual_seed(4);
  const nn::AdaptiveLogSoftmaxWithLoss drawn(
      nn::AdaptiveLogSoftmaxWithLossOptions(6, 12, {4, 8}).div_value(2));
  manual_seed(4);
  for (const auto& [name, in, out] : {std::tuple{"head.weight", 6, 6},
                                      {"tail.0.0.weight", 6, 3},
                                      {"tail.0.1.weight", 3, 4},
                                      {"tail.1.0.weight", 6, 1},
                                      {"tail.1.1.weight", 1, 4}})
    CHECK(drawn->named_parameters()[name].equal(nn::Linear(nn::LinearOptions(in, out).bias(false))->weight));
  for (const std::vector<int64_t>& bad : {std::vector<int64_t>{}, {0, 3}, {4, 4}, {5, 4}, {4, 10}})
    CHECK_THROWS_AS(nn::AdaptiveLogSoftmaxWithLoss(8, 10, bad), ValueError);
}

TEST_CASE("softmin, distances of all pairs, padding and one-hot") {
  check_case("softmin", {wave({3, 4}, 1)}, [](Inputs& x) { return F::softmin(x[0], 1); });
  check_case("pdist", {wave({5, 3}, 1)}, [](Inputs& x) { return F::pdist(x[0]); });
  check_case("pdist3", {wave({5, 3}, 1)}, [](Inputs& x) { return F::pdist(x[0], 3); });
  CHECK(F::pdist(ones({1, 3})).numel() == 0);
  CHECK_THROWS_AS(F::pdist(ones({3})), ShapeError);
  const Tensor x = arange(6).view({1, 2, 3}).to(kFloat32);
  CHECK(F::pad(x, F::PadFuncOptions({1, 0}).value(7)).equal(pad(x, {1, 0}, "constant", 7)));
  CHECK(F::pad(x, F::PadFuncOptions({1, 2}).mode(kReflect)).equal(pad(x, {1, 2}, "reflect")));
  CHECK(F::pad(x, F::PadFuncOptions({1, 2}).mode(kReplicate)).equal(pad(x, {1, 2}, "replicate")));
  CHECK(F::pad(x, F::PadFuncOptions({1, 2}).mode(kCircular)).equal(pad(x, {1, 2}, "circular")));
  CHECK(F::one_hot(tensor({2, 0}, kInt64), 3).equal(tensor({{0, 0, 1}, {1, 0, 0}}, kInt64)));
}

TEST_CASE("multi_head_attention_forward is the module's, and takes keys and values as they are") {
  nn::MultiheadAttention m(6, 2);
  fill(*m);
  const Tensor q = wave({3, 2, 6}, 1), k = wave({4, 2, 6}, 2), v = wave({4, 2, 6}, 3);
  const auto options = [&] {
    return F::MultiheadAttentionForwardFuncOptions(6, 2, m->in_proj_weight, m->in_proj_bias, {}, {}, false, 0,
                                                   m->out_proj->weight, m->out_proj->bias);
  };
  check("multihead", std::get<0>(F::multi_head_attention_forward(q, k, v, options())), 1e-12);
  check("multihead.weights", std::get<1>(F::multi_head_attention_forward(q, k, v, options())), 1e-12);
  check_case("multihead_static", {q, wave({4, 4, 3}, 2), wave({4, 4, 3}, 3)}, [&](Inputs& x) {
    return std::get<0>(F::multi_head_attention_forward(x[0], k, v, options().static_k(x[1]).static_v(x[2])));
  });
  const Tensor w = m->in_proj_weight;
  const auto apart = options()
                         .use_separate_proj_weight(true)
                         .q_proj_weight(w.narrow(0, 0, 6))
                         .k_proj_weight(w.narrow(0, 6, 6))
                         .v_proj_weight(w.narrow(0, 12, 6))
                         .need_weights(false);
  check("multihead", std::get<0>(F::multi_head_attention_forward(q, k, v, apart)), 1e-12);
  CHECK_THROWS_AS(F::multi_head_attention_forward(q, k, v, options().static_k(zeros({4, 3, 3}))), ShapeError);
  CHECK_THROWS_AS(F::multi_head_attention_forward(q, k, v, options().in_proj_weight({})), ShapeError);
}

TEST_CASE("parameters go to a vector and back") {
  nn::Linear a(3, 2);
  const Tensor flat = nn::utils::parameters_to_vector(a->parameters());
  CHECK(flat.sizes() == IntArrayRef({8}));
  CHECK(flat.requires_grad());
  CHECK_SAME(flat.detach().narrow(0, 0, 6).view({2, 3}), a->weight.detach());
  nn::Linear b(3, 2);
  nn::utils::vector_to_parameters(flat, b->parameters());
  CHECK_SAME(b->weight.detach(), a->weight.detach());
  CHECK_SAME(b->bias.detach(), a->bias.detach());
  CHECK(b->weight.is_leaf());
  CHECK(b->weight.requires_grad());
  b(ones({1, 3})).sum().backward();
  CHECK(b->weight.grad().defined());
  CHECK_THROWS_AS(nn::utils::vector_to_parameters(ones({7}), b->parameters()), ShapeError);
  CHECK_THROWS_AS(nn::utils::vector_to_parameters(ones({8}, kFloat64), b->parameters()), ValueError);
  CHECK_THROWS_AS(nn::utils::parameters_to_vector({}), ValueError);
}

TEST_CASE("sparse and identity first values are PyTorch's") {
  manual_seed(4);
  check("init.sparse", nn::init::sparse_(empty({5, 4}), 0.3, 0.5), 1e-6);
  check("init.dirac", nn::init::dirac_(empty({3, 2, 3, 4})), 0);
  CHECK_THROWS_AS(nn::init::sparse_(empty({5}), 0.3), ShapeError);
  CHECK_THROWS_AS(nn::init::sparse_(empty({5, 4}), 1.3), ValueError);
  CHECK_THROWS_AS(nn::init::dirac_(empty({5, 4})), ShapeError);
}

TEST_CASE("weight norm is PyTorch's") {
  for (const std::optional<int64_t> dim :
       {std::optional<int64_t>(0), std::optional<int64_t>(1), std::optional<int64_t>()}) {
    nn::Linear fc(4, 3);
    fill(*fc);
    auto m = nn::utils::weight_norm(fc, dim);
    CHECK(m->named_parameters().keys() == std::vector<std::string>{"bias", "weight_g", "weight_v"});
    const std::string name = "weight_norm" + (dim ? std::to_string(*dim) : "None");
    check_case(
        name, {wave({2, 4}, 1)}, [&](Inputs& x) { return m(x[0]); }, m.get());
    // used several times in one graph, and trained
    check_case(
        name, {wave({2, 4}, 1)}, [&](Inputs& x) { return (m(x[0]) + m(x[0])) / 2; }, m.get());
    optim::SGD sgd(m->parameters(), optim::SGDOptions(0.1));
    m(wave({2, 4}, 1)).sum().backward();
    const Tensor before = m(wave({2, 4}, 1)).detach();
    sgd.step();
    CHECK(!m(wave({2, 4}, 1)).detach().equal(before));
  }
  nn::Sequential both(nn::utils::weight_norm(nn::Linear(4, 3)), nn::ReLU());
  CHECK(both->forward(ones({2, 4})).sizes() == IntArrayRef({2, 3}));
  CHECK(both->named_parameters().contains("0.weight_g"));
  CHECK_THROWS_AS(nn::utils::weight_norm(nn::Linear(4, 3), 2), IndexError);
}

TEST_CASE("spectral norm is PyTorch's") {
  manual_seed(7);
  {  // the draws of the layer's first values
    const DType before = get_default_dtype();
    set_default_dtype(kFloat64);
    nn::Linear(4, 3);
    set_default_dtype(before);
  }
  const auto state = default_generator().get_state();
  nn::Linear fc(4, 3);
  fill(*fc);
  default_generator().set_state(state);
  auto m = nn::utils::parametrizations::spectral_norm(fc, 2);
  CHECK(m->named_parameters().keys() == std::vector<std::string>{"bias", "parametrizations.weight.original"});
  CHECK(m->named_buffers().keys() ==
        std::vector<std::string>{"parametrizations.weight.0._u", "parametrizations.weight.0._v"});
  for (const char* name : {"spectral_norm0", "spectral_norm1"})
    check_case(
        name, {wave({2, 4}, 1)}, [&](Inputs& x) { return m(x[0]); }, m.get());
  check("spectral_norm._u", m->norm->_u, 1e-12);
  check("spectral_norm._v", m->norm->_v, 1e-12);
  m->eval();
  check_case(
      "spectral_norm.eval", {wave({2, 4}, 1)}, [&](Inputs& x) { return m(x[0]); }, m.get());
  CHECK_THROWS_AS(nn::utils::parametrizations::spectral_norm(nn::Linear(4, 3), 0), ValueError);
  CHECK_THROWS_AS(nn::utils::parametrizations::spectral_norm(nn::Linear(4, 3), 1, 1e-12, 5), IndexError);
}
