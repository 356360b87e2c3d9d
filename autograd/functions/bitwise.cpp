#include "tapir/autograd/functions/bitwise.h"

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/tensor/ops/pointwise.h"

namespace tapir {

#define TAPIR_ROW_1(name) \
  Tensor name(const Tensor& x) { return raw::unary(Pointwise::name, x); }
#define TAPIR_ROW_2(name) \
  Tensor name(const Tensor& a, const Tensor& b) { return raw::binary(Pointwise::name, a, b); }
TAPIR_ROW_1(bitwise_not)
TAPIR_ROW_2(bitwise_and)
TAPIR_ROW_2(bitwise_or)
TAPIR_ROW_2(bitwise_xor)
TAPIR_ROW_2(bitwise_left_shift)
TAPIR_ROW_2(bitwise_right_shift)
TAPIR_ROW_2(gcd)
TAPIR_ROW_2(lcm)
TAPIR_ROW_1(signbit)
TAPIR_ROW_1(isposinf)
TAPIR_ROW_1(isneginf)
#undef TAPIR_ROW_1
#undef TAPIR_ROW_2

#define TAPIR_NUMBER_FIRST_OUT(name)                                               \
  Tensor& name##_out(Tensor& out, const Scalar& a, const Tensor& b) {              \
    return detail::assign_out(out, #name, {b}, [&] { return tapir::name(a, b); }); \
  }
TAPIR_NUMBER_FIRST_OUT(bitwise_and)
TAPIR_NUMBER_FIRST_OUT(bitwise_or)
TAPIR_NUMBER_FIRST_OUT(bitwise_xor)
TAPIR_NUMBER_FIRST_OUT(bitwise_left_shift)
TAPIR_NUMBER_FIRST_OUT(bitwise_right_shift)
#undef TAPIR_NUMBER_FIRST_OUT

}  // namespace tapir
