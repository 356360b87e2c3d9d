// Ops on the bits and divisors of integers, and tests of a number's sign; none has a derivative. Integer ops
// throw DTypeError for floating-point tensors. What is said at the head of pointwise.h holds here too.
#pragma once

#include "tapir/tensor/tensor.h"

namespace tapir {

TAPIR_API Tensor bitwise_not(const Tensor& x);                   ///< ~x; for bool the logical not
TAPIR_API Tensor bitwise_and(const Tensor& a, const Tensor& b);  ///< a & b
TAPIR_API Tensor bitwise_or(const Tensor& a, const Tensor& b);   ///< a | b
TAPIR_API Tensor bitwise_xor(const Tensor& a, const Tensor& b);  ///< a ^ b
/// a * 2^b, cut to the dtype's bits; 0 for a negative b. Not for bool.
TAPIR_API Tensor bitwise_left_shift(const Tensor& a, const Tensor& b);
/// floor(a / 2^b); 0 or -1 for a negative b. Not for bool.
TAPIR_API Tensor bitwise_right_shift(const Tensor& a, const Tensor& b);
TAPIR_API Tensor& bitwise_and_out(Tensor& out, const Scalar& a, const Tensor& b);
TAPIR_API Tensor& bitwise_or_out(Tensor& out, const Scalar& a, const Tensor& b);
TAPIR_API Tensor& bitwise_xor_out(Tensor& out, const Scalar& a, const Tensor& b);
TAPIR_API Tensor& bitwise_left_shift_out(Tensor& out, const Scalar& a, const Tensor& b);
TAPIR_API Tensor& bitwise_right_shift_out(Tensor& out, const Scalar& a, const Tensor& b);
TAPIR_API Tensor gcd(const Tensor& a,
                     const Tensor& b);  ///< greatest common divisor; gcd(0, 0) is 0; not for bool
TAPIR_API Tensor lcm(const Tensor& a,
                     const Tensor& b);  ///< least common multiple; lcm(x, 0) is 0; not for bool

TAPIR_API Tensor signbit(const Tensor& x);   ///< the sign bit is set (-0 has one), bool
TAPIR_API Tensor isposinf(const Tensor& x);  ///< bool
TAPIR_API Tensor isneginf(const Tensor& x);  ///< bool

}  // namespace tapir
