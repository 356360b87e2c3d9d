// Files of Python's and of libtorch's loaded into tensors, lists, modules and optimizers.
#include <sstream>

#include "support/catch.h"
#include "support/hostile.h"
#include "support/pt_files.h"
#include "tapir/io/archive.h"
#include "tapir/io/serialize.h"
#include "tapir/nn/activation.h"
#include "tapir/nn/batch_norm.h"
#include "tapir/nn/linear.h"
#include "tapir/nn/sequential.h"
#include "tapir/optim/adam.h"
#include "tapir/optim/adamw.h"
#include "tapir/optim/asgd.h"
#include "tapir/optim/lbfgs.h"
#include "tapir/optim/rmsprop.h"
#include "tapir/optim/rprop.h"
#include "tapir/optim/sgd.h"

using namespace tapir;
using namespace tapir::pt_files;

namespace {

// What load(value, ...) gives for a file, by path, and for a stream of it.
template <class T>
std::vector<T> loaded(const std::string& path) {
  std::vector<T> results(2);
  load(results[0], path);
  std::istringstream stream(read_file(path));
  load(results[1], stream);
  return results;
}

struct NetImpl : nn::Module {
  NetImpl() : fc(3, 2), layers(nn::BatchNorm1d(2), nn::ReLU(), nn::Linear(2, 1)) {
    register_module("fc", fc);
    register_module("layers", layers);
    scale = register_parameter("scale", values::make({0, 0}, {2}, kFloat32));
    count = register_buffer("count", values::make({9, 9, 9}, {3}, kInt64));
  }
  nn::Linear fc;
  nn::Sequential layers;
  Tensor scale, count;
};
TAPIR_MODULE(Net);

// Resumes from the state after two steps, in a file, and compares the third with what PyTorch did.
template <class Optimizer, class Options>
void check_optimizer(const std::string& name, Options options) {
  INFO(name);
  const std::string path = file(name);
  std::vector<Tensor> steps;
  load(steps, file(name + "_steps"));
  for (const bool from_stream : {false, true}) {
    std::vector<Tensor> params{raw::clone(steps[0]).requires_grad_(), raw::clone(steps[1]).requires_grad_()};
    Optimizer optimizer(
        std::vector<optim::OptimizerParamGroup>{std::vector{params[0]}, std::vector{params[1]}}, options);
    if (from_stream) {
      std::istringstream stream(read_file(path));
      load(optimizer, stream);
    } else {
      load(optimizer, path);
    }
    CHECK(optimizer.state().size() == 2);
    CHECK(optimizer.param_groups()[0].options().get_lr() == 0.5);
    CHECK(optimizer.param_groups()[1].options().get_lr() == 0.25);
    for (const Tensor& p : params)
      p.mutable_grad() =
          values::make(std::vector<double>(static_cast<size_t>(p.numel()), 3), p.sizes(), kFloat32);
    optimizer.step();
    for (size_t i = 0; i < 2; ++i) {
      const auto got = values::of(params[i].detach()), expected = values::of(steps[2 + i]);
      REQUIRE(got.size() == expected.size());
      for (size_t j = 0; j < got.size(); ++j) CHECK(got[j] == Approx(expected[j]).epsilon(1e-6));
    }
  }
}

}  // namespace

TEST_CASE("load reads tensors and lists of tensors that Python or libtorch saved") {
  for (const char* name : {"tensor", "libtorch_tensor"})
    for (const Tensor& t : loaded<Tensor>(file(name))) {
      INFO(name);
      CHECK(values::of(t) == std::vector<double>{0, 3, 1, 4, 2, 5});
      CHECK(t.strides().vec() == std::vector<int64_t>{1, 3});
      CHECK_FALSE(t.requires_grad());
    }
  for (const char* name : {"tensor_legacy", "libtorch_requires"})
    for (const Tensor& t : loaded<Tensor>(file(name))) {
      INFO(name);
      CHECK(values::of(t.detach()) == std::vector<double>{1, 1});
      CHECK(t.requires_grad());
      CHECK(t.is_leaf());
    }
  using Tensors = std::vector<Tensor>;
  for (const Tensors& list : loaded<Tensors>(file("list"))) {
    REQUIRE(list.size() == 5);
    CHECK_SAME(list[0], counting({12}, kFloat32));
    raw::fill(list[1], -1);  // they share memory, as in Python
    CHECK(values::of(list[0]) == std::vector<double>{0, 1, -1, 3, -1, 5, -1, 7, 8, 9, 10, 11});
    CHECK_SAME(list[2], values::make({2.5}, IntArrayRef{}, kFloat64));
    CHECK(values::sizes(list[3]) == std::vector<int64_t>{0, 4});
    CHECK(list[4].requires_grad());
  }
  for (const Tensors& list : loaded<Tensors>(file("tuple"))) {
    REQUIRE(list.size() == 2);
    CHECK_SAME(list[0], counting({3}, kInt64));
    CHECK_SAME(list[1], values::make({1, 0}, {2}, kBool));
  }
  for (const Tensors& list : loaded<Tensors>(file("libtorch_list"))) {
    REQUIRE(list.size() == 12);
    for (int64_t i = 0; i < 12; ++i)
      CHECK_SAME(list[static_cast<size_t>(i)],
                 values::make(std::vector<double>(static_cast<size_t>(i % 3), static_cast<double>(i)),
                              {i % 3}, i % 2 ? kFloat32 : kInt64));
  }
  CHECK(loaded<Tensors>(file("tensor"))[0].size() == 1);

  // What is loaded does not show the file.
  const TemporaryFolder temporary;
  write_file(temporary / "t.pt", read_file(file("tensor")));
  Tensor t;
  load(t, temporary / "t.pt", Device(kCPU));
  write_file(temporary / "t.pt", "");
  CHECK(values::of(t) == std::vector<double>{0, 3, 1, 4, 2, 5});
}

