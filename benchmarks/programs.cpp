// Whole programs on real text, one sentence or tree at a time, as research code is written: a language model
// with a softmax over the whole vocabulary at each step, the same over batches, a binary Tree-LSTM, a
// bidirectional tagger.
//
//   bench_programs DATA [--case NAME]...
//
// DATA holds text/dev.txt, trees/train.txt and tags/dev.txt. One iteration trains on the same block of
// sentences or trees; "units" in the case's name are the words or trees of a block.
#include <torch/torch.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "bench.h"

namespace {

using torch::Tensor;
using Sentence = std::vector<int64_t>;

struct Vocabulary {
  std::map<std::string, int64_t> index;
  int64_t of(const std::string& word) { return index.emplace(word, size()).first->second; }
  int64_t size() const { return static_cast<int64_t>(index.size()); }
};

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);)
    if (!line.empty()) lines.push_back(line);
  if (lines.empty()) {
    std::fprintf(stderr, "bench_programs: cannot read %s\n", path.c_str());
    std::exit(2);
  }
  return lines;
}

Tensor indices(const Sentence& s) { return torch::tensor(s, torch::kLong); }

// --- language model: embedding 128, LSTM cell 256, all words at each step ---

struct LanguageModel : torch::nn::Module {
  LanguageModel(int64_t words, bool sparse)
      : embedding(torch::nn::EmbeddingOptions(words, 128).sparse(sparse)), cell(128, 256), out(256, words) {
    register_module("embedding", embedding);
    register_module("cell", cell);
    register_module("out", out);
  }
  // words (T, B); targets of -1 do not count
  Tensor loss(const Tensor& words) {
    const int64_t batch = words.size(1);
    auto h = torch::zeros({batch, 256}), c = torch::zeros({batch, 256});
    auto total = torch::zeros({});
    const auto options =
        torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum).ignore_index(-1);
    const auto inputs = embedding(words.clamp_min(0));
    for (int64_t t = 0; t + 1 < words.size(0); ++t) {
      std::tie(h, c) = cell(inputs[t], std::make_tuple(h, c));
      total = total + torch::nn::functional::cross_entropy(out(h), words[t + 1], options);
    }
    return total;
  }
  torch::nn::Embedding embedding;
  torch::nn::LSTMCell cell;
  torch::nn::Linear out;
};

struct Text {
  explicit Text(const std::string& path) {
    const int64_t end = vocabulary.of("<s>");
    for (const std::string& line : lines_of(path)) {
      Sentence s{end};
      std::istringstream in(line);
      for (std::string w; in >> w;) s.push_back(vocabulary.of(w));
      s.push_back(end);
      sentences.push_back(std::move(s));
    }
  }
  Vocabulary vocabulary;
  std::vector<Sentence> sentences;
};

// --- binary Tree-LSTM (Tai et al. 2015): words 128, hidden 128, a label at each inner node ---

struct Tree {
  int64_t label = 0, word = -1;
  std::vector<Tree> children;
};

Tree parse(const std::string& s, size_t& at, Vocabulary& vocabulary) {
  Tree tree;
  ++at;  // (
  tree.label = s[at] - '0';
  at += 2;
  if (s[at] == '(') {
    while (s[at] == '(') {
      tree.children.push_back(parse(s, at, vocabulary));
      if (s[at] == ' ') ++at;
    }
  } else {
    const size_t end = s.find(')', at);
    tree.word = vocabulary.of(s.substr(at, end - at));
    at = end;
  }
  ++at;  // )
  return tree;
}

