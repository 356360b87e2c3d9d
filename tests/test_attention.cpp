// Attention, the Transformer's layers and containers: values and gradients are PyTorch's.
#include <map>
#include <sstream>

#include "support/module_oracle.h"

using namespace tapir;
using nn_oracle::check;
using nn_oracle::check_case;
using nn_oracle::Inputs;
using nn_oracle::wave;

namespace {

// With the whole matrix, written down plainly.
Tensor by_matrix(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& addend = {}) {
  Tensor s = matmul(q, k.transpose(-2, -1)) * (1 / std::sqrt(static_cast<double>(q.size(-1))));
  if (addend.defined()) s = s + addend;
  return matmul(s.softmax(-1), v);
}
Tensor triangle(int64_t queries, int64_t keys) {
  return where(arange(queries).unsqueeze(1) >= arange(keys), zeros({1}, kFloat64),
               full({1}, -1e300, kFloat64));
}

}  // namespace

TEST_CASE("attention by tiles is attention by the matrix, over several tiles, with masks and causal") {
  manual_seed(2);
  for (const auto& [L, S] : {std::pair{3, 5}, {130, 300}, {300, 130}, {1, 600}, {600, 1}}) {
    INFO(L << " queries, " << S << " keys");
    const Tensor q = random_f64({2, 3, L, 8}, -2, 2, true), k = random_f64({2, 3, S, 8}, -2, 2, true),
                 v = random_f64({2, 3, S, 5}, -2, 2, true), mask = random_f64({3, 1, S}, -2, 2, true),
                 g = random_f64({2, 3, L, 5});
    const auto same = [&](const Tensor& got, const Tensor& expected, const Inputs& wrt) {
      CHECK_CLOSE(got.detach(), expected.detach(), 1e-12);
      const Inputs a = autograd::grad({got}, wrt, {g}), b = autograd::grad({expected}, wrt, {g});
      for (size_t i = 0; i < wrt.size(); ++i) CHECK_CLOSE(a[i], b[i], 1e-11);
    };
    same(scaled_dot_product_attention(q, k, v), by_matrix(q, k, v), {q, k, v});
    same(scaled_dot_product_attention(q, k, v, mask), by_matrix(q, k, v, mask), {q, k, v, mask});
    same(scaled_dot_product_attention(q, k, v, {}, 0, true), by_matrix(q, k, v, triangle(L, S)), {q, k, v});
    // views, as the heads of a layer are
    const Tensor wide = random_f64({L, 2, 3, 8}, -2, 2, true);
    same(scaled_dot_product_attention(wide.permute({1, 2, 0, 3}), k, v),
         by_matrix(wide.permute({1, 2, 0, 3}), k, v), {wide, k, v});
  }
}

TEST_CASE("attention over 4,096 steps never holds the matrix of scores, forward and backward") {
  constexpr int64_t kSteps = 4096, kFeatures = 32;
  manual_seed(4);
  nn::MultiheadAttention layer(kFeatures, 1);
  const Tensor x = randn({kSteps, 1, kFeatures}), g = randn({kSteps, 1, kFeatures});
  const Tensor q = randn({1, kSteps, kFeatures}, requires_grad()), k = randn({1, kSteps, kFeatures}),
               v = randn({1, kSteps, kFeatures});
  const size_t matrix = kSteps * kSteps * sizeof(float), before = memory_stats().allocated_bytes,
               peak_before = memory_stats().peak_allocated_bytes;
  const Tensor y = scaled_dot_product_attention(q, k, v, {}, 0, true);
  y.backward(randn({1, kSteps, kFeatures}));
  std::get<0>(layer(x, x, x, Tensor(), false)).backward(g);
  CHECK(memory_stats().peak_allocated_bytes <= std::max(peak_before, before + matrix / 4));
  // some of its rows, by the matrix
  for (const int64_t i : {0, 1000, 4095}) {
    const Tensor row = by_matrix(q.narrow(1, i, 1), k.narrow(1, 0, i + 1), v.narrow(1, 0, i + 1));
    CHECK_CLOSE(y.narrow(1, i, 1).detach(), row.detach(), 1e-5);
  }
}

