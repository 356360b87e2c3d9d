// Archives under libtorch's names.
#include <cstring>
#include <limits>
#include <sstream>

#include "support/catch.h"
#include "support/temporary_folder.h"
#include "tapir/autograd/node.h"
#include "tapir/io/archive.h"
#include "tapir/io/pt.h"
#include "tapir/io/serialize.h"
#include "tapir/nn/linear.h"
#include "tapir/nn/sequential.h"
#include "tapir/optim/adam.h"
#include "tapir/tensor/ops/copy.h"
#include "tapir/tensor/ops/random.h"

using namespace tapir;
using serialize::InputArchive;
using serialize::OutputArchive;

namespace {

bool equal(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.sizes() == b.sizes())) return false;
  const Tensor x = raw::contiguous(a), y = raw::contiguous(b);
  return std::memcmp(x.data_ptr(), y.data_ptr(), x.nbytes()) == 0;
}

InputArchive read_back(const OutputArchive& archive) {
  std::stringstream stream;
  archive.save_to(stream);
  InputArchive result;
  result.load_from(stream);
  return result;
}

IValue value(InputArchive& archive, const std::string& key) {
  IValue v;
  archive.read(key, v);
  return v;
}

}  // namespace

TEST_CASE("an archive keeps tensors, values and archives by key") {
  const Tensor x = raw::randn({3, 4}, kFloat32), y = raw::randint(0, 9, {5}, kInt64);
  OutputArchive out, inner, innermost, empty;
  innermost.write("y", y);
  inner.write("deeper", innermost);
  inner.write("x", x, /*is_buffer=*/true);
  out.write("part", inner);
  out.write("empty", empty);
  out.write("none", IValue());
  out.write("yes", IValue(true));
  out.write("three", IValue(3));
  out.write("one", IValue(1.0));
  out.write("third", IValue(1.0 / 3));
  out.write("inf", IValue(-std::numeric_limits<double>::infinity()));
  out.write("text", IValue("three \"3\""));
  out.write("digits", IValue("3"));
  out.write("list", IValue(std::vector<int64_t>{1, 2}));
  out.write("mixed", IValue(Tuple({IValue("a"), IValue(2), IValue(y)})));
  out("tensor", IValue(x));

  InputArchive in = read_back(out);
  CHECK(value(in, "none").isNone());
  CHECK(value(in, "yes").toBool());
  CHECK(value(in, "three").toInt() == 3);
  CHECK(value(in, "one").isDouble());
  CHECK(value(in, "one").toDouble() == 1);
  CHECK(value(in, "third").toDouble() == 1.0 / 3);
  CHECK(value(in, "inf").toDouble() == -std::numeric_limits<double>::infinity());
  CHECK(value(in, "text").toStringRef() == "three \"3\"");
  CHECK(value(in, "digits").toStringRef() == "3");
  CHECK(value(in, "list").toIntVector() == std::vector<int64_t>{1, 2});
  CHECK(equal(value(in, "mixed").toTupleRef().elements()[2].toTensor(), y));
  CHECK(equal(value(in, "tensor").toTensor(), x));

  InputArchive part, deeper;
  in.read("part", part);
  part.read("deeper", deeper);
  Tensor loaded;
  deeper.read("y", loaded);
  CHECK(equal(loaded, y));
  CHECK(part.keys() == std::vector<std::string>{"deeper", "x"});
  CHECK(deeper.keys() == std::vector<std::string>{"y"});
  CHECK(in.keys().size() == 13);
  CHECK(in.try_read("empty", part));
  CHECK(part.keys().empty());
  CHECK_FALSE(in.try_read("other", part));
}

TEST_CASE("what is not there, or something else, is told") {
  OutputArchive out;
  out.write("a", raw::randn({2}, kFloat32));
  out.write("n", IValue(3));
  CHECK_THROWS_AS(out.write("a", IValue(1)), ValueError);
  CHECK_THROWS_AS(out.write("b", Tensor()), ValueError);
  InputArchive in = read_back(out), nested;
  Tensor t;
  IValue v;
  CHECK_FALSE(in.try_read("b", t));
  CHECK_FALSE(in.try_read("b", v));
  CHECK_FALSE(in.try_read("a", nested));
  CHECK_THROWS_AS(in.read("b", t), ValueError);
  CHECK_THROWS_AS(in.read("b", v), ValueError);
  CHECK_THROWS_AS(in.read("a", nested), ValueError);
  CHECK_THROWS_AS(in.read("n", t), ValueError);
  CHECK_THROWS_AS(in.load_from("/nowhere/at/all"), IOError);
  std::stringstream nonsense("nonsense");
  CHECK_THROWS_AS(in.load_from(nonsense), IOError);
  CHECK(in.try_read("a", t));  // as it was
}