struct TreeLstm : torch::nn::Module {
  static constexpr int64_t kHidden = 128;
  TreeLstm(int64_t words, bool sparse)
      : embedding(torch::nn::EmbeddingOptions(words, 128).sparse(sparse)),
        leaf(128, 3 * kHidden),
        inner(2 * kHidden, 5 * kHidden),
        out(kHidden, 5) {
    register_module("embedding", embedding);
    register_module("leaf", leaf);
    register_module("inner", inner);
    register_module("out", out);
  }
  // (h, c) of a node, each (1, H); adds the losses of the inner nodes.
  std::tuple<Tensor, Tensor> node(const Tree& tree, Tensor& total) {
    if (tree.children.empty()) {
      const auto gates = leaf(embedding(indices({tree.word}))).chunk(3, 1);
      const auto c = torch::sigmoid(gates[0]) * torch::tanh(gates[2]);
      return {torch::sigmoid(gates[1]) * torch::tanh(c), c};
    }
    const auto [left_h, left_c] = node(tree.children[0], total);
    const auto [right_h, right_c] = node(tree.children[1], total);
    const auto gates = inner(torch::cat({left_h, right_h}, 1)).chunk(5, 1);
    const auto c = torch::sigmoid(gates[0]) * torch::tanh(gates[4]) + torch::sigmoid(gates[1]) * left_c +
                   torch::sigmoid(gates[2]) * right_c;
    const auto h = torch::sigmoid(gates[3]) * torch::tanh(c);
    const auto loss = torch::nn::functional::cross_entropy(out(h), indices({tree.label}));
    total = total.defined() ? total + loss : loss;
    return {h, c};
  }
  torch::nn::Embedding embedding;
  torch::nn::Linear leaf, inner, out;
};

// --- tagger: words 128, a bidirectional LSTM of 50, an MLP of 32 ---

struct Tagger : torch::nn::Module {
  Tagger(int64_t words, int64_t tags, bool sparse)
      : embedding(torch::nn::EmbeddingOptions(words, 128).sparse(sparse)),
        lstm(torch::nn::LSTMOptions(128, 50).bidirectional(true)),
        hidden(100, 32),
        out(32, tags) {
    register_module("embedding", embedding);
    register_module("lstm", lstm);
    register_module("hidden", hidden);
    register_module("out", out);
  }
  Tensor loss(const Tensor& words, const Tensor& tags) {
    const auto states = std::get<0>(lstm(embedding(words).unsqueeze(1))).squeeze(1);  // (T, 100)
    return torch::nn::functional::cross_entropy(
        out(torch::tanh(hidden(states))), tags,
        torch::nn::functional::CrossEntropyFuncOptions().reduction(torch::kSum));
  }
  torch::nn::Embedding embedding;
  torch::nn::LSTM lstm;
  torch::nn::Linear hidden, out;
};

// The optimizers of a model: Adam, and for a sparse embedding one that leaves the other rows alone. libtorch
// has no SparseAdam; its Adagrad takes sparse gradients.
struct Optimizers {
  template <class Model>
  Optimizers(Model& model, bool sparse) {
    std::vector<Tensor> others;
    for (const auto& p : model.named_parameters())
      if (!sparse || p.key() != "embedding.weight") others.push_back(p.value());
    adam = std::make_unique<torch::optim::Adam>(others, torch::optim::AdamOptions(1e-3));
    if (sparse)
      rows = std::make_unique<torch::optim::Adagrad>(std::vector<Tensor>{model.embedding->weight},
                                                     torch::optim::AdagradOptions(1e-2));
  }
  void update(const Tensor& loss) {
    adam->zero_grad();
    if (rows) rows->zero_grad();
    loss.backward();
    adam->step();
    if (rows) rows->step();
  }
  std::unique_ptr<torch::optim::Adam> adam;
  std::unique_ptr<torch::optim::Adagrad> rows;
};

}  // namespace