TEST_CASE("files of PyTorch's that hold something else than asked for are told, and change nothing") {
  const Tensor before = counting({2}, kFloat32);
  Tensor t = before;
  std::vector<Tensor> list{before};
  const auto of_tensor = [&](const char* name) { return message_of<IOError>([&] { load(t, file(name)); }); };
  const auto of_list = [&](const char* name) { return message_of<IOError>([&] { load(list, file(name)); }); };
  CHECK(contains(of_tensor("list"), "it holds 5 tensors, expected one"));
  CHECK(contains(of_tensor("libtorch_list"), "it holds 12 tensors, expected one"));
  CHECK(
      contains(of_tensor("state_dict"), "it holds a dict, expected a tensor, or a list or tuple of tensors"));
  CHECK(contains(of_tensor("refused_system"), "\"posix.system\""));
  CHECK(contains(of_list("state_dict"), "load_pt reads it"));
  CHECK(contains(of_list("mixed"), "item 1 is a string, expected a tensor"));
  CHECK(contains(of_list("libtorch_net"), "it holds a module with \"scale\", expected tensors alone"));
  CHECK(contains(of_list("libtorch_archive"), "it holds a module with"));
  CHECK(contains(of_list("missing"), "missing.pt"));
  for (const char* name : {"tensor", "tensor_legacy", "libtorch_tensor"}) {
    std::string bytes = read_file(file(name));
    bytes.resize(bytes.size() - 30);
    std::istringstream cut(bytes);
    CHECK_THROWS_AS(load(t, cut), IOError);
  }
  CHECK(t.is_same(before));
  CHECK((list.size() == 1 && list[0].is_same(before)));

  nn::Linear fc(3, 4);
  const Tensor weight = raw::clone(fc->weight.detach());
  CHECK_THROWS_AS(load(fc, file("tensor")), ValueError);
  CHECK_THROWS_AS(load(fc, file("libtorch_net")), ValueError);
  CHECK_THROWS_AS(load(fc, file("optimizer_sgd")), ValueError);
  CHECK_SAME(fc->weight.detach(), weight);
}

TEST_CASE("modules that libtorch or TorchScript saved are read without their programs") {
  Net net, of_stream;
  load(net, file("libtorch_net"));
  std::istringstream stream(read_file(file("libtorch_net")));
  load(of_stream, stream);
  for (const Net& n : {net, of_stream}) {
    CHECK(values::of(n->scale.detach()) == std::vector<double>{7, 7});
    CHECK(values::of(n->count) == std::vector<double>{0, 1, 2});
    CHECK(n->scale.requires_grad());
  }
  const GenericDict all = load_pt(file("libtorch_net")).toGenericDict();
  CHECK(all.size() == 4);
  CHECK_SAME(all.at("fc").toGenericDict().at("weight").toTensor().detach(), net->fc->weight.detach());
  const GenericDict layers = all.at("layers").toGenericDict();
  CHECK(layers.at("1").toGenericDict().empty());
  CHECK(layers.at("0").toGenericDict().at("num_batches_tracked").toTensor().dtype() == kInt64);

  nn::Sequential sequential(nn::Linear(2, 3), nn::ReLU(), nn::Linear(3, 1));
  load(sequential, file("libtorch_sequential"));
  CHECK_SAME(sequential->state_dict()["2.bias"], load_pt(file("libtorch_sequential"))
                                                     .toGenericDict()
                                                     .at("2")
                                                     .toGenericDict()
                                                     .at("bias")
                                                     .toTensor()
                                                     .detach());

  // Of torch.jit.script(...).save(), with attributes such as "training".
  nn::Sequential scripted(nn::Linear(2, 2), nn::ReLU(), nn::BatchNorm1d(2));
  load(scripted, file("script"));
  CHECK(load_pt(file("script")).toGenericDict().at("training").toBool());

  serialize::InputArchive archive, nested;
  archive.load_from(file("libtorch_archive"));
  Tensor x, y;
  IValue n, text, real, list;
  archive.read("x", x);
  archive.read("n", n);
  archive.read("text", text);
  archive.read("real", real);
  archive.read("list", list);
  archive.read("nested", nested);
  nested.read("y", y);
  CHECK_SAME(x, counting({4}, kInt64));
  CHECK(n.toInt() == 3);
  CHECK(text.toStringRef() == "hi");
  CHECK(real.toDouble() == 2.5);
  CHECK(list.toIntVector() == std::vector<int64_t>{1, 2});
  CHECK(values::of(y) == std::vector<double>{1, 1});
}

