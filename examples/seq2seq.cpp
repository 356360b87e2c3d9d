// An encoder and a decoder with attention that learn to translate words into Pig Latin: "string" becomes
// "ingstray", "apple" becomes "appleway". Both sides have lengths of their own.
//
//   seq2seq FILE
//
// FILE is any text: its words are the examples, and each tenth is held out.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <set>
#include <string>

#include "support/progress.h"
#include "tapir/tapir.h"

using namespace tapir;

namespace {

struct Options {
  std::string file;
  int64_t width = 96, batch = 32, epochs = 8, seed = 1;
  double lr = 3e-3;
};

// Letters are 2 to 27.
constexpr int64_t kEnd = 0, kBegin = 1, kSymbols = 28;

std::string pig_latin(const std::string& word) {
  const size_t vowel = word.find_first_of("aeiouy", word[0] == 'y' ? 1 : 0);
  if (vowel == 0) return word + "way";
  return vowel == word.npos ? word + "ay" : word.substr(vowel) + word.substr(0, vowel) + "ay";
}

std::vector<std::string> words_of(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw IOError("cannot read " + path);
  std::set<std::string> words;
  for (std::string word; file >> word;) {
    for (char& c : word) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (word.size() > 1 && word.size() < 16 &&
        std::all_of(word.begin(), word.end(), [](char c) { return c >= 'a' && c <= 'z'; }))
      words.insert(word);
  }
  if (words.size() < 20) throw IOError(path + " holds fewer than 20 words");
  return {words.begin(), words.end()};
}

// Letters and the end.
Tensor encode(const std::string& word) {
  std::vector<int64_t> symbols;
  for (const char c : word) symbols.push_back(c - 'a' + 2);
  symbols.push_back(kEnd);
  return tensor(symbols);
}

// A word and its translation.
class Words : public data::Dataset<Words> {
 public:
  explicit Words(std::vector<std::string> words) : words_(std::move(words)) {}
  data::Example<> get(size_t i) override { return {encode(words_[i]), encode(pig_latin(words_[i]))}; }
  std::optional<size_t> size() const override { return words_.size(); }
  std::vector<int64_t> lengths() const {
    std::vector<int64_t> all;
    for (const auto& w : words_) all.push_back(static_cast<int64_t>(w.size()));
    return all;
  }

 private:
  std::vector<std::string> words_;
};

// Words of different lengths side by side.
struct Batch {
  Tensor source, lengths, target;  // (B, S), (B), (B, T), where targets are filled up with -100
};
Batch collate(const std::vector<data::Example<>>& examples) {
  std::vector<Tensor> sources, targets, lengths;
  for (const auto& e : examples) {
    sources.push_back(e.data);
    targets.push_back(e.target);
    lengths.push_back(tensor(e.data.size(0)));
  }
  const auto padding = data::PadOptions().batch_first(true);
  return {data::pad_tensors(sources, padding), stack(lengths),
          data::pad_tensors(targets, data::PadOptions(padding).padding_value(-100))};
}

struct TranslatorImpl : nn::Module {
  explicit TranslatorImpl(const Options& o)
      : letters(register_module("letters", nn::Embedding(kSymbols, o.width))),
        encoder(register_module(
            "encoder", nn::GRU(nn::GRUOptions(o.width, o.width / 2).bidirectional(true).batch_first(true)))),
        bridge(register_module("bridge", nn::Linear(o.width, o.width))),
        decoder(register_module("decoder", nn::GRUCell(2 * o.width, o.width))),
        query(register_module("query", nn::Linear(o.width, o.width))),
        out(register_module("out", nn::Linear(2 * o.width, kSymbols))) {}

  /// What the decoder goes through the target with.
  struct State {
    Tensor memory, mask;     // (B, S, H), and (B, S): -inf behind a word's end
    Tensor hidden, context;  // (B, H)
  };

  State read(const Tensor& source, const Tensor& lengths) {
    namespace rnn = nn::utils::rnn;
    const auto packed = rnn::pack_padded_sequence(letters(source), lengths, true, false);
    const auto [states, last] = encoder->forward_with_packed_input(packed);
    const auto [memory, ignored] = rnn::pad_packed_sequence(states, true);
    const Tensor beyond = arange(source.size(1)).ge(lengths.unsqueeze(1));
    return {memory, zeros(source.sizes()).masked_fill(beyond, -INFINITY),
            tanh(bridge(cat({last[0], last[1]}, 1))), zeros({source.size(0), memory.size(2)})};
  }

