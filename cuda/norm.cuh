// What the norms over rows and over channels share.
#pragma once

#include "tapir/cuda/rows.cuh"

namespace tapir::cuda {

/// Sums of g and of g times the normalised x.
template <class C>
struct GradSums {
  C sum, dot;
};

struct PlusGradSums {
  template <class C>
  __device__ GradSums<C> operator()(const GradSums<C>& a, const GradSums<C>& b) const {
    return {a.sum + b.sum, a.dot + b.dot};
  }
};

/// The gradients of bias and weight of each channel; what is null is not wanted.
template <class T>
struct GradSumsOp {
  using C = Compute<T>;
  using Acc = GradSums<C>;
  const T* grad;
  const T* in;
  const C* mean;
  const C* rstd;
  int64_t row;  // each so many elements have a mean and rstd; 0: each channel has
  T* grad_weight;
  T* grad_bias;
  Acc* sums;
  __device__ Acc init() const { return {C(0), C(0)}; }
  __device__ void step(Acc& acc, const Place& e) const {
    const int64_t r = row ? quotient(e.at, row) : e.q;
    const C g = static_cast<C>(grad[e.at]);
    acc.sum += g;
    acc.dot += g * ((static_cast<C>(in[e.at]) - mean[r]) * rstd[r]);
  }
  __device__ Acc join(const Acc& a, const Acc& b) const { return PlusGradSums()(a, b); }
  __device__ void finish(int64_t q, const Acc& acc) const {
    if (grad_weight) grad_weight[q] = T(acc.dot);
    if (grad_bias) grad_bias[q] = T(acc.sum);
    if (sums) sums[q] = acc;
  }
};

}  // namespace tapir::cuda
