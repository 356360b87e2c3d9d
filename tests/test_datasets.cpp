// Corpora, CSV files, trees and CIFAR-10.
#include <cmath>
#include <filesystem>

#include "support/catch.h"
#include "support/temporary_folder.h"
#include "support/tensors.h"
#include "support/values.h"
#include "tapir/data/collate.h"
#include "tapir/data/datasets/cifar10.h"
#include "tapir/data/datasets/corpus.h"
#include "tapir/data/datasets/csv.h"
#include "tapir/data/datasets/trees.h"

using namespace tapir;
using namespace tapir::data::datasets;

namespace {

std::vector<int64_t> ints(const Tensor& t) { return values::integers(t); }

// The message for a CSV text.
std::string csv_fault(const std::string& text, const CsvOptions& options = {}) {
  return message_of<IOError>([&] { CsvTable::from_text(text, options, "a.csv"); });
}

}  // namespace

TEST_CASE("a vocabulary numbers words by how often they come") {
  const WordVocabulary v("the cat\nsaw the\tdog , the <unk>\r\ncat");
  CHECK(v.words() == std::vector<std::string>{"<eos>", "<unk>", "the", "cat", "saw", "dog", ","});
  CHECK(v.encode(" the  <unk> bird cat\t") == std::vector<int64_t>{2, 1, 1, 3});
  CHECK(v.encode("").empty());
  CHECK(v.decode({2, 3, 0, 1}) == "the cat <eos> <unk>");
  CHECK(v.contains("dog"));
  CHECK_FALSE(v.contains("bird"));
  CHECK_THROWS_AS(v.word(7), IndexError);
  CHECK_THROWS_AS(v.decode({-1}), IndexError);
  CHECK(WordVocabulary("a b b c c c", 2).words() == std::vector<std::string>{"<eos>", "<unk>", "c", "b"});
  CHECK(WordVocabulary("a b b c c c", 1, 3).words() == std::vector<std::string>{"<eos>", "<unk>", "c"});
  CHECK(WordVocabulary(std::vector<std::string>{"x", "<unk>", "y", "x"}).index("y") == 3);
}

TEST_CASE("the lines of a text are sequences of words with the next words as target") {
  WordLines lines("a b\n\n  \nb c a");
  CHECK(*lines.size() == 2);
  CHECK(lines.lengths() == std::vector<int64_t>{3, 4});
  const auto example = lines.get(1);
  CHECK(lines.vocabulary().decode(ints(example.data)) == "<eos> b c a");
  CHECK(lines.vocabulary().decode(ints(example.target)) == "b c a <eos>");
  CHECK(lines.vocabulary().decode(ints(lines.tokens())) == "a b <eos> b c a <eos>");
  CHECK_THROWS_AS(lines.get(2), IndexError);
  CHECK(*WordLines("").size() == 0);
  CHECK(WordLines("").tokens().numel() == 0);
}

TEST_CASE("a corpus is a folder of parts with one vocabulary") {
  const TemporaryFolder folder;
  write_file(folder / "train.txt", "a b a\nc\n");
  write_file(folder / "valid.txt", "a d\n");
  write_file(folder / "notes.md", "not a part");
  std::filesystem::create_directory(folder / "folder.txt");
  const Corpus all(folder.path());
  CHECK(all.parts() == std::vector<std::string>{"train", "valid"});
  CHECK(all.vocabulary().words() == std::vector<std::string>{"<eos>", "<unk>", "a", "b", "c", "d"});
  CHECK(ints(all.part("valid").tokens()) == std::vector<int64_t>{2, 5, 0});
  CHECK(&all.part("train").vocabulary() == &all.part("valid").vocabulary());
  CHECK_THROWS_AS(all.part("test"), IndexError);

  const Corpus trained(folder.path(), CorpusOptions().vocabulary_from("train").min_count(2));
  CHECK(trained.vocabulary().size() == 3);
  CHECK(ints(trained.part("valid").tokens()) == std::vector<int64_t>{2, 1, 0});
  CHECK_THROWS_AS(Corpus(folder.path(), CorpusOptions().vocabulary_from("test")), ValueError);
  CHECK(contains(message_of<IOError>([&] { Corpus(folder / "missing"); }), folder / "missing"));
  std::filesystem::create_directory(folder / "empty");
  CHECK(contains(message_of<IOError>([&] { Corpus(folder / "empty"); }), "no .txt"));
}