TEST_CASE("optimizers that Python or libtorch saved are resumed") {
  using namespace optim;
  check_optimizer<SGD>("optimizer_sgd", SGDOptions(1));
  check_optimizer<Adam>("optimizer_adam", AdamOptions(1));
  check_optimizer<Rprop>("optimizer_rprop", RpropOptions(1));
  check_optimizer<ASGD>("optimizer_asgd", ASGDOptions(1));
  check_optimizer<SGD>("libtorch_sgd", SGDOptions(1));
  check_optimizer<Adam>("libtorch_adam", AdamOptions(1));
  check_optimizer<RMSprop>("libtorch_rmsprop", RMSpropOptions(1));

  const Tensor w = counting({2, 3}, kFloat32).requires_grad_(), b = counting({2}, kFloat32).requires_grad_();
  SGD one({w, b}, SGDOptions(1));
  CHECK(contains(message_of<ValueError>([&] { load(one, file("optimizer_sgd")); }),
                 "its groups have 1, 1 parameters, the optimizer's 2"));
  CHECK(contains(message_of<IOError>([&] { load(one, file("training")); }), "no optimizer's state"));
  CHECK(contains(message_of<IOError>([&] { load(one, file("tensor")); }), "no optimizer's state"));
  CHECK(contains(message_of<IOError>([&] { load(one, file("libtorch_net")); }), "no optimizer's state"));
  LBFGS lbfgs({b}, LBFGSOptions(1));
  CHECK(contains(message_of<IOError>([&] { load(lbfgs, file("optimizer_lbfgs")); }), "LBFGS"));
  Adam adam(std::vector<OptimizerParamGroup>{std::vector{w}, std::vector{b}}, AdamOptions(1));
  CHECK(contains(message_of<ValueError>([&] { load(adam, file("optimizer_sgd")); }),
                 "unexpected: state.0.momentum_buffer"));
  CHECK(adam.state().empty());
  CHECK(adam.param_groups()[0].options().get_lr() == 1);

  // What other versions of PyTorch write.
  const TemporaryFolder temporary;
  GenericDict group, state;
  group.insert_or_assign("lr", 0.5);
  group.insert_or_assign("initial_lr", 2);
  group.insert_or_assign("fused", true);
  group.insert_or_assign("decoupled_weight_decay", true);
  group.insert_or_assign("params", GenericList({7}));
  GenericDict all;
  all.insert_or_assign("state", state);
  all.insert_or_assign("param_groups", GenericList({group}));
  save_pt(temporary / "o.pt", all);
  AdamW adamw({b}, AdamWOptions(1));
  load(adamw, temporary / "o.pt");
  CHECK(adamw.param_groups()[0].options().get_lr() == 0.5);
  CHECK(adamw.param_groups()[0].initial_lr() == 2.0);
  Adam coupled({b}, AdamOptions(1));
  CHECK(contains(message_of<ValueError>([&] { load(coupled, temporary / "o.pt"); }),
                 "unexpected: param_groups.0.decoupled_weight_decay"));
  state.insert_or_assign(8, GenericDict());
  save_pt(temporary / "o.pt", all);
  CHECK(contains(message_of<ValueError>([&] { load(adamw, temporary / "o.pt"); }),
                 "the state of 1 parameters, of which 0"));
  group.insert_or_assign("betas", GenericList({1}));
  save_pt(temporary / "o.pt", all);
  CHECK_THROWS_AS(load(adamw, temporary / "o.pt"), Error);
}

