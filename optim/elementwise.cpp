#include "tapir/optim/elementwise.h"

#include "tapir/optim/update.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"

namespace tapir::optim {

namespace {

// In place of the last update, which is planned for the whole parameter, one for each of the rows.
void split_by_rows(std::vector<UpdateTensor>& updates, const RowGradient& gradient) {
  const Tensor rows = raw::contiguous(raw::to_device(gradient.rows, kCPU));
  const int64_t n = gradient.values.size(1);
  const auto bytes = static_cast<size_t>(n) * gradient.values.itemsize();
  const UpdateTensor whole = updates.back();
  updates.pop_back();
  for (int64_t i = 0; i < rows.numel(); ++i) {
    const size_t at = static_cast<size_t>(rows.data_ptr<int64_t>()[i]) * bytes;
    UpdateTensor& row = updates.emplace_back(whole);
    row.n = n;
    row.param = static_cast<std::byte*>(whole.param) + at;
    row.grad = static_cast<const std::byte*>(whole.grad) + static_cast<size_t>(i) * bytes;
    for (void*& state : row.states)
      if (state) state = static_cast<std::byte*>(state) + at;
  }
}

}  // namespace

void ElementwiseOptimizerBase::update_all(const std::vector<Item>& items) {
  thread_local std::vector<UpdateTensor> updates;  // kept for its memory
  updates.clear();
  std::vector<Tensor> grads;                       // gradients that had to be made contiguous
  std::vector<std::pair<Tensor, Tensor>> strided;  // parameters that are not contiguous, and their copies
  const auto run = [&](Device device) {
    if (!updates.empty())
      kernels(device).update({formula(), updates.data(), static_cast<int64_t>(updates.size())});
    updates.clear();
  };
  for (size_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    if (i > 0 && !(item.param.device() == items[i - 1].param.device())) run(items[i - 1].param.device());
    UpdateTensor& update = updates.emplace_back();
    plan(item, update);
    update.dtype = item.param.dtype();
    update.n = item.param.numel();
    update.param = item.param.data_ptr();
    update.grad = item.grad.data_ptr();
    if (!item.grad.is_contiguous() || item.grad.dtype() != update.dtype) {
      grads.push_back(raw::contiguous(raw::cast(item.grad, update.dtype)));
      update.grad = grads.back().data_ptr();
    }
    if (item.rows) {
      split_by_rows(updates, *item.rows);
    } else if (!item.param.is_contiguous()) {
      strided.emplace_back(item.param, raw::clone_contiguous(item.param));
      update.param = strided.back().second.data_ptr();
    }
  }
  if (!items.empty()) run(items.back().param.device());
  for (const auto& [param, copy] : strided) raw::copy_into(param, copy, "step");
  for (const Item& item : items)
    if (item.param.is_contiguous()) raw::mark_changed(item.param, "step");
}

namespace detail {

void* use_state(Tensor& state, const Tensor& param, double value) {
  if (!state.defined())
    state = value == 0 ? raw::zeros(param.sizes(), param.dtype(), param.device())
                       : raw::full(param.sizes(), value, param.dtype(), param.device());
  TAPIR_CHECK_AS(ShapeError,
                 state.sizes() == param.sizes() && state.dtype() == param.dtype() &&
                     state.device() == param.device() && state.is_contiguous(),
                 "step: a parameter ({}{} on {}) is no longer what its state ({}{} on {}) was made for; make "
                 "a new optimizer",
                 param.dtype(), param.sizes(), param.device(), state.dtype(), state.sizes(), state.device());
  return state.data_ptr();
}

void set_factors(UpdateTensor& update, std::initializer_list<double> factors) {
  std::copy(factors.begin(), factors.end(), update.factors);
}

void check_option(const char* optimizer, const char* option, double value, bool ok, const char* expected) {
  TAPIR_CHECK_AS(ValueError, ok, "{}: {} is {}, expected {}", optimizer, option, value, expected);
}
void check_not_negative(const char* optimizer,
                        std::initializer_list<std::pair<const char*, double>> options) {
  for (const auto& [name, value] : options) check_option(optimizer, name, value, value >= 0, "at least 0");
}
void check_betas(const char* optimizer, const std::tuple<double, double>& betas) {
  const auto [beta1, beta2] = betas;
  check_option(optimizer, "beta1", beta1, beta1 >= 0 && beta1 < 1, "a number in [0, 1)");
  check_option(optimizer, "beta2", beta2, beta2 >= 0 && beta2 < 1, "a number in [0, 1)");
}

}  // namespace detail

}  // namespace tapir::optim