TEST_CASE("real text: the Penn Treebank's sentences") {
  const std::string path = TAPIR_TEST_DIR "/../../shared/data/text";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: " << path << " is not there");
    return;
  }
  const Corpus corpus(path, CorpusOptions().vocabulary_from("dev"));
  CHECK(corpus.parts() == std::vector<std::string>{"dev", "test"});
  CHECK(corpus.vocabulary().size() > 6000);
  CHECK(*corpus.part("dev").size() > 3000);
}

TEST_CASE("a table's columns get their types, quoted fields may hold anything") {
  const CsvTable t = CsvTable::from_text(
      "\xef\xbb\xbfid,price,kind,\"a \"\"name\"\"\"\r\n"
      "1, 2.5 ,cat,\"first, line\nsecond \"\"line\"\"\"\r\n"
      "\n"
      "-7,,dog,\n"
      "+3,1e3,cat,x");
  CHECK(t.rows() == 3);
  REQUIRE(t.columns().size() == 4);
  CHECK(t.column("id").type == ColumnType::kInteger);
  CHECK_SAME(t.column("id").values, values::ints({1, -7, 3}));
  const CsvColumn& price = t.column("price");
  CHECK(price.type == ColumnType::kReal);
  CHECK(price.missing == 1);
  CHECK(values::of(price.values)[0] == 2.5);
  CHECK(std::isnan(values::of(price.values)[1]));
  CHECK(values::of(price.values)[2] == 1000);
  CHECK(t.column("kind").categories == std::vector<std::string>{"cat", "dog"});
  CHECK_SAME(t.column("kind").values, values::ints({0, 1, 0}));
  const CsvColumn& name = t.column("a \"name\"");
  CHECK(name.categories == std::vector<std::string>{"first, line\nsecond \"line\"", "x"});
  CHECK_SAME(name.values, values::ints({0, -1, 1}));
  CHECK_SAME(t.matrix({"kind", "id"}), values::make({0, 1, 1, -7, 0, 3}, {3, 2}));
  CHECK(contains(message_of<IndexError>([&] { t.column("weight"); }), "\"id\", \"price\""));
}

TEST_CASE("types and missing values as given") {
  const CsvTable t = CsvTable::from_text("zip;n;x\n01234;1;?\n99999;2;7\n",
                                         CsvOptions().delimiter(';').missing({"?"}).types(
                                             {{"zip", ColumnType::kText}, {"n", ColumnType::kReal}}));
  CHECK(t.column("zip").categories[0] == "01234");
  CHECK(t.column("n").values.dtype() == kFloat64);
  CHECK(t.column("x").type == ColumnType::kReal);  // integers, of which one is missing
  const CsvTable bare = CsvTable::from_text("1,2\n3,4", CsvOptions().header(false));
  CHECK_SAME(bare.column("1").values, values::ints({2, 4}));
  CHECK(CsvTable::from_text("a,b\n").rows() == 0);
  CHECK(CsvTable::from_text("a\nNA\n").column("a").missing == 1);
  CHECK(CsvTable::from_text("a\n9223372036854775808\n").column("a").type == ColumnType::kReal);
  CHECK(CsvTable::from_text("a\n1e999\n").column("a").values.data_ptr<double>()[0] == values::kInf);
  CHECK(CsvTable::from_text("a\n5\" pipe\n").column("a").categories[0] == "5\" pipe");
}