int main(int argc, char** argv) {
  const bool has_data = argc > 1 && argv[1][0] != '-';
  if (!has_data) {
    std::fprintf(stderr, "bench_programs: the first argument is the folder of the data\n");
    return 2;
  }
  const std::string data = argv[1];
  bench::Suite suite(argc - 1, argv + 1);

  const auto text = std::make_shared<Text>(data + "/text/dev.txt");
  {
    int64_t words = 0;
    for (int i = 0; i < 10; ++i) words += static_cast<int64_t>(text->sentences[i].size()) - 1;
    suite.add("programs/lm/units=" + std::to_string(words), [=] {
      torch::manual_seed(1);
      auto model = std::make_shared<LanguageModel>(text->vocabulary.size(), false);
      auto optimizers = std::make_shared<Optimizers>(*model, false);
      std::vector<Tensor> sentences;
      for (int i = 0; i < 10; ++i) sentences.push_back(indices(text->sentences[i]).unsqueeze(1));
      return [=] {
        Tensor loss;
        for (const Tensor& s : sentences) optimizers->update(loss = model->loss(s));
        return loss;
      };
    });
  }
  {
    auto sorted = text->sentences;
    std::stable_sort(sorted.begin(), sorted.end(), [](auto& a, auto& b) { return a.size() < b.size(); });
    std::vector<std::vector<Sentence>> batches;
    int64_t words = 0;
    for (size_t b = 0; b < 4; ++b) {
      const size_t first = (2 * b + 1) * sorted.size() / 8 / 16 * 16;
      batches.emplace_back(sorted.begin() + static_cast<long>(first),
                           sorted.begin() + static_cast<long>(first) + 16);
      for (const Sentence& s : batches.back()) words += static_cast<int64_t>(s.size()) - 1;
    }
    suite.add("programs/lm_batched/units=" + std::to_string(words), [=] {
      torch::manual_seed(1);
      auto model = std::make_shared<LanguageModel>(text->vocabulary.size(), false);
      auto optimizers = std::make_shared<Optimizers>(*model, false);
      std::vector<Tensor> padded;
      for (const auto& batch : batches) {
        auto words = torch::full({static_cast<int64_t>(batch.back().size()), 16}, -1, torch::kLong);
        for (int64_t i = 0; i < 16; ++i)
          for (size_t t = 0; t < batch[static_cast<size_t>(i)].size(); ++t)
            words[static_cast<int64_t>(t)][i].fill_(batch[static_cast<size_t>(i)][t]);
        padded.push_back(words);
      }
      return [=] {
        Tensor loss;
        for (const Tensor& words : padded) optimizers->update(loss = model->loss(words));
        return loss;
      };
    });
  }
  auto words = std::make_shared<Vocabulary>();
  auto trees = std::make_shared<std::vector<Tree>>();
  for (const std::string& line : lines_of(data + "/trees/train.txt")) {
    size_t at = 0;
    trees->push_back(parse(line, at, *words));
  }
  for (const bool sparse : {false, true})
    suite.add(std::string("programs/tree_lstm") + (sparse ? "_sparse" : "") + "/units=20", [=] {
      torch::manual_seed(1);
      auto model = std::make_shared<TreeLstm>(words->size(), sparse);
      auto optimizers = std::make_shared<Optimizers>(*model, sparse);
      return [=] {
        Tensor loss;
        for (size_t i = 0; i < 20; ++i) {
          loss = Tensor();
          model->node((*trees)[i], loss);
          optimizers->update(loss);
        }
        return loss;
      };
    });

  struct Tagged {
    Vocabulary words, tags;
    std::vector<std::pair<Sentence, Sentence>> sentences;
  };
  auto tagged = std::make_shared<Tagged>();
  std::map<std::string, int> counts;
  std::vector<std::vector<std::pair<std::string, std::string>>> read;
  for (const std::string& line : lines_of(data + "/tags/dev.txt")) {
    read.emplace_back();
    std::istringstream in(line);
    for (std::string token; in >> token;) {
      const size_t bar = token.rfind('|');
      read.back().emplace_back(token.substr(0, bar), token.substr(bar + 1));
      ++counts[read.back().back().first];
    }
  }
  for (const auto& sentence : read) {
    tagged->sentences.emplace_back();
    for (const auto& [word, tag] : sentence) {
      tagged->sentences.back().first.push_back(tagged->words.of(counts[word] > 1 ? word : "<unk>"));
      tagged->sentences.back().second.push_back(tagged->tags.of(tag));
    }
  }
  int64_t tokens = 0;
  for (size_t i = 0; i < 40; ++i) tokens += static_cast<int64_t>(tagged->sentences[i].first.size());
  for (const bool sparse : {false, true})
    suite.add(
        std::string("programs/tagger") + (sparse ? "_sparse" : "") + "/units=" + std::to_string(tokens), [=] {
          torch::manual_seed(1);
          auto model = std::make_shared<Tagger>(tagged->words.size(), tagged->tags.size(), sparse);
          auto optimizers = std::make_shared<Optimizers>(*model, sparse);
          std::vector<std::pair<Tensor, Tensor>> sentences;
          for (size_t i = 0; i < 40; ++i)
            sentences.emplace_back(indices(tagged->sentences[i].first), indices(tagged->sentences[i].second));
          return [=] {
            Tensor loss;
            for (const auto& [w, t] : sentences) optimizers->update(loss = model->loss(w, t));
            return loss;
          };
        });
  return suite.run();
}
