// Modules: names, traversal, modes, state, cloning, layers and their first values.
#include <memory>
#include <sstream>

#include "support/nn_oracle.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/autograd/functions/matmul.h"
#include "tapir/tapir.h"

using namespace tapir;
using Names = std::vector<std::string>;

namespace {

struct BlockImpl : nn::Cloneable<BlockImpl> {
  BlockImpl(int64_t in, int64_t out) : in_(in), out_(out) { reset(); }
  void reset() override {
    fc = register_module("fc", nn::Linear(in_, out_));
    scale = register_parameter("scale", full({out_}, 2.0));
    calls = register_buffer("calls", zeros({1}, kInt64));
    scratch = register_buffer("scratch", ones({2}), false);
  }
  Tensor forward(const Tensor& x) { return fc(x) * scale; }
  int64_t in_, out_;
  nn::Linear fc{nullptr};
  Tensor scale, calls, scratch;
};
TAPIR_MODULE(Block);

struct NetImpl : nn::Module {
  NetImpl()
      : first(register_module("first", Block(3, 4))),
        second(register_module("second", nn::Linear(nn::LinearOptions(4, 2).bias(false)))) {
    weight = register_parameter("weight", ones({2}));
  }
  Tensor forward(const Tensor& x, int64_t times = 1) {
    Tensor h = first(x);
    return second(h) * weight * times;
  }
  Block first;
  nn::Linear second;
  Tensor weight;
};
TAPIR_MODULE(Net);

}  // namespace

TEST_CASE("Parameters, buffers and modules have dotted names in order of registration") {
  Net net;
  CHECK(net->named_parameters().keys() ==
        Names{"weight", "first.scale", "first.fc.weight", "first.fc.bias", "second.weight"});
  CHECK(net->named_parameters(false).keys() == Names{"weight"});
  CHECK(net->parameters().size() == 5);
  CHECK(net->named_buffers().keys() == Names{"first.calls", "first.scratch"});
  CHECK(net->named_children().keys() == Names{"first", "second"});
  CHECK(net->named_modules().keys() == Names{"", "first", "first.fc", "second"});
  CHECK(net->named_modules("net", false).keys() == Names{"net.first", "net.first.fc", "net.second"});
  CHECK(net->modules(false).size() == 3);
  for (const auto& [name, parameter] : net->named_parameters()) {
    CHECK(parameter.requires_grad());
    CHECK(!name.empty());
  }
}

TEST_CASE("A module that is registered twice counts once") {
  struct TwiceImpl : nn::Module {
    TwiceImpl() {
      register_module("a", shared);
      register_module("b", shared);
    }
    nn::Linear shared{2, 2};
  };
  const auto twice = std::make_shared<TwiceImpl>();
  CHECK(twice->named_parameters().keys() == Names{"a.weight", "a.bias"});
  CHECK(twice->state_dict().keys() == Names{"a.weight", "a.bias", "b.weight", "b.bias"});
  CHECK(twice->modules(false).size() == 1);
}

TEST_CASE("apply visits every module with its path") {
  Net net;
  Names seen;
  net->apply([&](const std::string& path, nn::Module& m) { seen.push_back(path + ":" + m.name()); });
  CHECK(seen.size() == 4);
  CHECK(seen[2] == "first.fc:tapir::nn::LinearImpl");
  int linears = 0;
  net->apply([&](nn::Module& m) { linears += m.as<nn::Linear>() != nullptr; });
  CHECK(linears == 2);
  int held = 0;
  net->apply([&](const std::shared_ptr<nn::Module>& m) { held += m->is_training(); });
  CHECK(held == 4);
}

TEST_CASE("Modes reach every module") {
  Net net;
  CHECK(net->is_training());
  net->eval();
  net->apply([](nn::Module& m) { CHECK(!m.is_training()); });
  net->train();
  CHECK(net->first->fc->is_training());
  nn::Dropout dropout(0.5);
  const Tensor x = ones({100});
  CHECK(values::of(dropout(x)) != values::of(x));
  dropout->eval();
  CHECK(values::of(dropout(x)) == values::of(x));
}

