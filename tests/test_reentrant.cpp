// Backward inside backward, from several threads, and what it needs of the stack.
#include <thread>

#include "support/tensors.h"

using namespace tapir;
using autograd::AutogradContext;
using autograd::variable_list;

namespace {

// x -> x; its backward runs the backward of the same function on another graph, `depth` times in all.
struct Nested : autograd::Function<Nested> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, int64_t depth) {
    ctx->saved_data["depth"] = depth;
    return x * 1;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const int64_t depth = ctx->saved_data["depth"].toInt();
    if (depth > 1) {
      AutoGradMode on(true);
      const Tensor x = leaf({1});
      Nested::apply(x, depth - 1).backward();
      grads[0] = grads[0] + x.grad();
    }
    return {grads[0], Tensor()};
  }
};

struct Fails : autograd::Function<Fails> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, int64_t depth) {
    ctx->saved_data["depth"] = depth;
    return x * 1;
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const int64_t depth = ctx->saved_data["depth"].toInt();
    if (depth == 0) throw ValueError("the innermost");
    AutoGradMode on(true);
    const Tensor x = leaf({1});
    Fails::apply(x, depth - 1).backward();
    return {grads[0], Tensor()};
  }
};

}  // namespace

TEST_CASE("backwards inside backwards, five thousand deep") {
  const Tensor x = leaf({2});
  Nested::apply(x, int64_t{5000}).backward();
  CHECK_SAME(x.grad(), f64({5000}));
  CHECK(GradMode::is_enabled());
}

TEST_CASE("an error inside many backwards comes out, and leaves all of them") {
  const Tensor x = leaf({2});
  const std::string message = message_of<ValueError>([&] { Fails::apply(x, int64_t{300}).backward(); });
  CHECK(contains(message, "the innermost"));
  CHECK(contains(message, "test_reentrant.cpp"));
  CHECK(message.size() < 10000);
  CHECK_FALSE(x.grad().defined());
  (x * 3).backward();
  CHECK_SAME(x.grad(), f64({3}));
}

TEST_CASE("the thread's modes hold in a deep backward, and its order of recording goes on") {
  const Tensor x = leaf({2});
  std::vector<uint64_t> sequences;
  int depth = 0;
  std::function<void()> descend = [&] {
    if (++depth > 120) return;
    Tensor y = x.detach().requires_grad_() * 1;
    sequences.push_back(y.grad_fn()->sequence());
    y.register_hook([&](const Tensor&) {
      CHECK_FALSE(GradMode::is_enabled());
      AutoGradMode on(true);
      descend();
    });
    y.backward();
  };
  descend();
  CHECK(depth == 121);
  CHECK(std::is_sorted(sequences.begin(), sequences.end()));
  CHECK((x * 1).grad_fn()->sequence() > sequences.back());
}

TEST_CASE("hooks that run backward over the outer graph, at every level") {
  // y_k = x * y_{k-1}; the hook of each runs a backward of its own over all that lies before it.
  const Tensor x = leaf({1.5});
  Tensor y = x * 1;
  for (int k = 2; k <= 6; ++k) {
    const Tensor before = y;
    y = x * y;
    y.register_hook([before](const Tensor&) { before.backward({}, true); });
  }
  y.backward({}, true);
  // b(k): how often the gradient of y_k is added: b(6) = 1, and y_k's hook, which runs as often as a backward
  // passes it, adds one of y_{k-1}: passes of y_k are those from all above.
  double expected = 0;
  std::vector<double> starts(7, 0);  // backwards that start at y_k
  starts[6] = 1;
  for (int k = 6; k >= 2; --k) {
    double passes = 0;
    for (int j = k; j <= 6; ++j) passes += starts[static_cast<size_t>(j)];
    starts[static_cast<size_t>(k - 1)] = passes;
  }
  for (int k = 1; k <= 6; ++k) expected += starts[static_cast<size_t>(k)] * k * std::pow(1.5, k - 1);
  CHECK_CLOSE(x.grad(), f64({expected}), 1e-14);
}

TEST_CASE("threads run nested backwards over shared leaves") {
  const Tensor w = ones({16}, TensorOptions(kFloat64).requires_grad(true));
  constexpr int kThreads = 4, kRounds = 25;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        Tensor y = w * 2;
        y.register_hook([&](const Tensor&) {
          AutoGradMode on(true);
          (w * 3).sum().backward();
        });
        y.sum().backward();
      }
    });
  for (auto& t : threads) t.join();
  CHECK_SAME(w.grad(), full({16}, 5.0 * kThreads * kRounds, kFloat64));
}

TEST_CASE("threads with graphs of their own do not wait for each other's hooks") {
  // Each thread's hook waits until the other's runs: it ends only where both run at a time.
  std::atomic<int> inside{0};
  std::vector<std::thread> threads;
  const Tensor w = leaf({1});
  for (int t = 0; t < 2; ++t)
    threads.emplace_back([&] {
      Tensor y = w * 2;
      y.register_hook([&](const Tensor&) {
        ++inside;
        while (inside < 2) std::this_thread::yield();
      });
      y.backward();
    });
  for (auto& t : threads) t.join();
  CHECK_SAME(w.grad(), f64({4}));
}
