#include "fuzz/fuzz.h"
#include "tapir/io/pt.h"

using namespace tapir;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    auto in = fuzz::stream(data, size);
    static_cast<void>(load_pt(in));
  } catch (const IOError&) {
  }
  return 0;
}
