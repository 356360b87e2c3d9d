#include "tapir/io/serialize.h"

#include <algorithm>
#include <charconv>
#include <fstream>

#include "tapir/io/pt.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

namespace {

NamedTensors numbered(const std::vector<Tensor>& tensors) {
  NamedTensors named;
  for (const Tensor& t : tensors) named.emplace_back(std::to_string(named.size()), t);
  return named;
}

NamedTensors state_of(const nn::Module& module) {
  NamedTensors named;
  for (const auto& item : module.state_dict()) named.emplace_back(item.key(), item.value());
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

void load_module(nn::Module& module, const SafeTensors& file, std::optional<Device> device) {
  nn::NamedTensors state;
  for (const auto& [name, t] : file.tensors) state.insert(name, t);
  module.load_state_dict(state);
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
optim::OptimizerStateDict optimizer_state(const SafeTensors& file, const std::string& label) {
  optim::OptimizerStateDict state;
  for (const auto& [name, t] : file.tensors) state.tensors.insert(name, t);
  for (const auto& [key, text] : file.metadata) {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    TAPIR_CHECK_AS(IOError, error == std::errc() && stop == end,
                   "load: {}: metadata \"{}\" is \"{}\", expected a number", label, key, text);
    state.numbers.insert(key, value);
  }
  return state;
}

void save_optimizer(const optim::Optimizer& optimizer, auto& target) {
  const optim::OptimizerStateDict state = optimizer.state_dict();
  NamedTensors tensors;
  Metadata metadata;
  for (const auto& item : state.tensors) tensors.emplace_back(item.key(), item.value());
  for (const auto& item : state.numbers) metadata.emplace_back(item.key(), fmt::format("{}", item.value()));
  save_safetensors(target, tensors, metadata);
}

std::string quoted(const std::string& path) { return '"' + path + '"'; }

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
  optimizer.load_state_dict(optimizer_state(load_safetensors(path), quoted(path)));
}
void load(optim::Optimizer& optimizer, std::istream& stream, std::optional<Device>) {
  optimizer.load_state_dict(optimizer_state(load_safetensors(stream), "the stream"));
}

}  // namespace tapir
