#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "support/catch.h"
#include "support/temporary_folder.h"
#include "tapir/autograd/functions/create.h"
#include "tapir/io/npy.h"
#include "tapir/io/pt.h"
#include "tapir/io/serialize.h"
#include "tapir/optim/adam.h"
#include "tapir/optim/sgd.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/random.h"

using namespace tapir;

namespace {

struct LayerImpl : nn::Module {
  explicit LayerImpl(int64_t n) {
    weight = register_parameter("weight", raw::randn({n, 3}, kFloat32));
    mean = register_buffer("mean", raw::randn({n}, kFloat64));
  }
  Tensor weight, mean;
};
TAPIR_MODULE(Layer);

struct NetImpl : nn::Module {
  explicit NetImpl(int64_t n = 4) : first(n), second(2) {
    register_module("first", first);
    register_module("second", second);
    scale = register_parameter("scale", raw::randn({}, kFloat32));
  }
  Layer first, second;
  Tensor scale;
};
TAPIR_MODULE(Net);

bool equal(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.sizes() == b.sizes())) return false;
  const Tensor x = raw::contiguous(a), y = raw::contiguous(b);
  return std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0;
}

NamedTensors state_of(const nn::Module& m) {
  NamedTensors state;
  for (const auto& item : m.state_dict()) state.emplace_back(item.key(), raw::clone(item.value()));
  return state;
}
bool equal(const NamedTensors& a, const NamedTensors& b) {
  bool same = a.size() == b.size();
  for (size_t i = 0; same && i < a.size(); ++i)
    same = a[i].first == b[i].first && equal(a[i].second, b[i].second);
  return same;
}
bool equal(const optim::OptimizerStateDict& a, const optim::OptimizerStateDict& b) {
  bool same = a.tensors.size() == b.tensors.size() && a.numbers.size() == b.numbers.size();
  for (const auto& item : a.tensors) {
    const Tensor* other = b.tensors.find(item.key());
    same = same && other && equal(item.value(), *other);
  }
  for (const auto& item : a.numbers) {
    const double* other = b.numbers.find(item.key());
    same = same && other && item.value() == *other;
  }
  return same;
}

// Its own copy: state_dict() shares memory with the optimizer.
optim::OptimizerStateDict snapshot(const optim::Optimizer& optimizer) {
  optim::OptimizerStateDict state = optimizer.state_dict();
  for (auto& item : state.tensors) item.value() = raw::clone(item.value());
  return state;
}

void train(Net& net, optim::Optimizer& optimizer, int steps) {
  for (int i = 0; i < steps; ++i) {
    for (const Tensor& p : net->parameters()) p.mutable_grad() = raw::randn(p.sizes(), p.dtype());
    optimizer.step();
  }
}

template <class F>
std::string message_of(F f) {
  try {
    f();
    return "";
  } catch (const ValueError& e) {
    return e.what();
  }
}

}  // namespace

TEST_CASE("tensors are saved and loaded, one or many, to files and streams") {
  const TemporaryFolder folder;
  const Tensor x = raw::randn({3, 4}, kFloat64), y = raw::randint(0, 9, {5}, kInt16);
  save(x, folder / "x");
  Tensor loaded;
  load(loaded, folder / "x");
  CHECK(equal(loaded, x));
  std::filesystem::remove(folder / "x");
  raw::fill(loaded, 1);  // its own memory

  std::stringstream stream;
  save(std::vector<Tensor>{x, y}, stream);
  std::vector<Tensor> many{x};
  load(many, stream);
  REQUIRE(many.size() == 2);
  CHECK(equal(many[0], x));
  CHECK(equal(many[1], y));

  save(many, folder / "many");
  CHECK_THROWS_AS(load(loaded, folder / "many"), IOError);
  CHECK_THROWS_AS(load(many, folder / "missing"), IOError);
  CHECK(many.size() == 2);
}

