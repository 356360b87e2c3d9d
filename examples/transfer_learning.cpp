// A network that knows photographs learns new classes from few of them: ResNet-18 with torchvision's weights,
// whose last layer is made anew and trained alone, on images in a folder for each class.
//
//   transfer_learning IMAGES --weights resnet18.pt
//
// IMAGES holds a folder of JPEG or PNG files for each class. resnet18.pt is a state_dict as Python writes it:
//   torch.save(torchvision.models.resnet18(weights="DEFAULT").state_dict(), "resnet18.pt")
// All layers but the last are frozen, and their batch norms keep their statistics: each image goes through
// them once, and only what they make of it is trained on. --finetune N then trains the whole network for N
// epochs.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <vector>

#include "support/progress.h"
#include "tapir/models/resnet.h"
#include "tapir/tapir.h"

using namespace tapir;

namespace {

struct Options {
  std::string images, weights, output = "transfer_learning.safetensors";
  int64_t epochs = 20, finetune = 0, size = 224, workers = 2, seed = 1;
  double validation = 0.2;
};

// Every fifth image or so is not trained on.
struct Split {
  std::vector<size_t> training, validation;
};
Split split(size_t n, double share) {
  const Tensor order = randperm(static_cast<int64_t>(n));
  const auto held_out = static_cast<int64_t>(share * static_cast<double>(n) + 0.5);
  Split s;
  for (int64_t i = 0; i < order.size(0); ++i)
    (i < held_out ? s.validation : s.training).push_back(static_cast<size_t>(order[i].item<int64_t>()));
  return s;
}

// Some images of a folder; those that are trained on may be mirrored.
struct Images : data::Dataset<Images> {
  data::datasets::ImageFolder folder;
  std::vector<size_t> chosen;
  bool mirrored;
  Images(data::datasets::ImageFolder f, std::vector<size_t> c, bool m)
      : folder(std::move(f)), chosen(std::move(c)), mirrored(m) {}
  data::Example<> get(size_t i) override {
    data::Example<> example = folder.get(chosen[i]);
    if (mirrored && rand({}).item<float>() < 0.5F) example.data = example.data.flip(2);
    return example;
  }
  std::optional<size_t> size() const override { return chosen.size(); }
};

template <class Sampler>
auto loader_of(const Images& images, int64_t workers) {
  // The mean and deviation of ImageNet's channels, which the weights were trained with.
  return data::make_data_loader<Sampler>(
      Images(images)
          .map(data::transforms::Normalize<>({0.485, 0.456, 0.406}, {0.229, 0.224, 0.225}))
          .map(data::transforms::Stack<>()),
      data::DataLoaderOptions().batch_size(32).workers(static_cast<size_t>(workers)));
}

// What all layers but the last make of images: (N, 512).
Tensor features_of(models::ResNet& network, const Tensor& images) {
  const Tensor x = network->maxpool(network->bn1(network->conv1(images)).relu_());
  const Tensor y = network->layer2->forward(network->layer1->forward(x));
  return network->avgpool(network->layer4->forward(network->layer3->forward(y))).flatten(1);
}

// The same of a whole data set, and its classes.
std::pair<Tensor, Tensor> features_of(models::ResNet& network, const Images& images, int64_t workers) {
  const NoGradGuard no_grad;
  std::vector<Tensor> features, classes;
  const auto loader = loader_of<data::samplers::SequentialSampler>(images, workers);
  for (auto& batch : *loader) {
    features.push_back(features_of(network, batch.data));
    classes.push_back(batch.target);
  }
  return {cat(features), cat(classes)};
}

double share_right(const Tensor& logits, const Tensor& classes) {
  return logits.argmax(1).eq(classes).to(kFloat64).mean().item<double>();
}

void run(const Options& o) {
  data::datasets::ImageFolderOptions as;
  const data::datasets::ImageFolder folder(o.images, as.size({o.size, o.size}));
  const auto count = static_cast<int64_t>(folder.classes().size());
  const Split parts = split(folder.files().size(), o.validation);
  if (parts.training.empty() || parts.validation.empty())
    throw ValueError("too few images in " + o.images + " to train on some and to test on others");
  const Images training(folder, parts.training, false), validation(folder, parts.validation, false);
  std::printf("%zu images of %lld classes, %zu of them to test on\n", folder.files().size(),
              static_cast<long long>(count), parts.validation.size());

  auto network = models::resnet18();
  load(network, o.weights);
  for (Tensor& p : network->parameters()) p.set_requires_grad(false);
  network->fc = network->replace_module("fc", nn::Linear(512, count));
  network->eval();

  const auto [features, classes] = features_of(network, training, o.workers);
  const auto [test_features, test_classes] = features_of(network, validation, o.workers);
  optim::Adam head(network->fc->parameters(), optim::AdamOptions(1e-3));
  for (int64_t epoch = 0; epoch < o.epochs; ++epoch)
    for (const Tensor& some : randperm(features.size(0)).split(32)) {
      head.zero_grad();
      cross_entropy(network->fc(features.index({some})), classes.index({some})).backward();
      head.step();
    }
  {
    const NoGradGuard no_grad;
    std::printf("the new layer alone: %.1f %% of the test images are right\n",
                100 * share_right(network->fc(test_features), test_classes));
  }

  for (Tensor& p : network->parameters()) p.set_requires_grad(true);
  optim::SGD all(network->parameters(), optim::SGDOptions(1e-3).momentum(0.9).weight_decay(1e-4));
  auto loader = loader_of<data::samplers::RandomSampler>(Images(folder, parts.training, true), o.workers);
  Progress progress(o.finetune * static_cast<int64_t>(parts.training.size()), "images");
  int64_t done = 0;
  for (int64_t epoch = 0; epoch < o.finetune; ++epoch) {
    network->train();
    for (auto& batch : *loader) {
      all.zero_grad();
      const Tensor loss = cross_entropy(network(batch.data), batch.target);
      loss.backward();
      all.step();
      progress.update(done += batch.data.size(0), loss.item<double>());
    }
    progress.finish();
    network->eval();
    const auto [now, of] = features_of(network, validation, o.workers);
    const NoGradGuard no_grad;
    std::printf("all layers, epoch %lld: %.1f %%\n", static_cast<long long>(epoch + 1),
                100 * share_right(network->fc(now), of));
  }
  save(network, o.output);
  std::printf("wrote %s\n", o.output.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("ResNet-18 with loaded weights learns the classes of a folder of images.");
  app.add_option("images", o.images, "a folder with a folder of images for each class")->required();
  app.add_option("--weights", o.weights, "a ResNet-18's state_dict: .pt or .safetensors")->required();
  app.add_option("--epochs", o.epochs, "passes over the images for the new layer")->capture_default_str();
  app.add_option("--finetune", o.finetune, "passes for all layers after that")->capture_default_str();
  app.add_option("--size", o.size, "height and width that images are resized to")->capture_default_str();
  app.add_option("--validation", o.validation, "share of the images to test on")->capture_default_str();
  app.add_option("--workers", o.workers, "threads that read images")->capture_default_str();
  app.add_option("--output", o.output, "the file of the new weights")->capture_default_str();
  app.add_option("--seed", o.seed, "the same seed gives the same run")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    manual_seed(static_cast<uint64_t>(o.seed));
    run(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "transfer_learning: %s\n", e.what());
    return 1;
  }
  return 0;
}
