#include "tapir/io/serialize.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>
#include <unordered_map>

#include "tapir/autograd/node.h"
#include "tapir/io/pt.h"
#include "tapir/io/saved_file.h"
#include "tapir/io/zip.h"
#include "tapir/optim/adamw.h"
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

// A saved file, and how messages name it.
struct Source {
  io::Bytes bytes;
  std::string label;
  bool is_pt;

  Source(io::Bytes b, std::string l) : bytes(std::move(b)), label(std::move(l)), is_pt(io::is_pt(bytes)) {}
  explicit Source(const std::string& path) : Source(io::map_file(path, "load"), '"' + path + '"') {}
  explicit Source(std::istream& stream) : Source(io::read_stream(stream, "load"), "the stream") {}
  io::PtFile pt() const { return io::parse_pt(bytes, label); }
  SafeTensors safetensors() const { return io::parse_safetensors(bytes, label); }
};

// The tensors of a .pt file as torch.load gives them, with the strides and the sharing that they have there,
// which take no more memory than the file does.
std::vector<Tensor> owned(const std::vector<Tensor>& tensors, std::optional<Device> device) {
  std::unordered_map<const StorageImpl*, Tensor> storages;
  std::vector<Tensor> result;
  for (const Tensor& t : tensors) {
    Tensor& storage = storages[t.impl()->storage.get()];
    if (!storage.defined())
      storage = owned(t.alias(Layout::of({static_cast<int64_t>(t.impl()->storage->nbytes() / t.itemsize())})),
                      device);
    result.push_back(storage.alias(t.layout_of()));
    if (t.requires_grad()) result.back().requires_grad_();
  }
  return result;
}

// One tensor, a list or tuple of tensors, or libtorch's object with the attributes "0", "1", ...
std::vector<Tensor> tensors_of(const io::PtFile& file, const std::string& label) {
  const IValue& v = file.value;
  std::vector<Tensor> tensors;
  const auto take = [&](const IValue& item) {
    TAPIR_CHECK_AS(IOError, item.isTensor(), "load: {}: item {} is {}, expected a tensor", label,
                   tensors.size(), item.kind());
    tensors.push_back(item.toTensor());
  };
  if (v.isTensor()) {
    take(v);
  } else if (v.isList()) {
    for (const IValue& item : v.toList()) take(item);
  } else if (v.isTuple()) {
    for (const IValue& item : v.toTupleRef().elements()) take(item);
  } else if (file.objects && v.isGenericDict()) {
    for (const auto& entry : v.toGenericDict()) {
      const IValue* item = nullptr;
      if (const auto* found = v.toGenericDict().find(std::to_string(tensors.size()));
          found != v.toGenericDict().end())
        item = &found->value();
      TAPIR_CHECK_AS(IOError, item && item->isTensor(),
                     "load: {}: it holds a module with \"{}\", expected tensors alone; load(module, ...) and "
                     "load_pt read it",
                     label, entry.key().isString() ? io::shown(entry.key().toStringRef()) : "?");
      take(*item);
    }
  } else {
    throw_error<IOError>("load: {}: it holds {}, expected a tensor, or a list or tuple of tensors{}", label,
                         v.kind(), v.isGenericDict() ? "; load_pt reads it" : "");
  }
  return tensors;
}

void load_tensor(Tensor& tensor, const Source& source, std::optional<Device> device) {
  const auto only = [&](size_t count) {
    TAPIR_CHECK_AS(IOError, count == 1, "load: {}: it holds {} tensors, expected one", source.label, count);
  };
  if (source.is_pt) {
    const std::vector<Tensor> tensors = tensors_of(source.pt(), source.label);
    only(tensors.size());
    tensor = owned(tensors, device)[0];
  } else {
    const SafeTensors file = source.safetensors();
    only(file.tensors.size());
    tensor = owned(file.tensors[0].second, device);
  }
}

