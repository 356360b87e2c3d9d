// Random calls of the public ops, with shapes, dtypes and values that fit and ones that don't: each returns
// or throws one of Tapir's exceptions, and leaves its inputs as they were. TAPIR_RANDOM_CALLS says how many
// calls (100000 takes minutes under the sanitizers), TAPIR_RANDOM_SEED where they start; a failure prints its
// own.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

#include "support/ops_table.h"
#include "support/tensors.h"
#include "tapir/tensor/dtype.h"

using namespace tapir;
using Inputs = std::vector<Tensor>;

namespace {

using Engine = std::mt19937_64;

int64_t number(Engine& e, int64_t low, int64_t high) {  // of [low, high]
  return low + static_cast<int64_t>(e() % static_cast<uint64_t>(high - low + 1));
}
bool chance(Engine& e, int percent) { return number(e, 0, 99) < percent; }

const DType kDTypes[] = {kFloat32, kFloat64, kInt64,   kInt32,    kBool,   kUInt8,
                         kInt8,    kInt16,   kFloat16, kBFloat16, kFloat32};

std::vector<int64_t> random_sizes(Engine& e) {
  std::vector<int64_t> sizes(static_cast<size_t>(number(e, 0, 4)));
  for (int64_t& s : sizes) s = chance(e, 10) ? 0 : number(e, 1, 4);
  return sizes;
}

void fill(Engine& e, const Tensor& t) {
  const bool wild = chance(e, 20), small = chance(e, 70);
  visit_dtype(t.dtype(), [&]<class Tag>(Tag) {
    using T = typename Tag::type;
    T* p = t.data_ptr<T>();
    for (int64_t i = 0; i < t.numel(); ++i) {
      if constexpr (std::is_same_v<T, bool>) {
        p[i] = e() & 1;
      } else if constexpr (std::is_integral_v<T>) {
        p[i] = static_cast<T>(small ? number(e, 0, 2) : number(e, -3, 6));
        if (wild && chance(e, 20))
          p[i] = chance(e, 50) ? std::numeric_limits<T>::min() : std::numeric_limits<T>::max();
      } else {
        constexpr double inf = std::numeric_limits<double>::infinity();
        const double odd[] = {0, -0.0, 1, -1, inf, -inf, std::nan(""), 1e30, -1e-30, 3e300};
        const double v =
            wild && chance(e, 30) ? odd[number(e, 0, 9)] : static_cast<double>(number(e, -3000, 3000)) / 1000;
        if constexpr (std::is_same_v<T, double>)
          p[i] = v;
        else
          p[i] = T(static_cast<float>(v));
      }
    }
  });
}

Tensor random_tensor(Engine& e, const Tensor& like) {
  if (chance(e, 2)) return {};
  Tensor t;
  if (chance(e, 40)) {
    t = like.clone();
  } else {
    const DType dtype = chance(e, 75) ? like.dtype() : kDTypes[number(e, 0, 10)];
    std::vector<int64_t> sizes = chance(e, 70) ? like.sizes().vec() : random_sizes(e);
    if (chance(e, 15) && !sizes.empty())
      sizes[static_cast<size_t>(number(e, 0, static_cast<int64_t>(sizes.size()) - 1))] = number(e, 0, 4);
    t = empty(sizes, dtype);
    fill(e, t);
  }
  if (chance(e, 15) && t.dim() > 1) t = t.transpose(0, -1);
  if (chance(e, 8) && t.dim() > 0 && t.size(0) > 0) t = t.select(0, 0).expand(t.sizes());
  return t;
}
Tensor random_tensor(Engine& e) { return random_tensor(e, empty(random_sizes(e), kFloat32)); }

/// Other numbers in some of a case's attributes.
OracleCase random_case(Engine& e, const OracleCase& from) {
  OracleCase c = from;
  for (auto& [key, text] : c.attributes) {
    if (!chance(e, 25)) continue;
    if (!text.empty() && text.find_first_not_of("-0123456789,") == std::string::npos) {
      std::string changed;
      for (char ch : text)
        if (ch == ',')
          changed += ',';
        else if (changed.empty() || changed.back() == ',')
          changed += std::to_string(number(e, -4, 5));
      text = changed;
    }
  }
  return c;
}

/// What must not change.
struct Kept {
  Tensor t, values;
  std::vector<int64_t> sizes, strides;
  uint32_t version = 0;
  explicit Kept(const Tensor& x) : t(x) {
    if (!x.defined()) return;
    values = x.detach().clone().contiguous();
    sizes = x.sizes().vec();
    strides = x.strides().vec();
    version = x._version();
  }
  std::string change() const {
    if (!t.defined()) return "";
    if (t.sizes().vec() != sizes || t.strides().vec() != strides) return "sizes or strides changed";
    if (t._version() != version) return "the version changed";
    const Tensor now = t.detach().clone().contiguous();
    return std::memcmp(now.data_ptr(), values.data_ptr(), values.nbytes()) == 0 ? "" : "values changed";
  }
};

std::string shown(const std::string& name, const OracleCase& c, const Inputs& x) {
  std::string text = name;
  for (const auto& [key, value] : c.attributes) text += " " + key + "=" + value;
  for (const Tensor& t : x)
    text += t.defined() ? std::string(" ") + dtype_name(t.dtype()) + shape_str(t.sizes()) : " undefined";
  return text;
}

struct Call {
  std::string name;
  std::function<Inputs(Engine&, const OracleCase&, const Inputs&)> run;
};

/// Ops that the table has no rows of: views, indexing, making tensors.
const std::vector<Call>& further_calls() {
#define CALL(name, ...)                                                 \
  {                                                                     \
    name, [](Engine& e, const OracleCase&, const Inputs& x) -> Inputs { \
      return (void)e, (void)x, Inputs(__VA_ARGS__);                     \
    }                                                                   \
  }
#define N number(e, -5, 5)
#define SIZES                                                     \
  [&] {                                                           \
    std::vector<int64_t> s(static_cast<size_t>(number(e, 0, 4))); \
    for (int64_t & v : s) v = number(e, -1, 4);                   \
    return s;                                                     \
  }()
// Mostly two numbers that fit a window.
#define PAIR \
  (chance(e, 90) ? std::vector<int64_t>{number(e, 0, 3), number(e, 0, 3)} : std::vector<int64_t>(SIZES))
#define INDEX                                                                              \
  [&] {                                                                                    \
    std::vector<TensorIndex> list;                                                         \
    for (int64_t i = number(e, 0, 3); i > 0; --i) switch (number(e, 0, 6)) {               \
        case 0:                                                                            \
          list.emplace_back(N);                                                            \
          break;                                                                           \
        case 1:                                                                            \
          list.emplace_back(indexing::Slice(N, N, number(e, 0, 3) ? number(e, 1, 3) : N)); \
          break;                                                                           \
        case 2:                                                                            \
          list.emplace_back(indexing::None);                                               \
          break;                                                                           \
        case 3:                                                                            \
          list.emplace_back(indexing::Ellipsis);                                           \
          break;                                                                           \
        case 4:                                                                            \
          list.emplace_back(bool(e() & 1));                                                \
          break;                                                                           \
        default:                                                                           \
          list.emplace_back(x[1]);                                                         \
      }                                                                                    \
    return list;                                                                           \
  }()
  static const std::vector<Call> calls = {
      CALL("view", {x[0].view(SIZES)}),
      CALL("reshape", {x[0].reshape(SIZES)}),
      CALL("flatten", {x[0].flatten(N, N)}),
      CALL("unflatten", {x[0].unflatten(N, SIZES)}),
      CALL("transpose", {x[0].transpose(N, N)}),
      CALL("permute", {x[0].permute(SIZES)}),
      CALL("squeeze", {x[0].squeeze(N)}),
      CALL("unsqueeze", {x[0].unsqueeze(N)}),
      CALL("expand", {x[0].expand(SIZES)}),
      CALL("select", {x[0].select(N, N)}),
      CALL("slice", {x[0].slice(N, N, N, N)}),
      CALL("narrow", {x[0].narrow(N, N, N)}),
      CALL("as_strided", {x[0].as_strided(SIZES, SIZES, N)}),
      CALL("chunk", x[0].chunk(N, N)),
      CALL("split", x[0].split(N, N)),
      CALL("split_with_sizes", x[0].split(SIZES, N)),
      CALL("unbind", x[0].unbind(N)),
      CALL("brackets", {x[0][N]}),
      CALL("index", {x[0].index(INDEX)}),
      CALL("index_put", {index_put(x[0], INDEX, x[2], e() & 1)}),
      CALL("cat", {cat(x, N)}),
      CALL("stack", {stack(x, N)}),
      CALL("zeros", {zeros(SIZES)}),
      CALL("full", {full(SIZES, Scalar(N), kDTypes[number(e, 0, 10)])}),
      CALL("arange", {arange(N, N, N)}),
      CALL("linspace", {linspace(N, N, N)}),
      CALL("logspace", {logspace(N, N, N)}),
      CALL("range", {range(N, N, N)}),
      CALL("eye", {eye(N, N)}),
      CALL("empty_strided", {empty_strided(SIZES, SIZES).zero_()}),
      CALL("rand", {rand(SIZES)}),
      CALL("randint", {randint(N, N, SIZES)}),
      CALL("randperm", {randperm(N)}),
      CALL("multinomial", {multinomial(x[0], N, e() & 1)}),
      CALL("poisson", {poisson(x[0].clamp_max(100))}),
      CALL("bernoulli", {bernoulli(x[0])}),
      CALL("normal", {normal(x[0], x[1])}),
      CALL("einsum", {einsum(e() & 1 ? "ij,jk->ik" : "...i,...i", {x[0], x[1]})}),
      CALL("tensordot", {tensordot(x[0], x[1], SIZES, SIZES)}),
      CALL("repeat_interleave", {repeat_interleave(x[0], N, N)}),
      CALL("softmax", {softmax(x[0], N)}),
      CALL("cross_entropy", {cross_entropy(x[0], x[1])}),
      CALL("to", {x[0].to(kDTypes[number(e, 0, 10)])}),
      CALL("item", {tensor(x[0].item().to_double())}),
      CALL("transpose_", {x[0].clone().transpose_(N, N)}),
      CALL("resize_", {x[0].detach().clone().resize_(SIZES).detach().zero_()}),
      CALL("fill_diagonal_", {x[0].clone().fill_diagonal_(1, e() & 1)}),
      CALL("masked_scatter", {masked_scatter(x[0], x[1], x[2])}),
      CALL("unique_dim", {std::get<0>(unique_dim(x[0], N))}),
      CALL("trapezoid", {trapezoid(x[0], x[1], N)}),
      CALL("conv1d", {conv1d(x[0], x[1], Tensor(), number(e, 0, 2), number(e, -1, 2), number(e, 0, 2),
                             number(e, 0, 2))}),
      CALL("conv2d", {conv2d(x[0], x[1], Tensor(), PAIR, PAIR, PAIR, number(e, 0, 2))}),
      CALL("conv3d", {conv3d(x[0], x[1], x[2], number(e, 0, 2), number(e, -1, 2))}),
      CALL("conv_transpose1d", {conv_transpose1d(x[0], x[1], Tensor(), number(e, 0, 2), number(e, -1, 2),
                                                 number(e, -1, 2), number(e, 0, 2))}),
      CALL("conv_transpose2d", {conv_transpose2d(x[0], x[1], Tensor(), PAIR, PAIR, PAIR, number(e, 0, 2))}),
      CALL("max_pool1d", {max_pool1d(x[0], number(e, 0, 3), number(e, 0, 3), number(e, -1, 2))}),
      CALL("max_pool2d", {max_pool2d(x[0], PAIR, PAIR, PAIR, PAIR, e() & 1)}),
      CALL("avg_pool2d", {avg_pool2d(x[0], PAIR, PAIR, PAIR, e() & 1, e() & 1)}),
      CALL("adaptive_avg_pool2d", {adaptive_avg_pool2d(x[0], PAIR)}),
      CALL("adaptive_max_pool2d", {std::get<0>(adaptive_max_pool2d(x[0], PAIR))}),
      CALL("max_unpool2d", {max_unpool2d(x[0], x[1], PAIR)}),
      CALL("fractional_max_pool2d", {std::get<0>(fractional_max_pool2d(x[0], PAIR, PAIR, x[1]))}),
      CALL("batch_norm", {batch_norm(x[0], Tensor(), Tensor(), Tensor(), Tensor(), true, 0.1, 1e-5)}),
      CALL("interpolate",
           {interpolate(
               x[0], SIZES, std::nullopt,
               std::vector<const char*>{"nearest", "nearest-exact", "linear", "bilinear", "bicubic", "area",
                                        "trilinear", "none"}[static_cast<size_t>(number(e, 0, 7))])}),
      CALL("im2col", {im2col(x[0], PAIR, PAIR, PAIR, PAIR)}),
      CALL("col2im", {col2im(x[0], PAIR, PAIR, PAIR, PAIR, PAIR)}),
      CALL("pixel_shuffle", {pixel_shuffle(x[0], number(e, 0, 3))}),
      CALL("pixel_unshuffle", {pixel_unshuffle(x[0], number(e, 0, 3))}),
      CALL("channel_shuffle", {channel_shuffle(x[0], N)}),
      CALL("reflection_pad1d", {reflection_pad1d(x[0], PAIR)}),
      CALL("replication_pad2d", {replication_pad2d(x[0], SIZES)}),
      CALL("affine_grid_generator", {affine_grid_generator(x[0], SIZES, e() & 1)}),
      CALL("grid_sampler", {grid_sampler(x[0], x[1], number(e, -1, 3), number(e, -1, 3), e() & 1)}),
      CALL("grid_sampler of two values",
           {grid_sampler(x[0], x[0].select(1, 0).unsqueeze(-1).expand({-1, -1, -1, 2}), number(e, 0, 2),
                         number(e, 0, 2), e() & 1)}),
      CALL("attention", {scaled_dot_product_attention(x[0], x[1], x[1], x[2])}),
      CALL("embedding", {embedding(x[0], x[1], N)}),
      CALL("embedding_bag",
           {std::get<0>(embedding_bag(x[0], x[1], x[2].to(kInt64), false, number(e, -1, 3)))}),
      CALL("layer_norm", {layer_norm(x[0], SIZES)}),
      CALL("group_norm", {group_norm(x[0], N)}),
      CALL("sort_out", {[&] {
             Tensor a = x[1], b;  // a new handle: sort_out may resize it, or write to it
             if (a.defined()) a = a.clone();
             sort_out(a, b, x[0], N);
             return b;
           }()}),
  };
  return calls;
}

class RandomCalls {
 public:
  RandomCalls() {
    for (const OpRow& row : ops_table()) {
      if (!tables_.count(row.table)) tables_.emplace(row.table, read_oracle(row.table));
      rows_.push_back({&row, {}});
      for (const OracleCase& c : tables_.at(row.table).cases)
        if (c.op == row.name) rows_.back().cases.push_back(&c);
    }
  }

