// Pointwise ops. Inputs broadcast; dtypes promote by PyTorch's rules (tensors with dimensions before tensors
// without before numbers); integers become the default dtype where the formula needs floating point. All
// throw ShapeError where sizes do not broadcast and DeviceError for mixed devices. The in-place forms name_
// and the out forms name_out(out, ...) also throw DTypeError where the result does not fit the tensor that is
// written. The forms of all rows of pointwise.def are made here; the other ops of a kind are declared in
// bitwise.h, clamp.h, elementary.h, rounding.h and special.h.
#pragma once

#include "tapir/autograd/functions/bitwise.h"
#include "tapir/autograd/functions/clamp.h"
#include "tapir/autograd/functions/elementary.h"
#include "tapir/autograd/functions/rounding.h"
#include "tapir/autograd/functions/special.h"
#include "tapir/autograd/node.h"
#include "tapir/tensor/function_ref.h"
#include "tapir/tensor/kernels.h"

namespace tapir {

// --- one tensor ---
TAPIR_API Tensor neg(const Tensor& x);          ///< -x; not for bool
TAPIR_API Tensor positive(const Tensor& x);     ///< x itself; not for bool
TAPIR_API Tensor abs(const Tensor& x);          ///< |x|; derivative 0 at 0
TAPIR_API Tensor sign(const Tensor& x);         ///< -1, 0 or 1; derivative 0
TAPIR_API Tensor square(const Tensor& x);       ///< x^2
TAPIR_API Tensor relu(const Tensor& x);         ///< max(x, 0); derivative 0 at 0
TAPIR_API Tensor floor(const Tensor& x);        ///< largest integer <= x; derivative 0
TAPIR_API Tensor ceil(const Tensor& x);         ///< smallest integer >= x; derivative 0
TAPIR_API Tensor round(const Tensor& x);        ///< nearest integer, halves to even; derivative 0
TAPIR_API Tensor trunc(const Tensor& x);        ///< x without its fraction; derivative 0
TAPIR_API Tensor exp(const Tensor& x);          ///< e^x
TAPIR_API Tensor expm1(const Tensor& x);        ///< e^x - 1, exact near 0
TAPIR_API Tensor log(const Tensor& x);          ///< natural logarithm
TAPIR_API Tensor log1p(const Tensor& x);        ///< log(1 + x), exact near 0
TAPIR_API Tensor sqrt(const Tensor& x);         ///< square root
TAPIR_API Tensor rsqrt(const Tensor& x);        ///< 1 / sqrt(x)
TAPIR_API Tensor reciprocal(const Tensor& x);   ///< 1 / x
TAPIR_API Tensor sin(const Tensor& x);          ///< of radians
TAPIR_API Tensor cos(const Tensor& x);          ///< of radians
TAPIR_API Tensor tanh(const Tensor& x);         ///< hyperbolic tangent
TAPIR_API Tensor sigmoid(const Tensor& x);      ///< 1 / (1 + e^-x)
TAPIR_API Tensor erf(const Tensor& x);          ///< 2 / sqrt(pi) * integral of e^-t^2 from 0 to x
TAPIR_API Tensor isnan(const Tensor& x);        ///< bool
TAPIR_API Tensor isinf(const Tensor& x);        ///< bool
TAPIR_API Tensor isfinite(const Tensor& x);     ///< bool
TAPIR_API Tensor logical_not(const Tensor& x);  ///< x == 0, bool

// --- two tensors, or a tensor and a number ---
/// a + alpha * b
TAPIR_API Tensor add(const Tensor& a, const Tensor& b, const Scalar& alpha = 1);
TAPIR_API Tensor add(const Tensor& a, const Scalar& b, const Scalar& alpha = 1);
/// a - alpha * b; not for bool
TAPIR_API Tensor sub(const Tensor& a, const Tensor& b, const Scalar& alpha = 1);
TAPIR_API Tensor sub(const Tensor& a, const Scalar& b, const Scalar& alpha = 1);
/// b - alpha * a; not for bool
TAPIR_API Tensor rsub(const Tensor& a, const Tensor& b, const Scalar& alpha = 1);
TAPIR_API Tensor rsub(const Tensor& a, const Scalar& b, const Scalar& alpha = 1);
/// a * b
TAPIR_API Tensor mul(const Tensor& a, const Tensor& b);
/// a / b, true division: integers give the default dtype
TAPIR_API Tensor div(const Tensor& a, const Tensor& b);
/// a^b; a negative integer power of integers throws ValueError
TAPIR_API Tensor pow(const Tensor& a, const Tensor& b);
TAPIR_API Tensor pow(const Scalar& a, const Tensor& b);
/// The larger; NaN where either is. At a tie each gets half of the gradient, at a NaN each gets all of it.
TAPIR_API Tensor maximum(const Tensor& a, const Tensor& b);
/// The smaller; NaN where either is. At a tie each gets half of the gradient, at a NaN each gets all of it.
TAPIR_API Tensor minimum(const Tensor& a, const Tensor& b);
TAPIR_API Tensor eq(const Tensor& a, const Tensor& b);           ///< a == b, bool
TAPIR_API Tensor ne(const Tensor& a, const Tensor& b);           ///< a != b, bool
TAPIR_API Tensor lt(const Tensor& a, const Tensor& b);           ///< a < b, bool
TAPIR_API Tensor le(const Tensor& a, const Tensor& b);           ///< a <= b, bool
TAPIR_API Tensor gt(const Tensor& a, const Tensor& b);           ///< a > b, bool
TAPIR_API Tensor ge(const Tensor& a, const Tensor& b);           ///< a >= b, bool
TAPIR_API Tensor logical_and(const Tensor& a, const Tensor& b);  ///< both not zero, bool
TAPIR_API Tensor logical_or(const Tensor& a, const Tensor& b);   ///< either not zero, bool
TAPIR_API Tensor logical_xor(const Tensor& a, const Tensor& b);  ///< one zero, one not, bool

/// condition ? a : b, elementwise; condition is bool
TAPIR_API Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);
TAPIR_API Tensor where(const Tensor& condition, const Scalar& a, const Tensor& b);
TAPIR_API Tensor where(const Tensor& condition, const Tensor& a, const Scalar& b);
TAPIR_API Tensor where(const Tensor& condition, const Scalar& a, const Scalar& b);
/// x with `value` where mask (bool) holds
TAPIR_API Tensor masked_fill(const Tensor& x, const Tensor& mask, const Scalar& value);
/// start + weight * (end - start)
TAPIR_API Tensor lerp(const Tensor& start, const Tensor& end, const Scalar& weight);
/// The same with a weight for each element, of one dtype with start and end
TAPIR_API Tensor lerp(const Tensor& start, const Tensor& end, const Tensor& weight);
/// x + value * a * b
TAPIR_API Tensor addcmul(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value = 1);
/// x + value * a / b
TAPIR_API Tensor addcdiv(const Tensor& x, const Tensor& a, const Tensor& b, const Scalar& value = 1);