// The order of the names "0", "1", ..., where those are the names, since other programs sort them as text;
// else the file's.
std::vector<size_t> order_of(const NamedTensors& tensors) {
  std::unordered_map<std::string, size_t> at;
  for (size_t i = 0; i < tensors.size(); ++i) at.emplace(tensors[i].first, i);
  std::vector<size_t> order;
  for (size_t i = 0; i < tensors.size(); ++i)
    if (const auto found = at.find(std::to_string(i)); found != at.end()) order.push_back(found->second);
  if (order.size() < tensors.size()) {
    order.resize(tensors.size());
    std::iota(order.begin(), order.end(), size_t{0});
  }
  return order;
}

void load_tensors(std::vector<Tensor>& tensors, const Source& source, std::optional<Device> device) {
  if (source.is_pt) {
    tensors = owned(tensors_of(source.pt(), source.label), device);
    return;
  }
  const SafeTensors file = source.safetensors();
  std::vector<Tensor> loaded;
  for (const size_t i : order_of(file.tensors)) loaded.push_back(owned(file.tensors[i].second, device));
  tensors = std::move(loaded);
}

// An object's tensors under their dotted names, as a state_dict has them. Other attributes, such as
// "training", are no part of one.
void gather(const GenericDict& object, const std::string& prefix, nn::NamedTensors& state,
            io::Expansion& expansion, const std::string& label) {
  for (const auto& entry : object) {
    const std::string name =
        prefix + (entry.key().isString() ? entry.key().toStringRef() : std::to_string(entry.key().toInt()));
    expansion.add(64 + name.size());
    if (entry.value().isGenericDict()) {
      gather(entry.value().toGenericDict(), name + '.', state, expansion, label);
    } else if (entry.value().isTensor()) {
      TAPIR_CHECK_AS(IOError, !state.contains(name), "load: {}: there are two of \"{}\"", label,
                     io::shown(name));
      state.insert(name, entry.value().toTensor());
    }
  }
}

nn::NamedTensors module_state(const Source& source) {
  nn::NamedTensors state;
  if (!source.is_pt) {
    for (const auto& [name, t] : source.safetensors().tensors) state.insert(name, t);
    return state;
  }
  const io::PtFile file = source.pt();
  if (!file.objects || !file.value.isGenericDict()) return state_dict_of(file.value);
  io::Expansion expansion(source.label);
  gather(file.value.toGenericDict(), "", state, expansion, source.label);
  return state;
}

void load_module(nn::Module& module, const Source& source, std::optional<Device> device) {
  module.load_state_dict(module_state(source));
  if (device) module.to(*device);
}

// An optimizer's state of a .pt file: what Python's state_dict() holds, or the entries of libtorch's archive.
class OptimizerFile {
 public:
  OptimizerFile(const io::PtFile& file, const std::string& label, optim::Optimizer& optimizer)
      : label_(label), optimizer_(optimizer) {
    const size_t most = optimizer.param_groups().size();  // and one, which is one too many
    const IValue *states = find(file.value, "state"), *groups = find(file.value, "param_groups");
    if (!states || !groups || !states->isGenericDict()) none();
    states_ = states->toGenericDict();
    if (file.objects)
      for (size_t i = 0; const IValue* g = find(*groups, fmt::format("param_groups/{}", i)); ++i) {
        if (groups_.size() > most) break;
        const IValue* options = find(*g, "options");
        if (!options || !options->isGenericDict()) none();
        std::vector<IValue> params;
        while (const IValue* p = find(*g, fmt::format("params/{}", params.size()))) params.push_back(*p);
        groups_.push_back({std::move(params), options->toGenericDict()});
      }
    else if (groups->isList())
      for (const IValue& g : groups->toList()) {
        if (groups_.size() > most) break;
        const IValue* params = find(g, "params");
        if (!params || !params->isList()) none();
        groups_.push_back({params->toList().vec(), g.toGenericDict()});
      }
    if (groups_.empty()) none();
  }

