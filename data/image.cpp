#include "tapir/data/image.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "tapir/data/datasets/text_file.h"
#include "tapir/data/image_codec.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir::data {

namespace {

// Rows of pixels to planes of channels, of which the first `channels` are wanted.
Tensor planes(const detail::Pixels& p, int64_t channels) {
  const Tensor out = Tensor::empty({channels, p.height, p.width}, kUInt8);
  uint8_t* to = out.data_ptr<uint8_t>();
  const int64_t count = p.height * p.width;
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t i = 0; i < count; ++i) *to++ = p.bytes[static_cast<size_t>(i * p.channels + c)];
  return out;
}

// The luminance of ITU-R 601, in Pillow's fixed point.
Tensor gray_of(const detail::Pixels& p) {
  const Tensor out = Tensor::empty({1, p.height, p.width}, kUInt8);
  uint8_t* to = out.data_ptr<uint8_t>();
  for (size_t i = 0; i < p.bytes.size(); i += static_cast<size_t>(p.channels))
    *to++ = static_cast<uint8_t>(
        (19595u * p.bytes[i] + 38470u * p.bytes[i + 1] + 7471u * p.bytes[i + 2] + 0x8000u) >> 16);
  return out;
}

Tensor repeated(const Tensor& gray) {
  const Layout& l = gray.layout_of();
  return raw::clone_contiguous(gray.alias(l.expand({3, l.sizes[1], l.sizes[2]})));
}

Tensor decode(ArrayRef<uint8_t> bytes, ImageMode mode, int64_t max_pixels, const std::string& label) {
  detail::Pixels p;
  std::string fault;
  const std::string_view start(reinterpret_cast<const char*>(bytes.data()),
                               std::min<size_t>(bytes.size(), 8));
  if (start.starts_with("\xff\xd8\xff"))
    fault = detail::decode_jpeg(bytes, mode == ImageMode::kGray, max_pixels, p);
  else if (start == "\x89PNG\r\n\x1a\n")
    fault = detail::decode_png(bytes, max_pixels, p);
  else
    fault = "it is neither a JPEG nor a PNG image";
  if (!fault.empty()) throw_error<IOError>("read_image: {}: {}", label, fault);
  const bool color = p.channels >= 3;
  switch (mode) {
    case ImageMode::kUnchanged:
      return planes(p, p.channels);
    case ImageMode::kGray:
      return color ? gray_of(p) : planes(p, 1);
    case ImageMode::kRGB:
      return color ? planes(p, 3) : repeated(planes(p, 1));
  }
  throw_error<ValueError>("read_image: got the mode {}", static_cast<int>(mode));
}

// For each new place the old ones it takes and their weights.
struct Filter {
  std::vector<int64_t> first;
  std::vector<std::vector<float>> weights;
};

Filter triangle(int64_t from, int64_t to) {
  Filter f;
  const double scale = static_cast<double>(from) / static_cast<double>(to), width = std::max(scale, 1.0);
  for (int64_t i = 0; i < to; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t begin = std::max<int64_t>(static_cast<int64_t>(center - width + 0.5), 0);
    const int64_t end = std::min<int64_t>(static_cast<int64_t>(center + width + 0.5), from);
    std::vector<double> w;
    double sum = 0;
    for (int64_t j = begin; j < end; ++j) {
      w.push_back(std::max(0.0, 1 - std::abs((static_cast<double>(j) + 0.5 - center) / width)));
      sum += w.back();
    }
    f.first.push_back(begin);
    auto& weights = f.weights.emplace_back();
    for (const double x : w) weights.push_back(static_cast<float>(x / sum));
  }
  return f;
}

uint8_t rounded(float v) { return static_cast<uint8_t>(std::clamp(v + 0.5f, 0.0f, 255.0f)); }

}  // namespace

Tensor decode_image(ArrayRef<uint8_t> bytes, ImageMode mode, int64_t max_pixels) {
  return decode(bytes, mode, max_pixels, "the data");
}

Tensor read_image(const std::string& path, ImageMode mode, int64_t max_pixels) {
  const std::string text = datasets::read_text("read_image", path);
  return decode({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, mode, max_pixels,
                '"' + path + '"');
}

Tensor resize_image(const Tensor& image, int64_t height, int64_t width) {
  TAPIR_CHECK_AS(ShapeError, image.dim() == 3 && image.sizes()[1] > 0 && image.sizes()[2] > 0,
                 "resize_image: got sizes {}, expected an image (C, H, W)", image.sizes());
  TAPIR_CHECK_AS(DTypeError, image.dtype() == kUInt8, "resize_image: got {}, expected uint8", image.dtype());
  TAPIR_CHECK_AS(ValueError, height > 0 && width > 0,
                 "resize_image: got the size {} by {}, expected one above 0", height, width);
  const Tensor in = raw::contiguous(image);
  const int64_t channels = in.sizes()[0], old_height = in.sizes()[1], old_width = in.sizes()[2];
  // Across, then down, rounded between as Pillow does it.
  const Filter across = triangle(old_width, width), down = triangle(old_height, height);
  const Tensor half = Tensor::empty({channels, old_height, width}, kUInt8);
  const Tensor out = Tensor::empty({channels, height, width}, kUInt8);
  const uint8_t* from = in.data_ptr<uint8_t>();
  uint8_t* to = half.data_ptr<uint8_t>();
  for (int64_t row = 0; row < channels * old_height; ++row, from += old_width)
    for (size_t x = 0; x < across.first.size(); ++x) {
      float sum = 0;
      for (size_t k = 0; k < across.weights[x].size(); ++k)
        sum += across.weights[x][k] * from[across.first[x] + static_cast<int64_t>(k)];
      *to++ = rounded(sum);
    }
  to = out.data_ptr<uint8_t>();
  std::vector<float> sums(static_cast<size_t>(width));
  for (int64_t c = 0; c < channels; ++c)
    for (size_t y = 0; y < down.first.size(); ++y) {
      std::fill(sums.begin(), sums.end(), 0.0f);
      for (size_t k = 0; k < down.weights[y].size(); ++k) {
        const uint8_t* row =
            half.data_ptr<uint8_t>() + (c * old_height + down.first[y] + static_cast<int64_t>(k)) * width;
        for (size_t x = 0; x < sums.size(); ++x) sums[x] += down.weights[y][k] * row[x];
      }
      for (const float s : sums) *to++ = rounded(s);
    }
  return out;
}

}  // namespace tapir::data