// Backward formulas that are kernels of their own, differentiable themselves.
TAPIR_API Tensor tanh_backward(const Tensor& g, const Tensor& y);     ///< g * (1 - y^2)
TAPIR_API Tensor sigmoid_backward(const Tensor& g, const Tensor& y);  ///< g * y * (1 - y)
TAPIR_API Tensor relu_backward(const Tensor& g, const Tensor& y);     ///< g where y > 0, else 0

/// Sums x over the dimensions in which it was broadcast from `sizes`.
TAPIR_API Tensor sum_to_size(const Tensor& x, IntArrayRef sizes);

// What the generated forms below call. They take their call site from their caller, which is the user, since
// the forms are always inlined.
namespace detail {
using UnaryFunction = Tensor (*)(const Tensor&);
using BinaryFunction = Tensor (*)(const Tensor&, const Tensor&);
/// x = op(x) in place; f is the recorded form.
TAPIR_API void unary_inplace(const Tensor& x, Pointwise op, UnaryFunction f);
TAPIR_API void binary_inplace(const Tensor& x, const Tensor& b, Pointwise op, BinaryFunction f);
TAPIR_API void binary_inplace(const Tensor& x, const Scalar& b, Pointwise op, BinaryFunction f);
TAPIR_API Tensor binary_scalar(const Tensor& x, const Scalar& b, Pointwise op, BinaryFunction f);
TAPIR_API Tensor scalar_binary(const Scalar& a, const Tensor& x, Pointwise op, BinaryFunction f);
TAPIR_API void add_inplace(const Tensor& x, const Tensor& b, const Scalar& alpha);
TAPIR_API void add_inplace(const Tensor& x, const Scalar& b, const Scalar& alpha);
/// x = f(x) for in-place forms without a kernel of their own. f gets a tensor that keeps the old values.
TAPIR_API void assign_inplace(const Tensor& x, const char* op, FunctionRef<Tensor(const Tensor&)> f);
/// Computes into `out`, which is resized where it has no elements; p0 is the kernel's parameter, if it has
/// one. Throws AutogradError where an input is recorded.
TAPIR_API Tensor& pointwise_out(Tensor& out, Pointwise op, const Tensor& a, const Tensor& b,
                                const Scalar& p0 = 0);
TAPIR_API Tensor& pointwise_out(Tensor& out, Pointwise op, const Tensor& a, const Scalar& b);
/// The same for an op without a kernel of its own, whose value f() computes.
TAPIR_API Tensor& assign_out(Tensor& out, const char* op, std::initializer_list<Tensor> inputs,
                             FunctionRef<Tensor()> f);
}  // namespace detail

