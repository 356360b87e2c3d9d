// Pointwise ops without gradient: broadcasting, type promotion, and the call of the device's kernel.
#pragma once

#include <initializer_list>
#include <tuple>

#include "tapir/tensor/kernels.h"
#include "tapir/tensor/tensor.h"

namespace tapir::raw {

/// An input of a pointwise op: a tensor, or a number that broadcasts. Refers to what it is made from.
struct Operand {
  const Tensor* tensor = nullptr;
  const Scalar* scalar = nullptr;
  Operand(const Tensor& t) : tensor(&t) {}  // NOLINT
  Operand(const Scalar& s) : scalar(&s) {}  // NOLINT
};

/// Parameters p0, p1 and p2 of a kernel that has them.
struct Params {
  KernelScalar p[kMaxPointwiseParams];
  Params() : p{} {}
  Params(const Scalar& p0) : p{{p0.to_double(), p0.to_int64()}, {}, {}} {}  // NOLINT
  Params(const Scalar& p0, const Scalar& p1)
      : p{{p0.to_double(), p0.to_int64()}, {p1.to_double(), p1.to_int64()}, {}} {}
  Params(const Scalar& p0, const Scalar& p1, const Scalar& p2)
      : p{{p0.to_double(), p0.to_int64()}, {p1.to_double(), p1.to_int64()}, {p2.to_double(), p2.to_int64()}} {
  }
};

/// A new tensor with the result, of broadcast sizes and the dtype that the row's class gives.
/// Throws ShapeError, DTypeError, DeviceError.
TAPIR_API Tensor unary(Pointwise op, const Tensor& x, const Params& params = {});
TAPIR_API Tensor binary(Pointwise op, Operand a, Operand b, const Params& params = {});
TAPIR_API Tensor ternary(Pointwise op, Operand a, Operand b, Operand c, const Params& params = {});

/// The sum of all elements of binary(op, a, b, params), times scale: a tensor without dimensions. Dense
/// operands of one dtype on the CPU need no memory for the elements. Floating rows only.
TAPIR_API Tensor pointwise_sum(Pointwise op, const Tensor& a, const Tensor& b, const Params& params,
                               double scale);

/// Writes the result into `out`, whose sizes must be the broadcast ones; casts to its dtype where can_cast
/// allows. `out` may be one of the inputs. Counts as a change of `out`. Throws as above and changes nothing
/// then.
TAPIR_API void pointwise_into(Pointwise op, const Tensor& out, std::initializer_list<Operand> inputs,
                              const Params& params = {});

/// Mantissas in [0.5, 1) or zero and int32 exponents; exponent 0 where x is not finite. Throws DTypeError for
/// integers.
TAPIR_API std::tuple<Tensor, Tensor> frexp(const Tensor& x);

/// The dtype of op(a, b) by PyTorch's rules: tensors with dimensions before those without before numbers,
/// within the same category of dtypes.
TAPIR_API DType result_type(std::initializer_list<Operand> inputs);

/// Fills args.sizes and the operands' strides for an iteration over `sizes`, dimensions merged where every
/// operand allows it. strides[i] are those of operand i over `sizes`.
TAPIR_API void merge_dims(IntArrayRef sizes, int operands, const int64_t* const* strides, int& ndim,
                          int64_t* out_sizes, int64_t* const* out_strides);

/// Throws ShapeError where an in-place write to `out` would write a place twice.
TAPIR_API void check_writable(const Tensor& out, const char* op);

}  // namespace tapir::raw