TEST_CASE("attention's derivatives agree with finite differences, the second too") {
  manual_seed(3);
  const Inputs x{random_f64({2, 3, 4}, -1, 1, true), random_f64({2, 5, 4}, -1, 1, true),
                 random_f64({2, 5, 3}, -1, 1, true), random_f64({3, 5}, -1, 1, true)};
  const auto f = [](const Inputs& v) {
    return scaled_dot_product_attention(v[0], v[1], v[2], v[3], 0, false, 0.7);
  };
  CHECK(autograd::gradcheck(f, x));
  CHECK(autograd::gradgradcheck(f, x));
  const auto causal = [](const Inputs& v) {
    return scaled_dot_product_attention(v[0], v[1], v[2], {}, 0, true);
  };
  const Inputs three(x.begin(), x.begin() + 3);
  CHECK(autograd::gradcheck(causal, three));
  CHECK(autograd::gradgradcheck(causal, three));
  const auto dropped = [](const Inputs& v) {
    manual_seed(11);
    return scaled_dot_product_attention(v[0], v[1], v[2], {}, 0.4);
  };
  CHECK(autograd::gradcheck(dropped, three));
  CHECK(autograd::gradgradcheck(dropped, three));
}

TEST_CASE("attention's dropout drops what dropout of the weights drops") {
  const Tensor q = random_f64({1, 2, 4, 3}), k = random_f64({1, 2, 6, 3}), v = random_f64({1, 2, 6, 3});
  manual_seed(8);
  const Tensor got = scaled_dot_product_attention(q, k, v, {}, 0.3);
  manual_seed(8);
  const Tensor w = dropout((matmul(q, k.transpose(-2, -1)) * (1 / std::sqrt(3.0))).softmax(-1), 0.3, true);
  CHECK_CLOSE(got, matmul(w, v), 1e-12);
}

TEST_CASE("attention refuses what does not fit") {
  const Tensor x = zeros({2, 3, 4});
  CHECK_THROWS_AS(scaled_dot_product_attention(x, zeros({2, 3, 5}), x), ShapeError);
  CHECK_THROWS_AS(scaled_dot_product_attention(x, x, zeros({2, 4, 4})), ShapeError);
  CHECK_THROWS_AS(scaled_dot_product_attention(x, x, x, zeros({4, 4})), ShapeError);
  CHECK_THROWS_AS(scaled_dot_product_attention(x, x, x, zeros({3, 3}), 0, true), ValueError);
  CHECK_THROWS_AS(scaled_dot_product_attention(x, x, x, {}, 1.5), ValueError);
  CHECK_THROWS_AS(scaled_dot_product_attention(x.to(kInt64), x, x), DTypeError);
  CHECK_THROWS_AS(nn::MultiheadAttention(5, 2), ValueError);
  nn::MultiheadAttention m(4, 2);
  CHECK(contains(message_of<ShapeError>([&] { m(x, x, x, zeros({1, 1})); }), "key_padding_mask"));
  CHECK_THROWS_AS(m(zeros({3, 2, 5}), x, x), ShapeError);
}

TEST_CASE("multi-head attention is PyTorch's") {
  const Tensor mask = wave({3, 4}, 4), padding = tensor({{0, 0, 1, 0}, {0, 1, 0, 0}}).to(kBool);
  const auto run = [&](const char* name, const nn::MultiheadAttentionOptions& o, bool masks) {
    nn::MultiheadAttention m(o);
    nn_oracle::fill(*m);
    const int64_t kdim = o.kdim().value_or(6), vdim = o.vdim().value_or(6);
    const Inputs x{wave({3, 2, 6}, 1), wave({4, 2, kdim}, 2), wave({4, 2, vdim}, 3)};
    for (const bool weights : {false, true})
      check_case(
          name, x,
          [&](Inputs& v) {
            return std::get<0>(
                m(v[0], v[1], v[2], masks ? padding : Tensor(), weights, masks ? mask : Tensor()));
          },
          m.get());
    check(std::string(name) + ".weights",
          std::get<1>(m(x[0], x[1], x[2], masks ? padding : Tensor(), true, masks ? mask : Tensor())), 1e-12);
  };
  const nn::MultiheadAttentionOptions o(6, 2);
  run("multihead", o, false);
  run("multihead_masks", o, true);
  run("multihead_kv", nn::MultiheadAttentionOptions(6, 2).kdim(5).vdim(3), true);
  run("multihead_bias", nn::MultiheadAttentionOptions(6, 2).add_bias_kv(true).add_zero_attn(true), true);
}