TEST_CASE("Gradients are dropped or zeroed") {
  Net net;
  net(randn({5, 3})).backward(randn({5, 2}));
  net->zero_grad(false);
  for (const Tensor& p : net->parameters())
    CHECK(values::of(p.grad()) == std::vector<double>(static_cast<size_t>(p.numel()), 0));
  net->zero_grad();
  for (const Tensor& p : net->parameters()) CHECK(!p.grad().defined());
}

TEST_CASE("to casts in place, and handles stay valid") {
  Net net;
  const Tensor x = randn({5, 3});
  const Tensor before = net(x);
  before.backward(ones_like(before));
  net->to(kFloat64);
  CHECK(net->first->fc->weight.dtype() == kFloat64);
  CHECK(net->first->fc->weight.grad().dtype() == kFloat64);
  CHECK(net->first->calls.dtype() == kInt64);
  const auto a = values::of(before), b = values::of(net(x.to(kFloat64)));
  for (size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) < 1e-5);
  CHECK_THROWS_AS(net->to(kInt64), DTypeError);
  net->zero_grad();
  net(x.to(kFloat64)).backward(ones({5, 2}, kFloat64));
  CHECK(net->weight.grad().dtype() == kFloat64);
}

TEST_CASE("state_dict and load_state_dict carry a module's values by name") {
  Net a, b;
  auto state = a->state_dict();
  CHECK(state.keys() ==
        Names{"weight", "first.scale", "first.calls", "first.fc.weight", "first.fc.bias", "second.weight"});
  const Tensor weight = b->first->fc->weight;
  b->load_state_dict(state);
  CHECK(values::of(weight) == values::of(a->first->fc->weight));
  CHECK(weight.is_same(b->first->fc->weight));
  const Tensor x = randn({5, 3});
  CHECK(values::of(a(x)) == values::of(b(x)));
  CHECK(!state["weight"].requires_grad());
  state["weight"].fill_(7);
  CHECK(values::of(a->weight) == std::vector<double>{7, 7});
}

TEST_CASE("A state that does not fit is refused whole, and every entry is named") {
  Net net;
  auto state = Net()->state_dict();
  state.erase("second.weight");
  state.insert("third.weight", ones({1}));
  state["first.fc.bias"] = ones({5});
  const auto before = values::of(net->first->fc->weight);
  try {
    net->load_state_dict(state);
    FAIL("it was loaded");
  } catch (const ValueError& e) {
    const std::string message = e.what();
    CHECK(message.find("missing: second.weight (float32, sizes [2, 4])") != std::string::npos);
    CHECK(message.find("unexpected: third.weight") != std::string::npos);
    CHECK(message.find("misfitting: first.fc.bias has sizes [5], the module's has [4]") != std::string::npos);
  }
  CHECK(values::of(net->first->fc->weight) == before);
  CHECK_THROWS_AS(net->load_state_dict(state, false), ValueError);
  state["first.fc.bias"] = ones({4}, kFloat64);
  net->load_state_dict(state, false);
  CHECK(values::of(net->first->fc->bias) == std::vector<double>(4, 1));
  CHECK(values::of(net->first->fc->weight) != before);
}

TEST_CASE("A clone shares nothing") {
  Block a(3, 4);
  a->eval();
  a->fc->weight.set_requires_grad(false);
  const auto copy = std::dynamic_pointer_cast<BlockImpl>(a->clone());
  REQUIRE(copy);
  CHECK(!copy->is_training());
  CHECK(!copy->fc->weight.requires_grad());
  const Tensor x = randn({2, 3});
  CHECK(values::of(copy->forward(x)) == values::of(a(x)));
  {
    NoGradGuard no_grad;
    copy->fc->weight.zero_();
    copy->scale.zero_();
  }
  CHECK(values::of(a->scale) == std::vector<double>(4, 2));
  CHECK(values::of(a(x)) != values::of(copy->forward(x)));
  CHECK(copy->named_parameters()["fc.weight"].is_same(copy->fc->weight));
  CHECK_THROWS_AS(Net()->clone(), ValueError);
  auto table = nn::Embedding::from_pretrained(randn({3, 2}));
  const auto first = values::of(table->weight);
  const auto other = std::dynamic_pointer_cast<nn::EmbeddingImpl>(table->clone());
  CHECK(values::of(other->weight) == first);
  other->weight.zero_();
  CHECK(values::of(table->weight) == first);
}

