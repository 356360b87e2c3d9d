// Rows of the pointwise ops.
#include "support/ops_table.h"

using namespace tapir;
using Inputs = std::vector<Tensor>;

namespace {

using Domain = OpRow::Domain;
constexpr Domain kAny{-2, 2}, kPositive{0.2, 2}, kNegative{-2, -0.2};

Scalar number(const OracleCase& c, const char* key) {
  const std::string text = c.text(key);
  return text.find('.') == std::string::npos ? Scalar(int64_t{std::stoll(text)}) : Scalar(std::stod(text));
}
std::optional<Scalar> bound(const OracleCase& c, const char* key) {
  return c.has(key) ? std::optional<Scalar>(number(c, key)) : std::nullopt;
}

// An op of one tensor with all its forms.
#define UNARY(op, ...)                                                                                         \
  {                                                                                                            \
#op, "pointwise",                                                                                          \
        [](const OracleCase&, const Inputs& x)                                                                 \
             -> Inputs { return {op(x[0])}; },                                                                 \
                                            [](const OracleCase&, Tensor& t,                                   \
                                               const Inputs&) { t.op##_(); },                                  \
                                                                           [](Tensor & out,                    \
                                                                              const Inputs&                    \
                                                                                  x) { op##_out(out, x[0]); }, \
    {                                                                                                          \
      __VA_ARGS__                                                                                              \
    }                                                                                                          \
  }
#define PREDICATE(op)                                                                               \
  {                                                                                                 \
#op, "pointwise",                                                                               \
        [](const OracleCase&, const Inputs& x) -> Inputs { return {op(x[0])}; }, nullptr, nullptr,  \
                                                                              {kAny }, false, false \
  }
// Of two tensors.
#define BINARY(op, ...)                                                                            \
  {                                                                                                \
#op, "pointwise", [](const OracleCase&, const Inputs& x) -> Inputs { return {op(x[0], x[1])}; }, \
        [](const OracleCase&, Tensor& t, const Inputs& r) { t.op##_(r[0]); },                     \
        [](Tensor& out, const Inputs& x) { op##_out(out, x[0], x[1]); }, { \
      __VA_ARGS__                                                                                  \
    }                                                                                              \
  }
// Without an out form (add, sub) or any (the backward formulas).
#define BINARY_IN_PLACE(op, ...)                                                                        \
  {                                                                                                     \
#op, "pointwise",                                                                                   \
        [](const OracleCase&, const Inputs& x)                                                          \
             -> Inputs { return {op(x[0], x[1])}; }, [](const OracleCase&, Tensor& t,                   \
                                                        const Inputs& r) { t.op##_(r[0]); }, nullptr, { \
      __VA_ARGS__                                                                                       \
    }                                                                                                   \
  }
#define BINARY_PLAIN(op, ...)                                                                              \
  {                                                                                                        \
#op, "pointwise",                                                                                      \
        [](const OracleCase&, const Inputs& x) -> Inputs { return {op(x[0], x[1])}; }, nullptr, nullptr, { \
      __VA_ARGS__                                                                                          \
    }                                                                                                      \
  }
// A comparison: no gradient.
#define COMPARISON(op)                                                                             \
  {                                                                                                \
#op, "pointwise", [](const OracleCase&, const Inputs& x) -> Inputs { return {op(x[0], x[1])}; }, \
        [](const OracleCase&, Tensor& t, const Inputs& r) { t.op##_(r[0]); },                     \
        [](Tensor& out, const Inputs& x) { op##_out(out, x[0], x[1]); }, {kAny, kAny}, false, false \
  }
// Of a tensor and the number `s`.
#define NUMBER(op, ...)                                                                                                \
  {                                                                                                                    \
#op "_number", "pointwise",                                                                                        \
        [](const OracleCase& c, const Inputs& x)                                                                       \
             -> Inputs { return {op(x[0], number(c, "s"))}; },                                                         \
                                                            [](const OracleCase& c, Tensor& t,                         \
                                                               const Inputs&) { t.op##_(number(c, "s")); },            \
                                                                                                         nullptr,      \
                                                                                                         {kPositive }, \
                                                                                                          __VA_ARGS__  \
  }

}  // namespace

void add_pointwise_rows(std::vector<OpRow>& rows) {
  const OpRow more[] = {
      UNARY(neg, kAny),
      UNARY(abs, kPositive),
      UNARY(sign, kNegative),
      UNARY(square, kAny),
      UNARY(relu, kPositive),
      UNARY(floor, {1.1, 1.9}),
      UNARY(ceil, {1.1, 1.9}),
      UNARY(round, {0.6, 1.4}),
      UNARY(trunc, {1.1, 1.9}),
      UNARY(exp, kAny),
      UNARY(expm1, kAny),
      UNARY(log, kPositive),
      UNARY(log1p, {-0.5, 2}),
      UNARY(sqrt, kPositive),
      UNARY(rsqrt, kPositive),
      UNARY(reciprocal, kNegative),
      UNARY(sin, kAny),
      UNARY(cos, kAny),
      UNARY(tanh, kAny),
      UNARY(sigmoid, kAny),
      UNARY(erf, kAny),
      PREDICATE(isnan),
      PREDICATE(isinf),
      PREDICATE(isfinite),
      PREDICATE(logical_not),
      BINARY_IN_PLACE(add, kAny, kAny),
      BINARY_IN_PLACE(sub, kAny, kAny),
      BINARY(mul, kAny, kAny),
      BINARY(div, kAny, kPositive),
      BINARY(pow, kPositive, kAny),
      BINARY(maximum, {-2, -0.1}, {0, 2}),
      BINARY(minimum, {-2, -0.1}, {0, 2}),
      COMPARISON(eq),
      COMPARISON(ne),
      COMPARISON(lt),
      COMPARISON(le),
      COMPARISON(gt),
      COMPARISON(ge),
      COMPARISON(logical_and),
      COMPARISON(logical_or),
      NUMBER(add, true, true),
      NUMBER(sub, true, true),
      NUMBER(mul, true, true),
      NUMBER(div, true, true),
      NUMBER(pow, true, true),
      NUMBER(eq, false, false),
      NUMBER(lt, false, false),
      NUMBER(ge, false, false),
      {"add_alpha",
       "pointwise",
       [](const OracleCase& c, const Inputs& x) -> Inputs { return {add(x[0], x[1], number(c, "alpha"))}; },
       [](const OracleCase& c, Tensor& t, const Inputs& r) { t.add_(r[0], number(c, "alpha")); },
       nullptr,
       {kAny, kAny}},
      {"sub_alpha",
       "pointwise",
       [](const OracleCase& c, const Inputs& x) -> Inputs { return {sub(x[0], x[1], number(c, "alpha"))}; },
       [](const OracleCase& c, Tensor& t, const Inputs& r) { t.sub_(r[0], number(c, "alpha")); },
       nullptr,
       {kAny, kAny}},
      {"clamp",
       "pointwise",
       [](const OracleCase& c, const Inputs& x) -> Inputs {
         return {clamp(x[0], bound(c, "lo"), bound(c, "hi"))};
       },
       [](const OracleCase& c, Tensor& t, const Inputs&) { t.clamp_(bound(c, "lo"), bound(c, "hi")); },
       nullptr,
       {{1.1, 1.9}}},
      {"where",
       "pointwise",
       [](const OracleCase&, const Inputs& x) -> Inputs { return {where(x[0], x[1], x[2])}; },
       nullptr,
       nullptr,
       {{0, 1, Domain::kBool}, kAny, kAny}},
      {"masked_fill",
       "pointwise",
       [](const OracleCase& c, const Inputs& x) -> Inputs { return {masked_fill(x[0], x[1], c.real("v"))}; },
       [](const OracleCase& c, Tensor& t, const Inputs& r) { t.masked_fill_(r[0], c.real("v")); },
       nullptr,
       {kAny, {0, 1, Domain::kBool}}},
      {"lerp",
       "pointwise",
       [](const OracleCase& c, const Inputs& x) -> Inputs { return {lerp(x[0], x[1], c.real("w", 0.25))}; },
       nullptr,
       nullptr,
       {kAny, kAny}},
      {"addcmul",
       "pointwise",
       [](const OracleCase& c, const Inputs& x) -> Inputs {
         return {addcmul(x[0], x[1], x[2], c.real("v", 2))};
       },
       [](const OracleCase& c, Tensor& t, const Inputs& r) { t.addcmul_(r[0], r[1], c.real("v", 2)); },
       nullptr,
       {kAny, kAny, kAny}},
      {"addcdiv",
       "pointwise",
       [](const OracleCase& c, const Inputs& x) -> Inputs {
         return {addcdiv(x[0], x[1], x[2], c.real("v", 2))};
       },
       [](const OracleCase& c, Tensor& t, const Inputs& r) { t.addcdiv_(r[0], r[1], c.real("v", 2)); },
       nullptr,
       {kAny, kAny, kPositive}},
      BINARY_PLAIN(tanh_backward, kAny, kAny),
      BINARY_PLAIN(sigmoid_backward, kAny, kAny),
      BINARY_PLAIN(relu_backward, kAny, kPositive),
      {"clamp_backward",
       "pointwise",
       [](const OracleCase& c, const Inputs& x) -> Inputs {
         return {clamp_backward(x[0], x[1], number(c, "lo"), number(c, "hi"))};
       },
       nullptr,
       nullptr,
       {kAny, {1.1, 1.9}}},
  };
  rows.insert(rows.end(), std::begin(more), std::end(more));
  for (OpRow& row : rows) {
    const std::string name = row.name;
    row.gradient_cancels =
        name == "tanh" || name == "sigmoid" || name == "tanh_backward" || name == "sigmoid_backward";
    if (name == "tanh_backward" || name == "sigmoid_backward") row.sums = true;
  }
}
