// Makes the files of libtorch's torch::save that test_pt.cpp reads, in the current folder (made with libtorch
// 1.13):
//   g++ -std=c++17 -I/usr/include/torch/csrc/api/include make_libtorch.cpp -ltorch -ltorch_cpu -lc10
//   (cd pt && ../a.out)
#include <torch/torch.h>

struct Net : torch::nn::Module {
  Net() {
    fc = register_module("fc", torch::nn::Linear(3, 2));
    layers = register_module("layers", torch::nn::Sequential(torch::nn::BatchNorm1d(2), torch::nn::ReLU(),
                                                             torch::nn::Linear(2, 1)));
    scale = register_parameter("scale", torch::full({2}, 7.0));
    count = register_buffer("count", torch::arange(3));
  }
  torch::nn::Linear fc{nullptr};
  torch::nn::Sequential layers{nullptr};
  torch::Tensor scale, count;
};

// As make_pt.py's optimizer().
template <class Optimizer, class Options>
void optimizer(const std::string& name, Options options, Options of_second) {
  torch::Tensor w = torch::ones({2, 3}).requires_grad_(), b = torch::zeros({2}).requires_grad_();
  std::vector<torch::optim::OptimizerParamGroup> groups;
  groups.emplace_back(std::vector<torch::Tensor>{w}, std::make_unique<Options>(options));
  groups.emplace_back(std::vector<torch::Tensor>{b}, std::make_unique<Options>(of_second));
  Optimizer o(groups, options);
  std::vector<torch::Tensor> steps;
  for (const double grad : {1.0, 2.0, 3.0}) {
    w.mutable_grad() = torch::full({2, 3}, grad);
    b.mutable_grad() = torch::full({2}, grad);
    o.step();
    if (grad == 2) torch::save(o, "libtorch_" + name + ".pt");
    if (grad >= 2) steps.push_back(w.detach().clone()), steps.push_back(b.detach().clone());
  }
  torch::save(steps, "libtorch_" + name + "_steps.pt");
}

int main() {
  torch::manual_seed(0);
  torch::save(torch::arange(6, torch::kFloat).reshape({2, 3}).t(), "libtorch_tensor.pt");
  torch::save(torch::ones({2}, torch::requires_grad()), "libtorch_requires.pt");
  std::vector<torch::Tensor> list;
  for (int i = 0; i < 12; ++i) list.push_back(torch::full({i % 3}, i, i % 2 ? torch::kFloat : torch::kLong));
  torch::save(list, "libtorch_list.pt");
  const auto net = std::make_shared<Net>();
  torch::save(net, "libtorch_net.pt");
  torch::nn::Sequential layers(torch::nn::Linear(2, 3), torch::nn::ReLU(), torch::nn::Linear(3, 1));
  torch::save(layers, "libtorch_sequential.pt");
  using namespace torch::optim;
  optimizer<SGD>("sgd", SGDOptions(0.5).momentum(0.9), SGDOptions(0.25).momentum(0.5));
  optimizer<Adam>("adam", AdamOptions(0.5).amsgrad(true), AdamOptions(0.25).betas({0.8, 0.95}));
  optimizer<RMSprop>("rmsprop", RMSpropOptions(0.5).centered(true).momentum(0.9), RMSpropOptions(0.25));
  torch::serialize::OutputArchive archive, nested;
  archive.write("x", torch::arange(4));
  archive.write("n", torch::IValue(int64_t{3}));
  archive.write("text", torch::IValue("hi"));
  archive.write("real", torch::IValue(2.5));
  archive.write("list", torch::IValue(std::vector<int64_t>{1, 2}));
  nested.write("y", torch::ones({2}));
  nested.write("buffer", torch::zeros({1}), true);
  archive.write("nested", nested);
  archive.save_to("libtorch_archive.pt");
}
