// The two libraries that decode images.
#pragma once

#include <string>
#include <vector>

#include "tapir/tensor/array_ref.h"

namespace tapir::data::detail {

/// Rows of pixels, their channels side by side.
struct Pixels {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> bytes;
};

/// What is wrong with the image, or "": then `out` holds it. JPEGs have 1 or 3 channels, PNGs 1 to 4.
std::string decode_jpeg(ArrayRef<uint8_t> bytes, bool gray, int64_t max_pixels, Pixels& out);
std::string decode_png(ArrayRef<uint8_t> bytes, int64_t max_pixels, Pixels& out);
/// Makes room for an image, or says why there is none.
std::string reserve(int64_t height, int64_t width, int64_t channels, int64_t max_pixels, Pixels& out);

}  // namespace tapir::data::detail
