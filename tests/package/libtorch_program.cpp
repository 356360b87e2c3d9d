#include <torch/torch.h>

// A program written for libtorch, built with Tapir's package: exits with 0 if what it got works.
int main() { return torch::ones({2, 3}).sum().item<float>() == 6.0f ? 0 : 1; }
