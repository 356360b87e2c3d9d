#include "tapir/io/pt.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <optional>
#include <ostream>
#include <unordered_map>

#include "tapir/autograd/node.h"
#include "tapir/io/bytes.h"
#include "tapir/io/file.h"
#include "tapir/io/pickle.h"
#include "tapir/io/saved_file.h"
#include "tapir/io/zip.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

static_assert(std::endian::native == std::endian::little, "PyTorch's files have the bytes of their machine");

namespace {

constexpr const char* kLoad = "load_pt";
constexpr int kMaxDepth = 200;
// A pickle of a file's values without their storages.
constexpr size_t kMaxPickle = size_t{1} << 28;

// A storage that has been read, and as what.
struct Read {
  Ref<StorageImpl> storage;
  DType dtype;
};

void check_bools(const io::Bytes& bytes, auto fail) {
  if (std::any_of(bytes.data, bytes.data + bytes.size,
                  [](std::byte b) { return std::to_integer<int>(b) > 1; }))
    fail("it has a bool that is neither 0 nor 1");
}

std::string_view text_of(const io::Bytes& file) {
  return {reinterpret_cast<const char*>(file.data), file.size};
}

// What torch.save wrote before PyTorch 1.6, and writes without _use_new_zipfile_serialization: pickles of the
// magic number 0x1950a86a20f9469cfc6c, of the format's version, of facts of the machine, of the values, and
// of the storages' keys; then the storages in that order, each after its number of elements.
constexpr std::string_view kMagic = "\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

bool is_legacy(std::string_view file) { return file.substr(0, 32).find(kMagic) != file.npos; }

io::PtFile parse_legacy(const io::Bytes& file, const std::string& label) {
  const std::string where = fmt::format("{}: {}", kLoad, label);
  const auto fail = [&](const std::string& what) { throw_error<IOError>("{}: {}", where, what); };
  const std::string_view text = text_of(file);
  size_t at = text.find(kMagic) + kMagic.size();
  const auto next = [&](const io::StorageSource& storages) {
    size_t length = 0;
    IValue value = io::unpickle(text.substr(at), where, storages, false, &length);
    at += length;
    return value;
  };
  const io::StorageSource none = [&](const std::string&, DType, int64_t) -> Ref<StorageImpl> {
    throw_error<IOError>("{}: a storage outside of the values", where);
  };
  if (const IValue version = next(none); !version.isInt() || version.toInt() != 1001)
    fail("its format is not the one of version 1001");
  const IValue machine = next(none);
  if (!machine.isGenericDict() || !machine.toGenericDict().contains("little_endian") ||
      !machine.toGenericDict().at("little_endian").isBool() ||
      !machine.toGenericDict().at("little_endian").toBool())
    fail("its numbers are not little-endian, as this machine's are");

  // They come after the values that refer to them, so they get their bytes in the end.
  struct Storage {
    Read read;
    io::Bytes bytes;
    bool filled = false;
  };
  std::map<std::string, Storage> storages;
  size_t left = file.size;
  const IValue value = next([&](const std::string& key, DType dtype, int64_t numel) {
    const auto n = static_cast<uint64_t>(numel);
    if (const auto found = storages.find(key); found != storages.end()) {
      if (found->second.read.dtype != dtype || found->second.bytes.size != n * item_size(dtype))
        fail(fmt::format("storage \"{}\" has two dtypes or sizes", io::shown(key)));
      return found->second.read.storage;
    }
    if (n > left / item_size(dtype))
      fail(fmt::format("storage \"{}\" has {} elements of {}, more than the file", io::shown(key), numel,
                       dtype));
    left -= n * item_size(dtype);
    const io::Bytes bytes = io::allocate_bytes(n * item_size(dtype));
    Ref<StorageImpl> storage = io::storage_over(bytes, item_size(dtype));
    storages.emplace(key, Storage{{storage, dtype}, bytes});
    return storage;
  });
  const IValue keys = next(none);
  if (!keys.isList()) fail("the keys of its storages are no list");
  size_t filled = 0;
  for (const IValue& key : keys.toList()) {
    if (!key.isString()) fail("the key of a storage is no string");
    const auto found = storages.find(key.toStringRef());
    const std::string name = fmt::format("storage \"{}\"", io::shown(key.toStringRef()));
    if (found == storages.end() || found->second.filled) fail(name + " is in no tensor, or there twice");
    Storage& s = found->second;
    uint64_t numel = 0;
    if (text.size() - at < sizeof(numel)) fail(name + " is missing: the file was cut short");
    std::memcpy(&numel, text.data() + at, sizeof(numel));
    at += sizeof(numel);
    if (numel != s.bytes.size / item_size(s.read.dtype))
      fail(fmt::format("{} has {} elements, but a tensor refers to {}", name, numel,
                       s.bytes.size / item_size(s.read.dtype)));
    if (text.size() - at < s.bytes.size) fail(name + " breaks off: the file was cut short");
    if (s.bytes.size > 0) std::memcpy(s.bytes.data, text.data() + at, s.bytes.size);
    at += s.bytes.size;
    if (s.read.dtype == kBool) check_bools(s.bytes, [&](const char* what) { fail(name + ": " + what); });
    s.filled = true;
    ++filled;
  }
  if (filled != storages.size()) fail("a tensor refers to a storage that is not there");
  return {value};
}

io::PtFile parse(io::Bytes file, const std::string& label) {
  if (is_legacy(text_of(file))) return parse_legacy(file, label);
  const io::ZipReader zip(std::move(file), kLoad, label);

  const std::string kPickle = "data.pkl";
  const io::ZipReader::Member* pickle = nullptr;
  for (const auto& m : zip.members())
    if (m.name == kPickle || m.name.ends_with("/" + kPickle)) {
      if (pickle) zip.fail(m.name, fmt::format("there is \"{}\" too", io::shown(pickle->name)));
      pickle = &m;
    }
  if (!pickle)
    throw_error<IOError>("{}: {}: it holds no data.pkl: {}", kLoad, label,
                         std::any_of(zip.members().begin(), zip.members().end(),
                                     [](const auto& m) { return m.name.ends_with("model.json"); })
                             ? "it is a TorchScript archive of PyTorch before 1.4. In Python, "
                               "torch.save(torch.jit.load(f).state_dict(), ...) writes its tensors"
                             : "torch.save did not write it");
  const std::string folder = pickle->name.substr(0, pickle->name.size() - kPickle.size());
  // Beside the values there is a program, which is left alone.
  const bool objects = std::any_of(zip.members().begin(), zip.members().end(),
                                   [&](const auto& m) { return m.name.starts_with(folder + "code/"); });
  if (const auto* order = zip.find(folder + "byteorder")) {
    const io::Bytes text = zip.read(*order);
    if (std::string_view(reinterpret_cast<const char*>(text.data), text.size) != "little")
      zip.fail(order->name, "its numbers are not little-endian, as this machine's are");
  }
  if (pickle->size > kMaxPickle)
    zip.fail(pickle->name, fmt::format("it has {} bytes, Tapir takes up to {}", pickle->size, kMaxPickle));

  std::map<std::string, Read> read;
  const auto storage_of = [&](const std::string& key, DType dtype, int64_t numel) {
    const std::string name = folder + "data/" + key;
    const auto* member = zip.find(name);
    if (!member) zip.fail(name, "it is not there, but a tensor refers to it");
    if (member->size % item_size(dtype) != 0 ||
        static_cast<uint64_t>(numel) != member->size / item_size(dtype))
      zip.fail(name, fmt::format("it has {} bytes, but a tensor refers to {} elements of {}", member->size,
                                 numel, dtype));
    if (const auto found = read.find(key); found != read.end()) {
      if (found->second.dtype != dtype)
        zip.fail(name, fmt::format("it is both {} and {}", found->second.dtype, dtype));
      return found->second.storage;
    }
    const io::Bytes bytes = zip.read(*member);
    if (dtype == kBool) check_bools(bytes, [&](const char* what) { zip.fail(name, what); });
    Ref<StorageImpl> storage = io::storage_over(bytes, item_size(dtype));
    read.emplace(key, Read{storage, dtype});
    return storage;
  };
  const io::Bytes code = zip.read(*pickle);
  return {io::unpickle(text_of(code), zip.where(pickle->name), storage_of, objects), objects};
}

// Writes a value as a pickle of protocol 2, and gathers its storages.
class Pickler {
 public:
  std::string run(const IValue& value) {
    find_tensors(value, 0);
    code_ = "\x80\x02";
    write(value);
    code_ += '.';
    return std::move(code_);
  }
  /// Whole storages, or tensors that are written row-major, by number.
  const std::vector<Tensor>& storages() const { return storages_; }

