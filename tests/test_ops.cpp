// Every op of the table: values and gradients are PyTorch's for every dtype, whatever the inputs' layout and
// form of call; derivatives agree with finite differences.
#include <algorithm>
#include <cstdio>
#include <limits>
#include <set>

#include "support/devices.h"
#include "support/ops_table.h"
#include "support/tensors.h"
#include "tapir/tensor/kernels.h"

using namespace tapir;
using Inputs = std::vector<Tensor>;

namespace {

const OracleTable& table_of(const OpRow& row) {
  static std::map<std::string, OracleTable> tables;
  const auto it = tables.find(row.table);
  return it != tables.end() ? it->second : tables.emplace(row.table, read_oracle(row.table)).first->second;
}

std::vector<const OracleCase*> cases_of(const OpRow& row) {
  std::vector<const OracleCase*> cases;
  for (const OracleCase& c : table_of(row).cases)
    if (c.op == row.name) cases.push_back(&c);
  return cases;
}

double largest(const Tensor& t) {
  double m = 0;
  const Tensor c = t.to(kFloat64).contiguous();
  for (int64_t i = 0; i < c.numel(); ++i) {
    const double v = std::abs(c.data_ptr<double>()[i]);
    if (std::isfinite(v)) m = std::max(m, v);
  }
  return m;
}

// The difference beyond what the row allows; `factor` for results of several roundings.
std::string beyond(const OpRow& row, const Tensor& got, const Tensor& expected, double factor = 1) {
  double rtol = 0, quantum = 0;
  switch (expected.dtype()) {
    case kFloat16:
      rtol = 9.8e-4, quantum = 6e-8;
      break;  // one unit in the last place, and the smallest number
    case kBFloat16:
      rtol = 7.9e-3, quantum = 1e-40;
      break;
    case kFloat32:
      rtol = row.float32_tolerance * factor, quantum = 6e-45;
      break;
    case kFloat64:
      rtol = row.float64_tolerance * factor, quantum = 2e-323;
      break;
    default:
      break;
  }
  const bool relative_to_largest = row.sums || (factor > 1 && row.gradient_cancels);
  const double atol = quantum + (relative_to_largest ? rtol * largest(expected) : 0);
  return difference(got.cpu(), expected, rtol, atol);
}

std::string where(const OpRow& row, const OracleCase& c, const std::string& what) {
  return std::string(row.name) + " (" + row.table + ".txt:" + std::to_string(c.line) + "), " + what + ":\n";
}

// Gradients of the outputs that have one in the oracle, weighted by its gradients.
Inputs gradients(const OracleCase& c, const Inputs& outputs, const Inputs& wrt, Device device) {
  Inputs roots, weights;
  for (size_t j = 0; j < outputs.size(); ++j) {
    if (!c.grad_outputs[j].defined() || !outputs[j].requires_grad()) continue;
    roots.push_back(outputs[j]);
    weights.push_back(c.grad_outputs[j].to(device));
  }
  if (roots.empty()) return Inputs(wrt.size());
  Inputs used;
  for (const Tensor& x : wrt)
    if (x.requires_grad()) used.push_back(x);
  Inputs g = autograd::grad(roots, used, weights, true, false, true), all;
  size_t k = 0;
  for (const Tensor& x : wrt) all.push_back(x.requires_grad() ? g[k++] : Tensor());
  return all;
}

bool has_gradients(const OracleCase& c) {
  return std::any_of(c.grad_inputs.begin(), c.grad_inputs.end(), [](const Tensor& g) { return g.defined(); });
}

Inputs leaves(const OracleCase& c, const Inputs& values) {
  Inputs x;
  for (size_t i = 0; i < values.size(); ++i)
    x.push_back(values[i].detach().clone().set_requires_grad(c.grad_inputs[i].defined()));
  return x;
}

struct Arrangement {
  const char* name;
  Tensor (*apply)(const Tensor&);
};
Tensor reversed(const Tensor& t) {
  std::vector<int64_t> dims;
  for (int64_t d = t.dim(); d-- > 0;) dims.push_back(d);
  return t.permute(dims);
}
const Arrangement arrangements[] = {
    {"transposed in memory", [](const Tensor& t) { return reversed(reversed(t).contiguous()); }},
    {"with gaps, at an offset",
     [](const Tensor& t) {
       std::vector<int64_t> sizes = t.sizes().vec();
       sizes.push_back(2);
       const Tensor wide = zeros(sizes, t.dtype());
       wide.select(-1, 1).copy_(t);
       return wide.select(-1, 1);
     }},
};

int cases_run = 0;
#define EXPECT(row, c, what, text)                               \
  do {                                                           \
    ++cases_run;                                                 \
    const std::string found = text;                              \
    if (!found.empty()) FAIL_CHECK(where(row, c, what) + found); \
  } while (false)

}  // namespace

