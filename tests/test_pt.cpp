// What Python's torch.save writes is read, and what is written reads in Python: values, nothing executed.
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "support/catch.h"
#include "support/hostile.h"
#include "support/pt_files.h"
#include "tapir/io/serialize.h"
#include "tapir/nn/linear.h"
#include "tapir/nn/rnn.h"

using namespace tapir;
using namespace tapir::pt_files;

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
