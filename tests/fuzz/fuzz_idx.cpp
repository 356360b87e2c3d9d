#include "fuzz/fuzz.h"
#include "tapir/data/datasets/mnist.h"

using namespace tapir;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const fuzz::File file(data, size);
    fuzz::touch(data::datasets::read_idx(file.path()));
  } catch (const IOError&) {
  }
  return 0;
}