TEST_CASE("values and gradients are PyTorch's") {
  for_each_device([](Device device) {
    for (const OpRow& row : ops_table()) {
      const auto cases = cases_of(row);
      if (cases.empty()) FAIL_CHECK(std::string("no oracle case for ") + row.name);
      for (const OracleCase* c : cases) {
        Inputs moved;
        for (const Tensor& t : c->inputs) moved.push_back(t.to(device));
        const Inputs x = leaves(*c, moved);
        const Inputs y = row.call(*c, x);
        REQUIRE(y.size() == c->outputs.size());
        for (size_t j = 0; j < y.size(); ++j) {
          EXPECT(row, *c, "value", beyond(row, y[j].detach(), c->outputs[j]));
          if (row.differentiable && has_gradients(*c) && c->grad_outputs[j].defined() &&
              !y[j].requires_grad())
            FAIL_CHECK(where(row, *c, "not recorded"));
        }
        if (!has_gradients(*c)) continue;
        const Inputs g = gradients(*c, y, x, device);
        for (size_t i = 0; i < x.size(); ++i)
          if (c->grad_inputs[i].defined())
            EXPECT(row, *c, "gradient of input " + std::to_string(i),
                   beyond(row, g[i].defined() ? g[i] : zeros_like(x[i]), c->grad_inputs[i], 4));
      }
    }
  });
}

TEST_CASE("the layout of the inputs does not matter") {
  for_each_device([](Device device) {
    for (const OpRow& row : ops_table())
      for (const OracleCase* c : cases_of(row))
        for (const Arrangement& a : arrangements) {
          Inputs x;
          for (size_t i = 0; i < c->inputs.size(); ++i)
            x.push_back(
                a.apply(c->inputs[i]).to(device).detach().set_requires_grad(c->grad_inputs[i].defined()));
          const Inputs y = row.call(*c, x);
          for (size_t j = 0; j < y.size(); ++j)
            EXPECT(row, *c, a.name, beyond(row, y[j].detach(), c->outputs[j]));
          if (!has_gradients(*c)) continue;
          const Inputs g = gradients(*c, y, x, device);
          for (size_t i = 0; i < x.size(); ++i)
            if (c->grad_inputs[i].defined())
              EXPECT(row, *c, std::string(a.name) + ", gradient",
                     beyond(row, g[i].defined() ? g[i] : zeros_like(x[i]), c->grad_inputs[i], 4));
        }
  });
}

TEST_CASE("the in-place form gives the same values and gradients, or refuses and changes nothing") {
  for (const OpRow& row : ops_table()) {
    if (!row.in_place) continue;
    for (const OracleCase* c : cases_of(row)) {
      const Tensor& expected = c->outputs[0];
      const Inputs rest(c->inputs.begin() + 1, c->inputs.end());
      Tensor x = c->inputs[0].clone();
      const bool fits = expected.sizes() == x.sizes() && can_cast(expected.dtype(), x.dtype());
      if (!fits) {
        try {
          row.in_place(*c, x, rest);
          FAIL_CHECK(where(row, *c, "in place") + "not refused");
        } catch (const ShapeError&) {
        } catch (const DTypeError&) {
        }
        EXPECT(row, *c, "refused in place", difference(x, c->inputs[0]));
        continue;
      }
      row.in_place(*c, x, rest);
      EXPECT(row, *c, "in place", beyond(row, x, expected.to(x.dtype())));
      for (const Arrangement& a : arrangements) {
        Tensor strided = a.apply(c->inputs[0].clone());
        row.in_place(*c, strided, rest);
        EXPECT(row, *c, std::string("in place, ") + a.name, beyond(row, strided, expected.to(x.dtype())));
      }
      if (!has_gradients(*c) || !row.differentiable) continue;
      const Inputs leaf = leaves(*c, c->inputs);
      Tensor y = leaf[0] * 1;
      row.in_place(*c, y, Inputs(leaf.begin() + 1, leaf.end()));
      const Inputs g = gradients(*c, {y}, leaf, kCPU);
      for (size_t i = 0; i < leaf.size(); ++i)
        if (c->grad_inputs[i].defined())
          EXPECT(row, *c, "in place, gradient of input " + std::to_string(i),
                 beyond(row, g[i].defined() ? g[i] : zeros_like(leaf[i]), c->grad_inputs[i], 4));
    }
  }
}

