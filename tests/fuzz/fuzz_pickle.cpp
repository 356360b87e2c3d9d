// The pickle of a checkpoint without its archive, whose checksums would keep a fuzzer from it.
#include "fuzz/fuzz.h"
#include "tapir/io/pickle.h"
#include "tapir/io/pt.h"

using namespace tapir;

namespace {

// Values, not more than some: a short pickle may hold one list very often.
void touch(const IValue& v, int& left) {
  if (left-- <= 0) return;
  if (v.isTensor()) fuzz::touch(v.toTensor());
  if (v.isList())
    for (const IValue& x : v.toList()) touch(x, left);
  if (v.isTuple())
    for (const IValue& x : v.toTupleRef().elements()) touch(x, left);
  if (v.isGenericDict())
    for (const auto& entry : v.toGenericDict()) touch(entry.value(), left);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const std::string pickle = fuzz::text(data, size);
    const IValue value = io::unpickle(pickle, "fuzz", [](const std::string&, DType dtype, int64_t numel) {
      if (numel > 1000) throw IOError("no such storage");
      return StorageImpl::make(static_cast<size_t>(numel) * item_size(dtype), kCPU);
    });
    int left = 10000;
    touch(value, left);
  } catch (const IOError&) {
  }
  return 0;
}
