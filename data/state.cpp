#include "tapir/data/state.h"

#include <algorithm>

#include "tapir/tensor/error_format.h"

namespace tapir::data {

static_assert(sizeof(uint64_t) == sizeof(int64_t));

void State::set(std::string name, uint64_t number) {
  const Tensor t = Tensor::empty({}, kInt64);
  *t.data_ptr<int64_t>() = static_cast<int64_t>(number);
  entries_.emplace_back(std::move(name), t);
}

void State::set(std::string name, const std::vector<uint64_t>& numbers) {
  const Tensor t = Tensor::empty({static_cast<int64_t>(numbers.size())}, kInt64);
  std::copy(numbers.begin(), numbers.end(), t.data_ptr<int64_t>());
  entries_.emplace_back(std::move(name), t);
}

void State::set(std::string name, const std::vector<uint8_t>& bytes) {
  const Tensor t = Tensor::empty({static_cast<int64_t>(bytes.size())}, kUInt8);
  std::copy(bytes.begin(), bytes.end(), t.data_ptr<uint8_t>());
  entries_.emplace_back(std::move(name), t);
}

void State::set(const std::string& name, const State& state) {
  for (const auto& [key, t] : state.entries_) entries_.emplace_back(name + '.' + key, t);
}

const Tensor* State::find(std::string_view name) const {
  for (const auto& entry : entries_)
    if (entry.first == name) return &entry.second;
  return nullptr;
}

const Tensor& State::at(std::string_view name, DType dtype) const {
  const Tensor* t = find(name);
  TAPIR_CHECK_AS(ValueError, t, "load_state_dict: there is no entry \"{}\"", name);
  TAPIR_CHECK_AS(ValueError, t->dtype() == dtype && t->dim() <= 1 && t->is_contiguous(),
                 "load_state_dict: \"{}\" is {} of sizes {}, expected {} values in a row", name, t->dtype(),
                 t->sizes(), dtype);
  return *t;
}

uint64_t State::number(std::string_view name) const {
  const Tensor& t = at(name, kInt64);
  TAPIR_CHECK_AS(ValueError, t.numel() == 1, "load_state_dict: \"{}\" holds {} numbers, expected one", name,
                 t.numel());
  return static_cast<uint64_t>(*t.data_ptr<int64_t>());
}

std::vector<uint64_t> State::numbers(std::string_view name) const {
  const Tensor& t = at(name, kInt64);
  const int64_t* p = t.data_ptr<int64_t>();
  return {p, p + t.numel()};
}

std::vector<uint8_t> State::bytes(std::string_view name) const {
  const Tensor& t = at(name, kUInt8);
  const uint8_t* p = t.data_ptr<uint8_t>();
  return {p, p + t.numel()};
}

State State::part(std::string_view name) const {
  State result;
  for (const auto& [key, t] : entries_)
    if (key.size() > name.size() && key.starts_with(name) && key[name.size()] == '.')
      result.entries_.emplace_back(key.substr(name.size() + 1), t);
  return result;
}

namespace detail {
void no_archive_failure() {
  throw_error<ValueError>("StatefulDataset: this dataset has no save and load of its own");
}
}  // namespace detail

}  // namespace tapir::data
