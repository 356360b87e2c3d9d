#include "fuzz/fuzz.h"
#include "tapir/data/image.h"

using namespace tapir;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  for (const auto mode : {data::ImageMode::kUnchanged, data::ImageMode::kGray, data::ImageMode::kRGB}) try {
      const Tensor image = data::decode_image({bytes, size}, mode, 1 << 14);
      fuzz::touch(image);
      fuzz::touch(data::resize_image(image, 3, 5));
    } catch (const IOError&) {
    }
  return 0;
}
