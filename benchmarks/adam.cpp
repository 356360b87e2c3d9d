// A step of Adam over 10 million parameters in 100 tensors.
#include <torch/torch.h>

#include <memory>
#include <vector>

#include "bench.h"

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  suite.add("adam/10M", [] {
    torch::manual_seed(1);
    std::vector<torch::Tensor> parameters;
    for (int i = 0; i < 100; ++i) {
      parameters.push_back(torch::randn({100, 1000}).set_requires_grad(true));
      parameters.back().mutable_grad() = torch::randn({100, 1000});
    }
    auto adam = std::make_shared<torch::optim::Adam>(parameters, torch::optim::AdamOptions(1e-3));
    return [=] {
      adam->step();
      return parameters[0][0][0].detach();
    };
  });
  return suite.run();
}