TEST_CASE("errors in a table name file and line") {
  CHECK(contains(csv_fault("a,b\n1,2\n1,2,3\n"), "a.csv:3: got 3 fields, expected 2 as in line 1"));
  CHECK(contains(csv_fault("a,b\n\"x\ny\",2\n1\n"), "a.csv:4: got 1 fields"));
  CHECK(contains(csv_fault("a,b\n1,\"2\n3,4\n"), "a.csv:2: a quote is opened"));
  CHECK(contains(csv_fault("a,b\n1,\"2\"x\n"), "a.csv:2: got \"x"));
  CHECK(contains(csv_fault("a,a\n1,2\n"), "a.csv:1: two columns are named \"a\""));
  CHECK(contains(csv_fault(""), "no lines"));
  CHECK(contains(csv_fault(std::string("\xff\xfe"
                                       "a\0\n\0",
                                       6)),
                 "UTF-16"));
  CHECK(CsvTable::from_text("a,b\r1,2\r3,4\r").rows() == 2);
  const auto typed = CsvOptions().types({{"b", ColumnType::kInteger}});
  CHECK(contains(csv_fault("a,b\n1,2\n1,2.5\n", typed),
                 "a.csv:3: column \"b\" has \"2.5\", expected an integer"));
  CHECK(contains(csv_fault("a,b\n1,2\n1,\n", typed), "a.csv:3: column \"b\" has no value"));
  CHECK_THROWS_AS(CsvTable::from_text("a\n1\n", typed), ValueError);
  CHECK_THROWS_AS(CsvTable::from_text("a\n1\n", CsvOptions().delimiter('"')), ValueError);
  CHECK_THROWS_AS(CsvTable::from_file("/missing.csv"), IOError);
}

TEST_CASE("the rows of a table are examples") {
  const TemporaryFolder folder;
  write_file(folder / "t.csv", "x,kind,y,label\n1,a,0.5,no\n2,b,1.5,yes\n");
  CSV by_default(folder / "t.csv");
  CHECK(*by_default.size() == 2);
  CHECK_SAME(by_default.get(1).data, values::make({2, 1, 1.5}));
  CHECK(by_default.get(1).target.item<int64_t>() == 1);
  CSV regression(folder / "t.csv", CsvOptions().target("y").features({"x"}));
  CHECK_SAME(regression.get(0).data, values::make({1}));
  CHECK(regression.get(0).target.dtype() == kFloat32);
  CHECK_THROWS_AS(regression.get(2), IndexError);
  CHECK_THROWS_AS(CSV(folder / "t.csv", CsvOptions().target("z")), IndexError);
  CHECK_THROWS_AS(CSV(CsvTable::from_text("a,b\n1,\n")), ValueError);
}

TEST_CASE("trees are read from brackets, children before parents") {
  const Tree t = Tree::parse(" (3 (2 It) (4 (2 's)(4 lovely)) ) ");
  CHECK(t.str() == "(3 (2 It) (4 (2 's) (4 lovely)))");
  CHECK(t.words() == std::vector<std::string>{"It", "'s", "lovely"});
  CHECK(t.label() == 3);
  REQUIRE(t.nodes().size() == 5);
  CHECK(t.root().children == std::vector<int64_t>{0, 3});
  CHECK(t.nodes()[3].children == std::vector<int64_t>{1, 2});
  CHECK(t.nodes()[1].word == "'s");
  CHECK(Tree::parse("(0 (1 a) (2 b) (3 c))").root().children.size() == 3);
  CHECK_THROWS_AS(Tree().root(), ValueError);

  std::string deep;
  for (int i = 0; i < 1000000; ++i) deep += "(1 ";
  deep += "x" + std::string(1000000, ')');
  CHECK(Tree::parse(deep).str().size() == deep.size());

  const std::pair<const char*, const char*> bad[] = {{"", "expected \"(\" at the end"},
                                                     {"x", "expected \"(\""},
                                                     {"(3", "expected 1 more \")\" at the end"},
                                                     {"(3)", "expected a word or a tree at character 3"},
                                                     {"(x y)", "expected a label"},
                                                     {"(3 a b)", "expected \")\" at character 6"},
                                                     {"(3 (2 a) b)", "expected \")\""},
                                                     {"(3 a (2 b))", "a tree beside a word"},
                                                     {"(3 a", "expected 1 more \")\""},
                                                     {"(3 a))", "expected the end"},
                                                     {"(3 a) (2 b)", "expected the end"},
                                                     {"((2 a))", "expected a label"},
                                                     {"(99999999999999999999 a)", "a label"},
                                                     {"(2.5 a)", "a label"}};
  for (const auto& [text, expected] : bad) {
    const std::string message = message_of<ValueError>([&, text = text] { Tree::parse(text); });
    INFO(text << ": " << message);
    CHECK(contains(message, expected));
  }
}

