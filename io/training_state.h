// TrainingState: all that a training needs to go on after it was stopped, in one file.
//
//   int64_t epoch = 0;
//   TrainingState training;
//   training.add("model", model).add("optimizer", adam).add("scheduler", scheduler)
//           .add("loader", *loader).add("epoch", epoch);
//   training.resume("training.safetensors");        // goes on, where there is such a file
//   for (; epoch < 10; ++epoch)
//     for (auto& batch : *loader) {
//       ...
//       if (++steps % 100 == 0) training.save("training.safetensors");
//     }
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tapir/data/state.h"
#include "tapir/io/archive.h"
#include "tapir/nn/module.h"
#include "tapir/optim/lr_scheduler.h"
#include "tapir/optim/optimizer.h"
#include "tapir/tensor/generator.h"

namespace tapir {

/// A list of named parts that are saved and loaded together, with the state of the CPU's default generator.
/// It refers to the parts, which must outlive it. A training that is killed at any moment and resumed from
/// its file goes on, bit for bit, as if it had not been.
class TAPIR_API TrainingState {
 public:
  TrainingState() = default;
  TrainingState(const TrainingState&) = delete;
  TrainingState& operator=(const TrainingState&) = delete;
  /// Each throws ValueError for a name that is taken or has a dot.
  TrainingState& add(const std::string& name, nn::Module& module);
  /// Its state is kept by the names that its parameters have in the modules added, else by numbers.
  TrainingState& add(const std::string& name, optim::Optimizer& optimizer);
  TrainingState& add(const std::string& name, optim::SchedulerBase& scheduler);
  TrainingState& add(const std::string& name, Generator& generator);
  TrainingState& add(const std::string& name, int64_t& number);
  TrainingState& add(const std::string& name, double& number);
  TrainingState& add(const std::string& name, bool& flag);
  TrainingState& add(const std::string& name, std::string& text);
  /// Where the variable is defined, load() checks sizes and dtype and copies into its memory, so that it
  /// stays the tensor (the optimizer's parameter, say) that it is; where it is undefined, it gets a tensor of
  /// its own. An undefined one is kept as None, which makes the variable undefined.
  TrainingState& add(const std::string& name, Tensor& tensor);
  template <class M>
  requires std::derived_from<M, nn::Module> TrainingState& add(const std::string& name,
                                                               const std::shared_ptr<M>& module) {
    return add(name, static_cast<nn::Module&>(*module));
  }
  template <class M>
  TrainingState& add(const std::string& name, const nn::ModuleHolder<M>& module) {
    return add(name, static_cast<nn::Module&>(*module.ptr()));
  }
  /// A loader, or whatever else has a data::State to save and load.
  template <class L>
  requires requires(L& loader, const data::State& s) {
    { loader.state_dict() } -> std::same_as<data::State>;
    loader.load_state_dict(s);
  }
  TrainingState& add(const std::string& name, L& loader) {
    return add(
        name, [&loader] { return loader.state_dict(); },
        [&loader](const data::State& state) { loader.load_state_dict(state); });
  }

  /// Writes a safetensors file: tensors named "part.name", the numbers as metadata. It is replaced all at
  /// once (written beside, synced, renamed), so that a crash or a full disk never costs the previous one.
  /// Throws IOError.
  void save(const std::string& path) const;
  /// Restores every part. Throws IOError, and ValueError where the file has not just these parts or one of
  /// them does not fit; all parts are then as they were. Loaders are loaded last, so that a running loop over
  /// one goes on where another part does not fit.
  void load(const std::string& path);
  /// The same where there is such a file; false where there is none.
  bool resume(const std::string& path);

 private:
  struct Part {
    std::string name;
    std::function<void(serialize::OutputArchive&, const std::string&)> save;
    std::function<void(serialize::InputArchive&, const std::string&)> load;
    bool is_loader = false;
    Tensor* tensor = nullptr;  // the variable, where it is one
  };
  friend TAPIR_API void save_checkpoint(const std::string&, const nn::Module&, const optim::Optimizer&,
                                        const Metadata&);
  friend TAPIR_API Metadata load_checkpoint(const std::string&, nn::Module&, optim::Optimizer&);
  /// What save_checkpoint writes: parameters by their names in the module alone, another name for the
  /// generator's state, and other metadata beside the parts.
  struct AsCheckpoint {};
  explicit TrainingState(AsCheckpoint) : is_checkpoint_(true) {}
  const char* generator_key() const { return is_checkpoint_ ? "generator.cpu" : "generator"; }
  TrainingState& add(Part part);
  TrainingState& add(const std::string& name, std::function<data::State()> get,
                     std::function<void(const data::State&)> set);
  std::unique_ptr<nn::NamedTensors> parameter_names(const optim::Optimizer& optimizer) const;
  serialize::OutputArchive gather() const;
  void load(serialize::InputArchive& archive, const std::string& path);

  bool is_checkpoint_ = false;
  std::vector<Part> parts_;
  std::vector<std::pair<std::string, nn::Module*>> modules_;
};

}  // namespace tapir