#define TAPIR_METHOD TAPIR_ALWAYS_INLINE

// The methods, in-place forms and out forms of the rows of pointwise.def.
#define TAPIR_UNARY(name, ...)                                                                        \
  TAPIR_METHOD Tensor Tensor::name() const { return tapir::name(*this); }                             \
  TAPIR_METHOD Tensor& Tensor::name##_() const {                                                      \
    detail::unary_inplace(self(), Pointwise::name, static_cast<detail::UnaryFunction>(&tapir::name)); \
    return self();                                                                                    \
  }                                                                                                   \
  TAPIR_METHOD Tensor& name##_(Tensor& x) { return x.name##_(); }                                     \
  TAPIR_METHOD Tensor& name##_out(Tensor& out, const Tensor& x) {                                     \
    return detail::pointwise_out(out, Pointwise::name, x, Tensor());                                  \
  }
#define TAPIR_PREDICATE(name, ...)                                        \
  TAPIR_METHOD Tensor Tensor::name() const { return tapir::name(*this); } \
  TAPIR_METHOD Tensor& name##_out(Tensor& out, const Tensor& x) {         \
    return detail::pointwise_out(out, Pointwise::name, x, Tensor());      \
  }
#define TAPIR_BINARY(name, ...)                                                                             \
  TAPIR_METHOD Tensor name(const Tensor& a, const Scalar& b) {                                              \
    return detail::binary_scalar(a, b, Pointwise::name, static_cast<detail::BinaryFunction>(&tapir::name)); \
  }                                                                                                         \
  TAPIR_METHOD Tensor Tensor::name(const Tensor& other) const { return tapir::name(*this, other); }         \
  TAPIR_METHOD Tensor Tensor::name(const Scalar& other) const { return tapir::name(*this, other); }         \
  TAPIR_METHOD Tensor& Tensor::name##_(const Tensor& other) const {                                         \
    detail::binary_inplace(self(), other, Pointwise::name,                                                  \
                           static_cast<detail::BinaryFunction>(&tapir::name));                              \
    return self();                                                                                          \
  }                                                                                                         \
  TAPIR_METHOD Tensor& Tensor::name##_(const Scalar& other) const {                                         \
    detail::binary_inplace(self(), other, Pointwise::name,                                                  \
                           static_cast<detail::BinaryFunction>(&tapir::name));                              \
    return self();                                                                                          \
  }                                                                                                         \
  TAPIR_METHOD Tensor& name##_out(Tensor& out, const Tensor& a, const Tensor& b) {                          \
    return detail::pointwise_out(out, Pointwise::name, a, b);                                               \
  }                                                                                                         \
  TAPIR_METHOD Tensor& name##_out(Tensor& out, const Tensor& a, const Scalar& b) {                          \
    return detail::pointwise_out(out, Pointwise::name, a, b);                                               \
  }