TEST_CASE("a file of trees") {
  const TemporaryFolder folder;
  write_file(folder / "t.txt", "(3 (2 a) (4 b))\n\n(0 b)\r\n");
  Trees trees(folder / "t.txt");
  CHECK(*trees.size() == 2);
  CHECK(trees.get(0).target.item<int64_t>() == 3);
  CHECK(trees.get(1).data.words() == std::vector<std::string>{"b"});
  CHECK(trees.words() == std::vector<std::string>{"a", "b"});
  CHECK_THROWS_AS(trees.get(2), IndexError);
  const auto fault = [&](const std::string& text) {
    write_file(folder / "bad.txt", text);
    return message_of<IOError>([&] { Trees(folder / "bad.txt"); });
  };
  CHECK(contains(fault("(1 a)\n\n(1 a"), (folder / "bad.txt") + ":3: "));
  CHECK(contains(fault("(1 (7 a))"), "label 7, expected one in [0, 5)"));
  CHECK(contains(fault("(-1 a)"), "label -1"));
  CHECK_THROWS_AS(Trees(folder / "missing"), IOError);
}

TEST_CASE("real trees: the Stanford Sentiment Treebank") {
  const std::string path = TAPIR_TEST_DIR "/../../shared/data/trees/dev.txt";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: " << path << " is not there");
    return;
  }
  const Trees trees(path);
  CHECK(*trees.size() == 1101);
  const std::string text = read_file(path);
  CHECK(text.starts_with(trees.tree(0).str() + "\n"));
  for (size_t i = 0; i < *trees.size(); ++i)
    for (const Tree::Node& n : trees.tree(i).nodes()) CHECK((n.is_leaf() || n.children.size() == 2));
}

TEST_CASE("CIFAR-10 in its binary version") {
  const TemporaryFolder folder;
  std::string record(3073, '\0');
  record[0] = 6;
  record[1] = '\xff';              // red, top left
  record[1 + 1024 + 33] = '\x33';  // green, second row, second column
  for (int i = 1; i <= 5; ++i)
    write_file(folder / ("data_batch_" + std::to_string(i) + ".bin"), record + record);
  std::filesystem::create_directory(folder / "cifar-10-batches-bin");
  write_file(folder / "cifar-10-batches-bin/test_batch.bin", record);

  CIFAR10 train(folder.path());
  CHECK(*train.size() == 10);
  CHECK(values::sizes(train.images()) == std::vector<int64_t>{10, 3, 32, 32});
  const auto example = train.get(9);
  CHECK(example.target.item<int64_t>() == 6);
  CHECK(std::string(CIFAR10::class_name(6)) == "frog");
  CHECK(example.data.accessor<float, 3>()[0][0][0] == 1.0f);
  CHECK(example.data.accessor<float, 3>()[1][1][1] == 0.2f);
  CHECK_THROWS_AS(train.get(10), IndexError);
  CHECK(*CIFAR10(folder.path(), CIFAR10::Mode::kTest).size() == 1);

  const auto fault = [&](const std::string& bytes) {
    write_file(folder / "data_batch_3.bin", bytes);
    return message_of<IOError>([&] { CIFAR10(folder.path()); });
  };
  CHECK(contains(fault(record + "x"), "has 3074 bytes"));
  CHECK(contains(fault(""), "has 0 bytes"));
  record[0] = 10;
  CHECK(contains(fault(record), "label 10 at 0"));
  std::filesystem::remove(folder / "data_batch_3.bin");
  CHECK(contains(message_of<IOError>([&] { CIFAR10(folder.path()); }), "data_batch_3.bin"));
  CHECK(contains(message_of<IOError>([&] { CIFAR10(folder / "missing"); }), "cifar-10-binary.tar.gz"));
}