  /// "" or what went wrong.
  std::string run(uint64_t seed) {
    Engine e(seed);
    manual_seed(seed);
    const auto& further = further_calls();
    const auto n = static_cast<int64_t>(rows_.size());
    const int64_t which = number(e, 0, n + static_cast<int64_t>(further.size()) - 1);
    if (which >= n) {
      const Call& call = further[static_cast<size_t>(which - n)];
      Inputs x{random_tensor(e)};
      x.push_back(chance(e, 50) ? random_tensor(e, empty(random_sizes(e), kInt64))
                                : random_tensor(e, x[0].defined() ? x[0] : ones({2})));
      x.push_back(random_tensor(e));
      const OracleCase none;
      return checked(e, call.name, none, x, [&](const Inputs& v) { return call.run(e, none, v); });
    }
    const Row& row = rows_[static_cast<size_t>(which)];
    const OracleCase c =
        random_case(e, *row.cases[static_cast<size_t>(e() % static_cast<uint64_t>(row.cases.size()))]);
    Inputs x;
    for (const Tensor& t : c.inputs) x.push_back(random_tensor(e, t));
    if (row.op->in_place && chance(e, 30)) return in_place(*row.op, c, x);
    if (row.op->out && chance(e, 30)) return out(e, *row.op, c, x);
    return checked(e, row.op->name, c, x, [&](const Inputs& v) { return row.op->call(c, v); });
  }

