// What a saved file holds, found by its first bytes; private to io/.
#pragma once

#include <optional>
#include <string>

#include "tapir/io/bytes.h"
#include "tapir/io/pt.h"
#include "tapir/io/safetensors.h"

namespace tapir::io {

/// A file of PyTorch's.
struct PtFile {
  IValue value;
  /// It is an archive of libtorch's or of TorchScript, where each dict may be an object by its attributes.
  bool objects = false;
};

/// Whether a file of PyTorch's begins so: an archive, or what torch.save wrote before 1.6. A safetensors file
/// cannot, its header would be too long.
bool is_pt(const Bytes& file);
/// load_pt of a file's bytes. `label` names it in messages.
PtFile parse_pt(Bytes file, const std::string& label);
/// load_safetensors of a file's bytes.
SafeTensors parse_safetensors(const Bytes& file, const std::string& label);

/// How much the nested dicts of a file may come to when they are taken apart: a dict may be held many times
/// over, so that a short file stands for more entries than there is memory for.
class Expansion {
 public:
  explicit Expansion(const std::string& label) : label_(label) {}
  /// Throws IOError once it is too much.
  void add(size_t bytes);

 private:
  const std::string& label_;
  size_t left_ = size_t{1} << 28;
};

}  // namespace tapir::io
