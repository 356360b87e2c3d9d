#include "tapir/data/image_codec.h"

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "tapir/tensor/error_format.h"
#if TAPIR_HAVE_JPEG
#include <jerror.h>
#include <jpeglib.h>
#endif
#if TAPIR_HAVE_PNG
#include <png.h>
#endif

// Note [Errors of C libraries]
// Both libraries report an error by a call that must not return: it jumps back to where setjmp was called.
// The functions that call setjmp hold no object with a destructor, and what must survive the jump lies in a
// struct of their caller's.

namespace tapir::data::detail {

std::string reserve(int64_t height, int64_t width, int64_t channels, int64_t max_pixels, Pixels& out) {
  if (height < 1 || width < 1) return fmt::format("its size is {} by {}", height, width);
  if (height > max_pixels / width)
    return fmt::format("its size is {} by {}, more than {} pixels", height, width, max_pixels);
  out.height = height;
  out.width = width;
  out.channels = channels;
  out.bytes.resize(static_cast<size_t>(height * width * channels));
  return "";
}

#if TAPIR_HAVE_JPEG

namespace {

struct Jpeg {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf back;
  char message[JMSG_LENGTH_MAX] = "";
  ~Jpeg() { jpeg_destroy_decompress(&info); }
};

[[noreturn]] void jpeg_failed(j_common_ptr info) {
  Jpeg& jpeg = *static_cast<Jpeg*>(info->client_data);
  info->err->format_message(info, jpeg.message);
  std::longjmp(jpeg.back, 1);
}

// Warnings are about data that is damaged or cut short, for which libjpeg makes something up; what goes on
// behind the data, or is odd in its header, harms nothing.
void jpeg_message(j_common_ptr info, int level) {
  const int code = info->err->msg_code;
  if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM && code != JWRN_JFIF_MAJOR &&
      code != JWRN_BOGUS_PROGRESSION)
    jpeg_failed(info);
}

bool jpeg_header(Jpeg& jpeg, ArrayRef<uint8_t> bytes, bool gray) {
  if (setjmp(jpeg.back)) return false;
  jpeg_create_decompress(&jpeg.info);
  jpeg.info.client_data = &jpeg;
  jpeg_mem_src(&jpeg.info, const_cast<unsigned char*>(bytes.data()), bytes.size());
  jpeg_read_header(&jpeg.info, TRUE);
  const J_COLOR_SPACE space = jpeg.info.jpeg_color_space;
  if (space == JCS_CMYK || space == JCS_YCCK)
    jpeg.info.out_color_space = JCS_CMYK;
  else
    jpeg.info.out_color_space =
        space == JCS_GRAYSCALE || (gray && space == JCS_YCbCr) ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_calc_output_dimensions(&jpeg.info);
  return true;
}

bool jpeg_rows(Jpeg& jpeg, uint8_t* to, size_t stride) {
  if (setjmp(jpeg.back)) return false;
  jpeg_start_decompress(&jpeg.info);
  while (jpeg.info.output_scanline < jpeg.info.output_height) {
    JSAMPROW row = to + jpeg.info.output_scanline * stride;
    jpeg_read_scanlines(&jpeg.info, &row, 1);
  }
  jpeg_finish_decompress(&jpeg.info);
  return true;
}

// In place, three bytes for four. Adobe's files hold the inverse of the inks.
void rgb_of_cmyk(Pixels& p, bool inverted) {
  const size_t count = p.bytes.size() / 4;
  for (size_t i = 0; i < count; ++i)
    for (size_t c = 0; c < 3; ++c) {
      const unsigned ink = p.bytes[4 * i + c], black = p.bytes[4 * i + 3];
      const unsigned product = inverted ? ink * black : (255 - ink) * (255 - black);
      p.bytes[3 * i + c] = static_cast<uint8_t>((product + 127) / 255);
    }
  p.channels = 3;
  p.bytes.resize(3 * count);
}

}  // namespace

