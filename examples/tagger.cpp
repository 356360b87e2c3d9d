// A bidirectional LSTM that tags the words of sentences of different lengths, one at a time or in packed
// batches.
//
//   tagger FILE                one sentence at a time
//   tagger FILE --batch 16     packed batches
//
// FILE holds a sentence a line, each token as word|TAG, such as WikiNER's (Nothman et al. 2013).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <unordered_map>

#include "support/progress.h"
#include "tapir/tapir.h"

using namespace tapir;
namespace rnn = nn::utils::rnn;

namespace {

struct Options {
  std::string file;
  int64_t batch = 1, words = 128, hidden = 50, epochs = 5, seed = 1;
  double lr = 1e-3;
};

struct Sentence {
  std::vector<int64_t> words, tags;
};
struct Corpus {
  std::vector<Sentence> training, held_out;
  int64_t words = 1, tags = 0;  // how many there are; word 0 is any that occurs once
};

Corpus read(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw IOError("cannot read " + path);
  std::vector<std::vector<std::pair<std::string, std::string>>> lines;
  std::unordered_map<std::string, int64_t> counts, words, tags;
  int64_t number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    std::istringstream tokens(line);
    std::vector<std::pair<std::string, std::string>> sentence;
    for (std::string token; tokens >> token;) {
      const size_t bar = token.rfind('|');
      if (bar == token.npos)
        throw IOError(path + ":" + std::to_string(number) + ": \"" + token + "\" is not word|TAG");
      sentence.emplace_back(token.substr(0, bar), token.substr(bar + 1));
      ++counts[sentence.back().first];
    }
    if (!sentence.empty()) lines.push_back(std::move(sentence));
  }
  if (lines.size() < 10) throw IOError(path + " holds fewer than 10 sentences");
  Corpus corpus;
  for (size_t i = 0; i < lines.size(); ++i) {
    Sentence s;
    for (const auto& [word, tag] : lines[i]) {
      s.words.push_back(counts[word] < 2 ? 0 : words.emplace(word, corpus.words).first->second);
      corpus.words = static_cast<int64_t>(words.size()) + 1;
      s.tags.push_back(tags.emplace(tag, static_cast<int64_t>(tags.size())).first->second);
    }
    (i % 10 == 9 ? corpus.held_out : corpus.training).push_back(std::move(s));  // each tenth is held out
  }
  corpus.tags = static_cast<int64_t>(tags.size());
  return corpus;
}

struct TaggerImpl : nn::Module {
  TaggerImpl(const Corpus& corpus, const Options& o)
      : embedding(register_module("embedding", nn::Embedding(corpus.words, o.words))),
        lstm(register_module("lstm", nn::LSTM(nn::LSTMOptions(o.words, o.hidden).bidirectional(true)))),
        hidden(register_module("hidden", nn::Linear(2 * o.hidden, 32))),
        out(register_module("out", nn::Linear(32, corpus.tags))) {}

  /// Scores (N, tags) of the N words of a batch, longest sentence first within each time step.
  Tensor forward(const rnn::PackedSequence& words) {
    const auto [states, last] = lstm->forward_with_packed_input(words.with_data(embedding(words.data())));
    return out(tanh(hidden(states.data())));
  }

  nn::Embedding embedding;
  nn::LSTM lstm;
  nn::Linear hidden, out;
};
TAPIR_MODULE(Tagger);

// The words and tags of some sentences, packed without padding.
std::pair<rnn::PackedSequence, Tensor> pack(const std::vector<const Sentence*>& batch) {
  std::vector<Tensor> words, tags;
  for (const Sentence* s : batch) {
    words.push_back(tensor(s->words));
    tags.push_back(tensor(s->tags));
  }
  return {rnn::pack_sequence(words, false), rnn::pack_sequence(tags, false).data()};
}

double accuracy(Tagger& tagger, const std::vector<Sentence>& sentences) {
  NoGradGuard no_grad;
  double right = 0, all = 0;
  for (const Sentence& s : sentences) {
    const auto [words, tags] = pack({&s});
    right += tagger(words).argmax(1).eq(tags).sum().item<double>();
    all += static_cast<double>(s.tags.size());
  }
  return right / all;
}

void train(const Options& o) {
  const Corpus corpus = read(o.file);
  Tagger tagger(corpus, o);
  optim::Adam adam(tagger->parameters(), optim::AdamOptions(o.lr));
  int64_t words = 0, done = 0;
  for (const Sentence& s : corpus.training) words += static_cast<int64_t>(s.words.size());
  Progress progress(o.epochs * words, "words");
  std::vector<size_t> order(corpus.training.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::mt19937 shuffler(static_cast<unsigned>(o.seed));
  for (int64_t epoch = 0; epoch < o.epochs; ++epoch) {
    std::shuffle(order.begin(), order.end(), shuffler);
    for (size_t i = 0; i < order.size();) {
      std::vector<const Sentence*> batch;
      while (i < order.size() && static_cast<int64_t>(batch.size()) < o.batch)
        batch.push_back(&corpus.training[order[i++]]);
      const auto [packed, tags] = pack(batch);
      const Tensor loss = nn::functional::cross_entropy(tagger(packed), tags);
      adam.zero_grad();
      loss.backward();
      adam.step();
      done += tags.numel();
      progress.update(done, loss.item<double>());
    }
    progress.finish();
    std::printf("epoch %lld: %.2f %% of the held-out words get their tag\n",
                static_cast<long long>(epoch + 1), 100 * accuracy(tagger, corpus.held_out));
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("A bidirectional LSTM that tags words.");
  app.add_option("file", o.file, "a sentence a line, tokens as word|TAG")->required();
  app.add_option("--batch", o.batch, "sentences per step")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--words", o.words, "size of a word's vector")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--hidden", o.hidden, "size of each direction's state")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--epochs", o.epochs, "passes over the sentences")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--lr", o.lr, "learning rate")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed, "the same seed gives the same run")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    manual_seed(static_cast<uint64_t>(o.seed));
    train(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "tagger: %s\n", e.what());
    return 1;
  }
  return 0;
}