 private:
  struct Users {
    size_t count = 0;
    bool one_dtype = true;
    DType dtype = kFloat32;
    int64_t key = -1;
  };

  template <class Visit>
  static void each_child(const IValue& v, Visit&& visit) {
    if (v.isList())
      for (const IValue& x : v.toList()) visit(x);
    else if (v.isTuple())
      for (const IValue& x : v.toTupleRef().elements()) visit(x);
    else if (v.isGenericDict())
      for (const auto& entry : v.toGenericDict()) visit(entry.value());
    else if (v.isTensorVector())
      for (const Tensor& t : v.toTensorVector()) visit(IValue(t));
  }
  void find_tensors(const IValue& v, int depth) {
    TAPIR_CHECK_AS(ValueError, depth <= kMaxDepth, "save_pt: the containers are nested more than {} deep",
                   kMaxDepth);
    if (!v.isTensor()) return each_child(v, [&](const IValue& x) { find_tensors(x, depth + 1); });
    const Tensor& t = v.toTensor();
    TAPIR_CHECK_AS(ValueError, t.defined(), "save_pt: got an undefined tensor, expected one with values");
    Users& users = users_[t.impl()->storage.get()];
    if (users.count++ == 0) users.dtype = t.dtype();
    users.one_dtype = users.one_dtype && users.dtype == t.dtype();
  }