  void load() {
    const auto& groups = optimizer_.param_groups();
    bool fits = groups.size() == groups_.size();
    for (size_t i = 0; fits && i < groups.size(); ++i)
      fits = groups[i].params().size() == groups_[i].params.size();
    TAPIR_CHECK_AS(ValueError, fits,
                   "load: {}: its groups have {} parameters, the optimizer's {}; nothing was loaded", label_,
                   counts(groups_, [](const Group& g) { return g.params.size(); }),
                   counts(groups, [](const auto& g) { return g.params().size(); }));
    // An option that the file does not have stays as it is.
    for (const auto& item : optimizer_.state_dict().numbers)
      if (item.key().starts_with("param_groups.")) numbers_[item.key()] = item.value();

    size_t param = 0, used = 0;
    for (const Group& g : groups_)
      for (const IValue& id : g.params) {
        const std::string prefix = fmt::format("state.{}.", param++);
        if (!id.isInt() && !id.isString()) none();
        const auto* found = states_.find(id);
        if (found == states_.end()) continue;  // it has not been updated yet
        if (!found->value().isGenericDict()) none();
        ++used;
        for (const auto& field : found->value().toGenericDict())
          if (!field.value().isNone()) put(prefix + text(field.key()), text(field.key()), field.value());
      }
    TAPIR_CHECK_AS(ValueError, used == states_.size(),
                   "load: {}: it has the state of {} parameters, of which {} are in its groups; nothing was "
                   "loaded",
                   label_, states_.size(), used);

    const bool adamw = dynamic_cast<const optim::AdamW*>(&optimizer_) != nullptr;
    std::vector<std::optional<double>> initial_lrs;
    for (size_t i = 0; i < groups_.size(); ++i)
      initial_lrs.push_back(put_options(fmt::format("param_groups.{}.", i), groups_[i].options, adamw));

    for (const auto& [name, value] : numbers_) state_.numbers.insert(name, value);
    optimizer_.load_state_dict(state_);
    for (size_t i = 0; i < initial_lrs.size(); ++i)
      if (initial_lrs[i]) optimizer_.param_groups()[i].initial_lr() = initial_lrs[i];
  }

 private:
  struct Group {
    std::vector<IValue> params;
    GenericDict options;
  };

  static const IValue* find(const IValue& dict, const std::string& key) {
    if (!dict.isGenericDict()) return nullptr;
    const auto* entry = dict.toGenericDict().find(key);
    return entry == dict.toGenericDict().end() ? nullptr : &entry->value();
  }
  static std::string text(const IValue& key) {
    return key.isString() ? key.toStringRef() : std::to_string(key.toInt());
  }
  static std::string counts(const auto& groups, auto count) {
    std::vector<size_t> result;
    for (const auto& g : groups) result.push_back(count(g));
    return fmt::format("{}", fmt::join(result, ", "));
  }
  [[noreturn]] void none() const {
    throw_error<IOError>(
        "load: {}: it holds no optimizer's state, which is a dict of \"state\" and \"param_groups\": "
        "torch.save(optimizer.state_dict(), path) writes one. Of a dict that holds it beside others, save it "
        "alone",
        label_);
  }

