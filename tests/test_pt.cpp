#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "support/catch.h"
#include "support/hostile.h"
#include "support/temporary_folder.h"
#include "support/tensors.h"
#include "support/values.h"
#include "tapir/io/archive.h"
#include "tapir/io/npy.h"
#include "tapir/io/pt.h"
#include "tapir/io/serialize.h"
#include "tapir/io/zip.h"
#include "tapir/nn/activation.h"
#include "tapir/nn/batch_norm.h"
#include "tapir/nn/linear.h"
#include "tapir/nn/rnn.h"
#include "tapir/nn/sequential.h"
#include "tapir/optim/adam.h"
#include "tapir/optim/adamw.h"
#include "tapir/optim/asgd.h"
#include "tapir/optim/lbfgs.h"
#include "tapir/optim/rmsprop.h"
#include "tapir/optim/rprop.h"
#include "tapir/optim/sgd.h"

using namespace tapir;

namespace {

std::string file(const std::string& name) { return TAPIR_TEST_DIR "/oracle/pt/" + name + ".pt"; }

// 0, 1, 2, ... (bool: odd or not)
Tensor counting(IntArrayRef sizes, DType dtype) {
  std::vector<double> v(static_cast<size_t>(count(sizes)));
  for (size_t i = 0; i < v.size(); ++i) v[i] = dtype == kBool ? i % 2 : static_cast<double>(i);
  return values::make(v, sizes, dtype);
}

// An archive with that pickle and those storages, as torch.save lays it out.
std::string archive(const std::string& pickle, const std::vector<std::string>& storages = {},
                    const std::string& byteorder = "little") {
  std::string bytes;
  io::ZipWriter zip([&](const void* data, size_t n) { bytes.append(static_cast<const char*>(data), n); });
  zip.add("x/data.pkl", pickle);
  zip.add("x/byteorder", byteorder);
  for (size_t i = 0; i < storages.size(); ++i) zip.add("x/data/" + std::to_string(i), storages[i]);
  zip.finish();
  return bytes;
}

IValue load_bytes(const std::string& bytes) {
  std::istringstream in(bytes);
  return load_pt(in);
}

std::string fault(const std::string& pickle, const std::vector<std::string>& storages = {},
                  const std::string& byteorder = "little") {
  return message_of<IOError>([&] { load_bytes(archive(pickle, storages, byteorder)); });
}

// An archive of libtorch's: there is code beside the pickle.
std::string script(const std::string& pickle, const std::vector<std::string>& storages = {}) {
  std::string bytes;
  io::ZipWriter zip([&](const void* data, size_t n) { bytes.append(static_cast<const char*>(data), n); });
  zip.add("x/data.pkl", pickle);
  zip.add("x/code/__torch__.py", "raise SystemExit");
  for (size_t i = 0; i < storages.size(); ++i) zip.add("x/data/" + std::to_string(i), storages[i]);
  zip.finish();
  return bytes;
}

// Reads all of a value, so that a sanitizer sees an address outside of a storage.
void touch_all(const IValue& v) {
  if (v.isTensor()) touch(v.toTensor());
  if (v.isList())
    for (const IValue& x : v.toList()) touch_all(x);
  if (v.isTuple())
    for (const IValue& x : v.toTupleRef().elements()) touch_all(x);
  if (v.isGenericDict())
    for (const auto& entry : v.toGenericDict()) touch_all(entry.value());
}

const std::string kStart = "\x80\x02";
const std::string kStorage = "(X\x07" + std::string(3, '\0') + "storagectorch\nFloatStorage\nX\1" +
                             std::string(3, '\0') + "0X\3" + std::string(3, '\0') + "cpuK\4tQ";
// A float tensor of sizes and strides (pickled) in a storage of four elements.
std::string tensor_pickle(const std::string& offset, const std::string& sizes, const std::string& strides,
                          const std::string& storage = kStorage) {
  return kStart + "ctorch._utils\n_rebuild_tensor_v2\n(" + storage + offset + sizes + strides +
         "\x89"
         "ccollections\nOrderedDict\n)RtR.";
}

}  // namespace

