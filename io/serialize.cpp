#include "tapir/io/serialize.h"

#include <algorithm>
#include <charconv>
#include <fstream>

#include "tapir/io/pt.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

namespace {

constexpr std::string_view kModel = "model.", kOptimizer = "optimizer.", kGenerator = "generator.cpu";

NamedTensors numbered(const std::vector<Tensor>& tensors) {
  NamedTensors named;
  for (const Tensor& t : tensors) named.emplace_back(std::to_string(named.size()), t);
  return named;
}

NamedTensors state_of(const nn::Module& module, std::string_view prefix = "") {
  NamedTensors named;
  for (const auto& item : module.state_dict())
    named.emplace_back(std::string(prefix) + item.key(), item.value());
  return named;
}

// A tensor of its own memory: what is loaded must not show the file.
Tensor owned(const Tensor& t, std::optional<Device> device) {
  return device && !device->is_cpu() ? raw::to_device(t, *device) : raw::clone_contiguous(t);
}

void load_tensor(Tensor& tensor, const SafeTensors& file, const std::string& label,
                 std::optional<Device> device) {
  TAPIR_CHECK_AS(IOError, file.tensors.size() == 1, "load: {}: it holds {} tensors, expected one", label,
                 file.tensors.size());
  tensor = owned(file.tensors[0].second, device);
}

void load_tensors(std::vector<Tensor>& tensors, const SafeTensors& file, std::optional<Device> device) {
  std::vector<Tensor> loaded;
  for (const auto& [name, t] : file.tensors) loaded.push_back(owned(t, device));
  tensors = std::move(loaded);
}

// The module's part of a file: the names with that prefix, without it.
nn::NamedTensors module_state(const SafeTensors& file, std::string_view prefix = "") {
  nn::NamedTensors state;
  for (const auto& [name, t] : file.tensors)
    if (name.starts_with(prefix)) state.insert(name.substr(prefix.size()), t);
  return state;
}

void load_module(nn::Module& module, const SafeTensors& file, std::optional<Device> device) {
  module.load_state_dict(module_state(file));
  if (device) module.to(*device);
}

// What torch.save writes is an archive; a safetensors file cannot begin like one, its header would be too
// long.
bool is_zip(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char start[4] = {};
  return file.read(start, 4) && std::string_view(start, 4) == "PK\3\4";
}

// Numbers are metadata, written so that they are read back exactly.
void append(const optim::OptimizerStateDict& state, std::string_view prefix, NamedTensors& tensors,
            Metadata& metadata) {
  for (const auto& item : state.tensors) tensors.emplace_back(std::string(prefix) + item.key(), item.value());
  for (const auto& item : state.numbers)
    metadata.emplace_back(std::string(prefix) + item.key(), fmt::format("{}", item.value()));
}

optim::OptimizerStateDict optimizer_state(const SafeTensors& file, std::string_view prefix,
                                          const std::string& label) {
  optim::OptimizerStateDict state;
  for (const auto& [name, t] : file.tensors)
    if (name.starts_with(prefix)) state.tensors.insert(name.substr(prefix.size()), t);
  for (const auto& [key, text] : file.metadata) {
    if (!key.starts_with(prefix)) continue;
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    TAPIR_CHECK_AS(IOError, error == std::errc() && stop == end,
                   "load: {}: metadata \"{}\" is \"{}\", expected a number", label, key, text);
    state.numbers.insert(key.substr(prefix.size()), value);
  }
  return state;
}

void save_optimizer(const optim::Optimizer& optimizer, auto& target) {
  NamedTensors tensors;
  Metadata metadata;
  append(optimizer.state_dict(), "", tensors, metadata);
  save_safetensors(target, tensors, metadata);
}

std::string quoted(const std::string& path) { return '"' + path + '"'; }

SafeTensors checkpoint_file(const std::string& path) {
  SafeTensors file = load_safetensors(path);
  for (const auto& [name, t] : file.tensors)
    TAPIR_CHECK_AS(
        ValueError, name.starts_with(kModel) || name.starts_with(kOptimizer) || name == kGenerator,
        "load_checkpoint: \"{}\" holds \"{}\": it is no checkpoint (a module's file is read by load)", path,
        name);
  return file;
}

Metadata callers_metadata(const SafeTensors& file) {
  Metadata metadata;
  for (const auto& entry : file.metadata)
    if (!entry.first.starts_with(kOptimizer)) metadata.push_back(entry);
  return metadata;
}

}  // namespace

