// A function with a derivative of one's own: hidden units that are exactly 0 or 1 (Bengio, Léonard and
// Courville 2013). A step has no useful derivative, so the backward passes the gradient straight through
// where the input is near the step.
//
//   custom_function FOLDER
//
// FOLDER holds MNIST's files, as for the example mnist.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "support/progress.h"
#include "tapir/tapir.h"

using namespace tapir;
using data::datasets::MNIST;

namespace {

// y = x > 0 ? 1 : 0; backward: the gradient where |x| <= width, 0 elsewhere.
struct Step : autograd::Function<Step> {
  static Tensor forward(autograd::AutogradContext* context, const Tensor& x, double width) {
    context->save_for_backward({x});
    context->saved_data["width"] = width;
    return x.gt(0).to(x.dtype());
  }
  static autograd::variable_list backward(autograd::AutogradContext* context, autograd::variable_list grads) {
    const Tensor x = context->get_saved_variables()[0];
    const double width = context->saved_data["width"].toDouble();
    return {grads[0] * x.abs().le(width).to(x.dtype()), Tensor()};  // no gradient for the width
  }
};

struct NetImpl : nn::Module {
  explicit NetImpl(int64_t units)
      : encode(register_module("encode", nn::Linear(784, units))),
        decode(register_module("decode", nn::Linear(units, 10))) {}
  Tensor bits(const Tensor& images) { return Step::apply(encode(images.view({images.size(0), 784})), 1.0); }
  Tensor forward(const Tensor& images) { return decode(bits(images)); }
  nn::Linear encode, decode;
};
TAPIR_MODULE(Net);

void train(const std::string& folder, int64_t units, int64_t epochs) {
  const MNIST set(folder, MNIST::Mode::kTest);  // 10,000 digits are enough for this
  const Tensor images = set.images(), targets = set.targets();
  const int64_t cut = images.size(0) * 8 / 10, batch = 50;
  Net net(units);
  optim::Adam adam(net->parameters(), optim::AdamOptions(1e-3));
  Progress progress(epochs * cut, "digits");
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    const Tensor order = randperm(cut);
    for (int64_t start = 0; start + batch <= cut; start += batch) {
      const Tensor picked = order.narrow(0, start, batch);
      const Tensor loss =
          nn::functional::cross_entropy(net(images.index_select(0, picked)), targets.index_select(0, picked));
      adam.zero_grad();
      loss.backward();
      adam.step();
      progress.update(epoch * cut + start + batch, loss.item<double>());
    }
  }
  progress.finish();
  NoGradGuard no_grad;
  const int64_t rest = images.size(0) - cut;
  const Tensor held_out = images.narrow(0, cut, rest);
  const Tensor right = net(held_out).argmax(1).eq(targets.narrow(0, cut, rest));
  std::printf("%.2f %% of the held-out digits are right; a digit is %lld bits, %.0f of them 1 on average\n",
              100 * right.to(kFloat64).mean().item<double>(), static_cast<long long>(units),
              net->bits(held_out).mean().item<double>() * static_cast<double>(units));
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder;
  int64_t units = 256, epochs = 10, seed = 1;
  CLI::App app("A network of hidden bits, trained through a function with its own derivative.");
  app.add_option("folder", folder, "the folder of MNIST's files, plain or .gz")->required();
  app.add_option("--units", units, "hidden bits")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--epochs", epochs, "passes over the digits")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", seed, "the same seed gives the same run")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    manual_seed(static_cast<uint64_t>(seed));
    train(folder, units, epochs);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "custom_function: %s\n", e.what());
    return 1;
  }
  return 0;
}
