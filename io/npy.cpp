#include "tapir/io/npy.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <ostream>
#include <string_view>
#include <vector>

#include "tapir/io/bytes.h"
#include "tapir/io/file.h"
#include "tapir/io/zip.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

static_assert(std::endian::native == std::endian::little, "written without swapping bytes");

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kAlignment = 64;
constexpr size_t kMaxHeader = 1 << 20;

constexpr std::pair<DType, std::string_view> kDTypeCodes[] = {
    {kUInt8, "u1"},   {kInt8, "i1"},    {kInt16, "i2"},   {kInt32, "i4"}, {kInt64, "i8"},
    {kFloat16, "f2"}, {kFloat32, "f4"}, {kFloat64, "f8"}, {kBool, "b1"},  {kBFloat16, "V2"}};

// What NumPy calls its other dtypes, by the letter of the code.
std::string_view kind_of(char letter) {
  switch (letter) {
    case 'u':
      return "unsigned integers";
    case 'c':
      return "complex numbers";
    case 'f':
      return "floats";
    case 'S':
    case 'a':
    case 'U':
      return "text";
    case 'O':
      return "Python objects (pickled, which may run any code)";
    case 'M':
    case 'm':
      return "times";
    case 'V':
      return "records";
    default:
      return "";
  }
}

struct Header {
  DType dtype = kFloat32;
  bool swapped = false, fortran = false;
  std::vector<int64_t> shape;
};

// The header is a Python dict: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }. `fail` throws.
template <class Fail>
class HeaderParser {
 public:
  HeaderParser(std::string_view text, Fail& fail) : text_(text), fail_(fail) {}

  Header parse() {
    expect('{', "a dict");
    while (!take('}')) {
      const std::string_view key = quoted("a key");
      expect(':', "\":\" after a key");
      if (key == "descr")
        once(has_descr_, key), descr();
      else if (key == "fortran_order")
        once(has_order_, key), header_.fortran = boolean();
      else if (key == "shape")
        once(has_shape_, key), shape();
      else
        fail_(fmt::format("its header has the key \"{}\", expected descr, fortran_order and shape",
                          io::shown(key)));
      if (!take(',')) {
        expect('}', "\",\" or \"}\"");
        break;
      }
    }
    space();
    if (!text_.empty())
      fail_(fmt::format("its header goes on with \"{}\" behind the dict", io::shown(text_)));
    if (!has_descr_ || !has_order_ || !has_shape_)
      fail_(fmt::format("its header has no \"{}\"", !has_descr_   ? "descr"
                                                    : !has_order_ ? "fortran_order"
                                                                  : "shape"));
    return std::move(header_);
  }

