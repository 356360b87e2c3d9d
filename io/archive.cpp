#include "tapir/io/archive.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unordered_map>

#include "tapir/data/state.h"
#include "tapir/io/pt.h"
#include "tapir/io/saved_file.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir::serialize {

namespace {

constexpr std::string_view kPickle = "pickle", kArchive = "archive";  // no JSON

bool is_simple(const IValue& v) {
  return v.isNone() || v.isBool() || v.isInt() || v.isDouble() || v.isString();
}

std::string text_of(const IValue& v) {
  if (v.isNone()) return "null";
  if (v.isBool()) return v.toBool() ? "true" : "false";
  if (v.isInt()) return std::to_string(v.toInt());
  if (v.isString()) {
    try {
      return nlohmann::json(v.toStringRef()).dump();
    } catch (const nlohmann::json::exception&) {
      throw_error<ValueError>("OutputArchive: a string is not UTF-8");
    }
  }
  std::string text = fmt::format("{}", v.toDouble());  // the shortest that is read back exactly
  if (text.find_first_not_of("-0123456789") == text.npos) text += ".0";
  return text;
}

// The value that text_of wrote; metadata of other origin is a string.
IValue value_of(const std::string& text) {
  if (text == "null") return {};
  if (text == "true" || text == "false") return text == "true";
  const char *const begin = text.data(), *const end = begin + text.size();
  int64_t integer = 0;
  if (const auto r = std::from_chars(begin, end, integer); r.ec == std::errc() && r.ptr == end)
    return integer;
  double number = 0;
  if (const auto r = std::from_chars(begin, end, number); r.ec == std::errc() && r.ptr == end) return number;
  if (text.starts_with('"')) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_string()) return json.get<std::string>();
  }
  return text;
}

Tensor bytes_of(const std::vector<char>& bytes) {
  const Tensor t = Tensor::empty({static_cast<int64_t>(bytes.size())}, kUInt8);
  std::copy(bytes.begin(), bytes.end(), reinterpret_cast<char*>(t.data_ptr<uint8_t>()));
  return t;
}

// "a.b" begins with the archive "a".
bool within(std::string_view name, std::string_view prefix) { return name.starts_with(prefix); }

// A dict of Python's as an archive: its dicts are nested ones.
void flatten(const IValue& dict, OutputArchive& archive, const std::string& label, io::Expansion& expansion,
             size_t depth = 1) {
  TAPIR_CHECK_AS(IOError, dict.isGenericDict(), "InputArchive: {}: it holds {}, expected a dict", label,
                 dict.kind());
  for (const auto& entry : dict.toGenericDict()) {
    const std::string key =
        entry.key().isString() ? entry.key().toStringRef() : std::to_string(entry.key().toInt());
    expansion.add(depth * (64 + key.size()));  // each archive copies those within
    if (entry.value().isGenericDict()) {
      OutputArchive nested;
      flatten(entry.value(), nested, label, expansion, depth + 1);
      archive.write(key, nested);
    } else if (entry.value().isTensor()) {
      archive.write(key, entry.value().toTensor());
    } else {
      archive.write(key, entry.value());
    }
  }
}

}  // namespace

void OutputArchive::take_key(const std::string& key) {
  TAPIR_CHECK_AS(ValueError, keys_.insert(key).second, "OutputArchive: the key \"{}\" is used twice", key);
}

void OutputArchive::write(const std::string& key, const IValue& value) {
  if (value.isTensor()) return write(key, value.toTensor());
  if (is_simple(value)) {
    std::string text = text_of(value);
    take_key(key);
    metadata_.emplace_back(key, std::move(text));
  } else {
    Tensor bytes = bytes_of(pickle_save(value));
    take_key(key);
    tensors_.emplace_back(key, std::move(bytes));
    metadata_.emplace_back(key, kPickle);
  }
}

void OutputArchive::write(const std::string& key, const Tensor& tensor, bool) {
  TAPIR_CHECK_AS(ValueError, tensor.defined(), "OutputArchive: the tensor \"{}\" is undefined", key);
  take_key(key);
  tensors_.emplace_back(key, tensor);
}

void OutputArchive::write(const std::string& key, OutputArchive& nested) {
  take_key(key);
  for (const auto& entry : nested.tensors_) tensors_.emplace_back(key + '.' + entry.first, entry.second);
  for (const auto& entry : nested.metadata_) metadata_.emplace_back(key + '.' + entry.first, entry.second);
  for (const auto& name : nested.keys_) take_key(key + '.' + name);
  if (nested.keys_.empty()) metadata_.emplace_back(key, kArchive);
}

void OutputArchive::save_to(const std::string& path) const { save_safetensors(path, tensors_, metadata_); }
void OutputArchive::save_to(std::ostream& stream) const { save_safetensors(stream, tensors_, metadata_); }
void OutputArchive::save_to(const std::function<size_t(const void*, size_t)>& write) const {
  std::ostringstream stream;
  save_to(stream);
  const std::string_view bytes = stream.view();
  const size_t written = write(bytes.data(), bytes.size());
  TAPIR_CHECK_AS(IOError, written == bytes.size(), "OutputArchive: {} of {} bytes were written", written,
                 bytes.size());
}

