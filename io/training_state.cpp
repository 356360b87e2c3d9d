#include "tapir/io/training_state.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <unordered_set>

#include "tapir/io/serialize.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir {

using serialize::InputArchive;
using serialize::OutputArchive;

namespace {

constexpr const char* kGenerator = "generator";

template <class Save>
void write_nested(OutputArchive& archive, const std::string& name, Save save) {
  OutputArchive nested;
  save(nested);
  archive.write(name, nested);
}

InputArchive nested(InputArchive& archive, const std::string& name) {
  InputArchive result;
  archive.read(name, result);
  return result;
}

IValue value(InputArchive& archive, const std::string& name) {
  IValue result;
  archive.read(name, result);
  return result;
}

Tensor tensor_of(const std::vector<uint8_t>& bytes) {
  const Tensor t = Tensor::empty({static_cast<int64_t>(bytes.size())}, kUInt8);
  std::copy(bytes.begin(), bytes.end(), t.data_ptr<uint8_t>());
  return t;
}

void load_generator(Generator& generator, InputArchive& archive, const std::string& name) {
  Tensor t;
  archive.read(name, t);
  TAPIR_CHECK_AS(ValueError, t.dtype() == kUInt8, "TrainingState: \"{}\" is {}, expected a generator's bytes",
                 name, t.dtype());
  generator.set_state({t.data_ptr<uint8_t>(), t.data_ptr<uint8_t>() + t.numel()});
}

void load_tensor(Tensor& tensor, const IValue& loaded, const std::string& name) {
  if (loaded.isNone()) return tensor.reset();
  TAPIR_CHECK_AS(ValueError, loaded.isTensor(), "TrainingState: \"{}\" is {}, expected a tensor", name,
                 loaded.kind());
  const Tensor t = loaded.toTensor();
  if (!tensor.defined()) {
    tensor = t;
    return;
  }
  TAPIR_CHECK_AS(ValueError, t.sizes() == tensor.sizes() && t.dtype() == tensor.dtype(),
                 "TrainingState: the file's \"{}\" is {} of sizes {}, the variable {} of sizes {}; reset it "
                 "to have it take another tensor",
                 name, t.dtype(), t.sizes(), tensor.dtype(), tensor.sizes());
  raw::copy_into(tensor, t, "load");
}

bool has_metadata(const InputArchive& archive, const std::string& key) {
  const Metadata& all = archive.metadata();
  return std::any_of(all.begin(), all.end(), [&](const auto& entry) {
    return entry.first == key || entry.first.starts_with(key + '.');
  });
}

constexpr std::string_view kOptimizer = "optimizer.";

/// The caller's part of a checkpoint's metadata.
Metadata callers_metadata(const InputArchive& archive) {
  Metadata result;
  for (const auto& entry : archive.metadata())
    if (!entry.first.starts_with(kOptimizer)) result.push_back(entry);
  return result;
}

}  // namespace

TrainingState& TrainingState::add(Part part) {
  const bool taken = part.name == kGenerator || std::any_of(parts_.begin(), parts_.end(), [&](const Part& p) {
                       return p.name == part.name;
                     });
  TAPIR_CHECK_AS(ValueError, !taken && !part.name.empty() && part.name.find('.') == part.name.npos,
                 "TrainingState: got the name \"{}\", which {}", part.name,
                 taken ? "is taken" : "is empty or has a dot");
  parts_.push_back(std::move(part));
  return *this;
}

TrainingState& TrainingState::add(const std::string& name, nn::Module& module) {
  add(Part{name,
           [&module](OutputArchive& archive, const std::string& key) {
             write_nested(archive, key, [&](OutputArchive& a) { module.save(a); });
           },
           [&module](InputArchive& archive, const std::string& key) {
             InputArchive part = nested(archive, key);
             module.load(part);
           }});
  modules_.emplace_back(name, &module);
  return *this;
}

std::unique_ptr<nn::NamedTensors> TrainingState::parameter_names(const optim::Optimizer& optimizer) const {
  auto names = std::make_unique<nn::NamedTensors>();
  std::unordered_set<const void*> named;
  for (const auto& [part, module] : modules_)
    for (const auto& item : module->named_parameters())
      if (named.insert(item.value().unsafeGetTensorImpl()).second)
        names->insert(is_checkpoint_ ? item.key() : part + '.' + item.key(), item.value());
  for (const Tensor& p : optimizer.parameters())
    if (!named.contains(p.unsafeGetTensorImpl())) return nullptr;
  return names;
}

