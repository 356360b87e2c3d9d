// Images from JPEG and PNG files.
#pragma once

#include <string>

#include "tapir/tensor/tensor.h"

namespace tapir::data {

/// The channels of an image that is read.
enum class ImageMode {
  kUnchanged,  ///< as the file has them: gray, gray and alpha, RGB or RGBA
  kGray,       ///< one, the luminance
  kRGB,        ///< three; alpha is left out
};

/// Images with more pixels than that are refused, so that a small file cannot take any amount of memory.
inline constexpr int64_t kMaxPixels = int64_t{1} << 27;

/// The image in a JPEG or PNG file, whichever it is by its content: (C, H, W) uint8, 16-bit PNGs scaled to 8.
/// The values are libjpeg-turbo's and libpng's, without correction of gamma or colour profile; CMYK becomes
/// RGB. Throws IOError, which names the file, where it cannot be read, is no such image, is damaged or cut
/// short, has more than `max_pixels`, or where Tapir was built without the library for it.
TAPIR_API Tensor read_image(const std::string& path, ImageMode mode = ImageMode::kUnchanged,
                            int64_t max_pixels = kMaxPixels);
/// The same of a file's bytes.
TAPIR_API Tensor decode_image(ArrayRef<uint8_t> bytes, ImageMode mode = ImageMode::kUnchanged,
                              int64_t max_pixels = kMaxPixels);

/// An image (C, H, W) uint8 in another size, (C, height, width): each pixel is the mean of the old ones about
/// its place, weighted by a triangle as wide as two new pixels (two old ones where it grows): bilinear
/// interpolation with antialiasing, as Pillow does it. Throws ShapeError, DTypeError, ValueError for a size
/// below one.
TAPIR_API Tensor resize_image(const Tensor& image, int64_t height, int64_t width);

}  // namespace tapir::data
