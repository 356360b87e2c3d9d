// A variational autoencoder (Kingma and Welling 2014) of handwritten digits: a convolutional encoder gives a
// normal distribution over 20 numbers for each image, and a decoder makes images of such numbers.
//
//   vae FOLDER
//
// FOLDER holds the files of the MNIST set, as for the example mnist. After each epoch it prints the bound on
// the test images' negative log-likelihood in nats, and writes pictures: digits that the decoder makes of
// random numbers, and below them test digits and what is left of them after encoder and decoder.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "support/digits.h"
#include "support/pictures.h"
#include "support/progress.h"
#include "tapir/tapir.h"

using namespace tapir;
namespace F = nn::functional;

namespace {

constexpr int64_t kLatent = 20;

struct Coded {
  Tensor logits, mean, log_variance;
};

struct VaeImpl : nn::Module {
  VaeImpl() {
    using nn::Conv2d, nn::Conv2dOptions, nn::ConvTranspose2d, nn::ConvTranspose2dOptions;
    encoder = register_module(
        "encoder", nn::Sequential(Conv2d(Conv2dOptions(1, 32, 4).stride(2).padding(1)), nn::ReLU(),
                                  Conv2d(Conv2dOptions(32, 64, 4).stride(2).padding(1)), nn::ReLU(),
                                  nn::Flatten(), nn::Linear(64 * 7 * 7, 2 * kLatent)));
    decoder = register_module(
        "decoder",
        nn::Sequential(nn::Linear(kLatent, 64 * 7 * 7), nn::ReLU(),
                       nn::Unflatten(nn::UnflattenOptions(1, {64, 7, 7})),
                       ConvTranspose2d(ConvTranspose2dOptions(64, 32, 4).stride(2).padding(1)), nn::ReLU(),
                       ConvTranspose2d(ConvTranspose2dOptions(32, 1, 4).stride(2).padding(1))));
  }
  Coded forward(const Tensor& images) {
    const auto parts = encoder->forward(images).chunk(2, 1);
    const Tensor mean = parts[0], log_variance = parts[1];
    const Tensor z = is_training() ? mean + randn_like(mean) * exp(0.5 * log_variance) : mean;
    return {decoder->forward(z), mean, log_variance};
  }
  nn::Sequential encoder{nullptr}, decoder{nullptr};
};
TAPIR_MODULE(Vae);

// The bound for a batch, summed over its images: what the pixels cost, and how far the codes are from
// standard normal ones.
Tensor loss_of(const Coded& coded, const Tensor& images) {
  const Tensor pixels = F::binary_cross_entropy_with_logits(
      coded.logits, images, F::BinaryCrossEntropyWithLogitsFuncOptions().reduction(kSum));
  const Tensor codes = -0.5 * sum(1 + coded.log_variance - coded.mean.square() - coded.log_variance.exp());
  return pixels + codes;
}

void show(Vae& vae, const Digits& test, const std::string& output) {
  const Tensor some = test.images.narrow(0, 0, 16);
  const Tensor made = sigmoid(vae->decoder->forward(randn({64, kLatent})));
  write_pictures(output, cat({made, some, sigmoid(vae->forward(some).logits)}), 16);
  std::printf("wrote %s\n", output.c_str());
}

void train(const std::string& folder, int64_t epochs, const std::string& output) {
  auto [training, test] = read_digits(folder);
  const int64_t n = training.images.size(0);
  auto loader = data::make_data_loader<data::samplers::RandomSampler>(
      training.map(data::transforms::Stack<>()), data::DataLoaderOptions().batch_size(128).workers(1));
  Vae vae;
  optim::Adam optimizer(vae->parameters(), optim::AdamOptions(1e-3));
  Progress progress(epochs * n, "digits");
  int64_t done = 0;
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    for (auto& batch : *loader) {
      optimizer.zero_grad();
      const int64_t images = batch.data.size(0);
      const Tensor loss = loss_of(vae(batch.data), batch.data) / images;
      loss.backward();
      optimizer.step();
      progress.update(done += images, loss.item<double>());
    }
    progress.finish();
    const NoGradGuard no_grad;
    const double bound = loss_of(vae(test.images), test.images).item<double>();
    std::printf("epoch %lld: at most %.2f nats per test image\n", static_cast<long long>(epoch + 1),
                bound / static_cast<double>(test.images.size(0)));
    vae->eval();
    show(vae, test, output);
    vae->train();
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder, output = "vae.pgm";
  int64_t epochs = 10, seed = 1;
  CLI::App app("A variational autoencoder of the digits of the MNIST set.");
  app.add_option("folder", folder, "the folder of the IDX files, plain or .gz")->required();
  app.add_option("--epochs", epochs, "passes over the training digits")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--output", output, "the file of the pictures")->capture_default_str();
  app.add_option("--seed", seed, "the same seed gives the same run")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    manual_seed(static_cast<uint64_t>(seed));
    train(folder, epochs, output);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "vae: %s\n", e.what());
    return 1;
  }
  return 0;
}
