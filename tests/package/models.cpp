#include <cstdio>

#include <tapir/models/resnet.h>
#include <tapir/tapir.h>

int main() {
  auto model = tapir::models::resnet18(2);
  model->eval();
  std::printf("%zu\n", static_cast<size_t>(model->forward(tapir::zeros({1, 3, 32, 32})).size(1)));
}
