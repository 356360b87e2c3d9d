// A generator and a discriminator of handwritten digits, trained against each other (Radford et al. 2015).
//
//   dcgan FOLDER
//
// FOLDER holds the files of the MNIST set, as for the example mnist. Writes 64 digits of the generator,
// always of the same random numbers, after each epoch.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "support/digits.h"
#include "support/pictures.h"
#include "support/progress.h"
#include "tapir/tapir.h"

using namespace tapir;

namespace {

constexpr int64_t kNoise = 64;

// (N, kNoise, 1, 1) to images (N, 1, 28, 28) from -1 to 1.
nn::Sequential make_generator() {
  const auto up = [](int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding) {
    return nn::ConvTranspose2d(
        nn::ConvTranspose2dOptions(in, out, kernel).stride(stride).padding(padding).bias(false));
  };
  return nn::Sequential(up(kNoise, 128, 7, 1, 0), nn::BatchNorm2d(128), nn::ReLU(),  // 7 x 7
                        up(128, 64, 4, 2, 1), nn::BatchNorm2d(64), nn::ReLU(),       // 14 x 14
                        up(64, 1, 4, 2, 1), nn::Tanh());
}

// Images to logits (N): how real each looks.
nn::Sequential make_discriminator() {
  const auto down = [](int64_t in, int64_t out) {
    return nn::Conv2d(nn::Conv2dOptions(in, out, 4).stride(2).padding(1).bias(false));
  };
  const auto leaky = [] { return nn::LeakyReLU(nn::LeakyReLUOptions().negative_slope(0.2)); };
  return nn::Sequential(down(1, 64), leaky(), down(64, 128), nn::BatchNorm2d(128), leaky(),  // 7 x 7
                        nn::Conv2d(nn::Conv2dOptions(128, 1, 7)),
                        nn::Flatten(nn::FlattenOptions().start_dim(0)));
}

// Weights as in the paper.
void init(nn::Sequential& network) {
  const NoGradGuard no_grad;
  for (const auto& p : network->named_parameters())
    if (p.value().dim() == 4)
      p.value().normal_(0, 0.02);
    else if (p.key().ends_with("weight"))
      p.value().normal_(1, 0.02);
}

Tensor loss_of(const Tensor& logits, double target) {
  return binary_cross_entropy_with_logits(logits, full_like(logits, target));
}

void train(const std::string& folder, int64_t epochs, const std::string& output) {
  auto [training, test] = read_digits(folder);
  const int64_t n = training.images.size(0);
  auto loader = data::make_data_loader<data::samplers::RandomSampler>(
      training.map(data::transforms::Stack<>()),
      data::DataLoaderOptions().batch_size(64).workers(1).drop_last(true));
  auto generator = make_generator(), discriminator = make_discriminator();
  init(generator);
  init(discriminator);
  const auto options = optim::AdamOptions(2e-4).betas({0.5, 0.999});
  optim::Adam generator_adam(generator->parameters(), options);
  optim::Adam discriminator_adam(discriminator->parameters(), options);

  const Tensor shown = randn({64, kNoise, 1, 1});
  Progress progress(epochs * n, "digits");
  int64_t done = 0;
  for (int64_t epoch = 0; epoch < epochs; ++epoch) {
    double real_right = 0, made_right = 0, batches = 0;
    for (auto& batch : *loader) {
      const Tensor real = batch.data * 2 - 1;
      const Tensor made = generator->forward(randn({real.size(0), kNoise, 1, 1}));

      discriminator_adam.zero_grad();
      const Tensor of_real = discriminator->forward(real), of_made = discriminator->forward(made.detach());
      // Real ones count as 0.9 real: a discriminator too sure of itself teaches nothing.
      (loss_of(of_real, 0.9) + loss_of(of_made, 0)).backward();
      discriminator_adam.step();

      generator_adam.zero_grad();
      const Tensor loss = loss_of(discriminator->forward(made), 1);
      loss.backward();
      generator_adam.step();

      real_right += of_real.gt(0).to(kFloat64).mean().item<double>();
      made_right += of_made.lt(0).to(kFloat64).mean().item<double>();
      ++batches;
      progress.update(done += real.size(0), loss.item<double>());
    }
    progress.finish();
    std::printf("epoch %lld: the discriminator knew %.0f %% of the real and %.0f %% of the made digits\n",
                static_cast<long long>(epoch + 1), 100 * real_right / batches, 100 * made_right / batches);
    const NoGradGuard no_grad;
    generator->eval();
    write_pictures(output, (generator->forward(shown) + 1) / 2, 8);
    generator->train();
    std::printf("wrote %s\n", output.c_str());
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder, output = "dcgan.pgm";
  int64_t epochs = 10, seed = 1;
  CLI::App app("A generator and a discriminator of the digits of the MNIST set, trained against each other.");
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
    std::fprintf(stderr, "dcgan: %s\n", e.what());
    return 1;
  }
  return 0;
}