TrainingState& TrainingState::add(const std::string& name, optim::Optimizer& optimizer) {
  return add(Part{name,
                  [this, &optimizer](OutputArchive& archive, const std::string& key) {
                    const auto names = parameter_names(optimizer);
                    const optim::OptimizerStateDict state = optimizer.state_dict(names.get());
                    write_nested(archive, key, [&](OutputArchive& a) {
                      for (const auto& item : state.tensors) a.write(item.key(), item.value());
                      for (const auto& item : state.numbers) a.write(item.key(), IValue(item.value()));
                    });
                  },
                  [this, &optimizer](InputArchive& archive, const std::string& key) {
                    const InputArchive part = nested(archive, key);
                    optim::OptimizerStateDict state;
                    for (const auto& [entry, t] : part.tensors()) state.tensors.insert(entry, t);
                    for (const auto& [entry, v] : part.values()) state.numbers.insert(entry, v.toDouble());
                    const auto names = parameter_names(optimizer);
                    optimizer.load_state_dict(state, names.get());
                  }});
}

TrainingState& TrainingState::add(const std::string& name, optim::SchedulerBase& scheduler) {
  return add(Part{name,
                  [&scheduler](OutputArchive& archive, const std::string& key) {
                    write_nested(archive, key, [&](OutputArchive& a) {
                      for (const auto& item : scheduler.state_dict())
                        a.write(item.key(), IValue(item.value()));
                    });
                  },
                  [&scheduler](InputArchive& archive, const std::string& key) {
                    OrderedDict<std::string, double> state;
                    for (const auto& [entry, v] : nested(archive, key).values())
                      state.insert(entry, v.toDouble());
                    scheduler.load_state_dict(state);
                  }});
}

TrainingState& TrainingState::add(const std::string& name, Generator& generator) {
  return add(Part{name,
                  [&generator](OutputArchive& archive, const std::string& key) {
                    archive.write(key, tensor_of(generator.get_state()));
                  },
                  [&generator](InputArchive& archive, const std::string& key) {
                    load_generator(generator, archive, key);
                  }});
}

TrainingState& TrainingState::add(const std::string& name, int64_t& number) {
  return add(Part{
      name, [&number](OutputArchive& archive, const std::string& key) { archive.write(key, IValue(number)); },
      [&number](InputArchive& archive, const std::string& key) { number = value(archive, key).toInt(); }});
}
TrainingState& TrainingState::add(const std::string& name, double& number) {
  return add(Part{
      name, [&number](OutputArchive& archive, const std::string& key) { archive.write(key, IValue(number)); },
      [&number](InputArchive& archive, const std::string& key) { number = value(archive, key).toDouble(); }});
}
TrainingState& TrainingState::add(const std::string& name, bool& flag) {
  return add(Part{
      name, [&flag](OutputArchive& archive, const std::string& key) { archive.write(key, IValue(flag)); },
      [&flag](InputArchive& archive, const std::string& key) { flag = value(archive, key).toBool(); }});
}
TrainingState& TrainingState::add(const std::string& name, std::string& text) {
  return add(Part{
      name, [&text](OutputArchive& archive, const std::string& key) { archive.write(key, IValue(text)); },
      [&text](InputArchive& archive, const std::string& key) { text = value(archive, key).toStringRef(); }});
}
TrainingState& TrainingState::add(const std::string& name, Tensor& tensor) {
  return add(Part{name,
                  [&tensor](OutputArchive& archive, const std::string& key) {
                    archive.write(key, tensor.defined() ? IValue(tensor) : IValue());
                  },
                  [&tensor](InputArchive& archive, const std::string& key) {
                    load_tensor(tensor, value(archive, key), key);
                  },
                  false, &tensor});
}

TrainingState& TrainingState::add(const std::string& name, std::function<data::State()> get,
                                  std::function<void(const data::State&)> set) {
  return add(Part{name,
                  [get = std::move(get)](OutputArchive& archive, const std::string& key) {
                    write_nested(archive, key,
                                 [&](OutputArchive& a) { data::detail::write_state(a, get()); });
                  },
                  [set = std::move(set)](InputArchive& archive, const std::string& key) {
                    InputArchive part = nested(archive, key);
                    set(data::detail::read_state(part));
                  },
                  true});
}

