// Weights of Python's taken over by name, in the way that libtorch's users do it: the bytes of a file that
// torch.save wrote, through pickle_load. Here pickle_save makes the bytes.
#include <torch/torch.h>

#include <iostream>
#include <vector>

struct NetImpl : torch::nn::Module {
  NetImpl() {
    first = register_module("first", torch::nn::Linear(3, 4));
    second = register_module("second", torch::nn::Linear(4, 2));
  }
  torch::Tensor forward(torch::Tensor x) { return second(torch::relu(first(x))); }
  torch::nn::Linear first{nullptr}, second{nullptr};
};
TORCH_MODULE(Net);

void load_parameters(Net& net, const std::vector<char>& bytes) {
  c10::Dict<torch::IValue, torch::IValue> weights = torch::pickle_load(bytes).toGenericDict();
  torch::NoGradGuard no_grad;
  const auto parameters = net->named_parameters();
  for (auto const& w : weights) {
    std::string name = w.key().toStringRef();
    torch::Tensor value = w.value().toTensor();
    if (!parameters.contains(name)) throw std::runtime_error(name + " is no parameter");
    parameters[name].data().copy_(value);
  }
}

int main() {
  torch::manual_seed(1);
  Net trained, net;
  c10::impl::GenericDict state;
  for (const auto& p : trained->named_parameters()) state.insert_or_assign(p.key(), p.value().detach());
  load_parameters(net, torch::pickle_save(state));
  const torch::Tensor x = torch::randn({5, 3});
  if (!torch::equal(net(x), trained(x))) {
    std::cerr << "the weights did not arrive\n";
    return 1;
  }
  return 0;
}