TEST_CASE("a tensor that is defined gets the data and stays the parameter it is") {
  const Tensor x = raw::randn({2, 3}, kFloat32);
  OutputArchive out;
  out.write("w", x);
  InputArchive in = read_back(out);
  Tensor p = raw::randn({2, 3}, kFloat32);
  p.set_requires_grad(true);
  const Tensor same = p;
  in.read("w", p);
  CHECK(equal(same, x));
  CHECK(same.requires_grad());
}

TEST_CASE("modules and optimizers go into archives, whose files are those of save") {
  const TemporaryFolder folder;
  const auto make = [] { return nn::Sequential(nn::Linear(3, 4), nn::Linear(4, 2)); };
  nn::Sequential a = make(), b = make(), c = make();
  OutputArchive out;
  a->save(out);
  out.save_to(folder / "archive");
  save(a, folder / "saved");
  const auto bytes = [&](const char* name) {
    std::ifstream file(folder / name, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  CHECK(bytes("archive") == bytes("saved"));
  InputArchive in;
  in.load_from(folder / "saved");
  b->load(in);
  CHECK(equal(b->parameters()[2], a->parameters()[2]));

  for (const Tensor& p : a->parameters()) p.mutable_grad() = raw::randn(p.sizes(), kFloat32);
  optim::Adam adam(a->parameters(), 0.1 + 0.2), other(c->parameters());
  adam.step();
  OutputArchive all, model, optimizer;
  model << a;
  optimizer << adam;
  all.write("model", model);
  all.write("optimizer", optimizer);
  InputArchive read = read_back(all), part;
  read.read("model", part);
  part >> c;
  CHECK(equal(c->parameters()[1], a->parameters()[1]));
  read.read("optimizer", part);
  part >> other;
  CHECK(other.param_groups()[0].options().get_lr() == 0.1 + 0.2);
  CHECK(other.state().size() == 4);

  Tensor t = raw::randn({2}, kFloat64), u;
  OutputArchive one;
  one << t;
  InputArchive back = read_back(one);
  back >> u;
  CHECK(equal(t, u));
  save(t, folder / "tensor");
  back.load_from(folder / "tensor");
  Tensor w;
  back >> w;
  CHECK(equal(t, w));
}

TEST_CASE("archives are read through functions, from memory, and from Python's files") {
  const TemporaryFolder folder;
  OutputArchive out;
  const Tensor x = raw::randn({100}, kFloat32);
  out.write("x", x);
  std::string bytes;
  out.save_to([&](const void* data, size_t n) {
    bytes.append(static_cast<const char*>(data), n);
    return n;
  });
  CHECK_THROWS_AS(out.save_to([](const void*, size_t n) { return n - 1; }), IOError);
  InputArchive in;
  in.load_from(bytes.data(), bytes.size());
  Tensor t;
  in.read("x", t);
  CHECK(equal(t, x));
  in.load_from(
      [&](uint64_t at, void* to, size_t n) {
        n = std::min<size_t>(n, 7);
        std::memcpy(to, bytes.data() + at, n);
        return n;
      },
      [&] { return bytes.size(); });
  t = Tensor();
  in.read("x", t);
  CHECK(equal(t, x));

  GenericDict weights, all;
  weights.insert_or_assign("layer.weight", IValue(x));
  all.insert_or_assign("model", IValue(weights));
  all.insert_or_assign("epoch", IValue(4));
  save_pt(folder / "python.pt", IValue(all));
  in.load_from(folder / "python.pt");
  CHECK(value(in, "epoch").toInt() == 4);
  InputArchive model;
  in.read("model", model);
  t = Tensor();
  model.read("layer.weight", t);
  CHECK(equal(t, x));
}

TEST_CASE("a stream's format is known by more than its first byte") {
  // A header of 80 bytes, whose length begins like an archive of PyTorch's: with a "P".
  std::string header = R"({"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})";
  header.resize(80, ' ');
  const std::string file = "P" + std::string(7, '\0') + header + "\1\2";
  std::istringstream stream(file);
  InputArchive in;
  in.load_from(stream);
  CHECK(in.keys() == std::vector<std::string>{"w"});
  in.load_from(file.data(), file.size());
  Tensor w;
  in.read("w", w);
  CHECK(w.data_ptr<uint8_t>()[1] == 2);
}
