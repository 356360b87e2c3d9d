#include "tapir/autograd/functions/random.h"

#include "tapir/autograd/functions/create.h"
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
  raw::random_(y, low, high);
  return finish(std::move(y), options);
}
Tensor randint_like(const Tensor& x, int64_t high, const TensorOptions& options) {
  return randint_like(x, 0, high, options);
}

namespace {

struct DrawBackward final : NodeOf<1> {
  const char* name() const override { return "BernoulliBackward"; }
  void backward(Grads g, GradSink& sink) override {
    sink.set(0, raw::zeros(g[0].sizes(), g[0].dtype(), g[0].device()));
  }
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

}  // namespace tapir
