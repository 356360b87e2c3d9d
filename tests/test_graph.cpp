// Large graphs, many steps, and control flow of the host language.
#include <malloc.h>
#include <pthread.h>

#include <functional>

#include "support/tensors.h"

using namespace tapir;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int64_t kScale = 20;  // the sanitizers cost that much
#else
constexpr int64_t kScale = 1;
#endif

// Runs f on a thread whose stack has 8 MB.
void on_small_stack(const std::function<void()>& f) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  REQUIRE(pthread_attr_setstacksize(&attributes, 8 << 20) == 0);
  pthread_t thread;
  const auto start = [](void* p) -> void* {
    (*static_cast<const std::function<void()>*>(p))();
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, &attributes, start, const_cast<std::function<void()>*>(&f)) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

// Memory of this process that is in use, in bytes.
int64_t resident_bytes() {
  long pages = 0;
  if (std::FILE* f = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(f, "%*d %ld", &pages) != 1) pages = 0;
    std::fclose(f);
  }
  return pages * 4096;
}

}  // namespace

TEST_CASE("a chain of a million ops runs backward and is freed on an 8 MB stack") {
  const int64_t n = 1000000 / kScale;
  Tensor grad;
  on_small_stack([&] {
    const Tensor x = leaf({0.5});
    Tensor y = x;
    for (int64_t i = 0; i < n; ++i) y = y * 1.0;
    y.backward();
    grad = x.grad();
  });
  CHECK_SAME(grad, f64({1}));
}

TEST_CASE("a chain of a million ops that is never run is freed on an 8 MB stack") {
  const int64_t n = 1000000 / kScale;
  bool freed = false;
  on_small_stack([&] {
    {
      const Tensor x = leaf({0.5});
      Tensor y = x;
      for (int64_t i = 0; i < n; ++i) y = y.tanh();  // each saves a tensor
    }
    freed = true;
  });
  CHECK(freed);
}

TEST_CASE("a chain of views of views, and one changed in place") {
  const int64_t n = 100000 / kScale;
  const Tensor x = leaf({{1, 2}, {3, 4}});
  Tensor y = x;
  for (int64_t i = 0; i < n; ++i) y = y.t();
  y.backward(f64({{1, 2}, {3, 4}}));
  CHECK_SAME(x.grad(), n % 2 ? f64({{1, 3}, {2, 4}}) : f64({{1, 2}, {3, 4}}));
  const Tensor a = leaf({1, 2});
  Tensor b = a * 1;
  for (int64_t i = 0; i < n; ++i) b.add_(a);
  b.backward(f64({1, 1}));
  CHECK_SAME(a.grad(), full({2}, double(n + 1), kFloat64));
}

TEST_CASE("a graph of many paths: each node runs once") {
  const Tensor x = leaf({1});
  Tensor y = x;
  for (int i = 0; i < 60; ++i) y = y + y;  // 2^60 paths
  y.backward();
  CHECK_SAME(x.grad(), f64({std::ldexp(1.0, 60)}));
}

TEST_CASE("a million training steps hold memory flat") {
  const int64_t n = 1000000 / kScale;
  Tensor w = tensor({0.1f, 0.2f, 0.3f, 0.4f}, TensorOptions(kFloat32).requires_grad(true));
  const Tensor x = tensor({1.f, -1.f, 0.5f, 2.f}), g = tensor({1e-3f, -1e-3f, 2e-3f, 1e-3f});
  const auto step = [&] {
    (w * x).tanh().backward(g);
    NoGradGuard no_grad;
    w.sub_(w.grad(), 0.01);
    w.mutable_grad().reset();
  };
  for (int64_t i = 0; i < n / 10; ++i) step();
  const int64_t before = resident_bytes();
  for (int64_t i = 0; i < n; ++i) step();
  // What the address sanitizer has freed it keeps for a while, up to 256 MB.
  CHECK(resident_bytes() - before < (kScale == 1 ? 1 << 20 : 257 << 20));
  CHECK(w._version() == n + n / 10);
}

TEST_CASE("a loop of a length that depends on data") {
  // x <- x * w until it exceeds 100
  const Tensor w = leaf({1.5});
  Tensor x = f64({1});
  int steps = 0;
  while (x.item<double>() < 100) {
    x = x * w;
    ++steps;
  }
  x.backward();
  CHECK(steps == 12);
  CHECK_CLOSE(w.grad(), f64({12 * std::pow(1.5, 11)}), 1e-15);
}

TEST_CASE("an if on a value") {
  const auto f = [](const Tensor& x) { return x.item<double>() > 0 ? x * x : x * -3; };
  const Tensor a = leaf({2}), b = leaf({-2});
  f(a).backward();
  f(b).backward();
  CHECK_SAME(a.grad(), f64({4}));
  CHECK_SAME(b.grad(), f64({-3}));
}

TEST_CASE("a recursion over a tree") {
  struct Tree {
    std::vector<Tree> children;
    double value = 0;
  };
  const Tensor w = leaf({0.5});
  const std::function<Tensor(const Tree&)> fold = [&](const Tree& t) {
    Tensor sum = f64({t.value});
    for (const Tree& c : t.children) sum = sum + fold(c) * w;
    return sum;
  };
  const Tree tree{{{{{{}, 3}, {{}, 4}}, 1}, {{}, 2}}, 5};  // 5 + w (1 + w (3 + 4)) + 2 w
  Tensor y = fold(tree);
  CHECK_SAME(y.detach(), f64({5 + 0.5 * (1 + 0.5 * 7) + 2 * 0.5}));
  y.backward();
  CHECK_SAME(w.grad(), f64({1 + 2 * 0.5 * 7 + 2}));
}

TEST_CASE("a graph as text for Graphviz") {
  const Tensor w = ones({2, 3}, requires_grad()), b = ones({3}, requires_grad());
  Tensor y = (w * b).tanh();
  const std::string dot = autograd::to_dot(y, {{"the \"weight\"", w}});
  CHECK(contains(dot, "digraph"));
  CHECK(contains(dot, "TanhBackward\\n[2, 3] float32"));
  CHECK(contains(dot, "the \\\"weight\\\"\\n[2, 3] float32"));
  CHECK(contains(dot, "leaf\\n[3] float32"));
  size_t arrows = 0;
  for (size_t at = dot.find("->"); at != std::string::npos; at = dot.find("->", at + 1)) ++arrows;
  CHECK(arrows == 4);  // both leaves -> mul -> tanh -> output
  Tensor z = w;
  for (int i = 0; i < 50000; ++i) z = z * 1.0;
  CHECK(autograd::to_dot(z).size() > 50000 * 20);
}
