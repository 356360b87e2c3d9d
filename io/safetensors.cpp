#include "tapir/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <istream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <ostream>
#include <unordered_set>

#include "tapir/io/bytes.h"
#include "tapir/io/file.h"
#include "tapir/io/saved_file.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

namespace {

constexpr size_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr const char* kMetadataKey = "__metadata__";

constexpr std::pair<DType, const char*> kDTypeNames[] = {
    {kUInt8, "U8"},    {kInt8, "I8"},     {kInt16, "I16"},   {kInt32, "I32"}, {kInt64, "I64"},
    {kFloat16, "F16"}, {kFloat32, "F32"}, {kFloat64, "F64"}, {kBool, "BOOL"}, {kBFloat16, "BF16"}};

const char* name_of(DType dtype) {
  for (const auto& [d, name] : kDTypeNames)
    if (d == dtype) return name;
  return "";
}

// Text of an unknown file, short enough for a message.
std::string shown(const std::string& text) { return text.size() <= 100 ? text : text.substr(0, 100) + "..."; }

struct Entry {
  std::string name;
  std::optional<DType> dtype;
  std::optional<std::vector<int64_t>> shape;
  std::optional<std::vector<int64_t>> offsets;
};

// Takes the header's JSON event by event: nothing nests deeper than the format does, no key may come twice.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::vector<Entry> entries;
  Metadata metadata;
  std::string fault;  // set where a call returned false

  bool null() override { return wrong("null"); }
  bool boolean(bool) override { return wrong("a bool"); }
  bool number_integer(number_integer_t v) override { return wrong(std::to_string(v)); }
  bool number_float(number_float_t, const string_t& text) override { return wrong(shown(text)); }
  bool binary(binary_t&) override { return wrong("binary data"); }

  bool number_unsigned(number_unsigned_t v) override {
    if (at_ != At::kArray) return wrong(std::to_string(v));
    if (v > static_cast<number_unsigned_t>(INT64_MAX))
      return fail(fmt::format("the number {} is too large", v));
    if (array_->size() >= 1000) return fail(fmt::format("\"{}\" has more than 1000 numbers", field_));
    array_->push_back(static_cast<int64_t>(v));
    return true;
  }

  bool string(string_t& text) override {
    if (at_ == At::kMetadata) {
      metadata.emplace_back(std::move(field_), std::move(text));
      return true;
    }
    if (at_ != At::kTensor || field_ != "dtype") return wrong('"' + shown(text) + '"');
    for (const auto& [dtype, name] : kDTypeNames)
      if (text == name) entries.back().dtype = dtype;
    return entries.back().dtype ? true : fail(fmt::format("Tapir has no dtype \"{}\"", shown(text)));
  }

  bool start_object(std::size_t) override {
    switch (at_) {
      case At::kStart:
        at_ = At::kTop;
        return true;
      case At::kTop:
        at_ = in_metadata_ ? At::kMetadata : At::kTensor;
        fields_.clear();
        return true;
      default:
        return wrong("an object");
    }
  }

  bool key(string_t& text) override {
    if (at_ == At::kTop) {
      in_metadata_ = text == kMetadataKey;
      if (!names_.insert(text).second) return fail(fmt::format("the key \"{}\" comes twice", shown(text)));
      if (!in_metadata_) entries.emplace_back().name = std::move(text);
      return true;
    }
    if (!fields_.insert(text).second) return fail(fmt::format("the key \"{}\" comes twice", shown(text)));
    if (at_ == At::kTensor && text != "dtype" && text != "shape" && text != "data_offsets")
      return fail(fmt::format("got key \"{}\", expected dtype, shape and data_offsets", shown(text)));
    field_ = std::move(text);
    return true;
  }

  bool end_object() override {
    at_ = at_ == At::kTop ? At::kStart : At::kTop;
    return true;
  }

  bool start_array(std::size_t) override {
    if (at_ != At::kTensor || field_ == "dtype") return wrong("an array");
    Entry& entry = entries.back();
    array_ = &(field_ == "shape" ? entry.shape : entry.offsets).emplace();
    at_ = At::kArray;
    return true;
  }
  bool end_array() override {
    at_ = At::kTensor;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return fail(fmt::format("the header is no JSON from byte {} on", 8 + position));
  }

  // Where in the header the fault is.
  std::string place() const {
    if (at_ == At::kStart || (at_ == At::kTop && names_.empty())) return "";
    if (in_metadata_) return ", __metadata__";
    return entries.empty() ? "" : fmt::format(", tensor \"{}\"", shown(entries.back().name));
  }

 private:
  enum class At { kStart, kTop, kMetadata, kTensor, kArray };
  bool fail(std::string what) {
    if (fault.empty()) fault = place() + ": " + std::move(what);
    return false;
  }
  bool wrong(const std::string& got) {
    switch (at_) {
      case At::kStart:
        return fail(fmt::format("got {} as header, expected an object", got));
      case At::kTop:
        return fail(fmt::format("got {}, expected an object", got));
      case At::kMetadata:
        return fail(fmt::format("got {} for \"{}\", expected a string", got, shown(field_)));
      case At::kTensor:
        return fail(fmt::format("got {} for \"{}\", expected {}", got, field_,
                                field_ == "dtype" ? "a string" : "an array of numbers"));
      default:
        return fail(fmt::format("got {} in \"{}\", expected integers that are not negative", got, field_));
    }
  }

