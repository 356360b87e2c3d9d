#include "tapir/autograd/row_gradient.h"

#include <algorithm>
#include <iterator>

#include "tapir/autograd/node.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/index.h"

namespace tapir {

namespace detail {

void LeafRows::add(Tensor index, Tensor values, int64_t skip) {
  parts_.push_back({std::move(index), std::move(values), skip});
}

void LeafRows::add_to(const Tensor& to) const {
  if (summed_.rows.defined()) raw::add_rows(to, 0, summed_.rows, summed_.values, -1, "backward");
  for (const Part& p : parts_) raw::add_rows(to, 0, p.index, p.values, p.skip, "backward");
}

RowGradient& LeafRows::summed() {
  if (parts_.empty()) return summed_;
  if (summed_.rows.defined()) add(std::move(summed_.rows), std::move(summed_.values), -1);
  // The parts' rows, on the host; `position` says where each goes.
  std::vector<std::vector<int64_t>> indices;
  std::vector<int64_t> rows;
  for (const Part& p : parts_) {
    const Tensor host = raw::contiguous(raw::cast(raw::to_device(p.index, kCPU), kInt64));
    const int64_t* const data = host.data_ptr<int64_t>();
    indices.emplace_back(data, data + host.numel());
    std::copy_if(indices.back().begin(), indices.back().end(), std::back_inserter(rows),
                 [&](int64_t row) { return row != p.skip; });
  }
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  const auto count = static_cast<int64_t>(rows.size());

  const Tensor first = parts_[0].values;
  const auto on_device = [&](const std::vector<int64_t>& of) {
    const Tensor host = Tensor::empty({static_cast<int64_t>(of.size())}, kInt64, kCPU);
    std::copy(of.begin(), of.end(), host.data_ptr<int64_t>());
    return raw::to_device(host, first.device());
  };
  // The rows to skip go to one more row at the end, which is then left off.
  const Tensor values = raw::zeros({count + 1, first.size(1)}, first.dtype(), first.device());
  for (size_t i = 0; i < parts_.size(); ++i) {
    for (int64_t& row : indices[i])
      row = row == parts_[i].skip ? count : std::lower_bound(rows.begin(), rows.end(), row) - rows.begin();
    raw::add_rows(values, 0, on_device(indices[i]), parts_[i].values, -1, "backward");
  }
  parts_.clear();
  summed_ = {on_device(rows), values.alias(values.layout_of().narrow(0, 0, count))};
  return summed_;
}

}  // namespace detail

namespace {
LeafNode* leaf_of(const Tensor& t) {
  AutogradSlot* s = slot_of(*t.impl());
  return s && s->kind() == AutogradSlot::Kind::kLeaf ? static_cast<LeafNode*>(s) : nullptr;
}
}  // namespace

bool LeafNode::by_rows() {
  if (!rows) return false;
  const Tensor& made = rows->dense;
  const bool untouched =
      made.defined() ? grad.is_same(made) && made._version() == rows->dense_version : !grad.defined();
  if (!untouched) rows.reset();
  return untouched;
}

Tensor& LeafNode::dense_grad() {
  if (TAPIR_UNLIKELY(rows != nullptr) && by_rows() && !rows->dense.defined()) {
    grad = raw::zeros(output.sizes, output.dtype, output.device);
    rows->add_to(grad);
    rows->dense = grad;
    rows->dense_version = grad._version();
  }
  return grad;
}

RowGradient* row_gradient(const Tensor& t) {
  LeafNode* const leaf = leaf_of(t);
  if (!leaf || !leaf->by_rows()) return nullptr;
  leaf->grad.reset();  // who changes the rows must not leave an old dense one
  leaf->rows->dense.reset();
  return &leaf->rows->summed();
}

bool has_gradient(const Tensor& t) {
  LeafNode* const leaf = leaf_of(t);
  return (leaf && leaf->by_rows()) || t.grad().defined();
}

void clear_gradient(const Tensor& t, bool set_to_none) {
  if (!has_gradient(t)) return;
  if (LeafNode* const leaf = leaf_of(t); leaf && leaf->by_rows()) {
    leaf->rows.reset();
    leaf->grad.reset();
    return;
  }
  Tensor& grad = t.mutable_grad();
  if (set_to_none) {
    grad.reset();
  } else {
    grad = grad.detach();
    raw::fill(grad, 0, "zero_grad");
  }
}

}  // namespace tapir
