// The in-place and the out forms of the pointwise ops.
#include <cmath>

#include "tapir/autograd/functions/copy.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/pointwise_node.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/undefined.h"

namespace tapir {

// --- in place ---

namespace {

// A tensor with the values and the history that x has now, for an op that will be recorded and needs them
// later.
Tensor frozen(const Tensor& x) {
  Tensor old = raw::clone(x);
  const Edge edge = gradient_edge(x);
  old.impl()->autograd = edge.function;
  old.impl()->output_nr = edge.input_nr;
  return old;
}

// Gives x the value and the history of y, which was computed from frozen(x).
void take_over(const Tensor& x, const Tensor& y, const char* op) {
  TAPIR_CHECK_AS(ShapeError, y.sizes() == x.sizes(),
                 "{}: the result has sizes {}, but the tensor to change has {}", op, y.sizes(), x.sizes());
  TAPIR_CHECK_AS(
      DTypeError, can_cast(y.dtype(), x.dtype()),
      "{}: the result is {}, which cannot be stored in a tensor of {}; use the form that makes a new tensor",
      op, y.dtype(), x.dtype());
  const Tensor z = y.dtype() == x.dtype() ? y : to(y, x.dtype());
  raw::copy_into(x, z, op);
  const Edge edge = gradient_edge(z);
  if (edge.is_valid())
    rebase_history(x, edge.function, edge.input_nr);
  else if (recording(x))
    cut_history(x, TAPIR_HERE);
}

}  // namespace

void detail::assign_inplace(const Tensor& x, const char* op, FunctionRef<Tensor(const Tensor&)> f) {
  CallSite site(TAPIR_HERE);
  check_inplace(x, op);
  raw::check_writable(x, op);
  const Tensor old = recording(x) ? frozen(x) : x;
  take_over(x, f(old), op);
}

void detail::unary_inplace(const Tensor& x, Pointwise op, UnaryFunction f) {
  const char* name = pointwise_info(op).in_place;
  check_inplace(x, name);
  if (!recording(x)) return raw::pointwise_into(op, x, {x});
  CallSite site(TAPIR_HERE);
  raw::check_writable(x, name);
  take_over(x, f(frozen(x)), name);
}

void detail::binary_inplace(const Tensor& x, const Tensor& b, Pointwise op, BinaryFunction f) {
  const char* name = pointwise_info(op).in_place;
  check_inplace(x, name);
  check_defined(b, name);
  if (!recording(x, b)) return raw::pointwise_into(op, x, {x, b});
  CallSite site(TAPIR_HERE);
  raw::check_writable(x, name);
  const Tensor old = frozen(x);
  take_over(x, f(old, b.is_same(x) ? old : b), name);
}

void detail::binary_inplace(const Tensor& x, const Scalar& b, Pointwise op, BinaryFunction f) {
  const char* name = pointwise_info(op).in_place;
  check_inplace(x, name);
  if (!recording(x)) return raw::pointwise_into(op, x, {x, b});
  CallSite site(TAPIR_HERE);
  raw::check_writable(x, name);
  take_over(x, binary_scalar(frozen(x), b, op, f), name);
}

// add_ saves nothing, so that it needs no copy of the old value.
void detail::add_inplace(const Tensor& x, const Tensor& b, const Scalar& alpha) {
  check_inplace(x, "add_");
  check_defined(b, "add_");
  if (TAPIR_UNLIKELY(alpha.isFloatingPoint())) nodes::check_alpha(alpha, raw::result_type({x, b}), "add_");
  if (!recording(x, b)) return raw::pointwise_into(Pointwise::add, x, {x, b}, alpha);
  auto* add_node = new nodes::AddBackward;
  Ref<Node> node = Ref<Node>::adopt(add_node);
  add_node->set_edge(0, x);
  add_node->set_edge(1, b);
  add_node->alpha = alpha.to_double();
  add_node->set_call_site(TAPIR_HERE);
  add_node->describe_output(0, x);
  raw::pointwise_into(Pointwise::add, x, {x, b}, alpha);
  rebase_history(x, std::move(node));
}

void detail::add_inplace(const Tensor& x, const Scalar& b, const Scalar& alpha) {
  check_inplace(x, "add_");
  if (TAPIR_UNLIKELY(alpha.isFloatingPoint())) nodes::check_alpha(alpha, raw::result_type({x, b}), "add_");
  raw::pointwise_into(Pointwise::add, x, {x, b}, alpha);
  // The derivative is one: the history stays as it is.
}

namespace {

TAPIR_COLD void refuse_recorded_out(const char* op) {
  throw_error<AutogradError>(
      "{}_out: an argument requires a gradient, and out forms are not recorded; use {}(...), or NoGradGuard",
      op, op);
}

// Makes `out` a tensor to write `sizes` into where it has no elements, or is none.
void resize_out(Tensor& out, IntArrayRef sizes, DType dtype, Device device) {
  if (!out.defined() || (out.numel() == 0 && out.sizes() != sizes))
    out = Tensor::empty(sizes, out.defined() ? out.dtype() : dtype, device);
}

}  // namespace

Tensor& detail::pointwise_out(Tensor& out, Pointwise op, const Tensor& a, const Tensor& b, const Scalar& p0) {
  const char* name = pointwise_info(op).name;
  a.dtype();  // refuses an undefined tensor
  if (pointwise_info(op).arity > 1) b.dtype();
  if (recording(out, a, b)) refuse_recorded_out(name);
  const Dims sizes = b.defined() ? broadcast_sizes(a.sizes(), b.sizes(), name) : Dims(a.sizes());
  if (!out.defined() || out.numel() == 0)
    resize_out(
        out, sizes,
        out.defined() ? out.dtype() : (b.defined() ? raw::binary(op, a, b) : raw::unary(op, a)).dtype(),
        a.device());
  if (b.defined())
    raw::pointwise_into(op, out, {a, b}, p0);
  else
    raw::pointwise_into(op, out, {a}, p0);
  return out;
}

Tensor& detail::pointwise_out(Tensor& out, Pointwise op, const Tensor& a, const Scalar& b) {
  a.dtype();  // refuses an undefined tensor
  if (recording(out, a)) refuse_recorded_out(pointwise_info(op).name);
  if (!out.defined() || out.numel() == 0)
    resize_out(out, a.sizes(), raw::binary(op, a, b).dtype(), a.device());
  raw::pointwise_into(op, out, {a, b});
  return out;
}

Tensor& detail::assign_out(Tensor& out, const char* op, std::initializer_list<Tensor> inputs,
                           FunctionRef<Tensor()> f) {
  bool records = recording(out);
  for (const Tensor& x : inputs) records = records || recording(x);
  if (records) refuse_recorded_out(op);
  const Tensor y = f();
  resize_out(out, y.sizes(), y.dtype(), y.device());
  TAPIR_CHECK_AS(ShapeError, y.sizes() == out.sizes(),
                 "{}_out: the result has sizes {}, but the tensor to write has {}", op, y.sizes(),
                 out.sizes());
  TAPIR_CHECK_AS(DTypeError, can_cast(y.dtype(), out.dtype()),
                 "{}_out: the result is {}, which cannot be stored in a tensor of {}; use the form that "
                 "makes a new tensor",
                 op, y.dtype(), out.dtype());
  raw::check_writable(out, op);
  raw::copy_into(out, y, op);
  return out;
}

Tensor& sub_out(Tensor& out, const Tensor& a, const Tensor& b, const Scalar& alpha) {
  return detail::assign_out(out, "sub", {a, b}, [&] { return sub(a, b, alpha); });
}
Tensor& pow_out(Tensor& out, const Scalar& a, const Tensor& b) {
  return detail::assign_out(out, "pow", {b}, [&] { return pow(a, b); });
}
Tensor& where_out(Tensor& out, const Tensor& condition, const Tensor& a, const Tensor& b) {
  return detail::assign_out(out, "where", {a, b}, [&] { return where(condition, a, b); });
}
Tensor& lerp_out(Tensor& out, const Tensor& start, const Tensor& end, const Scalar& weight) {
  return detail::assign_out(out, "lerp", {start, end}, [&] { return lerp(start, end, weight); });
}
Tensor& lerp_out(Tensor& out, const Tensor& start, const Tensor& end, const Tensor& weight) {
  return detail::assign_out(out, "lerp", {start, end, weight}, [&] { return lerp(start, end, weight); });
}
Tensor& addcmul_out(Tensor& out, const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  return detail::assign_out(out, "addcmul", {x, a, b}, [&] { return addcmul(x, a, b, value); });
}
Tensor& addcdiv_out(Tensor& out, const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value) {
  return detail::assign_out(out, "addcdiv", {x, a, b}, [&] { return addcdiv(x, a, b, value); });
}

// --- methods ---

#define TAPIR_WITH_ALPHA(Number)                                              \
  Tensor Tensor::subtract(const Number& other, const Scalar& alpha) const {   \
    CallSite site(TAPIR_HERE);                                                \
    return tapir::sub(*this, other, alpha);                                   \
  }                                                                           \
  Tensor& Tensor::subtract_(const Number& other, const Scalar& alpha) const { \
    CallSite site(TAPIR_HERE);                                                \
    return sub_(other, alpha);                                                \
  }                                                                           \
  Tensor Tensor::rsub(const Number& other, const Scalar& alpha) const {       \
    CallSite site(TAPIR_HERE);                                                \
    return tapir::rsub(*this, other, alpha);                                  \
  }
TAPIR_WITH_ALPHA(Tensor)
TAPIR_WITH_ALPHA(Scalar)
#undef TAPIR_WITH_ALPHA
Tensor Tensor::positive() const { return tapir::positive(*this); }

// --- methods ---

Tensor& Tensor::lerp_(const Tensor& end, const Scalar& weight) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "lerp_", [&](const Tensor& x) { return tapir::lerp(x, end, weight); });
  return self();
}
Tensor& Tensor::lerp_(const Tensor& end, const Tensor& weight) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "lerp_", [&](const Tensor& x) { return tapir::lerp(x, end, weight); });
  return self();
}
Tensor& Tensor::addcmul_(const Tensor& a, const Tensor& b, const Scalar& value) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "addcmul_", [&](const Tensor& x) { return tapir::addcmul(x, a, b, value); });
  return self();
}
Tensor& Tensor::addcdiv_(const Tensor& a, const Tensor& b, const Scalar& value) const {
  CallSite site(TAPIR_HERE);
  detail::assign_inplace(self(), "addcdiv_", [&](const Tensor& x) { return tapir::addcdiv(x, a, b, value); });
  return self();
}
Tensor& Tensor::masked_fill_(const Tensor& mask, const Scalar& value) const {
  CallSite site(TAPIR_HERE);
  check_inplace(self(), "masked_fill_");
  broadcast_sizes(sizes(), mask.sizes(), "masked_fill_");
  detail::assign_inplace(self(), "masked_fill_",
                         [&](const Tensor& x) { return tapir::masked_fill(x, mask, value); });
  return self();
}

}  // namespace tapir