  At at_ = At::kStart;
  bool in_metadata_ = false;
  std::string field_;
  std::vector<int64_t>* array_ = nullptr;
  std::unordered_set<std::string> names_, fields_;
};

// Bytes of a shape, or none where they pass int64.
std::optional<int64_t> bytes_of(const std::vector<int64_t>& shape, DType dtype) {
  int64_t bytes = static_cast<int64_t>(item_size(dtype));
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) bytes = 0;
  int64_t extent = static_cast<int64_t>(item_size(dtype));
  for (int64_t n : shape) {
    // Of the sizes beside a zero too: strides are made of them.
    if (__builtin_mul_overflow(extent, std::max<int64_t>(n, 1), &extent)) return std::nullopt;
  }
  return bytes == 0 ? 0 : extent;
}

}  // namespace

const Tensor& SafeTensors::at(const std::string& name) const {
  for (const auto& [key, tensor] : tensors)
    if (key == name) return tensor;
  throw_error<IndexError>("SafeTensors::at: there is no tensor \"{}\"", name);
}

bool SafeTensors::contains(const std::string& name) const {
  return std::any_of(tensors.begin(), tensors.end(), [&](const auto& t) { return t.first == name; });
}

namespace {

constexpr const char* kSave = "save_safetensors";
constexpr const char* kLoad = "load_safetensors";

// The header, and the tensors in the order of their data.
struct Plan {
  std::string header;
  std::vector<size_t> order;
};

Plan plan_file(const NamedTensors& tensors, const Metadata& metadata) {
  // Large items first: every tensor is then aligned to its items without gaps, which the format forbids.
  std::vector<size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::unordered_set<std::string> names{kMetadataKey};
  for (const auto& [name, tensor] : tensors) {
    TAPIR_CHECK_AS(ValueError, tensor.defined(), "{}: the tensor \"{}\" is undefined", kSave, name);
    TAPIR_CHECK_AS(ValueError, names.insert(name).second, "{}: the name \"{}\" is {}", kSave, name,
                   name == kMetadataKey ? "reserved by the format" : "used twice");
  }
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return tensors[a].second.itemsize() > tensors[b].second.itemsize();
  });
  std::vector<size_t> begins(tensors.size());
  size_t end = 0;
  for (size_t i : order) {
    begins[i] = end;
    end += tensors[i].second.nbytes();
  }

  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  std::string text;
  try {
    if (!metadata.empty()) {
      auto& entries = header[kMetadataKey] = nlohmann::ordered_json::object();
      for (const auto& [key, value] : metadata) {
        TAPIR_CHECK_AS(ValueError, !entries.contains(key), "{}: the metadata key \"{}\" is used twice", kSave,
                       key);
        entries[key] = value;
      }
    }
    // ordered_json looks a key up by walking the others, so the tensors are joined as text.
    text = header.dump();
    text.pop_back();
    for (size_t i = 0; i < tensors.size(); ++i) {
      const Tensor& t = tensors[i].second;
      if (text.size() > 1) text += ',';
      text += nlohmann::json(tensors[i].first).dump();
      text +=
          fmt::format(":{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}", name_of(t.dtype()),
                      fmt::join(t.sizes().begin(), t.sizes().end(), ","), begins[i], begins[i] + t.nbytes());
    }
    text += '}';
  } catch (const nlohmann::json::exception&) {
    throw_error<ValueError>("{}: a name or metadata text is not UTF-8", kSave);
  }
  while ((8 + text.size()) % 64 != 0) text += ' ';
  TAPIR_CHECK_AS(ValueError, text.size() <= kMaxHeader, "{}: the header takes {} bytes, the format allows {}",
                 kSave, text.size(), kMaxHeader);

  return {std::move(text), std::move(order)};
}

template <class Write>
void write_file(const Plan& plan, const NamedTensors& tensors, Write write) {
  const uint64_t length = plan.header.size();
  write(&length, sizeof(length));
  write(plan.header.data(), plan.header.size());
  for (size_t i : plan.order) {
    const Tensor row_major = raw::contiguous(raw::to_device(tensors[i].second, kCPU));
    write(row_major.data_ptr(), row_major.nbytes());
  }
}

