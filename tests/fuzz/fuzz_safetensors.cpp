#include "fuzz/fuzz.h"
#include "tapir/io/safetensors.h"

using namespace tapir;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    auto in = fuzz::stream(data, size);
    const SafeTensors file = load_safetensors(in);
    for (const auto& [name, t] : file.tensors) fuzz::touch(t);
    std::stringstream again;
    save_safetensors(again, file.tensors, file.metadata);
    fuzz::require(load_safetensors(again).metadata == file.metadata);
  } catch (const IOError&) {
  }
  return 0;
}
