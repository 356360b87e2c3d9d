// Batch norm and instance norm: values, derivatives and running statistics are PyTorch's.
#include <sstream>

#include "support/module_oracle.h"

using namespace tapir;
namespace F = tapir::nn::functional;
using nn_oracle::check;
using nn_oracle::check_case;
using nn_oracle::Inputs;
using nn_oracle::wave;

namespace {

const bool loaded = nn_oracle::load("pool.txt");

struct Case {
  const char* name;
  Dims sizes;
};
const Case kCases[] = {{"flat", {5, 3}}, {"line", {4, 3, 6}}, {"plane", {2, 3, 4, 5}}, {"wide", {9, 20}}};

}  // namespace

TEST_CASE("batch norm is PyTorch's, with its derivatives and running statistics") {
  REQUIRE(loaded);
  for (const Case& c : kCases) {
    const std::string name = std::string("batch_norm.") + c.name;
    const int64_t n = c.sizes[1];
    const Tensor x = wave(c.sizes, 1), w = wave({n}, 2) + 1, b = wave({n}, 3), m = wave({n}, 4),
                 v = wave({n}, 5) + 1;
    const auto train = [](const Inputs& t) { return batch_norm(t[0], t[1], t[2], {}, {}, true, 0.1, 1e-5); };
    const auto eval = [&](const Inputs& t) { return batch_norm(t[0], t[1], t[2], m, v, false, 0.1, 1e-5); };
    check_case(name + ".train", {x, w, b}, train);
    check_case(name + ".eval", {x, w, b}, eval);
    check_case(name + ".bare", {x},
               [](Inputs& t) { return batch_norm(t[0], {}, {}, {}, {}, true, 0.1, 0.1); });
    Inputs in{x.clone(), w.clone(), b.clone()};
    for (Tensor& t : in) t.set_requires_grad(true);
    for (const std::function<Tensor(const Inputs&)>& f :
         {std::function<Tensor(const Inputs&)>(train), {eval}}) {
      const auto g = [&](const Inputs& t) { return Inputs{f(t)}; };
      CHECK(autograd::gradcheck(g, in));
      CHECK(autograd::gradgradcheck(g, in));
    }
    for (const auto& [dtype, tolerance] : {std::pair{kFloat32, 2e-6}, {kFloat16, 3e-3}, {kBFloat16, 3e-2}})
      check(name + ".train", train({x.to(dtype), w.to(dtype), b.to(dtype)}).to(kFloat64), tolerance);
    Tensor rm = m.clone(), rv = v.clone();
    batch_norm(x, w, b, rm, rv, true, 0.3, 1e-5);
    check(name + ".running_mean", rm, 1e-12);
    check(name + ".running_var", rv, 1e-12);
  }
}

TEST_CASE("instance norm is PyTorch's") {
  const Tensor x = wave({3, 2, 4, 5}, 1), w = wave({2}, 2) + 1, b = wave({2}, 3), m = wave({2}, 4),
               v = wave({2}, 5) + 1;
  check_case("instance_norm.own", {x, w, b},
             [](Inputs& t) { return instance_norm(t[0], t[1], t[2], {}, {}, true, 0.1, 1e-5); });
  check_case("instance_norm.running", {x, w, b},
             [&](Inputs& t) { return instance_norm(t[0], t[1], t[2], m, v, false, 0.1, 1e-5); });
  Tensor rm = m.clone(), rv = v.clone();
  instance_norm(x, w, b, rm, rv, true, 0.3, 1e-5);
  check("instance_norm.running_mean", rm, 1e-12);
  check("instance_norm.running_var", rv, 1e-12);
}

TEST_CASE("a layer keeps its statistics, uses them in eval, and saves them") {
  nn::BatchNorm2d layer(nn::BatchNorm2dOptions(2).momentum(std::nullopt));
  layer->to(kFloat64);
  for (int k = 0; k < 3; ++k) layer(wave({3, 2, 4, 5}, k));
  check("cumulative.mean", layer->running_mean, 1e-12);
  check("cumulative.var", layer->running_var, 1e-12);
  CHECK(layer->num_batches_tracked.item<int64_t>() == 3);
  layer->eval();
  const Tensor x = wave({1, 2, 1, 1}, 1), before = layer->running_mean.clone();
  CHECK(layer(x).allclose(
      batch_norm(x, layer->weight, layer->bias, layer->running_mean, layer->running_var, false, 0, 1e-5)));
  CHECK(layer->running_mean.equal(before));
  std::vector<std::string> names;
  for (const auto& entry : layer->state_dict()) names.push_back(entry.key());
  CHECK(names ==
        std::vector<std::string>{"weight", "bias", "running_mean", "running_var", "num_batches_tracked"});

  nn::BatchNorm1d bare(nn::BatchNorm1dOptions(3).affine(false).track_running_stats(false));
  CHECK(bare->parameters().empty());
  bare->eval();
  const Tensor y = wave({5, 3}, 1).to(kFloat32);
  CHECK(bare(y).allclose(batch_norm(y, {}, {}, {}, {}, true, 0, 1e-5)));

  nn::InstanceNorm1d own(3);
  CHECK(own(ones({3, 4})).sizes() == IntArrayRef({3, 4}));
  std::ostringstream text;
  text << nn::BatchNorm2d(8) << ' ' << nn::InstanceNorm1d(3);
  CHECK(text.str() ==
        "tapir::nn::BatchNorm2d(8, eps=1e-05, momentum=0.1, affine=true, track_running_stats=true) "
        "tapir::nn::InstanceNorm1d(3, eps=1e-05, momentum=0.1, affine=false, track_running_stats=false)");
}

TEST_CASE("bad norms say what does not fit") {
  const auto message = [](auto f) { return message_of<Error>(f); };
  nn::BatchNorm2d layer(3);
  CHECK(contains(message([&] {
                   layer(zeros({2, 3, 4}));
                 }),
                 "BatchNorm2d: input has sizes [2, 3, 4], expected 4"));
  CHECK(contains(message([&] { layer(zeros({2, 4, 2, 2})); }), "weight has sizes [3], expected (4)"));
  CHECK(contains(message([&] { layer(zeros({1, 3, 1, 1})); }), "more than one value per channel"));
  CHECK(contains(message([&] {
                   batch_norm(zeros({2, 3}), {}, {}, {}, {}, false, 0.1, 1e-5);
                 }),
                 "must be defined where training is false"));
  CHECK(contains(message([&] {
                   batch_norm(zeros({2, 3}, kInt64), {}, {}, {}, {}, true, 0.1, 1e-5);
                 }),
                 "expected a floating-point dtype"));
  CHECK(contains(message([&] { nn::InstanceNorm2d(3)(zeros({2, 3, 1, 1})); }), "of a sample"));
  CHECK(layer(zeros({0, 3, 2, 2})).numel() == 0);
}

TEST_CASE("in eval a value that is not finite leaves the gradient of its input as it is") {
  for (const auto& sizes : {std::vector<int64_t>{2, 3}, std::vector<int64_t>{2, 3, 5}}) {
    Tensor x = ones(sizes);
    x.flatten()[1].fill_(values::kInf);
    x.set_requires_grad(true);
    const Tensor weight = full({3}, 2.0), variance = full({3}, 4.0);
    batch_norm(x, weight, zeros({3}), zeros({3}), variance, false, 0.1, 0.0).sum().backward();
    CHECK(values::of(x.grad()) == std::vector<double>(static_cast<size_t>(x.numel()), 1.0));
  }
}