OutputArchive TrainingState::gather() const {
  OutputArchive archive;
  for (const Part& part : parts_) part.save(archive, part.name);
  archive.write(generator_key(), tensor_of(default_generator().get_state()));
  return archive;
}

void TrainingState::save(const std::string& path) const { gather().save_to(path); }

void TrainingState::load(const std::string& path) {
  InputArchive archive;
  archive.load_from(path);
  load(archive, path);
}

void TrainingState::load(InputArchive& archive, const std::string& path) {
  std::string problems;
  const std::vector<std::string> keys = archive.keys();
  const auto known = [&](const std::string& key) {
    return key == kGenerator ||
           std::any_of(parts_.begin(), parts_.end(), [&](const Part& p) { return p.name == key; }) ||
           (is_checkpoint_ && has_metadata(archive, key));
  };
  for (const std::string& key : keys)
    if (!known(key)) problems += "\n  unexpected: " + key;
  for (const Part& part : parts_)
    if (std::find(keys.begin(), keys.end(), part.name) == keys.end()) problems += "\n  missing: " + part.name;
  TAPIR_CHECK_AS(ValueError, problems.empty(),
                 "{}: the parts of \"{}\" are not those {}; nothing was loaded:{}",
                 is_checkpoint_ ? "load_checkpoint" : "TrainingState: load", path,
                 is_checkpoint_ ? "of a checkpoint" : "added", problems);

  // Loading into a loader ends the loop over it, so loaders come last and are put back only where need be.
  std::vector<Part> order;
  const auto take = [&](bool loaders) {
    std::copy_if(parts_.begin(), parts_.end(), std::back_inserter(order),
                 [&](const Part& p) { return p.is_loader == loaders; });
  };
  take(false);
  order.push_back({generator_key(), {}, [](InputArchive& from, const std::string& key) {
                     load_generator(default_generator(), from, key);
                   }});
  take(true);

  // Each part changes nothing where it throws. Those before it are put back as they were.
  InputArchive before(gather());
  std::vector<Tensor> variables;
  for (const Part& part : order) variables.push_back(part.tensor ? *part.tensor : Tensor());
  size_t loaded = 0;
  try {
    for (; loaded < order.size(); ++loaded) order[loaded].load(archive, order[loaded].name);
  } catch (...) {
    for (size_t i = 0; i < loaded; ++i) {
      if (order[i].tensor) *order[i].tensor = variables[i];
      order[i].load(before, order[i].name);
    }
    throw;
  }
}

bool TrainingState::resume(const std::string& path) {
  if (!std::filesystem::exists(path)) return false;
  load(path);
  return true;
}

// --- checkpoints ---

void save_checkpoint(const std::string& path, const nn::Module& module, const optim::Optimizer& optimizer,
                     const Metadata& metadata) {
  for (const auto& entry : metadata)
    TAPIR_CHECK_AS(ValueError, !entry.first.starts_with(kOptimizer),
                   "save_checkpoint: the metadata key \"{}\" begins with \"{}\", which is taken", entry.first,
                   kOptimizer);
  TrainingState training{TrainingState::AsCheckpoint()};  // which changes nothing to save it
  training.add("model", const_cast<nn::Module&>(module))
      .add("optimizer", const_cast<optim::Optimizer&>(optimizer));
  const OutputArchive archive = training.gather();
  Metadata all = metadata;
  all.insert(all.end(), archive.metadata().begin(), archive.metadata().end());
  save_safetensors(path, archive.tensors(), all);
}

Metadata load_checkpoint(const std::string& path, nn::Module& module, optim::Optimizer& optimizer) {
  TrainingState training{TrainingState::AsCheckpoint()};
  training.add("model", module).add("optimizer", optimizer);
  InputArchive archive;
  archive.load_from(path);
  training.load(archive, path);
  return callers_metadata(archive);
}

Metadata load_checkpoint(const std::string& path, nn::Module& module) {
  InputArchive archive;
  archive.load_from(path);
  InputArchive part = nested(archive, "model");
  module.load(part);
  return callers_metadata(archive);
}

}  // namespace tapir