struct InputArchive::Contents {
  NamedTensors tensors;
  Metadata metadata;
  std::optional<Device> device;
  std::unordered_map<std::string, size_t> tensor_at, metadata_at;

  Contents(NamedTensors t, Metadata m, std::optional<Device> d)
      : tensors(std::move(t)), metadata(std::move(m)), device(d) {
    for (size_t i = 0; i < tensors.size(); ++i) tensor_at.emplace(tensors[i].first, i);
    for (size_t i = 0; i < metadata.size(); ++i) metadata_at.emplace(metadata[i].first, i);
  }
  static std::shared_ptr<const Contents> of(io::Bytes file, std::optional<Device> device,
                                            const std::string& label) {
    if (io::is_pt(file)) return of(io::parse_pt(std::move(file), label).value, device, label);
    return of(io::parse_safetensors(file, label), device);
  }
  static std::shared_ptr<const Contents> of(SafeTensors file, std::optional<Device> device) {
    return std::make_shared<Contents>(std::move(file.tensors), std::move(file.metadata), device);
  }
  static std::shared_ptr<const Contents> of(const IValue& dict, std::optional<Device> device,
                                            const std::string& label) {
    OutputArchive archive;
    io::Expansion expansion(label);
    flatten(dict, archive, label, expansion);
    return std::make_shared<Contents>(archive.tensors(), archive.metadata(), device);
  }
  const Tensor* tensor(const std::string& name) const {
    const auto at = tensor_at.find(name);
    return at == tensor_at.end() ? nullptr : &tensors[at->second].second;
  }
  const std::string* text(const std::string& name) const {
    const auto at = metadata_at.find(name);
    return at == metadata_at.end() ? nullptr : &metadata[at->second].second;
  }
  bool is_pickled(const std::string& name) const {
    const std::string* t = text(name);
    return t && *t == kPickle && tensor(name);
  }
  // Of its own memory: what is read must not show the file.
  Tensor owned(const Tensor& t) const {
    return device && !device->is_cpu() ? raw::to_device(t, *device) : raw::clone_contiguous(t);
  }
  IValue value(const std::string& name) const {
    if (!is_pickled(name)) return value_of(*text(name));
    const Tensor& bytes = *tensor(name);
    TAPIR_CHECK_AS(IOError, bytes.dtype() == kUInt8, "InputArchive: \"{}\" is {}, expected pickled bytes",
                   name, bytes.dtype());
    const auto* p = reinterpret_cast<const char*>(bytes.data_ptr<uint8_t>());
    return pickle_load({p, p + bytes.numel()});
  }
};

InputArchive::InputArchive() : contents_(Contents::of(SafeTensors(), std::nullopt)) {}
InputArchive::~InputArchive() = default;
InputArchive::InputArchive(InputArchive&&) noexcept = default;
InputArchive& InputArchive::operator=(InputArchive&&) noexcept = default;
InputArchive::InputArchive(const OutputArchive& archive) {
  NamedTensors copies = archive.tensors();
  for (auto& entry : copies) entry.second = raw::clone(entry.second);
  contents_ = std::make_shared<Contents>(std::move(copies), archive.metadata(), std::nullopt);
}

void InputArchive::load_from(const std::string& path, std::optional<Device> device) {
  contents_ = Contents::of(io::map_file(path, "InputArchive"), device, '"' + path + '"');
  prefix_.clear();
}

void InputArchive::load_from(std::istream& stream, std::optional<Device> device) {
  contents_ = Contents::of(io::read_stream(stream, "InputArchive"), device, "the stream");
  prefix_.clear();
}

void InputArchive::load_from(const char* data, size_t size, std::optional<Device> device) {
  std::istringstream stream(std::string(data, size));
  load_from(stream, device);
}

void InputArchive::load_from(const std::function<size_t(uint64_t, void*, size_t)>& read,
                             const std::function<size_t()>& size, std::optional<Device> device) {
  std::string bytes(size(), '\0');
  for (size_t at = 0; at < bytes.size();) {
    const size_t n = read(at, &bytes[at], bytes.size() - at);
    TAPIR_CHECK_AS(IOError, n > 0, "InputArchive: only {} of {} bytes could be read", at, bytes.size());
    at += n;
  }
  load_from(bytes.data(), bytes.size(), device);
}

bool InputArchive::try_read(const std::string& key, IValue& value) {
  const std::string name = prefix_ + key;
  if (const std::string* text = contents_->text(name); text && *text != kArchive) {
    value = contents_->value(name);
    return true;
  }
  if (const Tensor* t = contents_->tensor(name)) {
    value = contents_->owned(*t);
    return true;
  }
  return false;
}