  int returned = 0, refused = 0;

 private:
  struct Row {
    const OpRow* op;
    std::vector<const OracleCase*> cases;
  };

  /// f's exception if it is not one of Tapir's.
  template <class F>
  std::string foreign(F f) {
    try {
      f();
      ++returned;
    } catch (const Error&) {
      ++refused;
    } catch (const std::exception& error) {
      return std::string("threw a foreign exception: ") + error.what();
    }
    return "";
  }

  template <class F>
  std::string checked(Engine& e, const std::string& name, const OracleCase& c, Inputs x, F call) {
    const bool graph = chance(e, 40);
    for (Tensor& t : x)
      if (graph && t.defined() && t.is_floating_point() && chance(e, 70))
        t = t.detach().clone().set_requires_grad(true);
    const std::vector<Kept> kept(x.begin(), x.end());
    std::string wrong = foreign([&] {
      const Inputs y = call(x);
      Inputs roots, weights, wrt;
      for (const Tensor& t : y)
        if (t.defined() && t.requires_grad()) roots.push_back(t), weights.push_back(ones_like(t));
      for (const Tensor& t : x)
        if (t.defined() && t.requires_grad()) wrt.push_back(t);
      if (!roots.empty() && !wrt.empty()) autograd::grad(roots, wrt, weights, {}, chance(e, 20), true);
    });
    for (const Kept& k : kept)
      if (wrong.empty()) wrong = k.change();
    return wrong.empty() ? "" : shown(name, c, x) + ": " + wrong;
  }