#include "tapir/tensor/pointwise.def"

#define TAPIR_UNARY_ALIAS(alias, name)                                     \
  TAPIR_METHOD Tensor alias(const Tensor& x) { return name(x); }           \
  TAPIR_METHOD Tensor Tensor::alias() const { return tapir::name(*this); } \
  TAPIR_METHOD Tensor& Tensor::alias##_() const { return name##_(); }      \
  TAPIR_METHOD Tensor& alias##_(Tensor& x) { return x.name##_(); }         \
  TAPIR_METHOD Tensor& alias##_out(Tensor& out, const Tensor& x) { return name##_out(out, x); }
#define TAPIR_BINARY_ALIAS(alias, name)                                                              \
  TAPIR_METHOD Tensor alias(const Tensor& a, const Tensor& b) { return name(a, b); }                 \
  TAPIR_METHOD Tensor alias(const Tensor& a, const Scalar& b) { return name(a, b); }                 \
  TAPIR_METHOD Tensor Tensor::alias(const Tensor& other) const { return tapir::name(*this, other); } \
  TAPIR_METHOD Tensor Tensor::alias(const Scalar& other) const { return tapir::name(*this, other); } \
  TAPIR_METHOD Tensor& Tensor::alias##_(const Tensor& other) const { return name##_(other); }        \
  TAPIR_METHOD Tensor& Tensor::alias##_(const Scalar& other) const { return name##_(other); }        \
  TAPIR_METHOD Tensor& alias##_out(Tensor& out, const Tensor& a, const Tensor& b) {                  \
    return name##_out(out, a, b);                                                                    \
  }                                                                                                  \
  TAPIR_METHOD Tensor& alias##_out(Tensor& out, const Tensor& a, const Scalar& b) {                  \
    return name##_out(out, a, b);                                                                    \
  }
#include "tapir/tensor/pointwise_aliases.def"

/// A number on the left.
#define TAPIR_SCALAR_FIRST(name)                                                                            \
  TAPIR_METHOD Tensor name(const Scalar& a, const Tensor& b) {                                              \
    return detail::scalar_binary(a, b, Pointwise::name, static_cast<detail::BinaryFunction>(&tapir::name)); \
  }
TAPIR_SCALAR_FIRST(xlogy)
TAPIR_SCALAR_FIRST(remainder)
TAPIR_SCALAR_FIRST(bitwise_and)
TAPIR_SCALAR_FIRST(bitwise_or)
TAPIR_SCALAR_FIRST(bitwise_xor)
TAPIR_SCALAR_FIRST(bitwise_left_shift)
TAPIR_SCALAR_FIRST(bitwise_right_shift)
#undef TAPIR_SCALAR_FIRST

TAPIR_METHOD Tensor& xlogy_(Tensor& x, const Tensor& other) { return x.xlogy_(other); }
TAPIR_METHOD Tensor& xlogy_(Tensor& x, const Scalar& other) { return x.xlogy_(other); }
TAPIR_METHOD Tensor& gcd_(Tensor& x, const Tensor& other) { return x.gcd_(other); }
TAPIR_METHOD Tensor& lcm_(Tensor& x, const Tensor& other) { return x.lcm_(other); }