  void number(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) code_ += static_cast<char>(value >> (8 * i) & 0xff);
  }
  void integer(int64_t v) {
    const bool small = v == static_cast<int32_t>(v);
    code_ += small ? "J" : "\x8a\x08";
    number(static_cast<uint64_t>(v), small ? 4 : 8);
  }
  void real(double v) {
    code_ += 'G';
    const uint64_t bits = std::bit_cast<uint64_t>(v);
    for (int i = 7; i >= 0; --i) code_ += static_cast<char>(bits >> (8 * i) & 0xff);
  }
  void text(const std::string& v) {
    TAPIR_CHECK_AS(ValueError, v.size() <= UINT32_MAX,
                   "save_pt: a string has {} bytes, the format takes 2^32", v.size());
    code_ += 'X';
    number(v.size(), 4);
    code_ += v;
  }
  void integers(IntArrayRef values) {
    code_ += '(';
    for (const int64_t v : values) integer(v);
    code_ += 't';
  }
  void boolean(bool v) { code_ += v ? '\x88' : '\x89'; }

  void write(const IValue& v) {
    const auto many = [&](const char* open, const char* close) {
      code_ += open;
      each_child(v, [&](const IValue& x) { write(x); });
      code_ += close;
    };
    if (v.isNone()) return static_cast<void>(code_ += 'N');
    if (v.isBool()) return boolean(v.toBool());
    if (v.isInt()) return integer(v.toInt());
    if (v.isDouble()) return real(v.toDouble());
    if (v.isString()) return text(v.toStringRef());
    if (v.isTensor()) return tensor(v.toTensor());
    if (v.isTuple()) return many("(", "t");
    if (v.isGenericDict()) {
      code_ += "}(";
      for (const auto& entry : v.toGenericDict()) write(entry.key()), write(entry.value());
      return static_cast<void>(code_ += 'u');
    }
    if (v.isList() || v.isTensorVector()) return many("](", "e");
    code_ += "](";
    if (v.isIntVector())
      for (const int64_t x : v.toIntVector()) integer(x);
    else
      for (const double x : v.toDoubleVector()) real(x);
    code_ += 'e';
  }

  void tensor(const Tensor& t) {
    Users& users = users_.at(t.impl()->storage.get());
    const StorageImpl& storage = *t.impl()->storage;
    const bool whole =
        users.count > 1 && users.one_dtype && t.is_cpu() && storage.nbytes() % t.itemsize() == 0;
    Layout layout = whole ? t.layout_of() : Layout::of(t.sizes());
    int64_t key = whole ? users.key : -1, numel = t.numel();
    if (whole) numel = static_cast<int64_t>(storage.nbytes() / t.itemsize());
    if (key < 0) {
      key = static_cast<int64_t>(storages_.size());
      if (whole) users.key = key;
      storages_.push_back(whole ? t.alias(Layout::of({numel})) : raw::contiguous(raw::to_device(t, kCPU)));
    }
    code_ += "ctorch._utils\n_rebuild_tensor_v2\n((";
    text("storage");
    code_ += fmt::format("ctorch\n{}\n", io::storage_class(t.dtype()));
    text(std::to_string(key));
    text("cpu");
    integer(numel);
    code_ += "tQ";
    integer(layout.offset);
    integers(layout.sizes);
    integers(layout.strides);
    boolean(t.requires_grad());
    code_ += "ccollections\nOrderedDict\n)RtR";
  }

