// Norms of half types, computed in float: what row_norm.cpp and batch_norm.cpp share. Args are RowNormArgs or
// BatchNormArgs, and those of their gradients.
#pragma once

#include "tapir/tensor/cpu/staging.h"
#include "tapir/tensor/kernels.h"

namespace tapir::cpu {

/// `norm` of n values with `entries` weights.
template <class Args>
void norm_in_float(const Args& a, int64_t n, int64_t entries, void (*norm)(const Args&)) {
  Staged in(a.in, a.dtype, n), weight(a.weight, a.dtype, entries), bias(a.bias, a.dtype, entries);
  Args b = a;
  b.dtype = kFloat32;
  b.in = b.out = in.data();
  b.weight = weight.data();
  b.bias = bias.data();
  norm(b);
  in.write(a.out);
}

template <class Args>
void norm_backward_in_float(const Args& a, int64_t n, int64_t entries, void (*backward)(const Args&)) {
  Staged grad(a.grad_out, a.dtype, n), in(a.in, a.dtype, n), weight(a.weight, a.dtype, entries),
      dx(a.dtype, a.grad_in ? n : 0), dw(a.dtype, a.grad_weight ? entries : 0),
      db(a.dtype, a.grad_bias ? entries : 0);
  Args b = a;
  b.dtype = kFloat32;
  b.grad_out = grad.data();
  b.in = in.data();
  b.weight = weight.data();
  b.grad_in = dx.data();
  b.grad_weight = dw.data();
  b.grad_bias = db.data();
  backward(b);
  if (a.grad_in) dx.write(a.grad_in);
  if (a.grad_weight) dw.write(a.grad_weight);
  if (a.grad_bias) db.write(a.grad_bias);
}

}  // namespace tapir::cpu