TEST_CASE("the Transformer's layers are PyTorch's") {
  for (const bool first : {false, true}) {
    const auto o = nn::TransformerEncoderLayerOptions(6, 2).dim_feedforward(7).dropout(0).norm_first(first);
    nn::TransformerEncoderLayer encoder(nn::TransformerEncoderLayerOptions(o).activation(kGELU));
    nn_oracle::fill(*encoder);
    const std::string suffix = first ? "1" : "0";
    check_case(
        "encoder_layer" + suffix, {wave({3, 2, 6}, 1)}, [&](Inputs& x) { return encoder(x[0]); },
        encoder.get());
    nn::TransformerDecoderLayer decoder(o);
    nn_oracle::fill(*decoder);
    check_case(
        "decoder_layer" + suffix, {wave({3, 2, 6}, 1), wave({4, 2, 6}, 2)},
        [&](Inputs& x) { return decoder(x[0], x[1]); }, decoder.get());
    // batch_first: the same, transposed
    nn::TransformerEncoderLayer batch(
        nn::TransformerEncoderLayerOptions(o).activation(kGELU).batch_first(true));
    nn_oracle::fill(*batch);
    check("encoder_layer" + suffix, batch(wave({3, 2, 6}, 1).transpose(0, 1)).transpose(0, 1), 1e-12);
  }
}

TEST_CASE("a Transformer starts and computes as PyTorch's for the same seed") {
  manual_seed(5);
  nn::Transformer m(nn::TransformerOptions(6, 2, 1, 2).dim_feedforward(7).dropout(0));
  for (const auto& p : m->named_parameters())
    check("transformer.init." + p.key(),
          p.value().dim() > 1 ? p.value().detach().narrow(1, 0, 1) : p.value().detach().narrow(0, 0, 1), 0);
  m->to(kFloat64);
  m->eval();
  const Tensor mask = nn::TransformerImpl::generate_square_subsequent_mask(4).to(kFloat64);
  check("transformer", m(wave({3, 2, 6}, 1), wave({4, 2, 6}, 2), Tensor(), mask), 1e-6);
  const auto copy = std::dynamic_pointer_cast<nn::TransformerImpl>(m->clone());
  check("transformer", copy->forward(wave({3, 2, 6}, 1), wave({4, 2, 6}, 2), {}, mask), 1e-6);
}

TEST_CASE("first values are PyTorch's for the same seed") {
  manual_seed(6);
  nn::Bilinear bilinear(2, 3, 2);
  nn::MultiheadAttention attention(nn::MultiheadAttentionOptions(4, 2).kdim(3).add_bias_kv(true));
  for (const auto& p : bilinear->named_parameters()) check("init.bilinear." + p.key(), p.value(), 1e-6);
  for (const auto& p : attention->named_parameters()) check("init.multihead." + p.key(), p.value(), 1e-6);
  manual_seed(9);
  check("rrelu", rrelu(wave({4, 5}, 1), 0.1, 0.4, true), 0);
}

TEST_CASE("Bilinear is PyTorch's") {
  nn::Bilinear m(3, 4, 2);
  nn_oracle::fill(*m);
  check_case(
      "bilinear", {wave({5, 3}, 1), wave({5, 4}, 2)}, [&](Inputs& x) { return m(x[0], x[1]); }, m.get());
}

