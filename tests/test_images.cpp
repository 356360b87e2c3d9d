#include <algorithm>
#include <filesystem>

#include "support/catch.h"
#include "support/temporary_folder.h"
#include "support/tensors.h"
#include "support/values.h"
#include "tapir/data/datasets/image_folder.h"
#include "tapir/io/npy.h"

using namespace tapir;
using namespace tapir::data;

namespace {

const std::string kFolder = TAPIR_TEST_DIR "/oracle/images/";

// What Pillow makes of the images, by "FILE" or "FILE.MODE".
const OrderedDict<std::string, Tensor>& pillow() {
  static const auto values = load_npz(kFolder + "values.npz");
  return values;
}

Tensor decode(const std::string& bytes, ImageMode mode = ImageMode::kUnchanged,
              int64_t max_pixels = kMaxPixels) {
  return decode_image({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, mode, max_pixels);
}

double largest_difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  const auto x = values::of(a), y = values::of(b);
  double largest = 0;
  for (size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::abs(x[i] - y[i]));
  return largest;
}

}  // namespace

TEST_CASE("PNG and JPEG images of every kind have Pillow's values") {
  size_t images = 0;
  for (const auto& item : pillow()) {
    const std::string& key = item.key();
    if (key.starts_with("resize")) continue;
    INFO(key);
    const size_t dot = key.find('.', key.find('.') + 1);
    const std::string file = key.substr(0, dot), mode = dot == std::string::npos ? "" : key.substr(dot + 1);
    // "L" is gray, "LA" and "RGBA" the file's own.
    const Tensor got = read_image(kFolder + file, mode == "L"     ? ImageMode::kGray
                                                  : mode == "RGB" ? ImageMode::kRGB
                                                                  : ImageMode::kUnchanged);
    // Pillow rounds the product of inks in its own way.
    if (file == "cmyk.jpg")
      CHECK(largest_difference(got, item.value()) <= 1);
    else
      CHECK_SAME(got, item.value());
    ++images;
  }
  CHECK(images == 18);
  CHECK(read_image(kFolder + "gray.jpg").sizes()[0] == 1);
  CHECK(read_image(kFolder + "rgb.jpg").sizes()[0] == 3);
  CHECK(read_image(kFolder + "palette.png").sizes()[0] == 3);
}

TEST_CASE("images are resized as Pillow does it") {
  const Tensor image = read_image(kFolder + "rgb.png");
  size_t sizes = 0;
  for (const auto& item : pillow()) {
    if (!item.key().starts_with("resize")) continue;
    INFO(item.key());
    // Its weights are in fixed point, so that a half may be rounded the other way.
    const Tensor resized = resize_image(image, item.value().sizes()[1], item.value().sizes()[2]);
    CHECK(largest_difference(resized, item.value()) <= 1);
    ++sizes;
  }
  CHECK(sizes == 5);
  CHECK_SAME(resize_image(image, image.sizes()[1], image.sizes()[2]), image);
  CHECK_THROWS_AS(resize_image(image, 0, 3), ValueError);
  CHECK_THROWS_AS(resize_image(values::make({1, 2}), 1, 1), ShapeError);
  CHECK_THROWS_AS(resize_image(values::make({1, 2}, {1, 1, 2}), 1, 1), DTypeError);
}

TEST_CASE("an image that is damaged or cut short gets an IOError that names the file") {
  for (const char* name :
       {"rgb.png", "palette.png", "interlaced.png", "rgb.jpg", "progressive.jpg", "cmyk.jpg"}) {
    INFO(name);
    const std::string bytes = read_file(kFolder + name);
    const Tensor whole = decode(bytes);
    for (size_t n = 0; n < bytes.size(); ++n) {
      INFO("cut to " << n);
      try {
        // Only what lies behind the last pixel may be missing.
        const Tensor part = decode(bytes.substr(0, n));
        CHECK_SAME(part, whole);
        CHECK(n + 20 > bytes.size());
      } catch (const IOError&) {
      }
    }
    for (size_t i = 0; i < bytes.size(); ++i) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << i % 8));
      try {
        const Tensor image = decode(changed, ImageMode::kRGB, 1 << 16);
        CHECK(image.sizes()[0] == 3);
      } catch (const IOError&) {
      }
    }
  }
  const TemporaryFolder folder;
  write_file(folder / "x.png", "GIF89a");
  const std::string message = message_of<IOError>([&] { read_image(folder / "x.png"); });
  CHECK(contains(message, folder / "x.png"));
  CHECK(contains(message, "neither a JPEG nor a PNG"));
  CHECK_THROWS_AS(read_image(folder / "missing.png"), IOError);
  CHECK(contains(message_of<IOError>([&] { read_image(kFolder + "rgb.png", ImageMode::kRGB, 100); }),
                 "11 by 17, more than 100 pixels"));
}

TEST_CASE("a folder of images has a class for each folder in it") {
  const TemporaryFolder folder;
  namespace fs = std::filesystem;
  fs::create_directories(folder / "dog/more");
  fs::create_directories(folder / "cat");
  fs::copy(kFolder + "rgb.png", folder / "dog/b.PNG");
  fs::copy(kFolder + "gray.jpg", folder / "dog/a.jpeg");
  fs::copy(kFolder + "rgba.png", folder / "dog/more/c.png");
  fs::copy(kFolder + "rgb.jpg", folder / "cat/z.jpg");
  write_file(folder / "cat/notes.txt", "no image");
  datasets::ImageFolder images(folder.path());
  CHECK(images.classes() == std::vector<std::string>{"cat", "dog"});
  REQUIRE(*images.size() == 4);
  CHECK(images.files()[1].first == folder / "dog/a.jpeg");
  const auto example = images.get(2);
  CHECK(example.target.item<int64_t>() == 1);
  CHECK(values::sizes(example.data) == std::vector<int64_t>{3, 11, 17});
  CHECK(example.data.accessor<float, 3>()[0][0][16] == 240.0f / 255.0f);
  CHECK(images.get(0).target.item<int64_t>() == 0);
  CHECK_THROWS_AS(images.get(4), IndexError);

  datasets::ImageFolder sized(folder.path(),
                              datasets::ImageFolderOptions().size({8, 8}).mode(ImageMode::kGray));
  for (size_t i = 0; i < *sized.size(); ++i)
    CHECK(values::sizes(sized.get(i).data) == std::vector<int64_t>{1, 8, 8});

  write_file(folder / "cat/z.jpg", "damaged");
  CHECK(contains(message_of<IOError>([&] { images.get(0); }), folder / "cat/z.jpg"));
  fs::create_directory(folder / "empty");
  CHECK(contains(message_of<IOError>([&] { datasets::ImageFolder(folder.path()); }), folder / "empty"));
  CHECK_THROWS_AS(datasets::ImageFolder(folder / "cat"), IOError);
  CHECK_THROWS_AS(datasets::ImageFolder(folder / "missing"), IOError);
}