  std::string code_;
  std::unordered_map<const StorageImpl*, Users> users_;
  std::vector<Tensor> storages_;
};

template <class Sink>
void write(const IValue& value, Sink&& open) {
  Pickler pickler;
  const std::string pickle = pickler.run(value);
  io::ZipWriter zip(open());
  zip.add("archive/data.pkl", pickle);
  zip.add("archive/byteorder", "little");
  for (size_t i = 0; i < pickler.storages().size(); ++i) {
    const Tensor& t = pickler.storages()[i];
    const std::span<const std::byte> piece(static_cast<const std::byte*>(t.data_ptr()), t.nbytes());
    zip.add(fmt::format("archive/data/{}", i), {&piece, 1}, false);
  }
  zip.add("archive/version", "3\n");
  zip.finish();
}

IValue dict_of(const OrderedDict<std::string, Tensor>& state) {
  GenericDict dict;
  for (const auto& item : state) dict.insert_or_assign(item.key(), item.value());
  return dict;
}

}  // namespace

bool io::is_pt(const Bytes& file) {
  const std::string_view text = text_of(file);
  return text.starts_with("PK\3\4") || is_legacy(text);
}
io::PtFile io::parse_pt(Bytes file, const std::string& label) { return parse(std::move(file), label); }

void io::Expansion::add(size_t bytes) {
  if (bytes > left_)
    throw_error<IOError>("load: {}: its dicts, which hold others many times, have too many entries", label_);
  left_ -= bytes;
}

IValue load_pt(const std::string& path) { return parse(io::map_file(path, kLoad), '"' + path + '"').value; }
IValue load_pt(std::istream& stream) { return parse(io::read_stream(stream, kLoad), "the stream").value; }

IValue pickle_load(const std::vector<char>& data) {
  io::Bytes bytes = io::allocate_bytes(data.size());
  if (!data.empty()) std::memcpy(bytes.data, data.data(), data.size());
  return parse(std::move(bytes), "the data").value;
}

void save_pt(const std::string& path, const IValue& value) {
  std::optional<io::AtomicFile> file;
  write(value, [&] {
    file.emplace(path, "save_pt");
    return [&](const void* data, size_t n) { file->write(data, n); };
  });
  file->commit();
}

void save_pt(std::ostream& stream, const IValue& value) {
  write(value, [&] {
    return [&](const void* data, size_t n) {
      stream.write(static_cast<const char*>(data), static_cast<std::streamsize>(n));
    };
  });
  TAPIR_CHECK_AS(IOError, stream.flush().good(), "save_pt: cannot write to the stream");
}

void save_pt(const std::string& path, const OrderedDict<std::string, Tensor>& state) {
  save_pt(path, dict_of(state));
}
void save_pt(std::ostream& stream, const OrderedDict<std::string, Tensor>& state) {
  save_pt(stream, dict_of(state));
}

std::vector<char> pickle_save(const IValue& value) {
  std::vector<char> bytes;
  write(value, [&] {
    return [&](const void* data, size_t n) {
      const char* p = static_cast<const char*>(data);
      bytes.insert(bytes.end(), p, p + n);
    };
  });
  return bytes;
}

OrderedDict<std::string, Tensor> state_dict_of(const IValue& value) {
  TAPIR_CHECK_AS(ValueError, value.isGenericDict(),
                 "state_dict_of: got {}, expected a dict of tensors by name", value.kind());
  OrderedDict<std::string, Tensor> state;
  for (const auto& entry : value.toGenericDict()) {
    TAPIR_CHECK_AS(ValueError, entry.key().isString(),
                   "state_dict_of: got the key {}, expected names of tensors", entry.key().toInt());
    const std::string& name = entry.key().toStringRef();
    TAPIR_CHECK_AS(ValueError, entry.value().isTensor(), "state_dict_of: \"{}\" is {}, expected a tensor{}",
                   io::shown(name), entry.value().kind(),
                   entry.value().isGenericDict() ? "; is it the state_dict? Then take it: at(name)" : "");
    state.insert(name, entry.value().toTensor());
  }
  return state;
}

}  // namespace tapir