std::string decode_jpeg(ArrayRef<uint8_t> bytes, bool gray, int64_t max_pixels, Pixels& out) {
  Jpeg jpeg;
  jpeg.info.err = jpeg_std_error(&jpeg.errors);
  jpeg.info.client_data = &jpeg;
  jpeg.errors.error_exit = jpeg_failed;
  jpeg.errors.emit_message = jpeg_message;
  if (!jpeg_header(jpeg, bytes, gray)) return jpeg.message;
  if (std::string fault = reserve(jpeg.info.output_height, jpeg.info.output_width,
                                  jpeg.info.output_components, max_pixels, out);
      !fault.empty())
    return fault;
  if (!jpeg_rows(jpeg, out.bytes.data(), static_cast<size_t>(out.width * out.channels))) return jpeg.message;
  if (out.channels == 4) rgb_of_cmyk(out, jpeg.info.saw_Adobe_marker);
  return "";
}

#else

std::string decode_jpeg(ArrayRef<uint8_t>, bool, int64_t, Pixels&) {
  return "it is a JPEG image, but Tapir was built without libjpeg (Debian: libjpeg62-turbo-dev, Ubuntu: "
         "libjpeg-turbo8-dev)";
}

#endif

#if TAPIR_HAVE_PNG

namespace {

struct Png {
  png_structp png = nullptr;
  png_infop info = nullptr;
  const uint8_t* data = nullptr;
  size_t left = 0;
  char message[200] = "";
  ~Png() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void png_failed(png_structp png, png_const_charp what) {
  Png& state = *static_cast<Png*>(png_get_error_ptr(png));
  std::snprintf(state.message, sizeof(state.message), "%s", what);
  png_longjmp(png, 1);
}

void png_warned(png_structp, png_const_charp) {}

void png_take(png_structp png, png_bytep to, size_t n) {
  Png& state = *static_cast<Png*>(png_get_io_ptr(png));
  if (n > state.left) png_error(png, "it is cut short");
  std::memcpy(to, state.data, n);
  state.data += n;
  state.left -= n;
}

bool png_header(Png& state) {
  if (setjmp(png_jmpbuf(state.png))) return false;
  png_set_read_fn(state.png, &state, png_take);
  png_read_info(state.png, state.info);
  const int type = png_get_color_type(state.png, state.info);
  if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(state.png);
  if (type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(state.png, state.info) < 8)
    png_set_expand_gray_1_2_4_to_8(state.png);
  if (png_get_valid(state.png, state.info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(state.png);
  if (png_get_bit_depth(state.png, state.info) == 16) png_set_scale_16(state.png);
  png_set_interlace_handling(state.png);
  return true;
}

bool png_rows(Png& state, uint8_t* to, size_t stride) {
  if (setjmp(png_jmpbuf(state.png))) return false;
  const int passes = png_set_interlace_handling(state.png);
  png_read_update_info(state.png, state.info);
  if (png_get_rowbytes(state.png, state.info) != stride)
    png_error(state.png, "its rows are of another length");
  const png_uint_32 height = png_get_image_height(state.png, state.info);
  for (int pass = 0; pass < passes; ++pass)
    for (png_uint_32 y = 0; y < height; ++y) png_read_row(state.png, to + y * stride, nullptr);
  png_read_end(state.png, nullptr);
  return true;
}

}  // namespace

std::string decode_png(ArrayRef<uint8_t> bytes, int64_t max_pixels, Pixels& out) {
  Png state;
  state.data = bytes.data();
  state.left = bytes.size();
  state.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, png_failed, png_warned);
  if (state.png) state.info = png_create_info_struct(state.png);
  if (!state.info) return "there is no memory to read it";
  if (!png_header(state)) return state.message;
  const int type = png_get_color_type(state.png, state.info);
  const bool color = (type & (PNG_COLOR_MASK_COLOR | PNG_COLOR_MASK_PALETTE)) != 0;
  const bool alpha =
      (type & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(state.png, state.info, PNG_INFO_tRNS) != 0;
  if (std::string fault =
          reserve(png_get_image_height(state.png, state.info), png_get_image_width(state.png, state.info),
                  (color ? 3 : 1) + alpha, max_pixels, out);
      !fault.empty())
    return fault;
  if (!png_rows(state, out.bytes.data(), static_cast<size_t>(out.width * out.channels))) return state.message;
  return "";
}

#else

std::string decode_png(ArrayRef<uint8_t>, int64_t, Pixels&) {
  return "it is a PNG image, but Tapir was built without libpng (Debian and Ubuntu: libpng-dev)";
}

#endif

}  // namespace tapir::data::detail
