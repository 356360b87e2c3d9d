// A classifier written for libtorch: a holder module, a data set, a loader, an optimizer, saving and loading.
// It ends with 0 if it learnt and if what it loads is what it saved.
#include <torch/torch.h>

#include <cstdio>
#include <string>

struct NetImpl : torch::nn::Module {
  NetImpl(int64_t in, int64_t classes)
      : hidden(register_module("hidden", torch::nn::Linear(in, 32))),
        dropout(register_module("dropout", torch::nn::Dropout(torch::nn::DropoutOptions(0.1)))) {
    out = register_module("out", torch::nn::Linear(torch::nn::LinearOptions(32, classes).bias(true)));
    scale = register_parameter("scale", torch::ones({1}));
    steps = register_buffer("steps", torch::zeros({}, torch::kInt64));
  }

  torch::Tensor forward(torch::Tensor x) {
    x = torch::relu(hidden->forward(x));
    x = dropout(x);
    return torch::log_softmax(out(x) * scale, /*dim=*/1);
  }

  torch::nn::Linear hidden{nullptr};
  torch::nn::Dropout dropout;
  torch::nn::Linear out{nullptr};
  torch::Tensor scale, steps;
};
TORCH_MODULE(Net);

// Points of the plane; the class is the quadrant.
class Points : public torch::data::Dataset<Points> {
 public:
  explicit Points(int64_t n) : points_(torch::randn({n, 2})) {}

  torch::data::Example<> get(size_t i) override {
    auto p = points_[static_cast<int64_t>(i)];
    const auto quadrant = 2 * (p[0].item<float>() > 0) + (p[1].item<float>() > 0);
    return {p, torch::tensor(static_cast<int64_t>(quadrant), torch::kLong)};
  }
  torch::optional<size_t> size() const override { return static_cast<size_t>(points_.size(0)); }

 private:
  torch::Tensor points_;
};

double accuracy(Net& net) {
  torch::NoGradGuard no_grad;
  net->eval();
  auto x = torch::randn({1000, 2});
  auto quadrant = (x.select(1, 0) > 0).to(torch::kLong) * 2 + (x.select(1, 1) > 0).to(torch::kLong);
  return net->forward(x).argmax(1).eq(quadrant).to(torch::kFloat32).mean().item<double>();
}

int main() {
  torch::manual_seed(0);
  torch::Device device(torch::cuda::is_available() ? torch::kCUDA : torch::kCPU);
  Net net(2, 4);
  net->to(device);
  torch::optim::Adam optimizer(net->parameters(), torch::optim::AdamOptions(1e-2).weight_decay(1e-4));

  auto loader = torch::data::make_data_loader<torch::data::samplers::RandomSampler>(
      Points(1024).map(torch::data::transforms::Stack<>()),
      torch::data::DataLoaderOptions().batch_size(32).workers(1));
  for (int epoch = 0; epoch < 10; ++epoch) {
    net->train();
    for (auto& batch : *loader) {
      auto data = batch.data.to(device), targets = batch.target.to(device);
      optimizer.zero_grad();
      auto loss = torch::nll_loss(net->forward(data), targets);
      loss.backward();
      optimizer.step();
    }
  }
  const double right = accuracy(net);
  std::cout << "accuracy " << right << std::endl;
  TORCH_CHECK(right > 0.9, "it did not learn: accuracy ", right);

  torch::save(net, "classify.pt");
  Net loaded(2, 4);
  torch::load(loaded, "classify.pt");
  for (const auto& item : net->named_parameters()) {
    TORCH_CHECK(torch::equal(item.value(), loaded->named_parameters()[item.key()]), item.key(), " changed");
  }
  std::remove("classify.pt");

  try {
    net->forward(torch::ones({3, 5}));
    return 1;
  } catch (const c10::Error& e) {
    std::cout << "as it should: " << e.what() << std::endl;
  }
  return 0;
}