void save(const Tensor& tensor, const std::string& path) { save_safetensors(path, {{"tensor", tensor}}); }
void save(const Tensor& tensor, std::ostream& stream) { save_safetensors(stream, {{"tensor", tensor}}); }
void load(Tensor& tensor, const std::string& path, std::optional<Device> device) {
  load_tensor(tensor, load_safetensors(path), quoted(path), device);
}
void load(Tensor& tensor, std::istream& stream, std::optional<Device> device) {
  load_tensor(tensor, load_safetensors(stream), "the stream", device);
}

void save(const std::vector<Tensor>& tensors, const std::string& path) {
  save_safetensors(path, numbered(tensors));
}
void save(const std::vector<Tensor>& tensors, std::ostream& stream) {
  save_safetensors(stream, numbered(tensors));
}
void load(std::vector<Tensor>& tensors, const std::string& path, std::optional<Device> device) {
  load_tensors(tensors, load_safetensors(path), device);
}
void load(std::vector<Tensor>& tensors, std::istream& stream, std::optional<Device> device) {
  load_tensors(tensors, load_safetensors(stream), device);
}

void save(const nn::Module& module, const std::string& path) { save_safetensors(path, state_of(module)); }
void save(const nn::Module& module, std::ostream& stream) { save_safetensors(stream, state_of(module)); }
void load(nn::Module& module, const std::string& path, std::optional<Device> device) {
  if (!is_zip(path)) return load_module(module, load_safetensors(path), device);
  module.load_state_dict(state_dict_of(load_pt(path)));
  if (device) module.to(*device);
}
void load(nn::Module& module, std::istream& stream, std::optional<Device> device) {
  load_module(module, load_safetensors(stream), device);
}

void save(const optim::Optimizer& optimizer, const std::string& path) { save_optimizer(optimizer, path); }
void save(const optim::Optimizer& optimizer, std::ostream& stream) { save_optimizer(optimizer, stream); }
// An optimizer's state is always where its parameters are.
void load(optim::Optimizer& optimizer, const std::string& path, std::optional<Device>) {
  optimizer.load_state_dict(optimizer_state(load_safetensors(path), "", quoted(path)));
}
void load(optim::Optimizer& optimizer, std::istream& stream, std::optional<Device>) {
  optimizer.load_state_dict(optimizer_state(load_safetensors(stream), "", "the stream"));
}

void save_checkpoint(const std::string& path, const nn::Module& module, const optim::Optimizer& optimizer,
                     const Metadata& metadata) {
  NamedTensors tensors = state_of(module, kModel);
  Metadata all;
  for (const auto& entry : metadata) {
    TAPIR_CHECK_AS(ValueError, !entry.first.starts_with(kOptimizer),
                   "save_checkpoint: the metadata key \"{}\" begins with \"{}\", which is taken", entry.first,
                   kOptimizer);
    all.push_back(entry);
  }
  const nn::NamedTensors names = module.named_parameters();
  append(optimizer.state_dict(&names), kOptimizer, tensors, all);
  const std::vector<uint8_t> state = default_generator().get_state();
  const Tensor generator = Tensor::empty({static_cast<int64_t>(state.size())}, kUInt8);
  std::copy(state.begin(), state.end(), generator.data_ptr<uint8_t>());
  tensors.emplace_back(kGenerator, generator);
  save_safetensors(path, tensors, all);
}

Metadata load_checkpoint(const std::string& path, nn::Module& module, optim::Optimizer& optimizer) {
  const SafeTensors file = checkpoint_file(path);
  const nn::NamedTensors names = module.named_parameters();
  const optim::OptimizerStateDict state = optimizer_state(file, kOptimizer, quoted(path));
  TAPIR_CHECK_AS(ValueError,
                 file.contains(std::string(kGenerator)) && file.at(std::string(kGenerator)).dtype() == kUInt8,
                 "load_checkpoint: \"{}\" holds no \"{}\": it is no checkpoint", path, kGenerator);
  const Tensor& generator = file.at(std::string(kGenerator));
  const uint8_t* bytes = generator.data_ptr<uint8_t>();
  const std::vector<uint8_t> generator_state(bytes, bytes + generator.numel());
  Generator().set_state(generator_state);  // throws for bytes that are none

  // Each of the two changes nothing where it throws; what the first has changed is put back where the second
  // does.
  nn::NamedTensors before;
  for (const auto& item : module.state_dict()) before.insert(item.key(), raw::clone(item.value()));
  module.load_state_dict(module_state(file, kModel));
  try {
    optimizer.load_state_dict(state, &names);
  } catch (...) {
    module.load_state_dict(before);
    throw;
  }
  default_generator().set_state(generator_state);
  return callers_metadata(file);
}

Metadata load_checkpoint(const std::string& path, nn::Module& module) {
  const SafeTensors file = checkpoint_file(path);
  module.load_state_dict(module_state(file, kModel));
  return callers_metadata(file);
}

}  // namespace tapir
