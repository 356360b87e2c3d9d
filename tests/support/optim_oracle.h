// What PyTorch gives for the cases of oracle/make_optim.py and make_sparse.py, by name.
#pragma once

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/values.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/view.h"
#include "tapir/autograd/grad_mode.h"

namespace optim_oracle {

inline const std::vector<double>& expected(const std::string& name) {
  static const std::map<std::string, std::vector<double>> values = {
#include "oracle/optim.inc"
#include "oracle/sparse.inc"
  };
  INFO("case " << name);
  REQUIRE(values.count(name) == 1);
  return values.at(name);
}

/// Compares with a relative tolerance of `tolerance` of the largest value.
inline void check(const std::string& name, const std::vector<double>& got, double tolerance) {
  const std::vector<double>& want = expected(name);
  INFO("case " << name);
  REQUIRE(got.size() == want.size());
  double largest = 0;
  for (const double w : want) largest = std::max(largest, std::abs(w));
  for (size_t i = 0; i < got.size(); ++i) {
    INFO("element " << i << ": got " << got[i] << ", expected " << want[i]);
    CHECK(std::abs(got[i] - want[i]) <= tolerance * largest);
  }
}

/// The numbers that make_optim.py uses too: 0.5 sin(phase + 0.37 i).
inline tapir::Tensor wave(tapir::IntArrayRef sizes, double phase, tapir::DType dtype = tapir::kFloat64) {
  std::vector<double> v(static_cast<size_t>(tapir::count(sizes)));
  for (size_t i = 0; i < v.size(); ++i) v[i] = 0.5 * std::sin(phase + 0.37 * static_cast<double>(i));
  return values::make(v, sizes, dtype);
}

/// Two parameters whose gradients at step t depend on t and on their values.
struct Params {
  explicit Params(tapir::DType dtype = tapir::kFloat64, bool strided = false)
      : a(wave({3, 2}, 0.3, dtype)), b(wave({4}, 1.1, dtype)) {
    if (strided) {
      a = tapir::raw::clone_contiguous(a.t()).t();
      b = tapir::raw::clone_contiguous(b.unsqueeze(1).expand({4, 3})).select(1, 1);
    }
    a.requires_grad_();
    b.requires_grad_();
  }
  std::vector<tapir::Tensor> list() const { return {a, b}; }
  std::vector<double> values() const {
    auto all = values::of(a), more = values::of(b);
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  void set_grads(int t) const {
    tapir::NoGradGuard no_grad;
    int k = 0;
    for (const tapir::Tensor& p : list())
      p.mutable_grad() = wave(p.sizes(), 0.9 * t + k++, p.dtype()) + p.detach() * 0.1;
  }
  tapir::Tensor a, b;
};

}  // namespace optim_oracle