bool InputArchive::try_read(const std::string& key, Tensor& tensor, bool) {
  const std::string name = prefix_ + key;
  const Tensor* t = contents_->tensor(name);
  if (!t || contents_->is_pickled(name)) {
    TAPIR_CHECK_AS(ValueError, !contents_->text(name), "InputArchive: \"{}\" is no tensor", name);
    return false;
  }
  if (tensor.defined()) {
    const Tensor loaded = contents_->owned(*t);
    tensor.set_data(tensor.dtype() == loaded.dtype() ? loaded : raw::cast(loaded, tensor.dtype()));
  } else {
    tensor = contents_->owned(*t);
  }
  return true;
}

bool InputArchive::try_read(const std::string& key, InputArchive& archive) {
  const std::string name = prefix_ + key, prefix = name + '.';
  const std::string* text = contents_->text(name);
  const auto has = [&](const auto& entries) {
    return std::any_of(entries.begin(), entries.end(),
                       [&](const auto& e) { return within(e.first, prefix); });
  };
  if (!(text && *text == kArchive) && !has(contents_->tensors) && !has(contents_->metadata)) return false;
  archive.contents_ = contents_;
  archive.prefix_ = prefix;
  return true;
}

void InputArchive::missing(const std::string& key) const {
  const auto held = keys();
  throw_error<ValueError>("InputArchive: there is no \"{}\"; {} {}{}", prefix_ + key,
                          prefix_.empty() ? "it" : '"' + prefix_.substr(0, prefix_.size() - 1) + '"',
                          held.empty() ? "is empty" : "holds ", fmt::join(held, ", "));
}

void InputArchive::read(const std::string& key, IValue& value) {
  if (!try_read(key, value)) missing(key);
}
void InputArchive::read(const std::string& key, Tensor& tensor, bool is_buffer) {
  if (!try_read(key, tensor, is_buffer)) missing(key);
}
void InputArchive::read(const std::string& key, InputArchive& archive) {
  if (!try_read(key, archive)) missing(key);
}

std::vector<std::string> InputArchive::keys() const {
  std::vector<std::string> result;
  std::unordered_set<std::string> seen;
  const auto take = [&](const auto& entries) {
    for (const auto& entry : entries) {
      if (!within(entry.first, prefix_)) continue;
      const std::string key =
          entry.first.substr(prefix_.size(), entry.first.find('.', prefix_.size()) - prefix_.size());
      if (seen.insert(key).second) result.push_back(key);
    }
  };
  take(contents_->tensors);
  take(contents_->metadata);
  return result;
}

NamedTensors InputArchive::tensors() const {
  NamedTensors result;
  for (const auto& [name, t] : contents_->tensors)
    if (within(name, prefix_) && !contents_->is_pickled(name))
      result.emplace_back(name.substr(prefix_.size()), t);
  return result;
}

std::vector<std::pair<std::string, IValue>> InputArchive::values() const {
  std::vector<std::pair<std::string, IValue>> result;
  for (const auto& [name, text] : contents_->metadata)
    if (within(name, prefix_) && text != kArchive)
      result.emplace_back(name.substr(prefix_.size()), contents_->value(name));
  return result;
}

const Metadata& InputArchive::metadata() const { return contents_->metadata; }

OutputArchive& operator<<(OutputArchive& archive, const Tensor& tensor) {
  archive.write("0", tensor);
  return archive;
}
InputArchive& operator>>(InputArchive& archive, Tensor& tensor) {
  if (!archive.try_read("tensor", tensor)) archive.read("0", tensor);  // the first is what save() writes
  return archive;
}

}  // namespace tapir::serialize

namespace tapir {

void nn::Module::save(serialize::OutputArchive& archive) const {
  for (const auto& item : state_dict()) archive.write(item.key(), item.value());
}

void nn::Module::load(serialize::InputArchive& archive) {
  nn::NamedTensors state;
  for (const auto& [name, t] : archive.tensors()) state.insert(name, t);
  load_state_dict(state);
}

void optim::Optimizer::save(serialize::OutputArchive& archive) const {
  const OptimizerStateDict state = state_dict();
  for (const auto& item : state.tensors) archive.write(item.key(), item.value());
  for (const auto& item : state.numbers) archive.write(item.key(), IValue(item.value()));
}

void optim::Optimizer::load(serialize::InputArchive& archive) {
  OptimizerStateDict state;
  for (const auto& [name, t] : archive.tensors()) state.tensors.insert(name, t);
  for (const auto& [name, value] : archive.values()) state.numbers.insert(name, value.toDouble());
  load_state_dict(state);
}

void data::detail::write_state(serialize::OutputArchive& archive, const State& state) {
  for (const auto& [name, t] : state.entries()) archive.write(name, t);
}

data::State data::detail::read_state(serialize::InputArchive& archive) { return State(archive.tensors()); }

}  // namespace tapir