  std::string in_place(const OpRow& row, const OracleCase& c, const Inputs& x) {
    if (!x[0].defined()) return "";
    std::vector<Kept> kept;
    for (size_t i = 1; i < x.size(); ++i) kept.emplace_back(x[i]);
    const Kept first(x[0]);
    const int before = refused;
    Tensor target = x[0];
    std::string wrong = foreign([&] { row.in_place(c, target, Inputs(x.begin() + 1, x.end())); });
    for (const Kept& k : kept)
      if (wrong.empty()) wrong = k.change();
    if (wrong.empty() && refused > before) wrong = first.change();
    return wrong.empty() ? "" : shown(std::string(row.name) + "_", c, x) + ": " + wrong;
  }

  std::string out(Engine& e, const OpRow& row, const OracleCase& c, const Inputs& x) {
    Tensor target = random_tensor(e, x[0].defined() ? x[0] : ones({2}));
    std::vector<Kept> kept(x.begin(), x.end());
    const Kept first(target);
    const int before = refused;
    std::string wrong = foreign([&] { row.out(target, x); });
    for (const Kept& k : kept)
      if (wrong.empty()) wrong = k.change();
    if (wrong.empty() && refused > before) wrong = first.change();
    return wrong.empty() ? "" : shown(std::string(row.name) + "_out", c, x) + ": " + wrong;
  }