TEST_CASE("tensors named by numbers come in the numbers' order, others in the file's") {
  const TemporaryFolder folder;
  NamedTensors named;
  for (const char* name : {"0", "1", "10", "11", "2", "3", "4", "5", "6", "7", "8", "9"})
    named.emplace_back(name, full({1}, std::stod(name)));
  save_safetensors(folder / "sorted", named);
  std::vector<Tensor> loaded;
  load(loaded, folder / "sorted");
  REQUIRE(loaded.size() == 12);
  for (size_t i = 0; i < 12; ++i) CHECK(loaded[i].item<double>() == static_cast<double>(i));
  save_safetensors(folder / "other", {{"2", full({1}, 2)}, {"0", full({1}, 0)}});
  load(loaded, folder / "other");
  REQUIRE(loaded.size() == 2);
  CHECK(loaded[0].item<double>() == 2);
}

TEST_CASE("a stream that only buffers, for a disk that is full, is no success") {
  if (!std::filesystem::exists("/dev/full")) return;
  const Tensor x = ones({3});
  const auto full_disk = [] { return std::ofstream("/dev/full", std::ios::binary); };
  auto a = full_disk(), b = full_disk(), c = full_disk(), d = full_disk();
  CHECK_THROWS_AS(save(x, a), IOError);
  CHECK_THROWS_AS(save_npy(b, x), IOError);
  CHECK_THROWS_AS(save_pt(c, x), IOError);
  OrderedDict<std::string, Tensor> dict;
  dict.insert("x", x);
  CHECK_THROWS_AS(save_npz(d, dict), IOError);
}

TEST_CASE("a module's file has PyTorch's names, and loads into another module of its structure") {
  const TemporaryFolder folder;
  Net a, b;
  CHECK_FALSE(equal(state_of(*a), state_of(*b)));
  save(a, folder / "net");
  const SafeTensors file = load_safetensors(folder / "net");
  std::vector<std::string> names;
  for (const auto& [name, t] : file.tensors) names.push_back(name);
  CHECK(names ==
        std::vector<std::string>{"scale", "first.weight", "first.mean", "second.weight", "second.mean"});
  const Tensor handle = b->first->weight;
  load(b, folder / "net");
  CHECK(equal(state_of(*a), state_of(*b)));
  CHECK(handle.is_same(b->first->weight));
  CHECK(equal(handle, a->first->weight));

  std::stringstream stream;
  Net c;
  save(a.ptr(), stream);
  auto pointer = c.ptr();
  load(pointer, stream);
  CHECK(equal(state_of(*a), state_of(*c)));
}

TEST_CASE("a module file that does not fit is listed and changes nothing") {
  const TemporaryFolder folder;
  Net net, larger(5);
  const NamedTensors before = state_of(*net);
  save(larger, folder / "larger");
  std::string message = message_of([&] { load(net, folder / "larger"); });
  CHECK(message.find("first.weight") != std::string::npos);
  CHECK(message.find("first.mean") != std::string::npos);
  CHECK(message.find("second.weight") == std::string::npos);
  CHECK(equal(state_of(*net), before));

  NamedTensors other = state_of(*net);
  other[0].first = "scales";
  raw::fill(other[1].second, 0);
  save_safetensors(folder / "other", other);
  message = message_of([&] { load(net, folder / "other"); });
  CHECK(message.find("scales") != std::string::npos);
  CHECK(message.find("missing: scale ") != std::string::npos);
  CHECK(equal(state_of(*net), before));
}

TEST_CASE("an optimizer's state and options are saved and loaded exactly") {
  const TemporaryFolder folder;
  Net a, b;
  optim::Adam from(a->parameters(), optim::AdamOptions(0.1 + 0.2).betas({0.87, 1.0 / 3}).amsgrad(true));
  train(a, from, 3);
  save(from, folder / "adam");
  optim::Adam to(b->parameters());
  load(to, folder / "adam");
  CHECK(equal(from.state_dict(), to.state_dict()));
  CHECK(to.param_groups()[0].options().get_lr() == 0.1 + 0.2);

  optim::SGD other(b->parameters(), optim::SGDOptions(0.1));
  const auto before = snapshot(other);
  CHECK_THROWS_AS(load(other, folder / "adam"), ValueError);
  CHECK(equal(other.state_dict(), before));
  std::stringstream stream;
  save(other, stream);
  optim::SGD again(b->parameters(), optim::SGDOptions(0.5).momentum(0.9));
  load(again, stream);
  CHECK(again.param_groups()[0].options().get_lr() == 0.1);

  SafeTensors file = load_safetensors(folder / "adam");
  file.metadata[0].second = "0.1x";
  save_safetensors(folder / "bad", file.tensors, file.metadata);
  CHECK_THROWS_AS(load(to, folder / "bad"), IOError);
}