TEST_CASE("objects are their attributes, and what only a program could read is refused") {
  const std::string made = kStart + "c__torch__.M\nModule\n)\x81";
  const auto load = [&](const std::string& pickle) {
    std::istringstream in(script(pickle));
    return load_pt(in);
  };
  const auto refusal = [&](const std::string& pickle) { return message_of<IOError>([&] { load(pickle); }); };
  CHECK(load(made + "}X\1" + std::string(3, '\0') + "aK\5sb.").toGenericDict().at("a").toInt() == 5);
  CHECK(contains(refusal(made + "."), "a mark or a name"));
  CHECK(contains(refusal(made + "q\1}h\1s."), "a mark or a name"));
  CHECK(contains(refusal(made + "Nb."), "whose state is nothing"));
  CHECK(contains(refusal(made + "q\1}K\1h\1sb."), "a mark or a name"));
  CHECK(contains(refusal(kStart + "c__torch__.M\nModule\n)R."), "refused a call of a TorchScript class"));
  CHECK(contains(refusal(made + ")R."), "refused a call of a TorchScript class"));
  CHECK(contains(refusal(made + ")\x81."), "refused a new object"));
  CHECK(contains(refusal(kStart + "c__torch__.M\nModule\nK\1\x85\x81."), "with arguments"));
  CHECK(contains(refusal(kStart + "ccollections\nOrderedDict\n)\x81."), "refused a new object"));
  CHECK(contains(refusal(kStart + "N)\x81."), "refused a new object"));
  CHECK(contains(refusal(kStart + "\x81."), "empty stack"));
  CHECK(contains(refusal(kStart + "c__torch__.torch.classes.quantized\nParams\n)\x81."),
                 "refused \"__torch__"));
  CHECK(contains(refusal(kStart + "c__torch__x\nM\n."), "refused \"__torch__x.M\""));
  CHECK(contains(refusal(kStart + "cos\nsystem\n)\x81."), "refused \"os.system\""));
  // In a file without code an object is one of Python's.
  CHECK(contains(fault(made + "}b."), "refused \"__torch__.M.Module\""));
  std::string deep = kStart;
  for (int i = 0; i < 300; ++i) deep += "c__torch__.M\nModule\n)\x81}K\1";
  deep += "N";
  for (int i = 0; i < 300; ++i) deep += "sb";
  CHECK(contains(refusal(deep + "."), "nested more than 200 deep"));

  // Each dict holds the one before twice: 2^100 entries in all.
  std::string doubled = made + "}b";
  for (int i = 0; i < 100; ++i) {
    const std::string kept = std::string("q") + static_cast<char>(i),
                      recall = std::string("h") + static_cast<char>(i);
    doubled += kept + "0c__torch__.M\nModule\n)\x81}(K\1" + recall + "K\2" + recall + "ub";
  }
  const TemporaryFolder temporary;
  write_file(temporary / "doubled.pt", script(doubled + "."));
  CHECK(load_pt(temporary / "doubled.pt").toGenericDict().size() == 2);
  nn::Linear fc(1, 1);
  CHECK(
      contains(message_of<IOError>([&] { tapir::load(fc, temporary / "doubled.pt"); }), "too many entries"));
  serialize::InputArchive input;
  CHECK(
      contains(message_of<IOError>([&] { input.load_from(temporary / "doubled.pt"); }), "too many entries"));

  // A tensor that repeats one element more often than there is memory for takes no more than the element.
  const std::string size = std::string("\x8a\6") + std::string(5, '\0') + "\1";
  write_file(temporary / "repeated.pt",
             archive(tensor_pickle(std::string("K\0", 2), size + "\x85", std::string("K\0\x85", 3)),
                     {std::string(16, '\0')}));
  Tensor repeated;
  tapir::load(repeated, temporary / "repeated.pt");
  CHECK(repeated.numel() == int64_t{1} << 40);
  CHECK(repeated.storage().nbytes() == 16);
}

TEST_CASE(
    "files of libtorch's and of the old format that are cut short or changed give a value or an IOError") {
  for (const char* name : {"libtorch_requires", "tensor_legacy", "libtorch_archive"}) {
    const std::string bytes = read_file(file(name));
    const auto load = [](std::istream& in) { touch_all(load_pt(in)); };
    check_cut_short<IOError>(bytes, load);
    check_bits_flipped<IOError>(bytes, load);
  }
  const std::string legacy = read_file(file("tensor_legacy"));
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string bytes = legacy;
    const size_t at = bytes.rfind(from);
    REQUIRE(at != bytes.npos);
    bytes.replace(at, from.size(), to);
    return message_of<IOError>([&] { load_bytes(bytes); });
  };
  const std::string two = std::string("\2") + std::string(7, '\0');
  CHECK(contains(changed(two, "\3" + std::string(7, '\0')), "has 3 elements, but a tensor refers to 2"));
  CHECK(contains(changed("M\xe9\3.", "M\xea\3."), "version 1001"));
  CHECK(contains(changed("little_endian", "little_indian"), "not little-endian"));
}
