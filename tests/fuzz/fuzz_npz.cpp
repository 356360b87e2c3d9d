#include "fuzz/fuzz.h"
#include "tapir/io/npy.h"

using namespace tapir;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    auto in = fuzz::stream(data, size);
    for (const auto& item : load_npz(in)) fuzz::touch(item.value());
  } catch (const IOError&) {
  }
  return 0;
}