TEST_CASE("Names that cannot be told apart are refused") {
  struct M : nn::Module {};
  M m;
  m.register_parameter("a", ones({1}));
  CHECK_THROWS_AS(m.register_parameter("a", ones({1})), ValueError);
  CHECK_THROWS_AS(m.register_buffer("a", ones({1})), ValueError);
  CHECK_THROWS_AS(m.register_module("a", nn::Identity()), ValueError);
  CHECK_THROWS_AS(m.register_parameter("a.b", ones({1})), ValueError);
  CHECK_THROWS_AS(m.register_parameter("", ones({1})), ValueError);
  CHECK_THROWS_AS(m.register_parameter("c", ones({1}).requires_grad_() * 2), AutogradError);
  CHECK_THROWS_AS(m.register_module("d", nn::Linear(nullptr)), ValueError);
  CHECK_THROWS_AS(m.replace_module("d", nn::Identity()), IndexError);
  m.register_module("d", nn::Identity());
  m.replace_module("d", nn::Tanh());
  CHECK(m.named_children()["d"]->as<nn::Tanh>() != nullptr);
  m.unregister_module("d");
  CHECK(m.children().empty());
  CHECK_THROWS_AS(m.modules(), ValueError);  // not held by a shared_ptr
}

TEST_CASE("A holder gives its module away as a pointer, and takes one") {
  struct Two : nn::ModuleHolder<nn::LinearImpl> {
    using nn::ModuleHolder<nn::LinearImpl>::ModuleHolder;
    void renew() { impl_ = std::make_shared<nn::LinearImpl>(3, 4); }
    bool none() const { return impl_ == nullptr; }
  };
  Two two(2, 2);
  auto& pointer = two.ptr();
  CHECK(pointer.get() == two.get());
  CHECK(pointer.use_count() == 2);
  CHECK(pointer->shared_from_this() == pointer);
  const std::shared_ptr<nn::Module> base = two.ptr();
  two.renew();
  CHECK(two->options.in_features() == 3);
  CHECK(base->as<nn::Linear>()->options.in_features() == 2);
  two = Two(nullptr);
  CHECK(two.none());
  CHECK(two.is_empty());
  two = Two(std::dynamic_pointer_cast<nn::LinearImpl>(base));
  CHECK(two.ptr() == base);
}

TEST_CASE("An empty holder says what is wrong") {
  nn::Linear fc{nullptr};
  CHECK(fc.is_empty());
  CHECK_THROWS_AS(fc(ones({1})), ValueError);
  CHECK_THROWS_AS(fc->weight, ValueError);
  fc = nn::Linear(4, 5);
  CHECK(fc(ones({1, 4})).sizes() == IntArrayRef({1, 5}));
}

TEST_CASE("Modules print as in libtorch") {
  Net net;
  std::ostringstream out;
  out << net;
  CHECK(out.str().find("(second): tapir::nn::Linear(in_features=4, out_features=2, bias=false)") !=
        std::string::npos);
  CHECK(out.str().find("    (fc): tapir::nn::Linear(in_features=3, out_features=4, bias=true)") !=
        std::string::npos);
  std::ostringstream flags;
  flags << nn::Linear(2, 3) << true;  // which prints a bool
  CHECK(flags.str().back() == '1');
}