 private:
  void space() {
    while (!text_.empty() && (text_[0] == ' ' || text_[0] == '\n' || text_[0] == '\t' || text_[0] == '\r'))
      text_.remove_prefix(1);
  }
  bool take(char c) {
    space();
    if (text_.empty() || text_[0] != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c, const char* what) {
    if (!take(c)) fail_(fmt::format("its header has \"{}\" in the place of {}", io::shown(text_), what));
  }
  void once(bool& had, std::string_view key) {
    if (had) fail_(fmt::format("its header has \"{}\" twice", key));
    had = true;
  }
  std::string_view quoted(const char* what) {
    space();
    const char mark = text_.empty() ? '\0' : text_[0];
    const size_t end = mark == '\'' || mark == '"' ? text_.find(mark, 1) : std::string_view::npos;
    if (end == std::string_view::npos)
      fail_(fmt::format("its header has \"{}\" in the place of {}", io::shown(text_), what));
    const std::string_view result = text_.substr(1, end - 1);
    text_.remove_prefix(end + 1);
    return result;
  }
  bool boolean() {
    space();
    for (const auto& [word, value] : {std::pair<std::string_view, bool>{"True", true}, {"False", false}})
      if (text_.starts_with(word)) {
        text_.remove_prefix(word.size());
        return value;
      }
    fail_(fmt::format("its header has \"{}\" for fortran_order, expected True or False", io::shown(text_)));
    return false;
  }
  void descr() {
    space();
    if (text_.starts_with('[')) fail_("its elements are records, which Tapir does not have");
    const std::string_view code = quoted("a dtype");
    std::string_view name = code;
    const char order = name.empty() ? '\0' : name[0];
    if (order == '<' || order == '>' || order == '|' || order == '=') name.remove_prefix(1);
    for (const auto& [dtype, n] : kDTypeCodes)
      if (name == n) {
        header_.dtype = dtype;
        header_.swapped = order == '>' && item_size(dtype) > 1;
        return;
      }
    const std::string_view kind = name.empty() ? "" : kind_of(name[0]);
    if (kind.empty())
      fail_(fmt::format("its header has the dtype \"{}\", which NumPy does not", io::shown(code)));
    fail_(fmt::format(
        "its elements are of NumPy's dtype \"{}\", {}; Tapir has no such dtype. In Python, convert it "
        "with astype first",
        io::shown(code), kind));
  }
  void shape() {
    expect('(', "a tuple");
    while (!take(')')) {
      space();
      int64_t n = 0;
      size_t digits = 0;
      for (; digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9'; ++digits)
        if (__builtin_mul_overflow(n, int64_t{10}, &n) || __builtin_add_overflow(n, text_[digits] - '0', &n))
          fail_("its header has a size beyond 2^63");
      if (digits == 0) fail_(fmt::format("its header has \"{}\" in the place of a size", io::shown(text_)));
      text_.remove_prefix(digits);
      if (!text_.empty() && text_[0] == 'L') text_.remove_prefix(1);  // Python 2's
      header_.shape.push_back(n);
      if (header_.shape.size() > static_cast<size_t>(kMaxDims))
        fail_(fmt::format("it has more dimensions than the {} that Tapir has", kMaxDims));
      if (!take(',')) {
        expect(')', "\",\" or \")\"");
        break;
      }
    }
  }

  std::string_view text_;
  Fail& fail_;
  Header header_;
  bool has_descr_ = false, has_order_ = false, has_shape_ = false;
};

void swap_bytes(const Tensor& t) {
  std::byte* p = static_cast<std::byte*>(t.data_ptr());
  const size_t item = t.itemsize();
  for (int64_t i = 0; i < t.numel(); ++i, p += item) std::reverse(p, p + item);
}

// A whole .npy file, or throws through `fail`.
template <class Fail>
Tensor parse_npy(const io::Bytes& file, Fail&& fail) {
  const char* const text = reinterpret_cast<const char*>(file.data);
  if (file.size < 10 || std::memcmp(text, kMagic.data(), kMagic.size()) != 0)
    fail("it does not begin as a .npy file does");
  const int version = static_cast<uint8_t>(text[6]);
  if (version < 1 || version > 3)
    fail(fmt::format("it is of version {}.{} of the format; Tapir reads 1 to 3", version,
                     static_cast<uint8_t>(text[7])));
  const size_t start = version == 1 ? 10 : 12;
  size_t length = 0;
  for (size_t i = std::min(start, file.size); i-- > 8;) length = length << 8 | static_cast<uint8_t>(text[i]);
  if (file.size < start || length > file.size - start)
    fail(fmt::format("it is cut short: its header has {} bytes, the file {}", length, file.size));
  if (length > kMaxHeader)
    fail(fmt::format("its header has {} bytes, Tapir takes up to {}", length, kMaxHeader));
  const Header header = HeaderParser<Fail>({text + start, length}, fail).parse();

  int64_t bytes = static_cast<int64_t>(item_size(header.dtype));
  for (const int64_t n : header.shape)  // of those beside a zero too: strides are made of them
    if (__builtin_mul_overflow(bytes, std::max<int64_t>(n, 1), &bytes))
      fail(fmt::format("its shape {} takes more than 2^63 bytes", shape_str(header.shape)));
  if (std::find(header.shape.begin(), header.shape.end(), 0) != header.shape.end()) bytes = 0;
  const size_t there = file.size - start - length;
  if (static_cast<uint64_t>(bytes) != there)
    fail(fmt::format("{} of shape {} takes {} bytes, but {} follow the header{}", header.dtype,
                     shape_str(header.shape), bytes, there,
                     there < static_cast<uint64_t>(bytes) ? ": it was cut short" : ""));

  const io::Bytes data = file.part(start + length, there);
  if (header.dtype == kBool &&
      std::any_of(data.data, data.data + there, [](std::byte b) { return std::to_integer<int>(b) > 1; }))
    fail("it has a bool that is neither 0 nor 1");
  Layout layout = Layout::of(header.shape);
  if (header.fortran && header.shape.size() > 1) {
    std::vector<int64_t> reversed(header.shape.rbegin(), header.shape.rend());
    layout = Layout::of(reversed);
    std::vector<int64_t> order(reversed.size());
    for (size_t d = 0; d < order.size(); ++d) order[d] = static_cast<int64_t>(order.size() - 1 - d);
    layout = layout.permute(order);
  }
  Tensor tensor(Ref<TensorImpl>::adopt(
      new TensorImpl(io::storage_over(data, item_size(header.dtype)), std::move(layout), header.dtype)));
  tensor = raw::contiguous(tensor);
  if (header.swapped) swap_bytes(tensor);
  return tensor;
}

std::string npy_header(const Tensor& tensor) {
  std::string shape;
  for (const int64_t n : tensor.sizes()) shape += fmt::format("{}, ", n);
  if (tensor.dim() > 1) shape.resize(shape.size() - 2);
  if (tensor.dim() == 1) shape.resize(shape.size() - 1);
  std::string_view code;
  for (const auto& [dtype, name] : kDTypeCodes)
    if (dtype == tensor.dtype()) code = name;
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}",
                                 tensor.itemsize() == 1 ? "|" : "<", code, shape);
  const size_t start = kMagic.size() + 4;
  text.append(kAlignment - 1 - (start + text.size()) % kAlignment, ' ');
  text += '\n';
  std::string header(kMagic);
  header += {'\1', '\0', static_cast<char>(text.size() & 0xff), static_cast<char>(text.size() >> 8)};
  return header + text;
}

