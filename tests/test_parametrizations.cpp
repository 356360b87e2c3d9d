// Copies of layers with weight norm and spectral norm.
#include "support/tensors.h"

using namespace tapir;

namespace {

using WeightNormed = nn::WeightNorm<nn::LinearImpl>;
using SpectralNormed = nn::SpectralNormed<nn::LinearImpl>;

struct NetImpl : nn::Cloneable<NetImpl> {
  NetImpl() { reset(); }
  void reset() override {
    wide = register_module("wide", nn::utils::weight_norm(nn::Linear(3, 5), 1));
    narrow = register_module("narrow", nn::utils::parametrizations::spectral_norm(nn::Linear(5, 2)));
  }
  Tensor forward(const Tensor& x) { return narrow(tanh(wide(x))); }
  WeightNormed wide{nullptr};
  SpectralNormed narrow{nullptr};
};
TAPIR_MODULE(Net);

void check_same(const nn::Module& a, const nn::Module& b) {
  const auto x = a.state_dict(), y = b.state_dict();
  CHECK(x.keys() == y.keys());
  for (const auto& item : x) {
    INFO(item.key());
    CHECK(equal(item.value(), y[item.key()]));
    CHECK_FALSE(item.value().is_same(y[item.key()]));
  }
}

template <class M>
void train_a_step(M& m, const Tensor& x) {
  optim::SGD sgd(m.parameters(), optim::SGDOptions(0.5));
  m.forward(x).square().sum().backward();
  sgd.step();
}

/// A clone is as its original, and from then on goes its own way.
template <class M>
void check_clone(M& original) {
  const Tensor x = randn({4, 3});
  train_a_step(original, x);  // so that nothing has its first value, and the layer a weight with a history
  const Tensor weight_before = original.forward(x).detach();
  const auto generator = default_generator().get_state();
  const auto copy = std::static_pointer_cast<M>(original.clone());
  CHECK(default_generator().get_state() == generator);
  check_same(original, *copy);

  const Tensor expected = original.forward(x).detach();
  CHECK(equal(copy->forward(x), expected));
  check_same(original, *copy);  // what a forward changes, both have changed alike
  train_a_step(*copy, x);
  CHECK_FALSE(equal(copy->forward(x), expected));
  original.eval();
  CHECK(copy->is_training());
  CHECK_FALSE(std::static_pointer_cast<M>(original.clone())->is_training());
  original.train();
  for (const Tensor& p : original.parameters()) CHECK(p.is_leaf());
}

}  // namespace

TEST_CASE("a clone of a layer with weight norm or spectral norm is independent of it") {
  manual_seed(1);
  check_clone(*WeightNormed(nn::utils::weight_norm(nn::Linear(3, 5))));
  check_clone(*WeightNormed(nn::utils::weight_norm(nn::Linear(3, 5), std::nullopt)));
  check_clone(*SpectralNormed(nn::utils::parametrizations::spectral_norm(nn::Linear(3, 5), 2)));
}

TEST_CASE("modules that contain such layers can be cloned") {
  manual_seed(2);
  check_clone(*Net());
  nn::Sequential both(nn::utils::weight_norm(nn::Linear(3, 4)), nn::ReLU());
  const auto copy = std::static_pointer_cast<nn::SequentialImpl>(both->clone());
  check_same(*both, *copy);
  const Tensor x = randn({2, 3});
  CHECK(equal(copy->forward(x), both->forward(x)));
}

TEST_CASE("a clone keeps which parameters are frozen") {
  auto m = nn::utils::weight_norm(nn::Linear(3, 5));
  m->weight_g.requires_grad_(false);
  m->module->bias.requires_grad_(false);
  const auto copy = std::static_pointer_cast<WeightNormed::ContainedType>(m->clone());
  CHECK_FALSE(copy->weight_g.requires_grad());
  CHECK_FALSE(copy->module->bias.requires_grad());
  CHECK(copy->weight_v.requires_grad());
  CHECK(copy->module->weight.is_same(copy->weight_v));
}

TEST_CASE("layers that inherit their forward, and those with default arguments, can be wrapped") {
  manual_seed(1);
  const Tensor image = randn({1, 2, 5, 5});
  nn::Conv2d conv(2, 3, 3);
  const Tensor expected = conv(image);
  const auto normed = nn::utils::weight_norm(conv, 1);
  CHECK(allclose(normed->forward(image), expected));
  CHECK(normed->weight_g.sizes() == IntArrayRef{1, 2, 1, 1});
  CHECK(nn::utils::parametrizations::spectral_norm(nn::Conv1d(2, 3, 3))->forward(ones({1, 2, 4})).sizes() ==
        IntArrayRef{1, 3, 2});
  const auto up = nn::utils::weight_norm(nn::ConvTranspose2d(2, 3, 3));
  CHECK(up->forward(image).sizes() == IntArrayRef{1, 3, 7, 7});
  CHECK(nn::Sequential(nn::ConvTranspose2d(2, 3, 3))->forward(image).sizes() == IntArrayRef{1, 3, 7, 7});
  CHECK(nn::Sequential(up, nn::ReLU())->forward(image).sizes() == IntArrayRef{1, 3, 7, 7});
}
