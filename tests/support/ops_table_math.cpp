// Rows of the elementary, special, rounding, integer and bounding ops; their table is made by
// tests/oracle/make_math.py.
#include "support/ops_table.h"

using namespace tapir;
using Inputs = std::vector<Tensor>;

namespace {

using Domain = OpRow::Domain;
constexpr Domain kAny{-2, 2};

using One = Tensor (*)(const Tensor&);
using OneInPlace = Tensor& (Tensor::*)() const;
using OneOut = Tensor& (*)(Tensor&, const Tensor&);
using Two = Tensor (*)(const Tensor&, const Tensor&);
using TwoInPlace = Tensor& (Tensor::*)(const Tensor&) const;
using TwoOut = Tensor& (*)(Tensor&, const Tensor&, const Tensor&);

// Other methods than PyTorch's: both are within a few ulp of the true value, more where the value is near a
// zero.
OpRow unary_row(const char* name, One f, OneInPlace in_place, OneOut out, Domain domain,
                double tolerance = 4e-15) {
  OpRow row{name, "math", [f](const OracleCase&, const Inputs& x) -> Inputs { return {f(x[0])}; }};
  if (in_place) row.in_place = [in_place](const OracleCase&, Tensor& t, const Inputs&) { (t.*in_place)(); };
  if (out) row.out = [out](Tensor& o, const Inputs& x) { out(o, x[0]); };
  row.domain = {domain};
  row.float64_tolerance = tolerance;
  return row;
}
OpRow binary_row(const char* name, Two f, TwoInPlace in_place, TwoOut out, Domain a, Domain b,
                 double tolerance = 4e-15) {
  OpRow row{name, "math", [f](const OracleCase&, const Inputs& x) -> Inputs { return {f(x[0], x[1])}; }};
  if (in_place)
    row.in_place = [in_place](const OracleCase&, Tensor& t, const Inputs& r) { (t.*in_place)(r[0]); };
  if (out) row.out = [out](Tensor& o, const Inputs& x) { out(o, x[0], x[1]); };
  row.domain = {a, b};
  row.float64_tolerance = tolerance;
  return row;
}
OpRow without_derivative(OpRow row, bool any_dtype = true) {
  row.differentiable = row.differentiable_twice = false;
  row.float32_tolerance = row.float64_tolerance = 0;
  if (!any_dtype) row.domain = {};  // not for the floating-point inputs that a domain gives
  return row;
}
OpRow other_row(const char* name, OpRow::Call call, OpRow::InPlace in_place, std::vector<Domain> domain,
                double tolerance = 4e-15) {
  OpRow row{name, "math", std::move(call), std::move(in_place)};
  row.domain = std::move(domain);
  row.float64_tolerance = tolerance;
  return row;
}

Scalar number(const OracleCase& c, const char* key = "s") {
  const std::string text = c.text(key, "2");
  return text.find('.') == std::string::npos ? Scalar(int64_t{std::stoll(text)}) : Scalar(std::stod(text));
}
std::optional<double> optional_real(const OracleCase& c, const char* key) {
  return c.has(key) ? std::optional<double>(c.real(key)) : std::nullopt;
}

#define UNARY(op, ...) unary_row(#op, &op, &Tensor::op##_, &op##_out, __VA_ARGS__)
#define SPECIAL(op, ...) unary_row(#op, &special::op, nullptr, &special::op##_out, __VA_ARGS__)
#define PREDICATE(op) without_derivative(unary_row(#op, &op, nullptr, &op##_out, kAny))
#define BINARY(op, ...) binary_row(#op, &op, &Tensor::op##_, &op##_out, __VA_ARGS__)
#define INTEGERS(op) without_derivative(BINARY(op, kAny, kAny), false)
// Of a tensor and the number `s`.
#define NUMBER(op, ...)                                                                                    \
  other_row(                                                                                               \
      #op "_number", [](const OracleCase& c, const Inputs& x) -> Inputs { return {op(x[0], number(c))}; }, \
      [](const OracleCase& c, Tensor& t, const Inputs&) { t.op##_(number(c)); }, __VA_ARGS__)

void add_elementary(std::vector<OpRow>& rows) {
  const OpRow more[] = {
      UNARY(exp2, kAny),
      UNARY(log2, {0.2, 2}),
      UNARY(log10, {0.2, 2}),
      UNARY(sinh, kAny),
      UNARY(cosh, kAny),
      UNARY(tan, {-1, 1}),
      UNARY(asin, {-0.8, 0.8}),
      UNARY(acos, {-0.8, 0.8}),
      UNARY(atan, kAny),
      UNARY(asinh, kAny),
      UNARY(acosh, {1.3, 3}),
      UNARY(atanh, {-0.8, 0.8}),
      UNARY(deg2rad, kAny),
      UNARY(rad2deg, kAny),
      UNARY(sinc, kAny, 2e-14),
      unary_row("logit", static_cast<One>(&logit), static_cast<OneInPlace>(&Tensor::logit_),
                static_cast<OneOut>(&logit_out), {0.2, 0.8}, 1e-14),
      other_row(
          "logit_eps",
          [](const OracleCase& c, const Inputs& x) -> Inputs { return {logit(x[0], c.real("eps"))}; },
          [](const OracleCase& c, Tensor& t, const Inputs&) { t.logit_(c.real("eps")); }, {{0.2, 0.8}}),
      BINARY(atan2, kAny, {0.2, 2}),
      BINARY(hypot, kAny, {0.2, 2}),
      BINARY(copysign, {0.2, 2}, {0.2, 2}),
      BINARY(xlogy, kAny, {0.2, 2}),
      BINARY(logaddexp, kAny, kAny),
      BINARY(logaddexp2, kAny, kAny),
      other_row(
          "ldexp", [](const OracleCase&, const Inputs& x) -> Inputs { return {ldexp(x[0], x[1])}; },
          [](const OracleCase&, Tensor& t, const Inputs& r) { t.ldexp_(r[0]); }, {kAny, kAny}),
      other_row("float_power",
                [](const OracleCase&, const Inputs& x) -> Inputs { return {float_power(x[0], x[1])}; },
                nullptr, {{0.2, 2}, kAny}),
      other_row("rsub", [](const OracleCase&, const Inputs& x) -> Inputs { return {rsub(x[0], x[1])}; },
                nullptr, {kAny, kAny}),
      other_row("rsub_number",
                [](const OracleCase& c, const Inputs& x) -> Inputs { return {rsub(x[0], number(c))}; },
                nullptr, {kAny}),
      other_row(
          "lerp_tensor",
          [](const OracleCase&, const Inputs& x) -> Inputs { return {lerp(x[0], x[1], x[2])}; },
          [](const OracleCase&, Tensor& t, const Inputs& r) { t.lerp_(r[0], r[1]); }, {kAny, kAny, kAny}),
  };
  rows.insert(rows.end(), std::begin(more), std::end(more));
}

void add_special(std::vector<OpRow>& rows) {
  OpRow zeta_row = binary_row(
      "zeta", [](const Tensor& x, const Tensor& q) { return special::zeta(x.detach(), q); }, nullptr,
      &special::zeta_out, {1.5, 4}, {0.5, 4}, 2e-14);
  zeta_row.domain = {};  // no derivative with respect to x: checked on the oracle's inputs
  // Nor with respect to a. PyTorch's are good to some 13 digits.
  OpRow igamma_row = binary_row(
      "igamma", [](const Tensor& a, const Tensor& x) { return igamma(a.detach(), x); }, nullptr, &igamma_out,
      {}, {}, 2e-13);
  OpRow igammac_row = binary_row(
      "igammac", [](const Tensor& a, const Tensor& x) { return igammac(a.detach(), x); }, nullptr,
      &igammac_out, {}, {}, 2e-13);
  igamma_row.domain = igammac_row.domain = {};
  const OpRow more[] = {
      UNARY(erfc, kAny),
      UNARY(erfinv, {-0.8, 0.8}, 1e-14),
      UNARY(lgamma, {0.2, 4}, 2e-14),
      UNARY(digamma, {0.2, 4}, 2e-13),
      UNARY(i0, kAny, 1e-14),
      SPECIAL(i0e, {0.1, 2}, 1e-14),
      SPECIAL(i1, kAny, 1e-14),
      SPECIAL(i1e, {0.1, 2}, 1e-14),
      SPECIAL(entr, {0.2, 2}),
      SPECIAL(erfcx, kAny, 2e-14),
      SPECIAL(ndtr, kAny, 1e-14),
      SPECIAL(ndtri, {0.1, 0.9}, 1e-14),
      SPECIAL(log_ndtr, kAny, 2e-14),
      binary_row("xlog1py", &special::xlog1py, nullptr, &special::xlog1py_out, kAny, {-0.5, 2}),
      zeta_row,
      igamma_row,
      igammac_row,
      other_row(
          "polygamma",
          [](const OracleCase& c, const Inputs& x) -> Inputs { return {polygamma(c.integer("n"), x[0])}; },
          [](const OracleCase& c, Tensor& t, const Inputs&) { t.polygamma_(c.integer("n")); }, {{0.7, 3}},
          2e-14),
      other_row(
          "mvlgamma",
          [](const OracleCase& c, const Inputs& x) -> Inputs { return {mvlgamma(x[0], c.integer("p"))}; },
          [](const OracleCase& c, Tensor& t, const Inputs&) { t.mvlgamma_(c.integer("p")); }, {{1.5, 4}},
          1e-13),
  };
  rows.insert(rows.end(), std::begin(more), std::end(more));
  for (OpRow& row : rows) {
    const std::string name = row.name;
    row.gradient_cancels = row.gradient_cancels || name == "sinc" || name == "i0e" || name == "i1e" ||
                           name == "i1" || name == "erfcx" || name == "entr" || name == "lgamma" ||
                           name == "mvlgamma";
  }
}

void add_rounding(std::vector<OpRow>& rows) {
  OpRow div_trunc = other_row(
      "div_trunc", [](const OracleCase&, const Inputs& x) -> Inputs { return {div(x[0], x[1], "trunc")}; },
      [](const OracleCase&, Tensor& t, const Inputs& r) { t.div_(r[0], "trunc"); }, {{2.3, 2.6}, {1, 1.1}},
      0);
  div_trunc.out = [](Tensor& out, const Inputs& x) { div_out(out, x[0], x[1], "trunc"); };
  const OpRow more[] = {
      UNARY(frac, {0.1, 0.9}),
      other_row(
          "round_decimals",
          [](const OracleCase& c, const Inputs& x) -> Inputs { return {round(x[0], c.integer("n"))}; },
          [](const OracleCase& c, Tensor& t, const Inputs&) { t.round_(c.integer("n")); }, {{1.111, 1.114}},
          0),
      BINARY(floor_divide, {2.3, 2.6}, {1, 1.1}, 0),
      BINARY(remainder, {2.3, 2.6}, {1, 1.1}),
      BINARY(fmod, {2.3, 2.6}, {1, 1.1}),
      div_trunc,
      NUMBER(floor_divide, {{2.1, 2.4}}),
      NUMBER(remainder, {{2.1, 2.4}}),
      NUMBER(fmod, {{2.1, 2.4}}),
      without_derivative(BINARY(nextafter, kAny, kAny)),
  };
  rows.insert(rows.end(), std::begin(more), std::end(more));
}

void add_integers(std::vector<OpRow>& rows) {
  const OpRow more[] = {
      without_derivative(UNARY(bitwise_not, kAny), false),
      INTEGERS(bitwise_and),
      INTEGERS(bitwise_or),
      INTEGERS(bitwise_xor),
      INTEGERS(bitwise_left_shift),
      INTEGERS(bitwise_right_shift),
      INTEGERS(gcd),
      INTEGERS(lcm),
      without_derivative(NUMBER(bitwise_and, {})),
      without_derivative(NUMBER(bitwise_or, {})),
      without_derivative(NUMBER(bitwise_xor, {})),
      without_derivative(NUMBER(bitwise_left_shift, {})),
      without_derivative(NUMBER(bitwise_right_shift, {})),
      PREDICATE(signbit),
      PREDICATE(isposinf),
      PREDICATE(isneginf),
      without_derivative(BINARY(logical_xor, kAny, kAny)),
  };
  rows.insert(rows.end(), std::begin(more), std::end(more));
}

void add_bounds(std::vector<OpRow>& rows) {
  OpRow nan_to_num_row = other_row(
      "nan_to_num",
      [](const OracleCase& c, const Inputs& x) -> Inputs {
        return {nan_to_num(x[0], optional_real(c, "nan"), optional_real(c, "posinf"),
                           optional_real(c, "neginf"))};
      },
      [](const OracleCase& c, Tensor& t, const Inputs&) {
        t.nan_to_num_(optional_real(c, "nan"), optional_real(c, "posinf"), optional_real(c, "neginf"));
      },
      {kAny}, 0);
  OpRow clamp_tensors = other_row(
      "clamp_tensors", [](const OracleCase&, const Inputs& x) -> Inputs { return {clamp(x[0], x[1], x[2])}; },
      [](const OracleCase&, Tensor& t, const Inputs& r) { t.clamp_(r[0], r[1]); },
      {{-1, 4}, {0.1, 0.9}, {1.1, 1.9}}, 0);
  clamp_tensors.out = [](Tensor& out, const Inputs& x) { clamp_out(out, x[0], x[1], x[2]); };
  const OpRow more[] = {
      BINARY(fmax, {-2, -0.1}, {0, 2}),
      BINARY(fmin, {-2, -0.1}, {0, 2}),
      BINARY(heaviside, {0.1, 2}, kAny),
      clamp_tensors,
      other_row(
          "clamp_low", [](const OracleCase&, const Inputs& x) -> Inputs { return {clamp_min(x[0], x[1])}; },
          [](const OracleCase&, Tensor& t, const Inputs& r) { t.clamp_min_(r[0]); }, {kAny, {2.1, 3}}, 0),
      other_row(
          "clamp_high", [](const OracleCase&, const Inputs& x) -> Inputs { return {clamp_max(x[0], x[1])}; },
          [](const OracleCase&, Tensor& t, const Inputs& r) { t.clamp_max_(r[0]); }, {kAny, {2.1, 3}}, 0),
      other_row(
          "threshold",
          [](const OracleCase& c, const Inputs& x) -> Inputs {
            return {threshold(x[0], number(c, "t"), number(c, "v"))};
          },
          [](const OracleCase& c, Tensor& t, const Inputs&) {
            threshold_(t, number(c, "t"), number(c, "v"));
          },
          {{1.1, 2}}, 0),
      nan_to_num_row,
  };
  rows.insert(rows.end(), std::begin(more), std::end(more));
}

}  // namespace

void add_math_rows(std::vector<OpRow>& rows) {
  add_elementary(rows);
  add_special(rows);
  add_rounding(rows);
  add_integers(rows);
  add_bounds(rows);
}