/// a + alpha * b and a - alpha * b into `out`
TAPIR_METHOD Tensor& add_out(Tensor& out, const Tensor& a, const Tensor& b, const Scalar& alpha = 1) {
  return detail::pointwise_out(out, Pointwise::add, a, b, alpha);
}
TAPIR_API Tensor& sub_out(Tensor& out, const Tensor& a, const Tensor& b, const Scalar& alpha = 1);
TAPIR_METHOD Tensor subtract(const Tensor& a, const Tensor& b, const Scalar& alpha = 1) {
  return sub(a, b, alpha);
}
TAPIR_METHOD Tensor subtract(const Tensor& a, const Scalar& b, const Scalar& alpha = 1) {
  return sub(a, b, alpha);
}
TAPIR_METHOD Tensor& subtract_out(Tensor& out, const Tensor& a, const Tensor& b, const Scalar& alpha = 1) {
  return sub_out(out, a, b, alpha);
}
TAPIR_API Tensor& pow_out(Tensor& out, const Scalar& a, const Tensor& b);
TAPIR_API Tensor& where_out(Tensor& out, const Tensor& condition, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& lerp_out(Tensor& out, const Tensor& start, const Tensor& end, const Scalar& weight);
TAPIR_API Tensor& lerp_out(Tensor& out, const Tensor& start, const Tensor& end, const Tensor& weight);
TAPIR_API Tensor& addcmul_out(Tensor& out, const Tensor& x, const Tensor& a, const Tensor& b,
                              const Scalar& value = 1);
TAPIR_API Tensor& addcdiv_out(Tensor& out, const Tensor& x, const Tensor& a, const Tensor& b,
                              const Scalar& value = 1);

TAPIR_METHOD Tensor Tensor::add(const Tensor& b, const Scalar& alpha) const {
  return tapir::add(*this, b, alpha);
}
TAPIR_METHOD Tensor Tensor::add(const Scalar& b, const Scalar& alpha) const {
  return tapir::add(*this, b, alpha);
}
TAPIR_METHOD Tensor Tensor::sub(const Tensor& b, const Scalar& alpha) const {
  return tapir::sub(*this, b, alpha);
}
TAPIR_METHOD Tensor Tensor::sub(const Scalar& b, const Scalar& alpha) const {
  return tapir::sub(*this, b, alpha);
}
TAPIR_METHOD Tensor& Tensor::add_(const Tensor& b, const Scalar& alpha) const {
  detail::add_inplace(self(), b, alpha);
  return self();
}
TAPIR_METHOD Tensor& Tensor::add_(const Scalar& b, const Scalar& alpha) const {
  detail::add_inplace(self(), b, alpha);
  return self();
}
TAPIR_METHOD Tensor& Tensor::sub_(const Tensor& b, const Scalar& alpha) const {
  detail::add_inplace(self(), b, -alpha);
  return self();
}
TAPIR_METHOD Tensor& Tensor::sub_(const Scalar& b, const Scalar& alpha) const {
  detail::add_inplace(self(), b, -alpha);
  return self();
}
TAPIR_METHOD Tensor Tensor::where(const Tensor& condition, const Tensor& b) const {
  return tapir::where(condition, *this, b);
}
TAPIR_METHOD Tensor Tensor::where(const Tensor& condition, const Scalar& b) const {
  return tapir::where(condition, *this, b);
}
TAPIR_METHOD Tensor Tensor::lerp(const Tensor& end, const Scalar& weight) const {
  return tapir::lerp(*this, end, weight);
}
TAPIR_METHOD Tensor Tensor::lerp(const Tensor& end, const Tensor& weight) const {
  return tapir::lerp(*this, end, weight);
}
TAPIR_METHOD Tensor Tensor::addcmul(const Tensor& a, const Tensor& b, const Scalar& value) const {
  return tapir::addcmul(*this, a, b, value);
}
TAPIR_METHOD Tensor Tensor::addcdiv(const Tensor& a, const Tensor& b, const Scalar& value) const {
  return tapir::addcdiv(*this, a, b, value);
}
TAPIR_METHOD Tensor Tensor::masked_fill(const Tensor& mask, const Scalar& value) const {
  return tapir::masked_fill(*this, mask, value);
}

TAPIR_METHOD Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
TAPIR_METHOD Tensor operator+(const Tensor& a, const Scalar& b) { return add(a, b); }
TAPIR_METHOD Tensor operator+(const Scalar& a, const Tensor& b) { return add(b, a); }
TAPIR_METHOD Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
TAPIR_METHOD Tensor operator-(const Tensor& a, const Scalar& b) { return sub(a, b); }
TAPIR_METHOD Tensor operator-(const Scalar& a, const Tensor& b) { return add(neg(b), a); }
TAPIR_METHOD Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
TAPIR_METHOD Tensor operator*(const Tensor& a, const Scalar& b) { return mul(a, b); }
TAPIR_METHOD Tensor operator*(const Scalar& a, const Tensor& b) { return mul(b, a); }
TAPIR_METHOD Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
TAPIR_METHOD Tensor operator/(const Tensor& a, const Scalar& b) { return div(a, b); }
TAPIR_METHOD Tensor operator/(const Scalar& a, const Tensor& b) { return mul(reciprocal(b), a); }
TAPIR_METHOD Tensor Tensor::operator-() const { return tapir::neg(*this); }
TAPIR_METHOD Tensor& Tensor::operator+=(const Tensor& b) { return add_(b); }
TAPIR_METHOD Tensor& Tensor::operator+=(const Scalar& b) { return add_(b); }
TAPIR_METHOD Tensor& Tensor::operator-=(const Tensor& b) { return sub_(b); }
TAPIR_METHOD Tensor& Tensor::operator-=(const Scalar& b) { return sub_(b); }
TAPIR_METHOD Tensor& Tensor::operator*=(const Tensor& b) { return mul_(b); }
TAPIR_METHOD Tensor& Tensor::operator*=(const Scalar& b) { return mul_(b); }
TAPIR_METHOD Tensor& Tensor::operator/=(const Tensor& b) { return div_(b); }
TAPIR_METHOD Tensor& Tensor::operator/=(const Scalar& b) { return div_(b); }

#define TAPIR_OPERATOR_2(symbol, name)                                                         \
  TAPIR_METHOD Tensor operator symbol(const Tensor& a, const Tensor& b) { return name(a, b); } \
  TAPIR_METHOD Tensor operator symbol(const Tensor& a, const Scalar& b) { return name(a, b); }
TAPIR_OPERATOR_2(==, eq)
TAPIR_OPERATOR_2(!=, ne)
TAPIR_OPERATOR_2(<, lt)
TAPIR_OPERATOR_2(<=, le)
TAPIR_OPERATOR_2(>, gt)
TAPIR_OPERATOR_2(>=, ge)
TAPIR_OPERATOR_2(%, remainder)
TAPIR_OPERATOR_2(&, bitwise_and)
TAPIR_OPERATOR_2(|, bitwise_or)
TAPIR_OPERATOR_2(^, bitwise_xor)
TAPIR_OPERATOR_2(<<, bitwise_left_shift)
TAPIR_OPERATOR_2(>>, bitwise_right_shift)
#undef TAPIR_OPERATOR_2
#define TAPIR_NUMBER_FIRST(symbol, name, ...) \
  TAPIR_METHOD Tensor operator symbol(const Scalar& a, const Tensor& b) { return name(__VA_ARGS__); }
TAPIR_NUMBER_FIRST(==, eq, b, a)
TAPIR_NUMBER_FIRST(!=, ne, b, a)
TAPIR_NUMBER_FIRST(<, gt, b, a)
TAPIR_NUMBER_FIRST(<=, ge, b, a)
TAPIR_NUMBER_FIRST(>, lt, b, a)
TAPIR_NUMBER_FIRST(>=, le, b, a)
TAPIR_NUMBER_FIRST(%, remainder, a, b)
TAPIR_NUMBER_FIRST(&, bitwise_and, a, b)
TAPIR_NUMBER_FIRST(|, bitwise_or, a, b)
TAPIR_NUMBER_FIRST(^, bitwise_xor, a, b)
#undef TAPIR_NUMBER_FIRST
TAPIR_METHOD Tensor Tensor::operator~() const { return tapir::bitwise_not(*this); }
TAPIR_METHOD Tensor Tensor::operator!() const { return tapir::logical_not(*this); }
#define TAPIR_OPERATOR(symbol, name)                                                        \
  TAPIR_METHOD Tensor& Tensor::operator symbol(const Tensor& other) { return name(other); } \
  TAPIR_METHOD Tensor& Tensor::operator symbol(const Scalar& other) { return name(other); }
TAPIR_OPERATOR(%=, remainder_)
TAPIR_OPERATOR(&=, bitwise_and_)
TAPIR_OPERATOR(|=, bitwise_or_)
TAPIR_OPERATOR(^=, bitwise_xor_)
TAPIR_OPERATOR(<<=, bitwise_left_shift_)
TAPIR_OPERATOR(>>=, bitwise_right_shift_)
#undef TAPIR_OPERATOR
#undef TAPIR_METHOD

}  // namespace tapir