TEST_CASE("the out form gives the same values") {
  for (const OpRow& row : ops_table()) {
    if (!row.out) continue;
    for (const OracleCase* c : cases_of(row)) {
      const Tensor& expected = c->outputs[0];
      Tensor undefined, given = empty(expected.sizes(), expected.dtype());
      const void* memory = given.data_ptr();
      row.out(undefined, c->inputs);
      row.out(given, c->inputs);
      EXPECT(row, *c, "out, undefined", beyond(row, undefined, expected));
      EXPECT(row, *c, "out", beyond(row, given, expected));
      CHECK(given.data_ptr() == memory);
    }
    const OracleCase& c = *cases_of(row).front();
    Inputs x = c.inputs;
    Tensor wrong = zeros({3, 5, 7}, c.outputs[0].dtype()),
           leaf_ = empty(c.outputs[0].sizes(), requires_grad());
    CHECK_THROWS_AS(row.out(wrong, x), ShapeError);
    CHECK_THROWS_AS(row.out(leaf_, x), AutogradError);
  }
}

namespace {

// Attributes under which a row was run: derivatives are checked for each.
std::vector<OracleCase> variants(const OpRow& row) {
  std::vector<OracleCase> all;
  std::set<std::map<std::string, std::string>> seen;
  for (const OracleCase* c : cases_of(row)) {
    if (!seen.insert(c->attributes).second) continue;
    all.emplace_back();
    all.back().op = c->op;
    all.back().attributes = c->attributes;
    all.back().line = c->line;
  }
  return all;
}

Tensor draw(const OpRow::Domain& d, const std::vector<int64_t>& sizes) {
  if (d.kind == OpRow::Domain::kBool) return rand(sizes) > 0.5;
  return random_f64(sizes, d.low, d.high, true);
}

using Sizes = std::vector<std::vector<int64_t>>;
// Sizes for one, two and three inputs.
const Sizes shapes[] = {
    {{2, 3}, {2, 3}, {2, 3}}, {{}, {}, {}},          {{2, 1, 3}, {4, 1}, {3}}, {{3}, {2, 3}, {}},
    {{1, 3}, {2, 1}, {1}},    {{0, 3}, {3}, {0, 1}}, {{2, 0}, {2, 1}, {}},
};

void check_derivatives(const OpRow& row, const OracleCase& c, const Inputs& x, const std::string& what) {
  for (const Tensor& y : row.call(c, x))  // no difference can be taken at infinity
    if (y.is_floating_point() && !equal(y.isfinite(), full(y.sizes(), true))) return;
  ++cases_run;
  const autograd::CheckedFunction fn = [&](const Inputs& v) {
    Inputs y = row.call(c, v);
    std::erase_if(y, [](const Tensor& t) { return !t.is_floating_point(); });
    return y;
  };
  try {
    autograd::gradcheck(fn, x);
    if (row.differentiable_twice) autograd::gradgradcheck(fn, x, {}, 1e-6, 1e-5, 1e-3);
  } catch (const Error& e) {
    FAIL_CHECK(where(row, c, what) + e.what());
  }
}

}  // namespace

