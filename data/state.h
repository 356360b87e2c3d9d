// State: where a sampler, a dataset or a loader stands.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tapir/tensor/tensor.h"

namespace tapir::serialize {
class OutputArchive;
class InputArchive;
}  // namespace tapir::serialize

namespace tapir::data {

/// Numbers, lists of numbers and bytes by name, kept as tensors so that they can go into a file.
class TAPIR_API State {
 public:
  using Entries = std::vector<std::pair<std::string, Tensor>>;
  State() = default;
  explicit State(Entries entries) : entries_(std::move(entries)) {}

  void set(std::string name, uint64_t number);
  void set(std::string name, const std::vector<uint64_t>& numbers);
  void set(std::string name, const std::vector<uint8_t>& bytes);
  /// The entries of another one as "name.entry".
  void set(const std::string& name, const State& state);

  bool contains(std::string_view name) const { return find(name) != nullptr; }
  /// Throw ValueError where there is no such entry, or one of another kind.
  uint64_t number(std::string_view name) const;
  std::vector<uint64_t> numbers(std::string_view name) const;
  std::vector<uint8_t> bytes(std::string_view name) const;
  /// What set(name, State) has put there; empty where there is nothing.
  State part(std::string_view name) const;

  /// All of it: int64 tensors () and (N), uint8 tensors (N).
  const Entries& entries() const { return entries_; }

 private:
  const Tensor* find(std::string_view name) const;
  const Tensor& at(std::string_view name, DType dtype) const;
  Entries entries_;
};

namespace detail {
// A state in libtorch's archives; in io/archive.cpp, since this room knows no files.
TAPIR_API void write_state(serialize::OutputArchive& archive, const State& state);
TAPIR_API State read_state(serialize::InputArchive& archive);
[[noreturn]] TAPIR_API TAPIR_COLD void no_archive_failure();
}  // namespace detail

}  // namespace tapir::data