TEST_CASE("lists and dictionaries hold modules and parameters") {
  nn::ModuleList list(nn::Linear(2, 3), nn::ReLU());
  list->insert(1, nn::Linear(3, 3));
  CHECK(list->size() == 3);
  CHECK(list->at<nn::Linear>(1).weight.size(1) == 3);
  CHECK(list->named_parameters().contains("1.weight"));
  CHECK_THROWS_AS(list->ptr(3), IndexError);
  CHECK_THROWS_AS(list->at<nn::Linear>(2), ValueError);
  const auto list_copy = std::dynamic_pointer_cast<nn::ModuleListImpl>(list->clone());
  CHECK_SAME(list_copy->at<nn::Linear>(0).weight.detach(), list->at<nn::Linear>(0).weight.detach());

  nn::ModuleDict dict;
  dict->update({{"fc", nn::Linear(2, 3).ptr()}, {"act", nn::ReLU().ptr()}});
  dict->update(std::map<std::string, nn::Linear>{{"fc", nn::Linear(4, 3)}});
  CHECK(dict->at<nn::Linear>("fc").options.in_features() == 4);
  dict->update(std::map<std::string, std::shared_ptr<nn::Module>>{{"fc", nn::Linear(5, 3).ptr()}});
  CHECK(dict->at<nn::Linear>("fc").options.in_features() == 5);
  dict->update(
      std::vector<std::pair<std::string, std::shared_ptr<nn::LinearImpl>>>{{"fc", nn::Linear(6, 3).ptr()}});
  CHECK(dict->at<nn::Linear>("fc").options.in_features() == 6);
  dict->update(*dict);
  const nn::ModuleDict from_items(
      OrderedDict<std::string, std::shared_ptr<nn::Module>>{{"x", nn::ReLU().ptr()}});
  dict->update(*from_items);
  CHECK(dict->pop("x") == (*from_items)["x"]);
  const nn::ModuleDict from_pairs(dict->items());
  CHECK(from_pairs->keys() == dict->keys());
  std::vector<std::string> names;
  for (const auto& [name, module] : *dict) names.push_back(name);
  CHECK(names == dict->keys());
  CHECK_THROWS_AS(dict->update({{"new", nn::ReLU().ptr()}, {"a.b", nn::ReLU().ptr()}}), ValueError);
  CHECK(!dict->contains("new"));
  CHECK(dict->keys() == std::vector<std::string>{"fc", "act"});
  CHECK(dict->at<nn::Linear>("fc").options.out_features() == 3);
  CHECK(dict->pop("act") != nullptr);
  CHECK(dict->size() == 1);
  CHECK_THROWS_AS((*dict)["act"], IndexError);

  nn::ParameterList parameters;
  parameters->append(ones({2}));
  parameters->append(ones({3}, requires_grad()));
  CHECK(parameters->size() == 2);
  CHECK(!parameters->at(0).requires_grad());
  CHECK(parameters->at(1).requires_grad());
  CHECK(parameters->clone()->parameters()[1].requires_grad());
  CHECK_THROWS_AS(parameters->at(2), IndexError);
  nn::ParameterDict named;
  named->insert("w", ones({2}, requires_grad()));
  CHECK(named->contains("w"));
  CHECK(named->pop("w").size(0) == 2);
  CHECK(named->empty());
}

TEST_CASE("modules print as libtorch's, in their own namespace") {
  const auto text = [](const auto& m) {
    std::ostringstream s;
    s << *m;
    return s.str();
  };
  CHECK(text(nn::ELU(nn::ELUOptions().alpha(0.5).inplace(true))) ==
        "tapir::nn::ELU(alpha=0.5, inplace=true)");
  CHECK(text(nn::SELU()) == "tapir::nn::SELU()");
  CHECK(text(nn::LeakyReLU()) == "tapir::nn::LeakyReLU(negative_slope=0.01)");
  CHECK(text(nn::Softplus()) == "tapir::nn::Softplus(beta=1, threshold=20)");
  CHECK(text(nn::LayerNorm(std::vector<int64_t>{2, 3})) ==
        "tapir::nn::LayerNorm([2, 3], eps=1e-05, elementwise_affine=true)");
  CHECK(text(nn::GroupNorm(2, 4)) == "tapir::nn::GroupNorm(2, 4, eps=1e-05, affine=true)");
  CHECK(text(nn::Unflatten(1, std::vector<int64_t>{2, -1})) == "tapir::nn::Unflatten(dim=1, sizes=[2, -1])");
  CHECK(text(nn::PairwiseDistance()) == "tapir::nn::PairwiseDistance(p=2, eps=1e-06, keepdim=false)");
}