  double number(const std::string& name, const IValue& v) const {
    if (v.isBool()) return v.toBool();
    if (v.isInt() || v.isDouble()) return v.toDouble();
    if (v.isTensor() && v.toTensor().numel() == 1) return v.toTensor().item<double>();
    throw_error<IOError>(
        "load: {}: \"{}\" is {}, which Tapir does not read there{}", label_, io::shown(name), v.kind(),
        v.isList() || v.isString() ? " (the state of LBFGS is read from Tapir's files alone)" : "");
  }
  void put(const std::string& name, const std::string& field, const IValue& value) {
    // Numbers that PyTorch keeps in tensors.
    const bool is_number = field == "step" || field == "mu_product" || field == "eta" || field == "mu";
    if (value.isTensor() && !is_number)
      state_.tensors.insert(name, value.toTensor());
    else
      numbers_[name] = number(name, value);
  }
  std::optional<double> put_options(const std::string& prefix, const GenericDict& options, bool adamw) {
    std::optional<double> initial_lr;
    for (const auto& option : options) {
      const std::string name = text(option.key());
      const IValue& v = option.value();
      const auto pair = [&](const char* first, const char* second) {
        const std::vector<IValue> two = v.isTuple()  ? v.toTupleRef().elements()
                                        : v.isList() ? v.toList().vec()
                                                     : std::vector<IValue>{v};
        TAPIR_CHECK_AS(IOError, two.size() == 2, "load: {}: \"{}{}\" is no pair", label_, prefix, name);
        numbers_[prefix + first] = number(prefix + name, two[0]);
        numbers_[prefix + second] = number(prefix + name, two[1]);
      };
      if (name == "params") continue;  // load() has compared them
      if (name == "betas") {
        pair("beta1", "beta2");
      } else if (name == "etas") {
        pair("eta_minus", "eta_plus");
      } else if (name == "step_sizes") {
        pair("step_size_min", "step_size_max");
      } else if (name == "initial_lr") {
        initial_lr = number(prefix + name, v);
      } else if (numbers_.contains(prefix + name)) {
        numbers_[prefix + name] = number(prefix + name, v);
      } else {
        // How it is computed, and what Tapir does not have and the file does not use.
        const bool ignored = name == "param_names" || name == "foreach" || name == "fused" ||
                             name == "capturable" || name == "differentiable" ||
                             (name == "decoupled_weight_decay" && adamw) || v.isNone() ||
                             (v.isBool() && !v.toBool());
        if (!ignored) numbers_[prefix + name] = number(prefix + name, v);
      }
    }
    return initial_lr;
  }

  const std::string& label_;
  optim::Optimizer& optimizer_;
  GenericDict states_;
  std::vector<Group> groups_;
  std::map<std::string, double> numbers_;
  optim::OptimizerStateDict state_;
};

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

// An optimizer's state is always where its parameters are.
void load_optimizer(optim::Optimizer& optimizer, const Source& source) {
  if (source.is_pt)
    OptimizerFile(source.pt(), source.label, optimizer).load();
  else
    optimizer.load_state_dict(optimizer_state(source.safetensors(), source.label));
}

}  // namespace

void save(const Tensor& tensor, const std::string& path) { save_safetensors(path, {{"tensor", tensor}}); }
void save(const Tensor& tensor, std::ostream& stream) { save_safetensors(stream, {{"tensor", tensor}}); }
void load(Tensor& tensor, const std::string& path, std::optional<Device> device) {
  load_tensor(tensor, Source(path), device);
}
void load(Tensor& tensor, std::istream& stream, std::optional<Device> device) {
  load_tensor(tensor, Source(stream), device);
}

void save(const std::vector<Tensor>& tensors, const std::string& path) {
  save_safetensors(path, numbered(tensors));
}
void save(const std::vector<Tensor>& tensors, std::ostream& stream) {
  save_safetensors(stream, numbered(tensors));
}
void load(std::vector<Tensor>& tensors, const std::string& path, std::optional<Device> device) {
  load_tensors(tensors, Source(path), device);
}
void load(std::vector<Tensor>& tensors, std::istream& stream, std::optional<Device> device) {
  load_tensors(tensors, Source(stream), device);
}

void save(const nn::Module& module, const std::string& path) { save_safetensors(path, state_of(module)); }
void save(const nn::Module& module, std::ostream& stream) { save_safetensors(stream, state_of(module)); }
void load(nn::Module& module, const std::string& path, std::optional<Device> device) {
  load_module(module, Source(path), device);
}
void load(nn::Module& module, std::istream& stream, std::optional<Device> device) {
  load_module(module, Source(stream), device);
}

void save(const optim::Optimizer& optimizer, const std::string& path) { save_optimizer(optimizer, path); }
void save(const optim::Optimizer& optimizer, std::ostream& stream) { save_optimizer(optimizer, stream); }
void load(optim::Optimizer& optimizer, const std::string& path, std::optional<Device>) {
  load_optimizer(optimizer, Source(path));
}
void load(optim::Optimizer& optimizer, std::istream& stream, std::optional<Device>) {
  load_optimizer(optimizer, Source(stream));
}

}  // namespace tapir
