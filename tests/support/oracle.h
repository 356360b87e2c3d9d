// The tables that tests/oracle/make_oracle.py wrote; their format is described there.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tapir/tapir.h"

/// One call of an op, as PyTorch computed it.
struct OracleCase {
  std::string op;
  std::map<std::string, std::string> attributes;
  std::vector<tapir::Tensor> inputs, outputs;
  std::vector<tapir::Tensor> grad_outputs;  ///< per output; undefined where it has no gradient
  std::vector<tapir::Tensor> grad_inputs;   ///< per input; undefined where there is none
  int line = 0;                             ///< in the table

  bool has(const std::string& key) const { return attributes.count(key) > 0; }
  int64_t integer(const std::string& key, int64_t otherwise = 0) const;
  double real(const std::string& key, double otherwise = 0) const;
  std::string text(const std::string& key, const std::string& otherwise = "") const;
  /// "0,2" as {0, 2}
  std::vector<int64_t> integers(const std::string& key) const;
};

struct OracleTable {
  std::map<std::string, tapir::Tensor> defs;
  std::vector<OracleCase> cases;
  const tapir::Tensor& operator[](const std::string& name) const;
};

/// tests/oracle/NAME.txt. Throws IOError for a missing or malformed table.
OracleTable read_oracle(const std::string& name);
