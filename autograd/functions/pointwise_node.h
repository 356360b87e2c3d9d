// What the pointwise ops record: for the .cpp files of this folder.
#pragma once

#include "tapir/autograd/functions/pointwise.h"
#include "tapir/autograd/node.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/create.h"
#include "tapir/tensor/ops/pointwise.h"

namespace tapir::nodes {

enum class Saves { kNothing, kInput, kOutput };

// One input. `F` is a captureless lambda (g, saved) -> gradient; a lambda that returns nothing means zero.
template <Saves kSaves, class F>
struct UnaryBackward final : NodeOf<1, kSaves == Saves::kNothing ? 0 : 1> {
  explicit UnaryBackward(const char* n) : name_(n) {}
  const char* type_name() const override { return name_; }
  void backward(Grads g, GradSink& sink) override {
    if constexpr (kSaves == Saves::kNothing)
      sink.set(0, F{}(g[0]));
    else
      sink.set(0, F{}(g[0], this->saved(0)));
  }
  const char* name_;
};

template <Saves kSaves, class F>
TAPIR_ALWAYS_INLINE Tensor unary(Pointwise op, const char* name, const Tensor& x, F) {
  Tensor y = raw::unary(op, x);
  if (recording(x)) {
    auto* node = new UnaryBackward<kSaves, F>(name);
    node->set_edge(0, x);
    node->set_call_site(TAPIR_HERE);
    if constexpr (kSaves == Saves::kInput) node->save_input(0, x);
    if constexpr (kSaves == Saves::kOutput) node->save_output(0, y);
    set_history(y, Ref<Node>::adopt(node));
  }
  return y;
}

// Which inputs a gradient formula of two reads.
enum Reads { kReadsNone = 0, kReadsA = 1, kReadsB = 2, kReadsBoth = 3 };

// Two inputs. A and B are lambdas (g, a, b) -> gradient of a and of b. Only what the gradients that are
// wanted read is saved, so that the rest may be freed, or changed in place; the lambdas get undefined tensors
// for it.
template <Reads kForA, Reads kForB, class A, class B>
struct BinaryBackward final : NodeOf<2, 2> {
  explicit BinaryBackward(const char* n) : name_(n) {}
  const char* type_name() const override { return name_; }
  static int reads(bool wants_a, bool wants_b) { return (wants_a ? kForA : 0) | (wants_b ? kForB : 0); }
  void backward(Grads g, GradSink& sink) override {
    const bool wants_a = sink.wants(0), wants_b = sink.wants(1);
    const int read = reads(wants_a, wants_b);
    const Tensor a = read & kReadsA ? saved(0) : Tensor(), b = read & kReadsB ? saved(1) : Tensor();
    if (wants_a) sink.set(0, A{}(g[0], a, b));
    if (wants_b) sink.set(1, B{}(g[0], a, b));
  }
  const char* name_;
};

template <Reads kForA, Reads kForB, class A, class B>
TAPIR_ALWAYS_INLINE Tensor binary(Pointwise op, const char* name, const Tensor& a, const Tensor& b, A, B) {
  Tensor y = raw::binary(op, a, b);
  if (recording(a, b)) {
    auto* node = new BinaryBackward<kForA, kForB, A, B>(name);
    node->set_edge(0, a);
    node->set_edge(1, b);
    node->set_call_site(TAPIR_HERE);
    const int read = node->reads(node->edges()[0].is_valid(), node->edges()[1].is_valid());
    if (read & kReadsA) node->save_input(0, a);
    if (read & kReadsB) node->save_input(1, b);
    set_history(y, Ref<Node>::adopt(node));
  }
  return y;
}

// The derivative is zero wherever it exists: recorded, as in PyTorch, with a gradient of zeros.
inline constexpr auto zero_gradient = [](const Tensor& g) {
  return raw::zeros(g.sizes(), g.dtype(), g.device());
};

struct AddBackward final : NodeOf<2> {
  const char* type_name() const override { return "AddBackward"; }
  void backward(Grads g, GradSink& sink) override {
    if (sink.wants(1)) sink.set(1, alpha == 1 ? g[0] : mul(g[0], Scalar(alpha)));
    sink.set(0, std::move(g[0]));
  }
  double alpha;
};

inline void check_alpha(const Scalar& alpha, DType dtype, const char* op) {
  TAPIR_CHECK_AS(DTypeError, !alpha.isFloatingPoint() || is_floating_point(dtype),
                 "{}: alpha is a floating-point number, but the result is {}; give an integer", op, dtype);
}

/// For a derivative that does not exist, or is not there: refused when it is asked for.
[[noreturn]] TAPIR_COLD inline void refuse_derivative(const char* op, const char* input) {
  throw_error<AutogradError>("{}: has no derivative with respect to {}; detach() it", op, input);
}

}  // namespace tapir::nodes
