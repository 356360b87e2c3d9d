// PyTorch's own files, what torch.save writes: .pt and .pth.
//
//   model->load_state_dict(state_dict_of(load_pt("model.pt")));       // torch.save(model.state_dict(), ...)
//   const IValue all = load_pt("training.pt");                        // torch.save({'model': ..., 'epoch':
//   3}, ...) model->load_state_dict(state_dict_of(all.toGenericDict().at("model"))); save_pt("model.pt",
//   model->state_dict());                         // for torch.load
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "tapir/autograd/ivalue.h"
#include "tapir/nn/ordered_dict.h"

namespace tapir {

/// Reads what torch.save wrote, before PyTorch 1.6 too: tensors and parameters of any dtype that Tapir has,
/// in None, bools, 64-bit integers, floats, strings, lists, tuples and dicts (an OrderedDict is a dict; the
/// attributes of one are left out). Nothing in the file is executed: whatever else it names ("os.system", a
/// class of yours) is refused by that name. Tensors come to the CPU, with their strides and requires_grad,
/// and those that shared memory share it. They show the file's memory map, so writing to them does not change
/// the file. Throws IOError, which names the file, the place and the fault; the file is checked whole before
/// this returns. Cyclic data is refused.
///
/// Reads the archives of libtorch and of TorchScript too (torch::save, OutputArchive, torch.jit.save),
/// without their programs: a module is a dict of its attributes, in which its submodules are dicts again.
TAPIR_API IValue load_pt(const std::string& path);
TAPIR_API IValue load_pt(std::istream& stream);

/// Writes a value that torch.load reads (with weights_only too): whatever load_pt returns, and vectors, which
/// become lists. Tensors that share memory do so again when loaded; others are written row-major. The file is
/// replaced all at once. Throws IOError; ValueError for an undefined tensor or containers nested more than
/// 200 deep (or in a cycle).
TAPIR_API void save_pt(const std::string& path, const IValue& value);
TAPIR_API void save_pt(std::ostream& stream, const IValue& value);
/// A state_dict.
TAPIR_API void save_pt(const std::string& path, const OrderedDict<std::string, Tensor>& state);
TAPIR_API void save_pt(std::ostream& stream, const OrderedDict<std::string, Tensor>& state);

/// A dict of tensors by name, as Module::load_state_dict takes it. Throws ValueError, which names the entry
/// that is something else.
TAPIR_API OrderedDict<std::string, Tensor> state_dict_of(const IValue& value);

/// load_pt and save_pt of bytes in memory, under libtorch's names.
TAPIR_API IValue pickle_load(const std::vector<char>& data);
TAPIR_API std::vector<char> pickle_save(const IValue& value);

}  // namespace tapir