TEST_CASE("what torch.save writes is read: tensors of every dtype, their views, and plain containers") {
  for (const char* name : {"everything", "everything_protocol4", "legacy"}) {
    INFO(name);
    const GenericDict all = load_pt(file(name)).toGenericDict();
    const GenericDict tensors = all.at("tensors").toGenericDict();
    CHECK(tensors.size() == std::size(kAllDTypes));
    for (const DType dtype : kAllDTypes)
      CHECK_SAME(tensors.at(dtype_name(dtype)).toTensor(), counting({2, 3}, dtype));

    const auto tensor = [&](const char* key) { return all.at(key).toTensor(); };
    CHECK(values::of(tensor("transposed")) == std::vector<double>{0, 3, 1, 4, 2, 5});
    CHECK(tensor("transposed").strides().vec() == std::vector<int64_t>{1, 3});
    CHECK(values::of(tensor("part")) == std::vector<double>{2, 4, 6});
    CHECK(values::of(tensor("square")) == std::vector<double>{5, 6, 9, 10});
    raw::fill(tensor("part"), -1);  // they share memory
    CHECK(values::of(tensor("base")) == std::vector<double>{0, 1, -1, 3, -1, 5, -1, 7, 8, 9, 10, 11});
    CHECK(values::of(tensor("expanded")) == std::vector<double>(6, 5.0));
    CHECK(tensor("expanded").strides().vec() == std::vector<int64_t>{0, 0});
    CHECK_SAME(tensor("scalar"), values::make({2.5}, IntArrayRef{}, kFloat64));
    CHECK(values::sizes(tensor("empty")) == std::vector<int64_t>{0, 4});
    CHECK(tensor("parameter").requires_grad());
    CHECK(tensor("parameter").is_leaf());
    CHECK(tensor("requires").requires_grad());
    CHECK_FALSE(tensor("base").requires_grad());

    CHECK(all.at("none").isNone());
    CHECK(all.at("yes").toBool());
    CHECK_FALSE(all.at("no").toBool());
    CHECK(all.at("text").toStringRef() == "à \"b\"\n");
    CHECK(all.at("real").toDouble() == -0.1);
    CHECK(std::isinf(all.at("infinite").toDouble()));
    CHECK(all.at("integers").toIntVector() == std::vector<int64_t>{0, 1, -1, 255, 256, 65535, 65536,
                                                                   INT32_MIN, int64_t{1} << 31, INT64_MAX,
                                                                   INT64_MIN});
    const auto& tuple = all.at("tuple").toTupleRef().elements();
    CHECK(tuple.size() == 3);
    CHECK(tuple[1].toTupleRef().elements()[1].toStringRef() == "x");
    CHECK(tuple[2].toList().empty());
    CHECK(all.at("nested").toList()[0].toList()[0].toList()[0].toGenericDict().empty());
    const GenericList shared = all.at("shared").toList();
    CHECK(shared[0].toList().is(shared[1].toList()));
    CHECK(all.at("ordered").toGenericDict().begin()->key().toStringRef() == "b");
    CHECK(all.at("size").toIntVector() == std::vector<int64_t>{2, 3});
    CHECK(all.at(5).toStringRef() == "by number");
  }
}

