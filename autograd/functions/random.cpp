#include "tapir/autograd/functions/random.h"

#include "tapir/autograd/functions/create.h"
#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/functions/reduce.h"
#include "tapir/autograd/functions/sort.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/random.h"

namespace tapir {

namespace {

Tensor finish(Tensor t, const TensorOptions& options) {
  if (options.requires_grad()) t.set_requires_grad(true);
  return t;
}
DType integer_dtype(const TensorOptions& options) { return options.has_dtype() ? options.dtype() : kInt64; }
TensorOptions plain(const TensorOptions& options) { return TensorOptions(options).requires_grad(false); }

}  // namespace

Tensor rand(IntArrayRef size, std::optional<Generator> generator, const TensorOptions& options) {
  return finish(raw::rand(size, options.dtype(), options.device(), generator), options);
}
Tensor rand(IntArrayRef size, const TensorOptions& options) { return rand(size, std::nullopt, options); }
Tensor randn(IntArrayRef size, std::optional<Generator> generator, const TensorOptions& options) {
  return finish(raw::randn(size, options.dtype(), options.device(), generator), options);
}
Tensor randn(IntArrayRef size, const TensorOptions& options) { return randn(size, std::nullopt, options); }
Tensor randint(int64_t low, int64_t high, IntArrayRef size, const TensorOptions& options) {
  return finish(raw::randint(low, high, size, integer_dtype(options), options.device()), options);
}
Tensor randint(int64_t high, IntArrayRef size, const TensorOptions& options) {
  return randint(0, high, size, options);
}
Tensor randint(int64_t low, int64_t high, IntArrayRef size, std::optional<Generator> generator,
               const TensorOptions& options) {
  return finish(raw::randint(low, high, size, integer_dtype(options), options.device(), generator), options);
}
Tensor randint(int64_t high, IntArrayRef size, std::optional<Generator> generator,
               const TensorOptions& options) {
  return randint(0, high, size, generator, options);
}
Tensor randperm(int64_t n, std::optional<Generator> generator, const TensorOptions& options) {
  return finish(raw::randperm(n, integer_dtype(options), options.device(), generator), options);
}
Tensor randperm(int64_t n, const TensorOptions& options) { return randperm(n, std::nullopt, options); }
Tensor normal(double mean, double std, IntArrayRef size, std::optional<Generator> generator,
              const TensorOptions& options) {
  Tensor y = Tensor::empty(size, options.dtype(), options.device());
  raw::normal_(y, mean, std, generator);
  return finish(std::move(y), options);
}

Tensor rand_like(const Tensor& x, const TensorOptions& options) {
  Tensor y = empty_like(x, plain(options));
  raw::uniform_(y);
  return finish(std::move(y), options);
}
Tensor randn_like(const Tensor& x, const TensorOptions& options) {
  Tensor y = empty_like(x, plain(options));
  raw::normal_(y);
  return finish(std::move(y), options);
}
Tensor randint_like(const Tensor& x, int64_t low, int64_t high, const TensorOptions& options) {
  Tensor y = empty_like(x, plain(options));
  raw::random_(y, low, high, {}, "randint_like");
  return finish(std::move(y), options);
}
Tensor randint_like(const Tensor& x, int64_t high, const TensorOptions& options) {
  return randint_like(x, 0, high, options);
}

namespace {

/// Of numbers drawn with parameters: zeros of the parameters' sizes.
struct DrawBackward final : NodeOf<1> {
  explicit DrawBackward(const char* n = "BernoulliBackward") : name_(n) {}
  const char* type_name() const override { return name_; }
  void backward(Grads g, GradSink& sink) override {
    sink.set(0, raw::zeros(sizes.empty() ? g[0].sizes() : IntArrayRef(sizes), g[0].dtype(), g[0].device()));
  }
  const char* name_;
  Dims sizes;
};

Tensor draw(const Tensor& like, const std::optional<Generator>& generator, const Tensor* p, double number,
            const void* site) {
  Tensor y = empty_like(like);
  if (p)
    raw::bernoulli_(y, *p, generator);
  else
    raw::bernoulli_(y, number, generator);
  if (recording(like)) record<DrawBackward>(site, y, like);
  return y;
}

// The new values do not depend on the old ones: `x` becomes what fill_ makes of it.
template <class F>
void overwrite(const Tensor& x, const char* op, F draw) {
  check_inplace(x, op);
  draw();
  if (recording(x)) cut_history(x, nullptr);
}

}  // namespace

Tensor bernoulli(const Tensor& p, std::optional<Generator> generator) {
  TAPIR_CHECK_AS(DTypeError, p.is_floating_point(),
                 "bernoulli: the probabilities are {}, expected a floating-point dtype", p.dtype());
  return draw(p, generator, &p, 0, TAPIR_HERE);
}
Tensor bernoulli(const Tensor& like, double p, std::optional<Generator> generator) {
  return draw(like, generator, nullptr, p, TAPIR_HERE);
}

void detail::uniform_(const Tensor& x, double from, double to, const std::optional<Generator>& g) {
  CallSite site(TAPIR_HERE);
  overwrite(x, "uniform_", [&] { raw::uniform_(x, from, to, g); });
}
void detail::normal_(const Tensor& x, double mean, double std, const std::optional<Generator>& g) {
  CallSite site(TAPIR_HERE);
  overwrite(x, "normal_", [&] { raw::normal_(x, mean, std, g); });
}
void detail::bernoulli_(const Tensor& x, double p, const std::optional<Generator>& g) {
  CallSite site(TAPIR_HERE);
  overwrite(x, "bernoulli_", [&] { raw::bernoulli_(x, p, g); });
}
void detail::bernoulli_(const Tensor& x, const Tensor& p, const std::optional<Generator>& g) {
  CallSite site(TAPIR_HERE);
  overwrite(x, "bernoulli_", [&] { raw::bernoulli_(x, p, g); });
}
void detail::random_(const Tensor& x, std::optional<int64_t> from, std::optional<int64_t> to,
                     const std::optional<Generator>& g) {
  CallSite site(TAPIR_HERE);
  overwrite(x, "random_", [&] {
    if (from)
      raw::random_(x, *from, to, g);
    else
      raw::random_(x, g);
  });
}

// --- with parameters for each element ---

namespace {

/// y as a draw with x as its parameter, whose gradient is zero.
Tensor drawn_with(Tensor y, const Tensor& x, const char* name, const void* site) {
  if (recording(x)) {
    auto* node = new DrawBackward(name);
    node->set_edge(0, x);
    node->set_call_site(site);
    node->sizes = x.layout_of().sizes;
    set_history(y, Ref<Node>::adopt(node));
  }
  return y;
}

struct DrawPairBackward final : NodeOf<2> {
  const char* type_name() const override { return "NormalBackward"; }
  void backward(Grads g, GradSink& sink) override {
    for (size_t i = 0; i < 2; ++i)
      if (sink.wants(i)) sink.set(i, raw::zeros(sizes[i], g[0].dtype(), g[0].device()));
  }
  Dims sizes[2];
};

void check_spread(const Tensor& std) {
  TAPIR_CHECK_AS(DTypeError, std.is_floating_point(), "normal: std is {}, expected a floating-point dtype",
                 std.dtype());
  NoGradGuard no_grad;
  TAPIR_CHECK_AS(ValueError, std.numel() == 0 || all(ge(std, Scalar(0))).item<bool>(),
                 "normal: std has elements that are negative or NaN");
}

Tensor standard_normal(const Dims& sizes, const Tensor& like, double std, const std::optional<Generator>& g) {
  TAPIR_CHECK_AS(DTypeError, like.is_floating_point(), "normal: mean is {}, expected a floating-point dtype",
                 like.dtype());
  Tensor y = Tensor::empty(sizes, like.dtype(), like.device());
  raw::normal_(y, 0, std, g);
  return y;
}

}  // namespace

Tensor normal(const Tensor& mean, double std, std::optional<Generator> g) {
  const Tensor z = standard_normal(mean.layout_of().sizes, mean, std, g);
  return drawn_with(add(z, mean.detach()), mean, "NormalBackward", TAPIR_HERE);
}
Tensor normal(double mean, const Tensor& std, std::optional<Generator> g) {
  check_spread(std);
  const Tensor z = standard_normal(std.layout_of().sizes, std, 1, g);
  return drawn_with(add(mul(z, std.detach()), Scalar(mean)), std, "NormalBackward", TAPIR_HERE);
}
Tensor normal(const Tensor& mean, const Tensor& std, std::optional<Generator> g) {
  check_spread(std);
  const Tensor z = standard_normal(broadcast_sizes(mean.sizes(), std.sizes(), "normal"), mean, 1, g);
  Tensor y = add(mul(z, std.detach()), mean.detach());
  if (recording(mean, std)) {
    auto* node = record<DrawPairBackward>(TAPIR_HERE, y, mean, std);
    node->sizes[0] = mean.layout_of().sizes;
    node->sizes[1] = std.layout_of().sizes;
  }
  return y;
}

Tensor poisson(const Tensor& x, std::optional<Generator> g) {
  return drawn_with(raw::poisson(x, g), x, "PoissonBackward", TAPIR_HERE);
}

Tensor multinomial(const Tensor& weights, int64_t n, bool replacement, std::optional<Generator> g) {
  const Tensor w = weights.detach();
  TAPIR_CHECK_AS(DTypeError, w.is_floating_point(),
                 "multinomial: got weights of {}, expected a floating-point dtype", w.dtype());
  TAPIR_CHECK_AS(ShapeError, (w.dim() == 1 || w.dim() == 2) && w.size(-1) > 0,
                 "multinomial: got weights of sizes {}, expected (categories) or (rows, categories)",
                 w.sizes());
  TAPIR_CHECK_AS(ValueError, n > 0 && (replacement || n <= w.size(-1)),
                 "multinomial: got num_samples {} for {} categories{}", n, w.size(-1),
                 replacement ? ", expected at least 1" : " without replacement");
  if (replacement) return raw::draw_categories(w, n, g);
  // The smallest of exponential numbers over their weights: an exponential race.
  TAPIR_CHECK_AS(ValueError, all(logical_and(ge(w, Scalar(0)), isfinite(w))).item<bool>(),
                 "multinomial: the weights must be finite and not negative");
  const Tensor most = w.numel() == 0 ? w : sum(ne(w, Scalar(0)), -1);
  TAPIR_CHECK_AS(ValueError, all(ge(most, Scalar(n))).item<bool>(),
                 "multinomial: a row has fewer than {} weights that are not zero", n);
  Tensor race = empty_like(w);
  raw::exponential_(race, 1, g);
  race = div(w, race);
  return n == 1 ? argmax(race, -1, true) : std::get<1>(topk(race, n));
}

// --- methods ---

#define TAPIR_DRAW_METHOD(name, ...)                                        \
  CallSite site(TAPIR_HERE);                                                \
  overwrite(self(), #name "_", [&] { raw::name##_(self(), __VA_ARGS__); }); \
  return self()

Tensor& Tensor::exponential_(double lambda, std::optional<Generator> g) const {
  TAPIR_DRAW_METHOD(exponential, lambda, g);
}
Tensor& Tensor::geometric_(double p, std::optional<Generator> g) const { TAPIR_DRAW_METHOD(geometric, p, g); }
Tensor& Tensor::cauchy_(double median, double sigma, std::optional<Generator> g) const {
  TAPIR_DRAW_METHOD(cauchy, median, sigma, g);
}
Tensor& Tensor::log_normal_(double mean, double std, std::optional<Generator> g) const {
  TAPIR_DRAW_METHOD(log_normal, mean, std, g);
}
#undef TAPIR_DRAW_METHOD
Tensor Tensor::bernoulli(std::optional<Generator> g) const {
  CallSite site(TAPIR_HERE);
  return tapir::bernoulli(*this, std::move(g));
}
Tensor Tensor::bernoulli(double p, std::optional<Generator> g) const {
  CallSite site(TAPIR_HERE);
  return tapir::bernoulli(*this, p, std::move(g));
}
Tensor Tensor::multinomial(int64_t num_samples, bool replacement, std::optional<Generator> g) const {
  return tapir::multinomial(*this, num_samples, replacement, std::move(g));
}

}  // namespace tapir
