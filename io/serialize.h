// save and load of tensors, modules and optimizers, and checkpoints of a whole training.
//
// All that is saved are safetensors files. A module's holds its state_dict under PyTorch's names, so Python
// reads it with safetensors.torch.load_file and writes one with save_file. Files are replaced all at once,
// and a load that fails changes nothing.
//
// load also reads what Python's torch.save and libtorch's torch::save wrote (.pt; see load_pt), which it
// knows by the first bytes.
#pragma once

#include <concepts>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tapir/io/safetensors.h"
#include "tapir/nn/module.h"
#include "tapir/optim/optimizer.h"

namespace tapir {

/// One tensor. Throws IOError, as all here do for files.
TAPIR_API void save(const Tensor& tensor, const std::string& path);
TAPIR_API void save(const Tensor& tensor, std::ostream& stream);
/// Replaces `tensor`. Throws IOError where the file does not hold exactly one. From a .pt file it has the
/// strides and requires_grad that it has there.
TAPIR_API void load(Tensor& tensor, const std::string& path, std::optional<Device> device = std::nullopt);
TAPIR_API void load(Tensor& tensor, std::istream& stream, std::optional<Device> device = std::nullopt);

/// Tensors named "0", "1", ...
TAPIR_API void save(const std::vector<Tensor>& tensors, const std::string& path);
TAPIR_API void save(const std::vector<Tensor>& tensors, std::ostream& stream);
/// Replaces `tensors` by the file's tensors, in their order. In a .pt file they are a list or tuple; those
/// that share memory there share it again.
TAPIR_API void load(std::vector<Tensor>& tensors, const std::string& path,
                    std::optional<Device> device = std::nullopt);
TAPIR_API void load(std::vector<Tensor>& tensors, std::istream& stream,
                    std::optional<Device> device = std::nullopt);

/// A module's parameters and buffers by name.
TAPIR_API void save(const nn::Module& module, const std::string& path);
TAPIR_API void save(const nn::Module& module, std::ostream& stream);
/// Copies values into a module of the same structure, then moves it to `device` where one is given. A .pt
/// file is one of torch.save(model.state_dict(), path), torch::save(model, path) or torch.jit.save, of which
/// the attributes that are tensors are taken. Throws ValueError that lists missing, unexpected and misfitting
/// names.
TAPIR_API void load(nn::Module& module, const std::string& path, std::optional<Device> device = std::nullopt);
TAPIR_API void load(nn::Module& module, std::istream& stream, std::optional<Device> device = std::nullopt);

/// An optimizer's state and options; parameters by number, in the order in which it was given them.
TAPIR_API void save(const optim::Optimizer& optimizer, const std::string& path);
TAPIR_API void save(const optim::Optimizer& optimizer, std::ostream& stream);
/// Into an optimizer of the same kind over parameters of the same shapes. A .pt file is one of
/// torch.save(optimizer.state_dict(), path) or torch::save(optimizer, path), of any optimizer but LBFGS;
/// options that it does not have stay as they are. Throws ValueError as for modules.
TAPIR_API void load(optim::Optimizer& optimizer, const std::string& path,
                    std::optional<Device> device = std::nullopt);
TAPIR_API void load(optim::Optimizer& optimizer, std::istream& stream,
                    std::optional<Device> device = std::nullopt);

// Modules in a shared_ptr or a holder.
template <class M, class Target>
requires std::derived_from<M, nn::Module>
void save(const std::shared_ptr<M>& module, Target&& target) {
  save(static_cast<const nn::Module&>(*module), target);
}
template <class M, class Source>
requires std::derived_from<M, nn::Module>
void load(std::shared_ptr<M>& module, Source&& source, std::optional<Device> device = std::nullopt) {
  load(static_cast<nn::Module&>(*module), source, device);
}
template <class M, class Target>
void save(const nn::ModuleHolder<M>& module, Target&& target) {
  save(module.ptr(), target);
}
template <class M, class Source>
void load(nn::ModuleHolder<M>& module, Source&& source, std::optional<Device> device = std::nullopt) {
  load(static_cast<nn::Module&>(*module), source, device);
}

/// A training that can be resumed, in one file, where TrainingState (training_state.h) would hold just a
/// module and an optimizer: the module as "model.<name>", the optimizer by the module's parameter names, the
/// state of the CPU's default generator, and `metadata` of the caller's (keys that begin with "optimizer."
/// are taken).
TAPIR_API void save_checkpoint(const std::string& path, const nn::Module& module,
                               const optim::Optimizer& optimizer, const Metadata& metadata = {});
/// Restores all three and returns the caller's metadata. Throws ValueError where the file does not fit both,
/// or is no checkpoint; nothing is changed then.
TAPIR_API Metadata load_checkpoint(const std::string& path, nn::Module& module, optim::Optimizer& optimizer);
/// The module alone, to use it.
TAPIR_API Metadata load_checkpoint(const std::string& path, nn::Module& module);

}  // namespace tapir
