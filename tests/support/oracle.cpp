#include "support/oracle.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

using namespace tapir;

namespace {

DType dtype_named(const std::string& name) {
  for (DType d : kAllDTypes)
    if (name == dtype_name(d)) return d;
  throw IOError("oracle: no dtype " + name);
}

Tensor parse_tensor(std::istringstream& in, const OracleTable& table) {
  std::string word;
  in >> word;
  if (!word.empty() && word[0] == '@') return table[word.substr(1)];
  const DType dtype = dtype_named(word);
  in >> word;
  std::vector<int64_t> sizes;
  if (word != "-") {
    std::istringstream parts(word);
    for (std::string part; std::getline(parts, part, 'x');) sizes.push_back(std::stoll(part));
  }
  Tensor t = empty(sizes, dtype);
  visit_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* p = t.data_ptr<T>();
    for (int64_t i = 0; i < t.numel(); ++i) {
      if (!(in >> word)) throw IOError("oracle: too few values");
      if constexpr (std::is_integral_v<T>)
        p[i] = static_cast<T>(std::strtoll(word.c_str(), nullptr, 10));
      else if constexpr (std::is_same_v<T, double>)
        p[i] = std::strtod(word.c_str(), nullptr);
      else
        p[i] = T(std::strtof(word.c_str(), nullptr));
    }
  });
  if (in >> word) throw IOError("oracle: too many values");
  return t;
}

}  // namespace

const Tensor& OracleTable::operator[](const std::string& name) const {
  const auto it = defs.find(name);
  if (it == defs.end()) throw IOError("oracle: no tensor " + name);
  return it->second;
}

int64_t OracleCase::integer(const std::string& key, int64_t otherwise) const {
  return has(key) ? std::stoll(attributes.at(key)) : otherwise;
}
double OracleCase::real(const std::string& key, double otherwise) const {
  return has(key) ? std::stod(attributes.at(key)) : otherwise;
}
std::string OracleCase::text(const std::string& key, const std::string& otherwise) const {
  return has(key) ? attributes.at(key) : otherwise;
}
std::vector<int64_t> OracleCase::integers(const std::string& key) const {
  std::vector<int64_t> result;
  std::istringstream parts(text(key));
  for (std::string part; std::getline(parts, part, ',');) result.push_back(std::stoll(part));
  return result;
}

OracleTable read_oracle(const std::string& name) {
  const std::string path = std::string(TAPIR_TEST_DIR) + "/oracle/" + name + ".txt";
  std::ifstream file(path);
  if (!file) throw IOError("oracle: cannot read " + path);
  OracleTable table;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    std::istringstream in(line);
    std::string kind;
    in >> kind;
    try {
      if (kind == "def") {
        std::string key;
        in >> key;
        table.defs[key] = parse_tensor(in, table);
      } else if (kind == "case") {
        OracleCase c;
        c.line = number;
        in >> c.op;
        for (std::string pair; in >> pair;)
          c.attributes[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
        table.cases.push_back(std::move(c));
      } else if (kind == "in") {
        table.cases.back().inputs.push_back(parse_tensor(in, table));
        table.cases.back().grad_inputs.emplace_back();
      } else if (kind == "out") {
        table.cases.back().outputs.push_back(parse_tensor(in, table));
        table.cases.back().grad_outputs.emplace_back();
      } else if (kind == "gout") {
        table.cases.back().grad_outputs.back() = parse_tensor(in, table);
      } else if (kind == "gin") {
        size_t i;
        in >> i;
        table.cases.back().grad_inputs.at(i) = parse_tensor(in, table);
      } else if (!kind.empty()) {
        throw IOError("oracle: unknown line " + kind);
      }
    } catch (Error& e) {
      e.add_context(path + ":" + std::to_string(number));
      throw;
    }
  }
  return table;
}
