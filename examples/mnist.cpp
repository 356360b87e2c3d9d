// A multilayer perceptron that learns to read digits.
//
//   mnist FOLDER
//
// FOLDER holds the four files of the MNIST set, plain or gzip-compressed: train-images-idx3-ubyte,
// train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte. They are at
// http://yann.lecun.com/exdb/mnist and, as mirrored by torchvision, at
// https://ossci-datasets.s3.amazonaws.com/mnist. Where the training files are missing, the test set is cut:
// 8,000 digits to train on, 2,000 to test.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "support/digits.h"
#include "support/progress.h"
#include "tapir/tapir.h"

using namespace tapir;

namespace {

struct NetImpl : nn::Module {
  NetImpl()
      : fc1(register_module("fc1", nn::Linear(784, 256))),
        fc2(register_module("fc2", nn::Linear(256, 10))),
        dropout(register_module("dropout", nn::Dropout(0.2))) {}
  Tensor forward(const Tensor& images) { return fc2(dropout(relu(fc1(images.view({images.size(0), 784}))))); }
  nn::Linear fc1, fc2;
  nn::Dropout dropout;
};
TAPIR_MODULE(Net);

double accuracy(Net& net, const Digits& digits) {
  NoGradGuard no_grad;
  net->eval();
  const Tensor right = net(digits.images).argmax(1).eq(digits.targets);
  net->train();
  return right.to(kFloat64).mean().item<double>();
}

void train(const std::string& folder, int64_t epochs) {
  auto [training, test] = read_digits(folder);
  const int64_t n = training.images.size(0);
  auto loader = data::make_data_loader<data::samplers::RandomSampler>(
      training.map(data::transforms::Stack<>()), data::DataLoaderOptions().batch_size(64).workers(1));

  Net net;
  optim::AdamW optimizer(net->parameters(), optim::AdamWOptions(1e-3));
  optim::CosineAnnealingLR schedule(optimizer, epochs);
  Progress progress(epochs * n, "digits");
  int64_t done = 0;
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (auto& batch : *loader) {
      optimizer.zero_grad();
      const Tensor loss = nn::functional::cross_entropy(net(batch.data), batch.target);
      loss.backward();
      optimizer.step();
      done += batch.data.size(0);
      progress.update(done, loss.item<double>());
    }
    schedule.step();
    progress.finish();
    std::printf("epoch %lld: %.2f %% of the test digits are right\n", static_cast<long long>(epoch + 1),
                100 * accuracy(net, test));
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder;
  int64_t epochs = 5, seed = 1;
  CLI::App app("A multilayer perceptron that learns to read the digits of the MNIST set.");
  app.add_option("folder", folder, "the folder of the IDX files, plain or .gz")->required();
  app.add_option("--epochs", epochs, "passes over the training digits")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--seed", seed, "the same seed gives the same run")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    manual_seed(static_cast<uint64_t>(seed));
    train(folder, epochs);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "mnist: %s\n", e.what());
    return 1;
  }
  return 0;
}