TEST_CASE("derivatives of pointwise ops agree with finite differences, also where inputs broadcast") {
  manual_seed(7);
  for (const OpRow& row : ops_table()) {
    if (row.domain.empty()) continue;
    for (const OracleCase& c : variants(row))
      for (const Sizes& sizes : shapes) {
        Inputs x;
        for (size_t i = 0; i < row.domain.size(); ++i) x.push_back(draw(row.domain[i], sizes[i]));
        if (std::string(row.name) == "masked_fill" && x[1].dim() > x[0].dim()) continue;
        const std::vector<Tensor> y = row.call(c, x);
        Dims expected = x[0].sizes();
        for (const Tensor& t : x) expected = broadcast_sizes(expected, t.sizes(), row.name);
        EXPECT(row, c, "sizes", y[0].sizes() == IntArrayRef(expected) ? "" : shape_str(y[0].sizes()));
        if (row.differentiable) check_derivatives(row, c, x, "broadcast");
        // An expanded input is as good as one with the memory.
        Inputs full;
        for (const Tensor& t : x) full.push_back(t.detach().expand(expected).contiguous());
        EXPECT(row, c, "broadcast", difference(y[0].detach(), row.call(c, full)[0], 1e-15));
      }
  }
}

TEST_CASE("derivatives of the other ops agree with finite differences") {
  for (const OpRow& row : ops_table()) {
    if (!row.domain.empty() || !row.differentiable) continue;
    bool any = false;
    for (const OracleCase* c : cases_of(row)) {
      Inputs x;
      int64_t elements = 0;
      // The padding of an embedding has no gradient on purpose.
      bool usable = has_gradients(*c) && !(c->op == "embedding" && c->has("pad"));
      for (size_t i = 0; i < c->inputs.size(); ++i) {
        const Tensor& t = c->inputs[i];
        usable = usable && t.dtype() != kFloat32;
        if (t.dtype() == kFloat64) {
          elements += t.numel();
          usable = usable && equal(t.isfinite(), full(t.sizes(), true));
        }
        x.push_back(t.clone().set_requires_grad(c->grad_inputs[i].defined()));
      }
      // Kinks: equal elements compete, a norm of zero. What the gradient is there, the oracle's cases say.
      const bool kink = x[0].numel() > 1 && x[0].is_floating_point() &&
                        equal(x[0].detach().flatten()[0].expand(x[0].sizes()), x[0].detach());
      if (!usable || kink || elements > 200) continue;
      any = true;
      check_derivatives(row, *c, x, "derivatives");
    }
    INFO(row.name);
    CHECK(any);
  }
}

TEST_CASE("every kernel of pointwise.def has a row, and a kernel on each device that is there") {
  std::set<std::string> rows;
  for (const OpRow& row : ops_table()) rows.insert(row.name);
  for (int i = 0; i < kPointwiseCount; ++i) {
    const PointwiseInfo& info = pointwise_info(static_cast<Pointwise>(i));
    INFO(info.name);
    CHECK(rows.count(info.name) == 1);
  }
  for_each_device([](Device device) {
    for (int i = 0; i < kPointwiseCount; ++i) {
      const auto op = static_cast<Pointwise>(i);
      const PointwiseInfo& info = pointwise_info(op);
      INFO(info.name);
      for (DType compute : {kFloat32, kFloat64, kInt64}) {
        if (compute == kInt64 && info.dtypes == PointwiseClass::Floating) continue;
        if (compute != kInt64 && info.dtypes == PointwiseClass::Integral) continue;
        const bool bool_out =
            info.dtypes == PointwiseClass::Compare || info.dtypes == PointwiseClass::Logical;
        PointwiseArgs args{};
        args.op = op;
        args.compute = compute;
        args.inputs = info.arity;
        args.contiguous = args.direct = true;
        args.numel = 3;
        Inputs operands{zeros({3}, TensorOptions(bool_out ? kBool : compute).device(device))};
        for (int k = 0; k < info.arity; ++k) {
          const bool condition = info.dtypes == PointwiseClass::Select && k == 0;
          operands.push_back(ones({3}, TensorOptions(condition ? kBool : compute).device(device)));
        }
        for (size_t k = 0; k < operands.size(); ++k) {
          args.operands[k].data = operands[k].data_ptr();
          args.operands[k].dtype = operands[k].dtype();
        }
        CHECK_NOTHROW(kernels(device).pointwise(args));
      }
    }
  });
}

TEST_CASE("the number of cases") {
  std::printf("%zu rows, %d comparisons\n", ops_table().size(), cases_run);
  SUCCEED();
}