  /// Logits (B, V) of the symbols after `before` (B).
  Tensor step(State& s, const Tensor& before) {
    s.hidden = decoder(cat({letters(before), s.context}, 1), s.hidden);
    const Tensor scores = bmm(s.memory, query(s.hidden).unsqueeze(2)).squeeze(2);  // (B, S)
    const Tensor attention = softmax(scores / std::sqrt(s.memory.size(2)) + s.mask, 1);
    s.context = bmm(attention.unsqueeze(1), s.memory).squeeze(1);
    return out(cat({s.hidden, s.context}, 1));
  }

  /// Each step is told the right symbol before it.
  Tensor loss(const Batch& batch) {
    State s = read(batch.source, batch.lengths);
    Tensor before = full({batch.source.size(0)}, kBegin, kInt64);
    std::vector<Tensor> logits;
    for (int64_t t = 0; t < batch.target.size(1); ++t) {
      logits.push_back(step(s, before));
      before = batch.target.select(1, t).clamp_min(0);
    }
    return nn::functional::cross_entropy(stack(logits, 1).flatten(0, 1), batch.target.flatten());
  }

  /// Symbol by symbol, each the likeliest after those before it, until it ends the word.
  std::string translate(const std::string& word) {
    NoGradGuard no_grad;
    const Tensor source = encode(word);
    State s = read(source.unsqueeze(0), tensor({source.size(0)}));
    std::string result;
    int64_t symbol = kBegin;
    while (result.size() < 24) {
      symbol = step(s, tensor({symbol})).argmax(1).item<int64_t>();
      if (symbol == kEnd) break;
      result += symbol == kBegin ? '?' : static_cast<char>('a' + symbol - 2);
    }
    return result;
  }

  nn::Embedding letters;
  nn::GRU encoder;
  nn::Linear bridge;
  nn::GRUCell decoder;
  nn::Linear query, out;
};
TAPIR_MODULE(Translator);

void train(const Options& o) {
  std::vector<std::string> training, held_out;
  for (const auto& word : words_of(o.file))
    ((training.size() + held_out.size()) % 10 == 9 ? held_out : training).push_back(word);
  const Words words(training);
  auto loader = data::make_data_loader(
      data::datasets::map(words, data::transforms::BatchLambda<std::vector<data::Example<>>, Batch>(collate)),
      data::samplers::BucketBatchSampler(words.lengths(), 20),
      data::DataLoaderOptions(static_cast<size_t>(o.batch)).workers(1));

  Translator translator(o);
  optim::Adam adam(translator->parameters(), optim::AdamOptions(o.lr));
  optim::CosineAnnealingLR schedule(adam, o.epochs, o.lr / 50);
  const auto total = static_cast<int64_t>(training.size());
  Progress progress(o.epochs * total, "words");
  int64_t done = 0;
  for (int64_t epoch = 0; epoch < o.epochs; ++epoch) {
    for (const Batch& batch : *loader) {
      const Tensor loss = translator->loss(batch);
      adam.zero_grad();
      loss.backward();
      nn::utils::clip_grad_norm_(translator->parameters(), 1.0);
      adam.step();
      progress.update(done += batch.source.size(0), loss.item<double>());
    }
    schedule.step();
  }
  progress.finish();
  int64_t right = 0;
  for (const auto& word : held_out) right += translator->translate(word) == pig_latin(word);
  std::printf("%.1f %% of the %zu held-out words are translated without a mistake:\n",
              100 * static_cast<double>(right) / static_cast<double>(held_out.size()), held_out.size());
  for (size_t i = 0; i < held_out.size() && i < 8; ++i)
    std::printf("  %s -> %s\n", held_out[i].c_str(), translator->translate(held_out[i]).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("An encoder and a decoder with attention that learn Pig Latin.");
  app.add_option("file", o.file, "a text")->required();
  app.add_option("--width", o.width, "of vectors and states; even")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--batch", o.batch, "words per step")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--epochs", o.epochs, "passes over the words")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--lr", o.lr, "learning rate")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed, "the same seed gives the same run")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    manual_seed(static_cast<uint64_t>(o.seed));
    train(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "seq2seq: %s\n", e.what());
    return 1;
  }
  return 0;
}
