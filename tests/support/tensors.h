// Small helpers of the tests.
#pragma once

#include <cmath>
#include <string>

#include "support/catch.h"
#include "tapir/tapir.h"

/// A float64 leaf that requires a gradient.
inline tapir::Tensor leaf(const tapir::TensorValues& values) {
  return tapir::tensor(values, tapir::TensorOptions(tapir::kFloat64).requires_grad(true));
}
inline tapir::Tensor f64(const tapir::TensorValues& values) { return tapir::tensor(values, tapir::kFloat64); }

/// Random float64 values in [low, high).
inline tapir::Tensor random_f64(tapir::IntArrayRef sizes, double low = -1, double high = 1,
                                bool requires_grad = false) {
  tapir::Tensor t = tapir::rand(sizes, tapir::kFloat64) * (high - low) + low;
  return t.set_requires_grad(requires_grad);
}

/// "" where `got` has the sizes, dtype and values of `expected`, within atol + rtol * |expected|; NaN equals
/// NaN. Otherwise the first differences.
std::string difference(const tapir::Tensor& got, const tapir::Tensor& expected, double rtol = 0,
                       double atol = 0);

/// Values, sizes and dtype agree; `rtol` covers sums taken in another order.
#define CHECK_SAME(got, expected) CHECK(difference(got, expected) == "")
#define CHECK_CLOSE(got, expected, rtol) CHECK(difference(got, expected, rtol, rtol) == "")
#define REQUIRE_CLOSE(got, expected, rtol) REQUIRE(difference(got, expected, rtol, rtol) == "")

/// The message that `f` throws as an E; "" where it throws nothing, or something else.
template <class E, class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const E& e) {
    return e.what();
  } catch (const std::exception& e) {
    return "";
  }
  return "";
}
inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}