void check_defined(const Tensor& tensor, const char* op, const std::string& what) {
  TAPIR_CHECK_AS(ValueError, tensor.defined(), "{}: {} is undefined, expected a tensor with values", op,
                 what);
}

Tensor row_major_on_cpu(const Tensor& tensor) { return raw::contiguous(raw::to_device(tensor, kCPU)); }

template <class Write>
void write_npy(const Tensor& tensor, Write&& write) {
  check_defined(tensor, "save_npy", "the tensor");
  const Tensor row_major = row_major_on_cpu(tensor);
  const std::string header = npy_header(row_major);
  write(header.data(), header.size());
  if (row_major.nbytes() > 0) write(row_major.data_ptr(), row_major.nbytes());
}

constexpr std::string_view kSuffix = ".npy";

void check_npz(const OrderedDict<std::string, Tensor>& tensors) {
  for (const auto& item : tensors) {
    const std::string& name = item.key();
    TAPIR_CHECK_AS(ValueError, name.find('\0') == std::string::npos && name.size() + kSuffix.size() <= 65535,
                   "save_npz: \"{}\" is no name for an array: it {}", io::shown(name),
                   name.size() < 65535 ? "holds '\\0'" : "is too long");
    check_defined(item.value(), "save_npz", '"' + io::shown(name) + '"');
  }
}

void write_npz(const OrderedDict<std::string, Tensor>& tensors, bool compressed, io::ZipWriter::Sink sink) {
  io::ZipWriter zip(std::move(sink));
  for (const auto& item : tensors) {
    const Tensor row_major = row_major_on_cpu(item.value());
    const std::string header = npy_header(row_major);
    const std::span<const std::byte> pieces[] = {
        std::as_bytes(std::span(header)),
        {static_cast<const std::byte*>(row_major.data_ptr()), row_major.nbytes()}};
    zip.add(item.key() + std::string(kSuffix), pieces, compressed);
  }
  zip.finish();
}

OrderedDict<std::string, Tensor> parse_npz(io::Bytes file, const std::string& label) {
  const io::ZipReader zip(std::move(file), "load_npz", label);
  OrderedDict<std::string, Tensor> tensors;
  for (const auto& member : zip.members()) {
    if (!member.name.ends_with(kSuffix))
      zip.fail(member.name, "it is no array: its name does not end in .npy");
    const auto fail = [&](const std::string& what) { zip.fail(member.name, what); };
    tensors.insert(member.name.substr(0, member.name.size() - kSuffix.size()),
                   parse_npy(zip.read(member), fail));
  }
  return tensors;
}

Tensor load_whole_npy(const io::Bytes& file, const std::string& label) {
  const auto fail = [&](const std::string& what) { throw_error<IOError>("load_npy: {}: {}", label, what); };
  return parse_npy(file, fail);
}

auto stream_sink(std::ostream& stream) {
  return [&stream](const void* data, size_t n) {
    stream.write(static_cast<const char*>(data), static_cast<std::streamsize>(n));
  };
}

}  // namespace

void save_npy(const std::string& path, const Tensor& tensor) {
  check_defined(tensor, "save_npy", "the tensor");
  io::AtomicFile file(path, "save_npy");
  write_npy(tensor, [&](const void* data, size_t n) { file.write(data, n); });
  file.commit();
}

void save_npy(std::ostream& stream, const Tensor& tensor) {
  write_npy(tensor, stream_sink(stream));
  TAPIR_CHECK_AS(IOError, stream.flush().good(), "save_npy: cannot write to the stream");
}

Tensor load_npy(const std::string& path) {
  return load_whole_npy(io::map_file(path, "load_npy"), '"' + path + '"');
}
Tensor load_npy(std::istream& stream) {
  return load_whole_npy(io::read_stream(stream, "load_npy"), "the stream");
}

void save_npz(const std::string& path, const OrderedDict<std::string, Tensor>& tensors, bool compressed) {
  check_npz(tensors);
  io::AtomicFile file(path, "save_npz");
  write_npz(tensors, compressed, [&](const void* data, size_t n) { file.write(data, n); });
  file.commit();
}

void save_npz(std::ostream& stream, const OrderedDict<std::string, Tensor>& tensors, bool compressed) {
  check_npz(tensors);
  write_npz(tensors, compressed, stream_sink(stream));
  TAPIR_CHECK_AS(IOError, stream.flush().good(), "save_npz: cannot write to the stream");
}

OrderedDict<std::string, Tensor> load_npz(const std::string& path) {
  return parse_npz(io::map_file(path, "load_npz"), '"' + path + '"');
}
OrderedDict<std::string, Tensor> load_npz(std::istream& stream) {
  return parse_npz(io::read_stream(stream, "load_npz"), "the stream");
}

}  // namespace tapir