TEST_CASE("a training that is resumed from a checkpoint ends as one that was not stopped") {
  const TemporaryFolder folder;
  manual_seed(9);
  Net net;
  optim::Adam adam(net->parameters(), optim::AdamOptions(0.01));
  train(net, adam, 4);
  raw::randn({1}, kFloat32);  // leaves half a pair in the generator
  save_checkpoint(folder / "c", *net, adam, {{"epoch", "4"}, {"note", "x"}});
  train(net, adam, 5);

  manual_seed(1000);
  Net resumed;
  optim::Adam resumed_adam(resumed->parameters());
  CHECK(load_checkpoint(folder / "c", *resumed, resumed_adam) == Metadata{{"epoch", "4"}, {"note", "x"}});
  train(resumed, resumed_adam, 5);
  CHECK(equal(state_of(*resumed), state_of(*net)));
  CHECK(equal(resumed_adam.state_dict(), adam.state_dict()));

  Net alone;
  CHECK(load_checkpoint(folder / "c", *alone).size() == 2);
  CHECK_FALSE(equal(state_of(*alone), state_of(*net)));
}

TEST_CASE(
    "a checkpoint's entries have the module's names, and older ones, with numbers as integers, are read") {
  const TemporaryFolder folder;
  Net net;
  optim::Adam adam(net->parameters(), optim::AdamOptions(1));
  train(net, adam, 2);
  save_checkpoint(folder / "new", *net, adam, {{"note", "7"}});
  SafeTensors file = load_safetensors(folder / "new");
  size_t names = 1;  // the generator's
  CHECK(file.contains("generator.cpu"));
  for (const auto& item : net->state_dict()) names += file.contains("model." + item.key());
  const nn::NamedTensors parameters = net->named_parameters();
  for (const auto& item : adam.state_dict(&parameters).tensors)
    names += file.contains("optimizer." + item.key());
  CHECK(names == file.tensors.size());

  for (auto& [key, text] : file.metadata)
    if (text.ends_with(".0")) text.resize(text.size() - 2);
  save_safetensors(folder / "old", file.tensors, file.metadata);
  Net other;
  optim::Adam others(other->parameters());
  CHECK(load_checkpoint(folder / "old", *other, others) == Metadata{{"note", "7"}});
  CHECK(equal(state_of(*other), state_of(*net)));
  CHECK(equal(others.state_dict(), adam.state_dict()));
}

TEST_CASE("a checkpoint that does not fit changes neither module nor optimizer nor generator") {
  const TemporaryFolder folder;
  Net net, larger(5);
  optim::Adam adam(net->parameters()), larger_adam(larger->parameters());
  optim::SGD sgd(net->parameters(), optim::SGDOptions(0.1).momentum(0.9));
  train(net, sgd, 2);
  save_checkpoint(folder / "sgd", *net, sgd);
  train(larger, larger_adam, 2);
  save_checkpoint(folder / "larger", *larger, larger_adam);
  train(net, adam, 2);
  save(net, folder / "weights");

  const auto state = state_of(*net);
  const auto optimizer = snapshot(adam);
  const auto generator = default_generator().get_state();
  CHECK_THROWS_AS(load_checkpoint(folder / "sgd", *net, adam), ValueError);
  CHECK_THROWS_AS(load_checkpoint(folder / "larger", *net, adam), ValueError);
  CHECK_THROWS_AS(load_checkpoint(folder / "weights", *net, adam), ValueError);
  CHECK_THROWS_AS(load_checkpoint(folder / "missing", *net, adam), IOError);
  CHECK_THROWS_AS(save_checkpoint(folder / "bad", *net, adam, {{"optimizer.x", "1"}}), ValueError);
  CHECK(equal(state_of(*net), state));
  CHECK(equal(adam.state_dict(), optimizer));
  CHECK(default_generator().get_state() == generator);
}
