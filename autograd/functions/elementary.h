// Elementary functions beside those of pointwise.h: other bases, circular and hyperbolic functions and their
// inverses, sums of exponentials. What is said at the head of pointwise.h holds here too: integers become the
// default dtype.
#pragma once

#include <optional>
#include <tuple>

#include "tapir/tensor/tensor.h"

namespace tapir {

TAPIR_API Tensor exp2(const Tensor& x);     ///< 2^x
TAPIR_API Tensor log2(const Tensor& x);     ///< logarithm to base 2
TAPIR_API Tensor log10(const Tensor& x);    ///< logarithm to base 10
TAPIR_API Tensor sinh(const Tensor& x);     ///< (e^x - e^-x) / 2
TAPIR_API Tensor cosh(const Tensor& x);     ///< (e^x + e^-x) / 2
TAPIR_API Tensor tan(const Tensor& x);      ///< of radians
TAPIR_API Tensor asin(const Tensor& x);     ///< in [-pi/2, pi/2]; NaN outside [-1, 1]
TAPIR_API Tensor acos(const Tensor& x);     ///< in [0, pi]; NaN outside [-1, 1]
TAPIR_API Tensor atan(const Tensor& x);     ///< in [-pi/2, pi/2]
TAPIR_API Tensor asinh(const Tensor& x);    ///< the inverse of sinh
TAPIR_API Tensor acosh(const Tensor& x);    ///< the inverse of cosh, >= 0; NaN below 1
TAPIR_API Tensor atanh(const Tensor& x);    ///< the inverse of tanh; NaN outside [-1, 1]
TAPIR_API Tensor deg2rad(const Tensor& x);  ///< x * pi / 180
TAPIR_API Tensor rad2deg(const Tensor& x);  ///< x * 180 / pi
TAPIR_API Tensor sinc(const Tensor& x);     ///< sin(pi x) / (pi x), 1 at 0

/// log(x / (1 - x)); NaN outside [0, 1]. With eps, x is first clamped to [eps, 1 - eps].
TAPIR_API Tensor logit(const Tensor& x);
TAPIR_API Tensor logit(const Tensor& x, std::optional<double> eps);
inline Tensor& logit_(Tensor& x, std::optional<double> eps) { return x.logit_(eps); }
TAPIR_API Tensor& logit_out(Tensor& out, const Tensor& x, std::optional<double> eps);

/// The angle of the point (x = b, y = a), in [-pi, pi].
TAPIR_API Tensor atan2(const Tensor& a, const Tensor& b);
/// sqrt(a^2 + b^2), without overflow on the way
TAPIR_API Tensor hypot(const Tensor& a, const Tensor& b);
/// |a| with the sign of b (-0 has one); the derivative is 0 at a = 0
TAPIR_API Tensor copysign(const Tensor& a, const Tensor& b);
/// a log(b); 0 where a is 0, unless b is NaN
TAPIR_API Tensor xlogy(const Tensor& a, const Tensor& b);
/// log(e^a + e^b), without overflow on the way
TAPIR_API Tensor logaddexp(const Tensor& a, const Tensor& b);
/// log2(2^a + 2^b), without overflow on the way
TAPIR_API Tensor logaddexp2(const Tensor& a, const Tensor& b);

/// (mantissa, exponent) with x = mantissa * 2^exponent and |mantissa| in [0.5, 1), int32 exponents; (x, 0)
/// where x is 0, infinite or NaN. The derivative is that of the mantissa, the exponent constant.
TAPIR_API std::tuple<Tensor, Tensor> frexp(const Tensor& x);
/// 0 where x >= 0, pi where x < 0; NaN where x is. The derivative is 0.
TAPIR_API Tensor angle(const Tensor& x);
/// x * 2^other
TAPIR_API Tensor ldexp(const Tensor& x, const Tensor& other);
inline Tensor& ldexp_(Tensor& x, const Tensor& other) { return x.ldexp_(other); }
TAPIR_API Tensor& ldexp_out(Tensor& out, const Tensor& x, const Tensor& other);
/// a^b in float64, whatever the dtypes. The in-place form throws DTypeError where a is not float64.
TAPIR_API Tensor float_power(const Tensor& a, const Tensor& b);
TAPIR_API Tensor float_power(const Tensor& a, const Scalar& b);
TAPIR_API Tensor float_power(const Scalar& a, const Tensor& b);
TAPIR_API Tensor& float_power_out(Tensor& out, const Tensor& a, const Tensor& b);
TAPIR_API Tensor& float_power_out(Tensor& out, const Tensor& a, const Scalar& b);
TAPIR_API Tensor& float_power_out(Tensor& out, const Scalar& a, const Tensor& b);
TAPIR_API Tensor& xlogy_out(Tensor& out, const Scalar& a, const Tensor& b);
TAPIR_API Tensor& angle_out(Tensor& out, const Tensor& x);
TAPIR_API std::tuple<Tensor&, Tensor&> frexp_out(Tensor& mantissa, Tensor& exponent, const Tensor& x);

}  // namespace tapir