TEST_CASE("a state_dict of Python's loads into a module by name") {
  const auto state = state_dict_of(load_pt(file("state_dict")));
  CHECK(state.contains("norm.running_mean"));
  CHECK(state["norm.num_batches_tracked"].dtype() == kInt64);
  nn::Linear fc(3, 4);
  nn::LSTM rnn(nn::LSTMOptions(4, 2).bidirectional(true));
  nn::NamedTensors of_fc, of_rnn;
  for (const auto& item : state) {
    if (item.key().starts_with("fc.")) of_fc.insert(item.key().substr(3), item.value());
    if (item.key().starts_with("rnn.")) of_rnn.insert(item.key().substr(4), item.value());
  }
  fc->load_state_dict(of_fc);
  rnn->load_state_dict(of_rnn);
  CHECK_SAME(fc->weight.detach(), state["fc.weight"]);
  CHECK(fc->weight.requires_grad());

  // load takes such a file too.
  const TemporaryFolder temporary;
  save_pt(temporary / "fc.pt", of_fc);
  nn::Linear again(3, 4);
  load(again, temporary / "fc.pt");
  CHECK_SAME(again->weight.detach(), state["fc.weight"]);
  CHECK_THROWS_AS(load(again, file("training")), ValueError);

  const GenericDict training = load_pt(file("training")).toGenericDict();
  CHECK(training.at("epoch").toInt() == 3);
  fc->load_state_dict(state_dict_of(training.at("model")));
  const GenericDict optimizer = training.at("optimizer").toGenericDict();
  CHECK(optimizer.at("state").toGenericDict().at(0).toGenericDict().at("exp_avg").toTensor().dim() == 2);
  CHECK(optimizer.at("param_groups").toList()[0].toGenericDict().at("lr").toDouble() == 0.5);

  const std::string message = message_of<ValueError>([&] { state_dict_of(training); });
  CHECK(contains(message, "\"model\" is a dict"));
  CHECK(contains(message_of<ValueError>([&] { state_dict_of(training.at("epoch")); }), "an integer"));
}

TEST_CASE("nothing is executed: what a file names beside tensors is refused by that name") {
  const std::pair<const char*, const char*> cases[] = {
      {"refused_system", "\"posix.system\""},
      {"refused_eval", "\"__builtin__.eval\""},
      {"refused_getattr", "\"__builtin__.getattr\""},
      {"refused_class", "\"__main__.Mine\""},
      {"refused_module", "\"torch.nn.modules.linear.Linear\""},
      {"refused_complex", "\"torch.ComplexFloatStorage\""},
      {"refused_set", "\"__builtin__.set\""},
      {"refused_bytes", "\"_codecs.encode\""},
      {"refused_long", "an integer of 9 bytes"},
      {"refused_recursive", "a container that holds itself"},
      {"refused_deep", "nested more than 200 deep"}};
  std::filesystem::remove("/tmp/tapir-executed");
  for (const auto& [name, expected] : cases) {
    const std::string message = message_of<IOError>([&, path = file(name)] { load_pt(path); });
    INFO(name << ": " << message);
    CHECK(contains(message, expected));
    CHECK(contains(message, file(name)));
  }
  CHECK_FALSE(std::filesystem::exists("/tmp/tapir-executed"));
  CHECK(contains(fault(kStart + "cos\nsystem\nX\2" + std::string(3, '\0') + "ls\x85R."), "\"os.system\""));
  CHECK(contains(fault("\x80\x04\x8c\x08"
                       "builtins\x8c\x04"
                       "eval\x93."),
                 "\"builtins.eval\""));
  CHECK(contains(fault(kStart + "ctorch._utils\n_rebuild_qtensor\n."), "\"torch._utils._rebuild_qtensor\""));
}