// Reads a whole file's bytes. `label` names it in messages.
SafeTensors parse_file(const io::Bytes& file, const std::string& label) {
  std::byte* const bytes = file.data;
  const size_t size = file.size;
  const auto fail = [&](const std::string& what) { throw_error<IOError>("{}: {}{}", kLoad, label, what); };

  if (size < 8) fail(fmt::format(": the file has {} bytes, too few for the header's length", size));
  uint64_t length;
  std::memcpy(&length, bytes, sizeof(length));
  if (length > kMaxHeader)
    fail(fmt::format(": got a header of {} bytes, the format allows {}: is this a safetensors file?", length,
                     kMaxHeader));
  if (length > size - 8)
    fail(fmt::format(": got a header of {} bytes in a file of {}: it was cut short", length, size));
  const char* text = reinterpret_cast<const char*>(bytes) + 8;
  if (length == 0 || text[0] != '{')
    fail(": the header does not begin with \"{\": is this a safetensors file?");

  HeaderReader header;
  if (!nlohmann::json::sax_parse(text, text + length, &header)) fail(header.fault);

  std::byte* const data = bytes + 8 + length;
  const int64_t available = static_cast<int64_t>(size - 8 - length);
  std::vector<const Entry*> by_place;
  by_place.reserve(header.entries.size());
  for (const Entry& e : header.entries) {
    const auto bad = [&](const std::string& what) {
      fail(fmt::format(", tensor \"{}\": {}", shown(e.name), what));
    };
    if (!e.dtype || !e.shape || !e.offsets)
      bad(fmt::format("{} is missing", !e.dtype ? "dtype" : !e.shape ? "shape" : "data_offsets"));
    if (e.shape->size() > static_cast<size_t>(kMaxDims))
      bad(fmt::format("it has {} dimensions, Tapir has up to {}", e.shape->size(), kMaxDims));
    if (e.offsets->size() != 2)
      bad(fmt::format("data_offsets has {} numbers, expected 2", e.offsets->size()));
    const int64_t begin = (*e.offsets)[0], end = (*e.offsets)[1];
    if (begin > end || end > available)
      bad(fmt::format("its data_offsets {}, {} do not lie in the {} bytes of data: {}", begin, end, available,
                      begin > end ? "they are in the wrong order" : "the file was cut short"));
    const auto taken = bytes_of(*e.shape, *e.dtype);
    if (!taken || *taken != end - begin)
      bad(fmt::format("{} of shape {} takes {} bytes, but data_offsets has {}", dtype_name(*e.dtype),
                      shape_str(*e.shape), taken ? std::to_string(*taken) : "more than 2^63", end - begin));
    by_place.push_back(&e);
  }
  std::sort(by_place.begin(), by_place.end(),
            [](const Entry* a, const Entry* b) { return *a->offsets < *b->offsets; });
  int64_t reached = 0;
  for (const Entry* e : by_place) {
    const int64_t begin = (*e->offsets)[0];
    if (begin != reached)
      fail(fmt::format(", tensor \"{}\": its data begins at {}, but the data before it ends at {}: {}",
                       shown(e->name), begin, reached, begin < reached ? "they overlap" : "there is a hole"));
    reached = (*e->offsets)[1];
  }
  if (reached != available)
    fail(fmt::format(": the tensors take {} bytes, but {} follow the header", reached, available));

  SafeTensors result;
  result.metadata = std::move(header.metadata);
  result.tensors.reserve(header.entries.size());
  for (Entry& e : header.entries) {
    std::byte* const begin = data + (*e.offsets)[0];
    const size_t length = static_cast<size_t>((*e.offsets)[1] - (*e.offsets)[0]);
    // bool is one byte that is 0 or 1; other values would break whoever reads it as bool.
    if (*e.dtype == kBool &&
        std::any_of(begin, begin + length, [](std::byte b) { return std::to_integer<int>(b) > 1; }))
      fail(fmt::format(", tensor \"{}\": got a bool that is neither 0 nor 1", shown(e.name)));
    auto storage =
        io::storage_over(file.part(static_cast<size_t>(begin - bytes), length), item_size(*e.dtype));
    Tensor tensor(Ref<TensorImpl>::adopt(new TensorImpl(std::move(storage), Layout::of(*e.shape), *e.dtype)));
    result.tensors.emplace_back(std::move(e.name), std::move(tensor));
  }
  return result;
}

}  // namespace

void save_safetensors(const std::string& path, const NamedTensors& tensors, const Metadata& metadata) {
  const Plan plan = plan_file(tensors, metadata);
  io::AtomicFile file(path, kSave);
  write_file(plan, tensors, [&](const void* data, size_t n) { file.write(data, n); });
  file.commit();
}

void save_safetensors(std::ostream& stream, const NamedTensors& tensors, const Metadata& metadata) {
  write_file(plan_file(tensors, metadata), tensors, [&](const void* data, size_t n) {
    stream.write(static_cast<const char*>(data), static_cast<std::streamsize>(n));
  });
  TAPIR_CHECK_AS(IOError, stream.flush().good(), "{}: cannot write to the stream", kSave);
}

SafeTensors load_safetensors(const std::string& path) {
  return parse_file(io::map_file(path, kLoad), '"' + path + '"');
}

SafeTensors load_safetensors(std::istream& stream) {
  return parse_file(io::read_stream(stream, kLoad), "the stream");
}

SafeTensors io::parse_safetensors(const Bytes& file, const std::string& label) {
  return parse_file(file, label);
}

}  // namespace tapir
