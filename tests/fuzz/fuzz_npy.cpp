#include "fuzz/fuzz.h"
#include "tapir/io/npy.h"

using namespace tapir;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    auto in = fuzz::stream(data, size);
    const Tensor t = load_npy(in);
    fuzz::touch(t);
    std::stringstream again;
    save_npy(again, t);
    fuzz::require(load_npy(again).sizes() == t.sizes());
  } catch (const IOError&) {
  }
  return 0;
}