TEST_CASE("values written come back, and tensors that share memory share it again") {
  const TemporaryFolder temporary;
  const std::string path = temporary / "x.pt";
  const Tensor base = counting({12}, kFloat32);
  const Tensor part = base.alias(base.layout_of().slice(0, 2, 8, 2));
  GenericDict all, tensors, plain;
  for (const DType dtype : kAllDTypes) tensors.insert_or_assign(dtype_name(dtype), counting({2, 3}, dtype));
  all.insert_or_assign("tensors", tensors);
  all.insert_or_assign("base", base);
  all.insert_or_assign("part", part);
  all.insert_or_assign("scalar", values::make({2.5}, IntArrayRef{}, kFloat64));
  all.insert_or_assign("empty", Tensor::empty({0, 4}, kFloat32));
  all.insert_or_assign("requires", counting({2}, kFloat32).requires_grad_());
  all.insert_or_assign(7, GenericList({IValue(), true, 3, int64_t{1} << 40, -0.5, "à", Tuple({1, 2})}));
  all.insert_or_assign("vectors", GenericList({std::vector<int64_t>{1, -2}, std::vector<double>{0.5},
                                               std::vector<Tensor>{base}}));
  save_pt(path, all);
  std::stringstream stream;
  save_pt(stream, all);
  CHECK(stream.str() == read_file(path));
  const std::vector<char> bytes = pickle_save(all);
  CHECK(std::string(bytes.begin(), bytes.end()) == read_file(path));

  for (const IValue& value : {load_pt(path), load_pt(stream), pickle_load(bytes)}) {
    const GenericDict found = value.toGenericDict();
    for (const DType dtype : kAllDTypes)
      CHECK_SAME(found.at("tensors").toGenericDict().at(dtype_name(dtype)).toTensor(),
                 counting({2, 3}, dtype));
    CHECK_SAME(found.at("base").toTensor(), base);
    CHECK(values::of(found.at("part").toTensor()) == std::vector<double>{2, 4, 6});
    CHECK(found.at("base").toTensor().storage().is_alias_of(found.at("part").toTensor().storage()));
    CHECK(found.at("scalar").toTensor().dim() == 0);
    CHECK(found.at("requires").toTensor().requires_grad());
    const GenericList list = found.at(7).toList();
    CHECK(list[0].isNone());
    CHECK(list[1].toBool());
    CHECK(list[3].toInt() == int64_t{1} << 40);
    CHECK(list[4].toDouble() == -0.5);
    CHECK(list[5].toStringRef() == "à");
    CHECK(list[6].toIntVector() == std::vector<int64_t>{1, 2});
    CHECK(found.at("vectors").toList()[0].toIntVector() == std::vector<int64_t>{1, -2});
    CHECK(found.at("vectors").toList()[1].toDoubleVector() == std::vector<double>{0.5});
    CHECK(found.at("vectors").toList()[2].toTensorVector().size() == 1);
  }

  nn::Linear a(3, 2), b(3, 2);
  save_pt(path, a->state_dict());
  b->load_state_dict(state_dict_of(load_pt(path)));
  CHECK_SAME(b->weight.detach(), a->weight.detach());

  // A row of a large tensor does not take the whole of it along.
  const Tensor large = raw::clone(counting({1000, 1000}, kFloat32));
  save_pt(path, large.alias(large.layout_of().select(0, 3)));
  CHECK(std::filesystem::file_size(path) < 10000);

  write_file(path, "before");
  CHECK_THROWS_AS(save_pt(path, Tensor()), ValueError);
  GenericList loop;
  loop.push_back(loop);
  CHECK_THROWS_AS(save_pt(path, loop), ValueError);
  const_cast<std::vector<IValue>&>(loop.vec()).clear();
  CHECK(read_file(path) == "before");
}

TEST_CASE("a file for Python to read", "[.write]") {
  const Tensor base = counting({12}, kFloat32);
  GenericDict all, tensors, keyed;
  for (const DType dtype : kAllDTypes) tensors.insert_or_assign(dtype_name(dtype), counting({2, 3}, dtype));
  all.insert_or_assign("tensors", tensors);
  all.insert_or_assign("base", base);
  all.insert_or_assign("part", base.alias(base.layout_of().slice(0, 2, 8, 2)));
  all.insert_or_assign("scalar", values::make({2.5}, IntArrayRef{}, kFloat64));
  all.insert_or_assign("empty", Tensor::empty({0, 4}, kFloat32));
  all.insert_or_assign("requires", counting({2}, kFloat32).requires_grad_());
  keyed.insert_or_assign("k", std::vector<double>{1.5});
  keyed.insert_or_assign(7, "seven");
  all.insert_or_assign("plain",
                       GenericList({IValue(), true, 3, int64_t{1} << 40, -0.5, "à", Tuple({1, 2}), keyed}));
  all.insert_or_assign("model", load_pt(file("state_dict")));
  save_pt(std::getenv("TAPIR_OUT"), all);
}

