// Rows of the ops that index, reduce, scan, sort and rearrange; their cases are made by
// tests/oracle/make_tensor_ops.py.
#include "support/ops_table.h"

using namespace tapir;
using Inputs = std::vector<Tensor>;

namespace {

#define ROW_CALL(...) \
  [](const OracleCase& c, const Inputs& x) -> Inputs { return (void)c, Inputs(__VA_ARGS__); }
#define ROW_IN_PLACE(...) \
  [](const OracleCase& c, Tensor& x, const Inputs& rest) { (void)c, (void)rest, __VA_ARGS__; }

OpRow exact(const char* name, const char* table, OpRow::Call call, OpRow::InPlace in_place = nullptr) {
  OpRow row{name, table, std::move(call), std::move(in_place)};
  row.sums = true;  // gradients are sums; values must agree all the same
  row.float32_tolerance = 1e-6;
  row.float64_tolerance = 2e-15;
  return row;
}
OpRow constant(const char* name, const char* table, OpRow::Call call) {
  OpRow row = exact(name, table, std::move(call));
  row.float32_tolerance = row.float64_tolerance = 0;
  row.differentiable = row.differentiable_twice = false;
  return row;
}
/// Sums and products of n terms in another order.
OpRow rounded(const char* name, const char* table, OpRow::Call call, OpRow::InPlace in_place = nullptr) {
  OpRow row = exact(name, table, std::move(call), std::move(in_place));
  row.float32_tolerance = 4e-6;
  row.float64_tolerance = 8e-15;
  return row;
}

Inputs all_of(const std::tuple<Tensor, Tensor>& t) { return {std::get<0>(t), std::get<1>(t)}; }
Inputs all_of(const std::tuple<Tensor, Tensor, Tensor>& t) {
  return {std::get<0>(t), std::get<1>(t), std::get<2>(t)};
}

std::optional<int64_t> dim_of(const OracleCase& c) {
  return c.has("dim") ? std::optional<int64_t>(c.integer("dim")) : std::nullopt;
}

void add_scatter(std::vector<OpRow>& rows) {
  const char* t = "scatter";
  rows.push_back(exact("scatter", t, ROW_CALL({scatter(x[0], c.integer("dim"), x[1], x[2])}),
                       ROW_IN_PLACE(x.scatter_(c.integer("dim"), rest[0], rest[1]))));
  rows.push_back(exact("scatter_value", t, ROW_CALL({scatter(x[0], c.integer("dim"), x[1], 1)}),
                       ROW_IN_PLACE(x.scatter_(c.integer("dim"), rest[0], 1))));
  rows.push_back(rounded("scatter_reduce", t,
                         ROW_CALL({scatter_reduce(x[0], c.integer("dim"), x[1], x[2], c.text("reduce"),
                                                  c.integer("include") != 0)}),
                         ROW_IN_PLACE(x.scatter_reduce_(c.integer("dim"), rest[0], rest[1], c.text("reduce"),
                                                        c.integer("include") != 0))));
  rows.push_back(exact("take_along_dim", t, ROW_CALL({take_along_dim(x[0], x[1], dim_of(c))})));
  rows.push_back(rounded("index_add", t,
                         ROW_CALL({index_add(x[0], c.integer("dim"), x[1], x[2], c.real("alpha"))}),
                         ROW_IN_PLACE(x.index_add_(c.integer("dim"), rest[0], rest[1], c.real("alpha")))));
  rows.push_back(exact("index_copy", t, ROW_CALL({index_copy(x[0], c.integer("dim"), x[1], x[2])}),
                       ROW_IN_PLACE(x.index_copy_(c.integer("dim"), rest[0], rest[1]))));
  rows.push_back(exact("index_fill", t,
                       ROW_CALL({index_fill(x[0], c.integer("dim"), x[1], c.integer("value"))}),
                       ROW_IN_PLACE(x.index_fill_(c.integer("dim"), rest[0], c.integer("value")))));
  rows.push_back(exact("take", t, ROW_CALL({take(x[0], x[1])})));
  rows.push_back(rounded("put", t, ROW_CALL({put(x[0], x[1], x[2], c.integer("accumulate") != 0)}),
                         ROW_IN_PLACE(x.put_(rest[0], rest[1], c.integer("accumulate") != 0))));
  rows.push_back(exact("masked_select", t, ROW_CALL({masked_select(x[0], x[1])})));
  rows.push_back(exact("masked_scatter", t, ROW_CALL({masked_scatter(x[0], x[1], x[2])}),
                       ROW_IN_PLACE(x.masked_scatter_(rest[0], rest[1]))));
  rows.push_back(exact("masked_fill_tensor", t, ROW_CALL({masked_fill(x[0], x[1], x[2])}),
                       ROW_IN_PLACE(x.masked_fill_(rest[0], rest[1]))));
  rows.push_back(constant("nonzero", t, ROW_CALL({nonzero(x[0])})));
  rows.push_back(constant("count_nonzero", t, ROW_CALL({count_nonzero(x[0], c.integers("dim"))})));
}

#define DIMS c.integers("dim")
#define KEEP c.integer("keep") != 0
#define OVER(f) ROW_CALL({f(x[0], DIMS, KEEP)})

void add_statistics(std::vector<OpRow>& rows) {
  const char* t = "statistics";
  rows.push_back(rounded("prod", t, [](const OracleCase& c, const Inputs& x) -> Inputs {
    return {c.has("dim") ? prod(x[0], c.integer("dim"), KEEP) : prod(x[0])};
  }));
  rows.push_back(exact("amax", t, OVER(amax)));
  rows.push_back(exact("amin", t, OVER(amin)));
  rows.push_back(exact("aminmax", t, ROW_CALL(all_of(aminmax(x[0], dim_of(c))))));
  rows.push_back(rounded("nansum", t, OVER(nansum)));
  rows.push_back(rounded("nanmean", t, OVER(nanmean)));
  rows.push_back(rounded("var", t, [](const OracleCase& c, const Inputs& x) -> Inputs {
    const auto dims = DIMS;
    return {var(x[0], OptionalIntArrayRef(dims), c.integer("correction"), KEEP)};
  }));
  rows.push_back(rounded("std", t, [](const OracleCase& c, const Inputs& x) -> Inputs {
    const auto dims = DIMS;
    return {tapir::std(x[0], OptionalIntArrayRef(dims), c.integer("correction"), KEEP)};
  }));
  rows.push_back(rounded("var_mean", t, [](const OracleCase& c, const Inputs& x) -> Inputs {
    const auto dims = DIMS;
    return all_of(var_mean(x[0], OptionalIntArrayRef(dims), c.integer("correction"), KEEP));
  }));
  rows.push_back(rounded("std_mean", t, [](const OracleCase& c, const Inputs& x) -> Inputs {
    const auto dims = DIMS;
    return all_of(std_mean(x[0], OptionalIntArrayRef(dims), c.integer("correction"), KEEP));
  }));
}

void add_scans(std::vector<OpRow>& rows) {
  const char* t = "scan";
  rows.push_back(rounded("cumsum", t, ROW_CALL({cumsum(x[0], c.integer("dim"))}),
                         ROW_IN_PLACE(x.cumsum_(c.integer("dim")))));
  rows.push_back(rounded("cumprod", t, ROW_CALL({cumprod(x[0], c.integer("dim"))}),
                         ROW_IN_PLACE(x.cumprod_(c.integer("dim")))));
  rows.push_back(exact("cummax", t, ROW_CALL(all_of(cummax(x[0], c.integer("dim"))))));
  rows.push_back(exact("cummin", t, ROW_CALL(all_of(cummin(x[0], c.integer("dim"))))));
  rows.push_back(rounded("logcumsumexp", t, ROW_CALL({logcumsumexp(x[0], c.integer("dim"))})));
  rows.push_back(exact("diff", t, ROW_CALL({diff(x[0], c.integer("n"), c.integer("dim"))})));
}

void add_sorting(std::vector<OpRow>& rows) {
  const char* t = "sort";
  rows.push_back(exact("sort", t, ROW_CALL(all_of(sort(x[0], c.integer("dim"), c.integer("down") != 0)))));
  rows.push_back(constant("argsort", t, ROW_CALL({argsort(x[0], c.integer("dim"), c.integer("down") != 0)})));
  rows.push_back(exact(
      "topk", t, ROW_CALL(all_of(topk(x[0], c.integer("k"), c.integer("dim"), c.integer("largest") != 0)))));
  rows.push_back(
      exact("kthvalue", t, ROW_CALL(all_of(kthvalue(x[0], c.integer("k"), c.integer("dim"), KEEP)))));
  rows.push_back(exact("median", t, [](const OracleCase& c, const Inputs& x) -> Inputs {
    if (!c.has("dim")) return {median(x[0])};
    return all_of(median(x[0], c.integer("dim"), KEEP));
  }));
  rows.push_back(exact("nanmedian", t, ROW_CALL(all_of(nanmedian(x[0], c.integer("dim"), KEEP)))));
  rows.push_back(constant("mode", t, ROW_CALL({std::get<0>(mode(x[0], c.integer("dim")))})));
  rows.push_back(
      rounded("quantile", t, ROW_CALL({quantile(x[0], c.real("q"), dim_of(c), KEEP, c.text("how"))})));
  rows.push_back(
      rounded("nanquantile", t, ROW_CALL({nanquantile(x[0], c.real("q"), dim_of(c), KEEP, c.text("how"))})));
  rows.push_back(constant("unique", t, ROW_CALL(all_of(_unique2(x[0], true, true, true)))));
  rows.push_back(constant("unique_dim", t, ROW_CALL(all_of(unique_dim(x[0], 1, true, true, true)))));
  rows.push_back(constant("unique_consecutive", t, ROW_CALL(all_of(unique_consecutive(x[0], true, true)))));
  rows.push_back(constant("bincount", t, [](const OracleCase& c, const Inputs& x) -> Inputs {
    return {bincount(x[0], x.size() > 1 ? std::optional<Tensor>(x[1]) : std::nullopt, c.integer("min"))};
  }));
  rows.push_back(
      constant("searchsorted", t, ROW_CALL({searchsorted(x[0], x[1], false, c.integer("right") != 0)})));
  rows.push_back(constant("bucketize", t, ROW_CALL({bucketize(x[0], x[1], false, c.integer("right") != 0)})));
  rows.push_back(
      constant("histc", t, ROW_CALL({histc(x[0], c.integer("bins"), c.real("min"), c.real("max"))})));
}

void add_shapes(std::vector<OpRow>& rows) {
  const char* t = "shape";
  rows.push_back(exact("flip", t, ROW_CALL({flip(x[0], c.integers("dims"))})));
  rows.push_back(exact("roll", t, ROW_CALL({roll(x[0], c.integers("shifts"), c.integers("dims"))})));
  rows.push_back(exact("rot90", t, ROW_CALL({rot90(x[0], c.integer("k"), c.integers("dims"))})));
  rows.push_back(exact("tile", t, ROW_CALL({tile(x[0], c.integers("dims"))})));
  rows.push_back(exact("repeat_interleave", t, ROW_CALL({repeat_interleave(x[0], x[1], dim_of(c))})));
  rows.push_back(
      exact("tril", t, ROW_CALL({tril(x[0], c.integer("k"))}), ROW_IN_PLACE(x.tril_(c.integer("k")))));
  rows.push_back(
      exact("triu", t, ROW_CALL({triu(x[0], c.integer("k"))}), ROW_IN_PLACE(x.triu_(c.integer("k")))));
  rows.push_back(
      exact("diagonal", t, ROW_CALL({diagonal(x[0], c.integer("k"), c.integer("a"), c.integer("b"))})));
  rows.push_back(exact("diag", t, ROW_CALL({diag(x[0], c.integer("k"))})));
  rows.push_back(
      exact("diag_embed", t, ROW_CALL({diag_embed(x[0], c.integer("k"), c.integer("a"), c.integer("b"))})));
  rows.push_back(
      exact("unfold", t, ROW_CALL({unfold(x[0], c.integer("dim"), c.integer("size"), c.integer("step"))})));
  rows.push_back(exact("pad", t, [](const OracleCase& c, const Inputs& x) -> Inputs {
    return {pad(x[0], c.integers("pad"), c.text("mode"),
                c.has("value") ? std::optional<double>(c.real("value")) : std::nullopt)};
  }));
  rows.push_back(exact("tensor_split", t, [](const OracleCase& c, const Inputs& x) -> Inputs {
    if (c.has("at")) return tensor_split(x[0], IntArrayRef(c.integers("at")), c.integer("dim"));
    return tensor_split(x[0], c.integer("sections"), c.integer("dim"));
  }));
  rows.push_back(exact("hsplit", t, ROW_CALL(hsplit(x[0], c.integer("sections")))));
  rows.push_back(exact("vsplit", t, ROW_CALL(vsplit(x[0], c.integer("sections")))));
  rows.push_back(exact("dsplit", t, ROW_CALL(dsplit(x[0], c.integer("sections")))));
  rows.push_back(exact("movedim", t, ROW_CALL({movedim(x[0], c.integers("a"), c.integers("b"))})));
  rows.push_back(exact("meshgrid", t, ROW_CALL(meshgrid(x, c.text("how")))));
  rows.push_back(exact("cartesian_prod", t, ROW_CALL({cartesian_prod(x)})));
  rows.push_back(
      exact("combinations", t, ROW_CALL({combinations(x[0], c.integer("r"), c.integer("with_") != 0)})));
  rows.push_back(exact("block_diag", t, ROW_CALL({block_diag(x)})));
  rows.push_back(exact("hstack", t, ROW_CALL({hstack(x)})));
  rows.push_back(exact("vstack", t, ROW_CALL({vstack(x)})));
  rows.push_back(exact("dstack", t, ROW_CALL({dstack(x)})));
  rows.push_back(exact("column_stack", t, ROW_CALL({column_stack(x)})));
  rows.push_back(exact("atleast_3d", t, ROW_CALL({atleast_3d(x[0])})));
  rows.push_back(constant("one_hot", t, ROW_CALL({one_hot(x[0], c.integer("classes"))})));
}

void add_parts(std::vector<OpRow>& rows) {
  const char* t = "parts";
  rows.push_back(exact("select_scatter", t,
                       ROW_CALL({select_scatter(x[0], x[1], c.integer("dim"), c.integer("index"))})));
  rows.push_back(exact("slice_scatter", t,
                       ROW_CALL({slice_scatter(x[0], x[1], c.integer("dim"), c.integer("start"), std::nullopt,
                                               c.integer("step"))})));
  rows.push_back(exact("diagonal_scatter", t, ROW_CALL({diagonal_scatter(x[0], x[1], c.integer("k"))})));
  rows.push_back(rounded("index_reduce", t,
                         ROW_CALL({index_reduce(x[0], c.integer("dim"), x[1], x[2], c.text("reduce"),
                                                c.integer("include") != 0)}),
                         ROW_IN_PLACE(x.index_reduce_(c.integer("dim"), rest[0], rest[1], c.text("reduce"),
                                                      c.integer("include") != 0))));
  rows.push_back(rounded("renorm", t, ROW_CALL({renorm(x[0], c.real("p"), c.integer("dim"), c.real("most"))}),
                         ROW_IN_PLACE(x.renorm_(c.real("p"), c.integer("dim"), c.real("most")))));
  rows.push_back(constant("isin", t, ROW_CALL({isin(x[0], x[1])})));
  rows.push_back(rounded("dist", t, ROW_CALL({dist(x[0], x[1])})));
  rows.push_back(rounded("cov", t, ROW_CALL({cov(x[0], c.integer("correction"))})));
  rows.push_back(rounded("cov_weighted", t, ROW_CALL({cov(x[0], 1, x[1], x[2])})));
  rows.push_back(rounded("corrcoef", t, ROW_CALL({corrcoef(x[0])})));
  rows.push_back(rounded("trapezoid", t, [](const OracleCase& c, const Inputs& x) -> Inputs {
    if (c.has("dx")) return {trapezoid(x[0], Scalar(c.real("dx")), c.integer("dim"))};
    return {trapezoid(x[0], x[1], c.integer("dim"))};
  }));
  rows.push_back(rounded("cumulative_trapezoid", t, [](const OracleCase& c, const Inputs& x) -> Inputs {
    if (c.has("dx")) return {cumulative_trapezoid(x[0], Scalar(c.real("dx")), c.integer("dim"))};
    return {cumulative_trapezoid(x[0], x[1], c.integer("dim"))};
  }));
}

}  // namespace

void add_tensor_rows(std::vector<OpRow>& rows) {
  add_scatter(rows);
  add_statistics(rows);
  add_scans(rows);
  add_sorting(rows);
  add_shapes(rows);
  add_parts(rows);
}
