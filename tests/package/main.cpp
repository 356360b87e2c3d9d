#include <tapir/tapir.h>

// Built by users of the package: exits with 0 if the library they got works.
int main() {
  auto x = tapir::Tensor::empty({2, 3}, tapir::kFloat).fill_(1.5);
  return (x + x).data_ptr<float>()[5] == 3.0f ? 0 : 1;
}
