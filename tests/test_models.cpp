// The networks of models/ against torchvision's for the same seed: names, drawn weights, logits, training.
#define NN_ORACLE_TABLE "oracle/models.inc"
#include <filesystem>
#include <numeric>

#include "support/catch.h"
#include "support/nn_oracle.h"
#include "support/values.h"
#include "tapir/models/alexnet.h"
#include "tapir/models/mobilenet.h"
#include "tapir/models/resnet.h"
#include "tapir/models/vgg.h"
#include "tapir/tapir.h"

using namespace tapir;

namespace {

uint32_t fingerprint(const std::string& text) {
  uint32_t h = 2166136261;
  for (const char c : text) h = (h ^ static_cast<unsigned char>(c)) * 16777619;
  return h;
}

std::string written(IntArrayRef sizes) {
  std::string text = "[";
  for (const int64_t n : sizes) text += (text.size() > 1 ? ", " : "") + std::to_string(n);
  return text + "]";
}

std::vector<double> state_of(const nn::Module& model) {
  std::vector<double> v(3);
  const auto add = [&](const auto& named) {
    for (const auto& item : named) {
      v[0] += 1;
      v[1] += static_cast<double>(item.value().numel());
      v[2] += fingerprint(item.key() + " " + written(item.value().sizes()));
    }
  };
  add(model.named_parameters());
  add(model.named_buffers());
  return v;
}

template <class F>
std::vector<double> sorted(const std::vector<Tensor>& tensors, F f) {
  std::vector<double> v;
  for (const Tensor& t : tensors) v.push_back(f(t).template item<double>());
  std::sort(v.begin(), v.end());
  return v;
}

Tensor images() { return (arange(2 * 3 * 64 * 64) * 0.37).to(kFloat64).sin().reshape({2, 3, 64, 64}); }

std::vector<double> flat(const Tensor& t) { return values::of(t.detach().flatten()); }

// The model of seed 5, seen to be torchvision's, in float64.
template <class Model>
void check_evaluated(const std::string& name, Model& model) {
  nn_oracle::check(name + ".state", state_of(*model), 0);
  nn_oracle::check(name + ".drawn",
                   sorted(model->parameters(), [](const Tensor& p) { return p.sum(kFloat64); }), 1e-6);
  model->to(kFloat64);
  model->eval();
  const NoGradGuard guard;
  nn_oracle::check(name + ".logits", flat(model->forward(images())), 1e-9);
}

template <class Model>
void check_trained(const std::string& name, Model& model) {
  check_evaluated(name, model);
  model->train();
  for (const auto& m : model->modules())
    if (auto* dropout = m->template as<nn::Dropout>()) dropout->options.p(0);
  const Tensor y = model->forward(images());
  y.square().sum().backward();
  nn_oracle::check(name + ".training", flat(y), 1e-9);
  nn_oracle::check(name + ".gradients",
                   sorted(model->parameters(), [](const Tensor& p) { return p.grad().abs().sum(); }), 1e-9);
  model->eval();
  nn_oracle::check(name + ".moved", flat(model->forward(images())), 1e-9);
}

}  // namespace

TEST_CASE("AlexNet is torchvision's for the same seed") {
  manual_seed(5);
  auto model = models::alexnet(10);
  check_evaluated("alexnet", model);
}

TEST_CASE("VGG with batch norm is torchvision's for the same seed") {
  manual_seed(5);
  auto model = models::vgg11_bn(10);
  check_evaluated("vgg11_bn", model);
}

TEST_CASE("bottlenecks with groups are torchvision's for the same seed") {
  manual_seed(5);
  auto model = models::resnext50_32x4d(10);
  check_evaluated("resnext50_32x4d", model);
}

TEST_CASE("ResNet-18 is torchvision's for the same seed, and trains as it does") {
  manual_seed(5);
  auto model = models::resnet18(10);
  check_trained("resnet18", model);
}

TEST_CASE("MobileNetV2 is torchvision's for the same seed, and trains as it does") {
  manual_seed(5);
  auto model = models::mobilenet_v2(10);
  check_trained("mobilenet_v2", model);
}

TEST_CASE("a network's saved weights give a fresh one the same logits") {
  const auto file = std::filesystem::temp_directory_path() / ("tapir_models_" + std::to_string(getpid()));
  auto one = models::MobileNetV2(models::MobileNetV2Options(4).width_mult(0.25));
  auto other = models::MobileNetV2(models::MobileNetV2Options(4).width_mult(0.25));
  save(one, file.string());
  load(other, file.string());
  std::filesystem::remove(file);
  one->eval();
  other->eval();
  const Tensor x = randn({1, 3, 32, 32});
  CHECK(equal(one->forward(x), other->forward(x)));
}

TEST_CASE("a clone of a network computes the same and shares nothing") {
  auto model =
      models::ResNet(models::ResNetOptions(models::ResidualKind::Basic, {1, 1, 1, 1}).num_classes(3));
  model->eval();
  auto copy = std::dynamic_pointer_cast<models::ResNetImpl>(model->clone());
  REQUIRE(copy != nullptr);
  const Tensor x = randn({1, 3, 32, 32}), y = model->forward(x);
  CHECK(equal(copy->forward(x), y));
  {
    const NoGradGuard guard;
    for (Tensor& p : copy->parameters()) p.zero_();
  }
  CHECK(equal(model->forward(x), y));
}

TEST_CASE("zero_init_residual begins with blocks that are the identity") {
  models::ResNetOptions options(models::ResidualKind::Bottleneck, {1, 1, 1, 1});
  auto model = models::ResNet(options.num_classes(3).zero_init_residual(true));
  for (const auto& m : model->modules())
    if (auto* block = m->as<models::ResidualBlock>())
      CHECK(block->bn3->weight.abs().sum().item<float>() == 0);
}

TEST_CASE("a network refuses what it cannot be or read") {
  const models::ResNetOptions basic(models::ResidualKind::Basic, {1, 1, 1, 1});
  CHECK_THROWS_WITH(models::ResNet(models::ResNetOptions(basic).groups(2)),
                    Catch::Contains("groups 2") && Catch::Contains("bottlenecks take others"));
  CHECK_THROWS_AS(models::ResNet(basic)->forward(randn({1, 1, 32, 32})), ShapeError);
}