  std::map<std::string, OracleTable> tables_;
  std::vector<Row> rows_;
};

}  // namespace

TEST_CASE("every call returns or throws one of Tapir's exceptions, and leaves its inputs as they were") {
  const char* count = std::getenv("TAPIR_RANDOM_CALLS");
  const char* start = std::getenv("TAPIR_RANDOM_SEED");
  const int64_t n = count ? std::atoll(count) : 5000;
  const uint64_t first = start ? std::strtoull(start, nullptr, 10) : 1;
  const bool loud = std::getenv("TAPIR_RANDOM_LOUD") != nullptr;
  RandomCalls calls;
  int wrong = 0;
  for (int64_t i = 0; i < n && wrong < 50; ++i) {
    const uint64_t seed = first + static_cast<uint64_t>(i);
    if (loud) std::fprintf(stderr, "seed %llu\n", static_cast<unsigned long long>(seed));
    const std::string found = calls.run(seed);
    if (!found.empty()) {
      ++wrong;
      FAIL_CHECK("TAPIR_RANDOM_SEED=" + std::to_string(seed) + ": " + found);
    }
  }
  std::printf("%lld calls: %d returned, %d refused\n", static_cast<long long>(n), calls.returned,
              calls.refused);
  CHECK(calls.returned > n / 4);
  CHECK(calls.refused > n / 10);
}
