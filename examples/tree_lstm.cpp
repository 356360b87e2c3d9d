// A Tree-LSTM (Tai, Socher and Manning 2015) that reads sentences along their parse trees: plain recursion
// over nodes, a graph of another shape for every tree.
//
//   tree_lstm FOLDER
//
// FOLDER holds train.txt and dev.txt of the Stanford Sentiment Treebank, bracketed trees with a label 0 to 4
// at each node: https://nlp.stanford.edu/sentiment/trainDevTestTrees_PTB.zip
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <numeric>
#include <random>
#include <string>

#include "support/progress.h"
#include "tapir/tapir.h"

using namespace tapir;
using data::datasets::Tree;
using data::datasets::Trees;
using data::datasets::WordVocabulary;

namespace {

struct Options {
  std::string folder;
  int64_t hidden = 128, epochs = 3, seed = 1;
  double lr = 1e-3;
};

struct ModelImpl : nn::Module {
  ModelImpl(const WordVocabulary& words, int64_t hidden)
      : vocabulary(words),
        embedding(register_module("embedding",
                                  nn::Embedding(nn::EmbeddingOptions(words.size(), hidden).sparse(true)))),
        leaf(register_module("leaf", nn::Linear(hidden, 3 * hidden))),
        inner(register_module("inner", nn::Linear(2 * hidden, 5 * hidden))),
        out(register_module("out", nn::Linear(hidden, 5))) {}

  struct State {
    Tensor h, c;  // (1, H)
  };

  /// The state of node i; the losses of all inner nodes go into `losses`, where one is given.
  State read(const Tree& tree, size_t i, std::vector<Tensor>* losses) {
    const Tree::Node& node = tree.nodes()[i];
    if (node.is_leaf()) {
      const auto gates =
          leaf(embedding(tensor({vocabulary.index(node.word)}))).chunk(3, 1);  // input, output, update
      const Tensor c = sigmoid(gates[0]) * tanh(gates[2]);
      return {sigmoid(gates[1]) * tanh(c), c};
    }
    if (node.children.size() != 2)
      throw ValueError("tree_lstm: a node has other than two children; binarize the trees");
    const State left = read(tree, static_cast<size_t>(node.children[0]), losses);
    const State right = read(tree, static_cast<size_t>(node.children[1]), losses);
    // input, forget left, forget right, output, update
    const auto gates = inner(cat({left.h, right.h}, 1)).chunk(5, 1);
    const Tensor c =
        sigmoid(gates[0]) * tanh(gates[4]) + sigmoid(gates[1]) * left.c + sigmoid(gates[2]) * right.c;
    const Tensor h = sigmoid(gates[3]) * tanh(c);
    if (losses) losses->push_back(nn::functional::cross_entropy(out(h), tensor({node.label})));
    return {h, c};
  }
  int64_t predict(const Tree& tree) {
    NoGradGuard no_grad;
    return out(read(tree, tree.nodes().size() - 1, nullptr).h).argmax(1).item<int64_t>();
  }

  const WordVocabulary vocabulary;
  nn::Embedding embedding;
  nn::Linear leaf, inner, out;
};
TAPIR_MODULE(Model);

double accuracy(Model& model, const Trees& trees) {
  int64_t right = 0;
  for (size_t i = 0; i < *trees.size(); ++i) right += model->predict(trees.tree(i)) == trees.tree(i).label();
  return static_cast<double>(right) / static_cast<double>(*trees.size());
}

void train(const Options& o) {
  const Trees trees(o.folder + "/train.txt"), held_out(o.folder + "/dev.txt");
  Model model(WordVocabulary(trees.words()), o.hidden);
  // A step on a few words must not pay for the whole table: the embedding's gradient is kept by rows.
  std::vector<Tensor> others;
  for (const auto& p : model->named_parameters())
    if (p.key() != "embedding.weight") others.push_back(p.value());
  optim::Adam adam(others, optim::AdamOptions(o.lr));
  optim::SparseAdam rows({model->embedding->weight}, optim::SparseAdamOptions(o.lr));

  std::vector<size_t> order(*trees.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937 shuffler(static_cast<unsigned>(o.seed));
  Progress progress(o.epochs * static_cast<int64_t>(order.size()), "trees");
  int64_t done = 0;
  for (int64_t epoch = 0; epoch < o.epochs; ++epoch) {
    std::shuffle(order.begin(), order.end(), shuffler);
    for (size_t i : order) {
      const Tree& tree = trees.tree(i);
      std::vector<Tensor> losses;
      model->read(tree, tree.nodes().size() - 1, &losses);
      ++done;
      if (losses.empty()) continue;  // a single word
      const Tensor loss = stack(losses).sum();
      adam.zero_grad();
      rows.zero_grad();
      loss.backward();
      adam.step();
      rows.step();
      progress.update(done, loss.item<double>() / static_cast<double>(losses.size()));
    }
    progress.finish();
    std::printf("epoch %lld: %.1f %% of the held-out sentences get their label (one of five)\n",
                static_cast<long long>(epoch + 1), 100 * accuracy(model, held_out));
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("A Tree-LSTM that tells the sentiment of sentences from their parse trees.");
  app.add_option("folder", o.folder, "holds train.txt and dev.txt, bracketed trees")->required();
  app.add_option("--hidden", o.hidden, "size of words and states")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--epochs", o.epochs, "passes over the trees")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--lr", o.lr, "learning rate")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed, "the same seed gives the same run")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    manual_seed(static_cast<uint64_t>(o.seed));
    train(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "tree_lstm: %s\n", e.what());
    return 1;
  }
  return 0;
}