TEST_CASE("The same seed gives the parameters that PyTorch gives") {
  manual_seed(7);
  const auto check = [](const std::string& name, const nn::Module& module) {
    for (const auto& p : module.named_parameters())
      nn_oracle::check("init." + name + "." + p.key(), p.value(), 0);
  };
  check("linear", *nn::Linear(3, 2));
  check("big_linear", *nn::Linear(9, 5));
  check("embedding", *nn::Embedding(nn::EmbeddingOptions(4, 3).padding_idx(1)));
  check("big_embedding", *nn::Embedding(7, 5));
  check("lstm_cell", *nn::LSTMCell(2, 3));
  check("lstm", *nn::LSTM(nn::LSTMOptions(2, 3).num_layers(2).bidirectional(true)));
  manual_seed(8);
  using namespace nn::init;
  nn_oracle::check("init.xavier_uniform", xavier_uniform_(empty({4, 3})), 0);
  nn_oracle::check("init.xavier_normal", xavier_normal_(empty({5, 6}), 1.5), 0);
  nn_oracle::check("init.kaiming_uniform", kaiming_uniform_(empty({4, 3, 2}), 0, kFanIn, kReLU), 0);
  nn_oracle::check("init.kaiming_normal", kaiming_normal_(empty({5, 4}), 0.2, kFanOut), 0);
  nn_oracle::check("init.orthogonal_tall", orthogonal_(empty({6, 4})), 1e-5);  // float32 QR there
  nn_oracle::check("init.orthogonal_wide", orthogonal_(empty({3, 2, 4}), 2), 1e-5);
}

TEST_CASE("An embedding picks rows, and its padding row learns nothing") {
  nn::Embedding table(nn::EmbeddingOptions(5, 3).padding_idx(-2));
  CHECK(values::of(table->weight[3]) == std::vector<double>(3, 0));
  const Tensor y = table(tensor({{0, 3}, {3, 4}}));
  CHECK(y.sizes() == IntArrayRef({2, 2, 3}));
  CHECK(values::of(y[1][1]) == values::of(table->weight[4]));
  y.backward(ones_like(y));
  CHECK(values::of(table->weight.grad()[3]) == std::vector<double>(3, 0));
  CHECK(values::of(table->weight.grad()[4]) == std::vector<double>(3, 1));
  CHECK_THROWS_AS(table(tensor({5})), IndexError);
  CHECK_THROWS_AS(nn::Embedding(nn::EmbeddingOptions(5, 3).padding_idx(5)), ValueError);
  const Tensor rows = randn({4, 2});
  auto frozen = nn::Embedding::from_pretrained(rows);
  CHECK(!frozen->weight.requires_grad());
  CHECK(values::of(frozen(tensor({2}))) == values::of(rows.narrow(0, 2, 1)));
}

TEST_CASE("Losses agree with their formulas") {
  namespace F = nn::functional;
  const Tensor x = randn({4, 3}, kFloat64), target = tensor({0, 2, 1, 1});
  const auto p = values::of(F::log_softmax(x, 1));
  const double picked[] = {-p[0], -p[5], -p[7], -p[10]};
  nn::CrossEntropyLoss mean;
  CHECK(mean(x, target).item<double>() == Approx((picked[0] + picked[1] + picked[2] + picked[3]) / 4));
  const Tensor weight = tensor({1.0, 2.0, 3.0}, kFloat64);
  nn::CrossEntropyLoss weighted(nn::CrossEntropyLossOptions().weight(weight).reduction(kSum).ignore_index(0));
  CHECK(weighted(x, target).item<double>() == Approx(3 * picked[1] + 2 * picked[2] + 2 * picked[3]));
  nn::NLLLoss none(nn::NLLLossOptions().reduction(kNone));
  const auto each = values::of(none(F::log_softmax(x, 1), target));
  for (size_t i = 0; i < 4; ++i) CHECK(each[i] == Approx(picked[i]));
  CHECK(nn::MSELoss(kSum)(x, zeros_like(x)).item<double>() ==
        Approx(F::mse_loss(x, zeros_like(x)).item<double>() * 12));
}
