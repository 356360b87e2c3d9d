#include <torch/torch.h>

// A program written for libtorch, built with Tapir's package: exits with 0 if what it got works.
int main() {
  auto x = torch::Tensor::empty({2, 3}, torch::kFloat).fill_(1.5);
  return (x + x).data_ptr<float>()[5] == 3.0f ? 0 : 1;
}
