// Archives: files that are written and read entry by entry, under libtorch's names.
//
//   serialize::OutputArchive archive;
//   model->save(archive);                        // "encoder.weight", ...
//   archive.write("epoch", IValue(3));
//   archive.save_to("model.safetensors");
#pragma once

#include <concepts>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "tapir/autograd/ivalue.h"
#include "tapir/io/safetensors.h"
#include "tapir/nn/module.h"
#include "tapir/optim/optimizer.h"

namespace tapir::serialize {

/// Gathers entries and writes them as a safetensors file. The tensors of nested archives are named
/// "key.name"; None, bools, numbers and strings are the file's metadata, as JSON writes them; other values
/// are pickled into a tensor of bytes. Entries show the tensors written until they are saved.
class TAPIR_API OutputArchive {
 public:
  OutputArchive() = default;
  OutputArchive(OutputArchive&&) = default;
  OutputArchive& operator=(OutputArchive&&) = default;

  /// Throw ValueError for an undefined tensor, a key that is used twice, or a value that cannot be saved.
  void write(const std::string& key, const IValue& value);
  void write(const std::string& key, const Tensor& tensor, bool is_buffer = false);
  void write(const std::string& key, OutputArchive& nested_archive);
  template <class... Args>
  void operator()(Args&&... args) {
    write(std::forward<Args>(args)...);
  }

  /// The file is replaced all at once. Throws IOError.
  void save_to(const std::string& path) const;
  void save_to(std::ostream& stream) const;
  /// `write` is called with bytes and their number, and returns how many it has written.
  void save_to(const std::function<size_t(const void*, size_t)>& write) const;

  const NamedTensors& tensors() const { return tensors_; }
  const Metadata& metadata() const { return metadata_; }

 private:
  void take_key(const std::string& key);
  NamedTensors tensors_;
  Metadata metadata_;
  std::unordered_set<std::string> keys_;
};

/// Reads such a file, any other safetensors file, or what libtorch's OutputArchive or Python's torch.save (of
/// a dict) has written (see load_pt). Archives that were read from it share it.
class TAPIR_API InputArchive {
 public:
  InputArchive();
  ~InputArchive();
  InputArchive(InputArchive&&) noexcept;
  InputArchive& operator=(InputArchive&&) noexcept;
  /// What an archive holds, without a file; the tensors are copied.
  explicit InputArchive(const OutputArchive& archive);

  /// Throw IOError for a file that is none, and change nothing then. Tensors come to `device`, else the CPU.
  void load_from(const std::string& path, std::optional<Device> device = std::nullopt);
  void load_from(std::istream& stream, std::optional<Device> device = std::nullopt);
  void load_from(const char* data, size_t size, std::optional<Device> device = std::nullopt);
  void load_from(const std::function<size_t(uint64_t position, void* to, size_t bytes)>& read,
                 const std::function<size_t()>& size, std::optional<Device> device = std::nullopt);

  /// Whether there is such an entry, which is read then. A tensor that is defined gets other data
  /// (Tensor::set_data) and so stays the parameter that it is. Throw ValueError for an entry of another kind.
  bool try_read(const std::string& key, IValue& value);
  bool try_read(const std::string& key, Tensor& tensor, bool is_buffer = false);
  bool try_read(const std::string& key, InputArchive& archive);
  /// The same, but ValueError where there is none.
  void read(const std::string& key, IValue& value);
  void read(const std::string& key, Tensor& tensor, bool is_buffer = false);
  void read(const std::string& key, InputArchive& archive);
  template <class... Args>
  void operator()(Args&&... args) {
    read(std::forward<Args>(args)...);
  }
  /// The entries' keys; of nested archives only the archive's.
  std::vector<std::string> keys() const;

  /// All tensors, and all other values, with the dotted names of nested ones.
  NamedTensors tensors() const;
  std::vector<std::pair<std::string, IValue>> values() const;
  /// The file's metadata as it stands there; of a nested archive the whole file's too.
  const Metadata& metadata() const;

 private:
  struct Contents;
  [[noreturn]] void missing(const std::string& key) const;
  std::shared_ptr<const Contents> contents_;
  std::string prefix_;
};

// Modules and optimizers, in pointers and holders too, write and read their entries.
template <class T>
requires requires(const T& t, OutputArchive& a) { t.save(a); }
OutputArchive& operator<<(OutputArchive& archive, const T& value) {
  value.save(archive);
  return archive;
}
template <class T>
requires requires(T& t, InputArchive& a) { t.load(a); }
InputArchive& operator>>(InputArchive& archive, T& value) {
  value.load(archive);
  return archive;
}
template <class M>
requires std::derived_from<M, nn::Module> OutputArchive& operator<<(OutputArchive& archive,
                                                                    const std::shared_ptr<M>& module) {
  module->save(archive);
  return archive;
}
template <class M>
requires std::derived_from<M, nn::Module> InputArchive& operator>>(InputArchive& archive,
                                                                   const std::shared_ptr<M>& module) {
  module->load(archive);
  return archive;
}
template <class M>
OutputArchive& operator<<(OutputArchive& archive, const nn::ModuleHolder<M>& module) {
  module->save(archive);
  return archive;
}
template <class M>
InputArchive& operator>>(InputArchive& archive, const nn::ModuleHolder<M>& module) {
  module.ptr()->load(archive);
  return archive;
}
/// A tensor alone, as "0".
TAPIR_API OutputArchive& operator<<(OutputArchive& archive, const Tensor& tensor);
TAPIR_API InputArchive& operator>>(InputArchive& archive, Tensor& tensor);

}  // namespace tapir::serialize

namespace tapir {

/// Whatever has save(OutputArchive&) and load(InputArchive&): samplers and stateful datasets, classes of
/// one's own.
template <class T, class Target>
requires(!std::derived_from<T, nn::Module> && !std::derived_from<T, optim::Optimizer> &&
         requires(const T& t, serialize::OutputArchive& a) { t.save(a); }) void save(const T& value,
                                                                                     Target&& target) {
  serialize::OutputArchive archive;
  value.save(archive);
  archive.save_to(std::forward<Target>(target));
}
template <class T, class Source>
requires(!std::derived_from<T, nn::Module> && !std::derived_from<T, optim::Optimizer> &&
         requires(T & t, serialize::InputArchive& a) { t.load(a); }) void load(T& value, Source&& source) {
  serialize::InputArchive archive;
  archive.load_from(std::forward<Source>(source));
  value.load(archive);
}

}  // namespace tapir
