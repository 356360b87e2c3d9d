#include "support/ops_table.h"

using namespace tapir;
using Inputs = std::vector<Tensor>;

namespace {

// fn(const OracleCase& c, const Inputs& x) as a row's call, for results of one tensor or several
#define ROW_CALL(...) \
  [](const OracleCase& c, const Inputs& x) -> Inputs { return (void)c, Inputs(__VA_ARGS__); }

// Sums of n terms in another order: n * 2^-24, n * 2^-53 for the sizes of the tables.
OpRow sum_row(const char* name, const char* table, OpRow::Call call) {
  OpRow row{name, table, std::move(call)};
  row.sums = true;
  row.float32_tolerance = 2e-6;
  row.float64_tolerance = 4e-15;
  return row;
}
OpRow exact_row(const char* name, const char* table, OpRow::Call call) {
  OpRow row{name, table, std::move(call)};
  row.float32_tolerance = row.float64_tolerance = 0;
  return row;
}
OpRow constant_row(const char* name, const char* table, OpRow::Call call) {
  OpRow row = exact_row(name, table, std::move(call));
  row.differentiable = row.differentiable_twice = false;
  return row;
}

Inputs pair(std::tuple<Tensor, Tensor> t) { return {std::get<0>(t), std::get<1>(t)}; }

std::optional<int64_t> one_dim(const OracleCase& c) {
  return c.has("dim") ? std::optional<int64_t>(c.integer("dim")) : std::nullopt;
}

#define REDUCE(f)                                                                                      \
  [](const OracleCase& c, const Inputs& x) -> Inputs {                                                 \
    return {c.has("dim") ? f(x[0], IntArrayRef(c.integers("dim")), c.integer("keep") != 0) : f(x[0])}; \
  }
#define REDUCE_ONE(f)                                                                    \
  [](const OracleCase& c, const Inputs& x) -> Inputs {                                   \
    return {c.has("dim") ? f(x[0], c.integer("dim"), c.integer("keep") != 0) : f(x[0])}; \
  }

}  // namespace

void add_other_rows(std::vector<OpRow>& rows) {
  rows.push_back(sum_row("sum", "reduce", REDUCE(sum)));
  rows.push_back(sum_row("mean", "reduce", REDUCE(mean)));
  rows.push_back(
      sum_row("logsumexp", "reduce", ROW_CALL({logsumexp(x[0], c.integers("dim"), c.integer("keep") != 0)})));
  rows.push_back(sum_row("norm", "reduce", [](const OracleCase& c, const Inputs& x) -> Inputs {
    if (!c.has("dim")) return {norm(x[0])};
    return {norm(x[0], Scalar(2), c.integers("dim"), c.integer("keep") != 0)};
  }));
  rows.push_back(constant_row("all", "reduce", REDUCE_ONE(all)));
  rows.push_back(constant_row("any", "reduce", REDUCE_ONE(any)));
  rows.push_back(
      constant_row("argmax", "reduce", ROW_CALL({argmax(x[0], one_dim(c), c.integer("keep") != 0)})));
  rows.push_back(
      constant_row("argmin", "reduce", ROW_CALL({argmin(x[0], one_dim(c), c.integer("keep") != 0)})));
  rows.push_back(exact_row("max", "reduce", [](const OracleCase& c, const Inputs& x) -> Inputs {
    if (!c.has("dim")) return {max(x[0])};
    return pair(max(x[0], c.integer("dim"), c.integer("keep") != 0));
  }));
  rows.push_back(exact_row("min", "reduce", [](const OracleCase& c, const Inputs& x) -> Inputs {
    if (!c.has("dim")) return {min(x[0])};
    return pair(min(x[0], c.integer("dim"), c.integer("keep") != 0));
  }));
  rows.push_back(sum_row("softmax", "reduce", ROW_CALL({softmax(x[0], c.integer("dim"))})));
  rows.push_back(sum_row("log_softmax", "reduce", ROW_CALL({log_softmax(x[0], c.integer("dim"))})));

  rows.push_back(sum_row("matmul", "matmul", ROW_CALL({matmul(x[0], x[1])})));
  rows.push_back(sum_row("mm", "matmul", ROW_CALL({mm(x[0], x[1])})));
  rows.push_back(sum_row("bmm", "matmul", ROW_CALL({bmm(x[0], x[1])})));
  rows.push_back(sum_row("mv", "matmul", ROW_CALL({mv(x[0], x[1])})));
  rows.push_back(sum_row("dot", "matmul", ROW_CALL({dot(x[0], x[1])})));
  rows.push_back(
      sum_row("addmm", "matmul", ROW_CALL({addmm(x[0], x[1], x[2], c.real("beta"), c.real("alpha"))})));
  rows.push_back(sum_row("linear", "matmul", ROW_CALL({linear(x[0], x[1], x.size() > 2 ? x[2] : Tensor())})));

  rows.push_back(exact_row("cat", "index", ROW_CALL({cat(x, c.integer("dim"))})));
  rows.push_back(exact_row("stack", "index", ROW_CALL({stack(x, c.integer("dim"))})));
  rows.push_back(sum_row("repeat", "index", ROW_CALL({repeat(x[0], c.integers("repeats"))})));
  rows.push_back(sum_row("index_select", "index", ROW_CALL({index_select(x[0], c.integer("dim"), x[1])})));
  rows.push_back(sum_row("gather", "index", ROW_CALL({gather(x[0], c.integer("dim"), x[1])})));
  rows.push_back(
      sum_row("scatter_add", "index", ROW_CALL({scatter_add(x[0], c.integer("dim"), x[1], x[2])})));
  rows.push_back(sum_row("embedding", "index", ROW_CALL({embedding(x[0], x[1], c.integer("pad", -1))})));

  rows.push_back(sum_row("nll_loss", "loss", ROW_CALL({nll_loss(x[0], x[1], {}, c.integer("reduction"))})));
  rows.push_back(sum_row("nll_loss_weight", "loss",
                         ROW_CALL({nll_loss(x[0], x[1], x[2].detach(), c.integer("reduction"))})));
  rows.push_back(sum_row("cross_entropy", "loss",
                         ROW_CALL({cross_entropy(x[0], x[1], {}, c.integer("reduction"),
                                                 c.integer("ignore", -100), c.real("smooth"))})));
  rows.push_back(sum_row(
      "cross_entropy_weight", "loss",
      ROW_CALL({cross_entropy(x[0], x[1], x[2].detach(), c.integer("reduction"), -100, c.real("smooth"))})));
  rows.push_back(
      sum_row("cross_entropy_probabilities", "loss",
              ROW_CALL({cross_entropy(x[0], x[1], {}, c.integer("reduction"), -100, c.real("smooth"))})));
  rows.push_back(sum_row("mse_loss", "loss", ROW_CALL({mse_loss(x[0], x[1], c.integer("reduction"))})));
}

const std::vector<OpRow>& ops_table() {
  static const std::vector<OpRow> rows = [] {
    std::vector<OpRow> r;
    add_pointwise_rows(r);
    add_math_rows(r);
    add_activation_rows(r);
    add_other_rows(r);
    add_linalg_rows(r);
    add_tensor_rows(r);
    return r;
  }();
  return rows;
}