TEST_CASE("tensors that do not lie in their storage are refused") {
  const std::vector<std::string> storage{std::string(16, '\0')};
  const std::string huge = std::string("\x8a\x08") + std::string(7, '\xff') + "\x7f";
  const auto message = [&](const std::string& pickle) { return fault(pickle, storage); };
  const auto K = [](int n) { return std::string("K") + static_cast<char>(n); };
  CHECK(message(tensor_pickle(K(0), K(4) + "\x85", K(1) + "\x85")) == "");
  CHECK(message(tensor_pickle(K(0), K(2) + K(2) + "\x86", K(1) + K(2) + "\x86")) == "");
  CHECK(message(tensor_pickle(K(4), K(0) + "\x85", K(1) + "\x85")) == "");
  const std::string outside = "does not lie in its storage of 4 elements";
  CHECK(contains(message(tensor_pickle(K(1), K(4) + "\x85", K(1) + "\x85")), outside));
  CHECK(contains(message(tensor_pickle(K(5), K(0) + "\x85", K(1) + "\x85")), outside));
  CHECK(contains(message(tensor_pickle(K(0), K(3) + "\x85", K(2) + "\x85")), outside));
  CHECK(contains(message(tensor_pickle(K(4), ")", ")")), outside));
  CHECK(contains(message(tensor_pickle("J\xff\xff\xff\xff", K(1) + "\x85", K(1) + "\x85")), outside));
  CHECK(contains(message(tensor_pickle(huge, K(2) + "\x85", huge + "\x85")), outside));
  CHECK(contains(message(tensor_pickle(K(0), K(3) + "\x85", huge + "\x85")), outside));
  CHECK(contains(message(tensor_pickle(K(0), huge + huge + "\x86", K(0) + K(0) + "\x86")), outside));
  CHECK(contains(message(tensor_pickle(K(0), K(4) + "\x85", ")")), "1 sizes but 0 strides"));
  CHECK(contains(message(tensor_pickle(K(0), "J\xff\xff\xff\xff\x85", K(1) + "\x85")), "-1 in its sizes"));
  CHECK(contains(message(tensor_pickle(K(0), K(4) + "\x85", "J\xff\xff\xff\xff\x85")), "-1 in its strides"));
  CHECK(contains(message(tensor_pickle(K(0), "(" + std::string(34, 'N') + "t", ")")), "34 dimensions"));
  CHECK(contains(message(tensor_pickle(K(0), K(4), K(1))), "an integer for its sizes"));
  CHECK(contains(message(tensor_pickle("", K(4) + "\x85", K(1) + "\x85")), "something else than a storage"));
  CHECK(contains(fault(tensor_pickle(K(0), K(4) + "\x85", K(1) + "\x85"), {}),
                 "\"x/data/0\": it is not there"));
  CHECK(contains(fault(tensor_pickle(K(0), K(4) + "\x85", K(1) + "\x85"), {std::string(15, '\0')}),
                 "15 bytes"));
  CHECK(contains(fault(tensor_pickle(K(0), K(4) + "\x85", K(1) + "\x85"), storage, "big"), "little-endian"));
}

