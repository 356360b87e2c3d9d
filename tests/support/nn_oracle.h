// What PyTorch gives for the cases of oracle/make_nn.py and, once loaded, of other tables, by name.
#pragma once

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/catch.h"
#include "support/values.h"

#ifndef NN_ORACLE_TABLE
#define NN_ORACLE_TABLE "oracle/nn.inc"
#endif

namespace nn_oracle {

using Table = std::map<std::string, std::vector<double>>;
inline Table& table() {
  static Table values = {
#include NN_ORACLE_TABLE
  };
  return values;
}

/// Adds the cases of oracle/`file`, lines of a name and its values; false where there is none.
inline bool load(const std::string& file) {
  std::ifstream in(std::string(TAPIR_TEST_DIR) + "/oracle/" + file);
  std::string line, name;
  size_t rows = 0;
  while (std::getline(in, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream words(line);
    words >> name;
    std::vector<double>& values = table()[name];
    for (double v; words >> v;) values.push_back(v);
    ++rows;
  }
  return rows > 0;
}

inline const std::vector<double>& expected(const std::string& name) {
  INFO("case " << name);
  REQUIRE(table().count(name) == 1);
  return table().at(name);
}

/// The float64 numbers that make_nn.py uses too: 0.5 sin(phase + 0.37 i).
inline tapir::Tensor wave(tapir::IntArrayRef sizes, double phase) {
  std::vector<double> v(static_cast<size_t>(tapir::count(sizes)));
  for (size_t i = 0; i < v.size(); ++i) v[i] = 0.5 * std::sin(phase + 0.37 * static_cast<double>(i));
  return values::make(v, sizes, tapir::kFloat64);
}

/// Compares with a relative tolerance of `tolerance` of the largest value; 0 means to the bit.
inline void check(const std::string& name, const std::vector<double>& got, double tolerance) {
  const std::vector<double>& want = expected(name);
  INFO("case " << name);
  REQUIRE(got.size() == want.size());
  double largest = 0;
  for (const double w : want) largest = std::max(largest, std::abs(w));
  for (size_t i = 0; i < got.size(); ++i) {
    INFO("element " << i << ": got " << got[i] << ", expected " << want[i]);
    CHECK(std::abs(got[i] - want[i]) <= tolerance * largest);
  }
}
inline void check(const std::string& name, const tapir::Tensor& got, double tolerance) {
  REQUIRE(got.defined());
  check(name, values::of(got), tolerance);
}

}  // namespace nn_oracle
