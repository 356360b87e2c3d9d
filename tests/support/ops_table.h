// The table of ops: one row for each op that tests/test_ops.cpp checks against PyTorch's numbers, in every
// layout, and against finite differences. A new op needs a row here and cases in tests/oracle/make_oracle.py.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "support/oracle.h"

struct OpRow {
  using Call =
      std::function<std::vector<tapir::Tensor>(const OracleCase&, const std::vector<tapir::Tensor>&)>;
  using InPlace =
      std::function<void(const OracleCase&, tapir::Tensor&, const std::vector<tapir::Tensor>& rest)>;
  using Out = std::function<void(tapir::Tensor& out, const std::vector<tapir::Tensor>&)>;
  /// Where an input is drawn from for derivatives: away from kinks and poles.
  struct Domain {
    double low = -2, high = 2;
    enum Kind { kReal, kBool } kind = kReal;
  };

  const char* name;   ///< in the tables
  const char* table;  ///< tests/oracle/TABLE.txt
  Call call;
  InPlace in_place = nullptr;
  Out out = nullptr;
  /// One per input, for pointwise ops: derivatives and layouts are checked on random inputs, broadcast ones
  /// among them. Empty: on the inputs of the oracle's cases.
  std::vector<Domain> domain = {};
  bool differentiable = true;
  bool differentiable_twice = true;
  /// Largest difference from PyTorch, relative, in float32 and float64. Elementary functions of either
  /// library are within 2.5 ulp of the true value, sums and products are taken in another order.
  double float32_tolerance = 6e-7;
  double float64_tolerance = 1.2e-15;
  /// The result is a sum: its rounding is relative to the largest of the results, not to each.
  bool sums = false;
  /// The gradient contains a difference of rounded numbers, as 1 - y^2: its rounding is relative to the
  /// largest too.
  bool gradient_cancels = false;
};

/// All rows.
const std::vector<OpRow>& ops_table();
/// Those of one file each.
void add_pointwise_rows(std::vector<OpRow>& rows);
void add_math_rows(std::vector<OpRow>& rows);
void add_activation_rows(std::vector<OpRow>& rows);
void add_other_rows(std::vector<OpRow>& rows);
void add_linalg_rows(std::vector<OpRow>& rows);
void add_tensor_rows(std::vector<OpRow>& rows);