TEST_CASE("pickles that are not what they claim get an IOError") {
  const auto S = [](const std::string& s) { return kStart + s; };
  std::string deep = S("");
  for (int i = 0; i < 100000; ++i) deep += "]";
  for (int i = 1; i < 100000; ++i) deep += "a";
  std::string tuples = S(")");
  for (int i = 0; i < 100000; ++i) tuples += "\x85";
  // A string of 64 KiB, kept and recalled many times.
  std::string repeats =
      S("(X") + std::string("\0\0\1\0", 4) + std::string(65536, 'x') + "q" + std::string(1, '\0');
  for (int i = 0; i < 100000; ++i) repeats += std::string("h\0", 2);
  struct Case {
    std::string pickle, expected;
  };
  const Case cases[] = {
      {"", "breaks off"},
      {"\x80", "breaks off"},
      {"\x80\x01N.", "protocol 1"},
      {S("."), "0 values are left"},
      {S("NN."), "2 values are left"},
      {S("("), "breaks off"},
      {S("(."), "a mark or a name"},
      {S("0."), "empty stack"},
      {S("t."), "a mark is missing"},
      {S("e."), "a mark is missing"},
      {S("NNa."), "appends to nothing"},
      {S("NNNs."), "sets an item of nothing"},
      {S("}(Nu."), "a key without a value"},
      {S("}NNs."), "a dict has nothing for a key"},
      {S("}G12345678Ns."), "a dict has a number for a key"},
      {S("h\5."), "recalls value 5"},
      {S("NNR."), "a call with nothing"},
      {S("N)R."), "no name"},
      {S("ccollections\nOrderedDict\nN\x85R."), "OrderedDict with arguments"},
      {S("ctorch\nFloatStorage\n)R."), "a call of a storage class"},
      {S("ctorch\nSize\n)R."), "torch.Size with arguments"},
      {S("ctorch\nSize\n."), "a mark or a name"},
      {S("ctorch._utils\n_rebuild_tensor_v2\n)R."), "something else than a storage"},
      {S("ctorch._utils\n_rebuild_parameter\n)R."), "_rebuild_parameter with arguments"},
      {S("]Nb."), "the state of a list"},
      {S(")Q."), "something else than a storage"},
      {S("NQ."), "a call with nothing"},
      {S("cos\nsystem"), "breaks off"},
      {S("X\xff\xff\xff\xffz."), "breaks off"},
      {S("\x8b\xff\xff\xff\xffz."), "breaks off"},
      {S("\x8d\xff\xff\xff\xff\xff\xff\xff\xffz."), "breaks off"},
      {S("I5\n."), "instruction 0x49"},
      {S("P0\n."), "instruction 0x50"},
      {S("ios\nsystem\n"), "instruction 0x69"},
      {S("(cos\nsystem\no."), "\"os.system\""},
      {S("\x82\1."), "instruction 0x82"},
      {S("C\1a."), "a bytes object"},
      {S("\x8f."), "a set"},
      {S("]q\1h\1a."), "holds itself"},
      {S("]q\1]h\1ah\1Na."), "after it was put into another"},
      {S("]q\1]q\2h\1a0h\1h\2a."), "after it was put into another"},
      {S("]q\1\x85q\2"
         "0h\1h\2a."),
       "after it was put into another"},
      {S("]q\1]h\1a0h\1Na."), "after it was put into another"},
      {S("}q\1]h\1a0h\1K\1K\1s."), "after it was put into another"},
      {deep + ".", "200 deep"},
      {tuples + ".", "200 deep"},
      {repeats + "t.", "more values than"},
      {S("(" + std::string(9, 'N') +
         "tq\1"
         "0ctorch\nSize\nh\1R."),
       "a call with 9 arguments"},
  };
  for (const Case& c : cases) {
    INFO(c.pickle.substr(0, 100));
    const std::string message = fault(c.pickle);
    INFO(message);
    CHECK(contains(message, c.expected));
    CHECK(message.size() < 500);
  }
  CHECK(load_bytes(archive(S("N."))).isNone());
  CHECK(contains(message_of<IOError>([] { load_bytes("PK"); }), "too few"));
  std::stringstream npz;
  save_npz(npz, OrderedDict<std::string, Tensor>());
  CHECK(contains(message_of<IOError>([&] { load_pt(npz); }), "no data.pkl"));
}

TEST_CASE("files cut short are refused, and a wrong bit gives a value or an IOError") {
  std::stringstream stream;
  save_pt(stream, {{"w", counting({2, 2}, kFloat32)}, {"m", counting({3}, kBool)}});
  const auto load = [](std::istream& in) { touch_all(load_pt(in)); };
  check_cut_short<IOError>(stream.str(), load);
  check_bits_flipped<IOError>(stream.str(), load);

  // In the pickle alone, with checksums that fit.
  std::string pickle = tensor_pickle(std::string("K\0", 2), "K\2K\2\x86", "K\2K\1\x86");
  const std::vector<std::string> storage{std::string(16, '\1')};
  REQUIRE(fault(pickle, storage) == "");
  for (size_t bit = 0; bit < 8 * pickle.size(); ++bit) {
    std::string changed = pickle;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    try {
      touch_all(load_bytes(archive(changed, storage)));
    } catch (const IOError&) {
    }
  }
}

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
