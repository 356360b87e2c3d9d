// A character-level language model: an LSTM learns lines of text of different lengths, and writes some of its
// own.
//
//   char_lstm                          train on the embedded text, show samples, write char_lstm.safetensors
//   char_lstm --data FILE              train on another text
//   char_lstm --resume                 go on from the checkpoint
//   char_lstm --sample 10              read the checkpoint and write ten lines
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <sstream>
#include <string>

#include "support/ngram.h"
#include "support/progress.h"
#include "tapir/tapir.h"

using namespace tapir;
namespace rnn = nn::utils::rnn;

namespace {

const char* const kEmbeddedText =
#include "embedded_text.inc"
    ;

// Without --epochs, training reads about this many characters: a minute or two on two cores.
constexpr int64_t kCharactersByDefault = 4'000'000;

struct Options {
  std::string data, checkpoint = "char_lstm.safetensors";
  int64_t embedding = 64, hidden = 384, layers = 1, batch = 32, epochs = 0, seed = 1;
  double lr = 4e-3, temperature = 0.7;
  int64_t sample = 0;
  bool resume = false;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw IOError("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string shuffled_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    if (!line.empty()) lines.push_back(line);
  std::shuffle(lines.begin(), lines.end(), std::mt19937(0));
  std::string joined;
  for (const std::string& line : lines) joined += line + '\n';
  return joined;
}

// Each line's characters, without its end.
std::vector<std::vector<int64_t>> indices_of(data::datasets::TextLines lines) {
  std::vector<std::vector<int64_t>> all;
  for (size_t i = 0; i < *lines.size(); ++i) {
    const Tensor target = lines.get(i).target;
    const int64_t* c = target.data_ptr<int64_t>();
    all.emplace_back(c, c + target.numel() - 1);
  }
  return all;
}

struct CharModelImpl : nn::Module {
  CharModelImpl(int64_t vocabulary, const Options& o)
      : embedding(register_module("embedding", nn::Embedding(vocabulary, o.embedding))),
        lstm(register_module("lstm", nn::LSTM(nn::LSTMOptions(o.embedding, o.hidden).num_layers(o.layers)))),
        out(register_module("out", nn::Linear(o.hidden, vocabulary))) {}

  /// Logits (N, V) for the N characters of a packed batch of lines.
  Tensor forward(const rnn::PackedSequence& lines) {
    const auto [hidden, state] = lstm->forward_with_packed_input(lines.with_data(embedding(lines.data())));
    return out(hidden.data());
  }

  /// One character after another, each drawn from the model's own prediction, until it ends the line.
  std::vector<int64_t> write_line(double temperature, int64_t max_length = 120) {
    NoGradGuard no_grad;
    std::vector<int64_t> line;
    std::optional<std::tuple<Tensor, Tensor>> state;
    int64_t character = data::datasets::CharVocabulary::kEndOfLine;
    while (static_cast<int64_t>(line.size()) < max_length) {
      auto [hidden, next] =
          lstm->forward(embedding(tensor({character})), state);  // (1, H): a sequence of one step
      state = next;
      const Tensor p = softmax(out(hidden)[0] / temperature, 0);
      double left = rand({1}).item<double>();
      character = 0;
      while (character + 1 < p.size(0) && (left -= p[character].item<double>()) > 0) ++character;
      if (character == data::datasets::CharVocabulary::kEndOfLine) break;
      line.push_back(character);
    }
    return line;
  }

  nn::Embedding embedding;
  nn::LSTM lstm;
  nn::Linear out;
};
TAPIR_MODULE(CharModel);

void print_sample(CharModel& model, const data::datasets::CharVocabulary& vocabulary, const Options& o,
                  int64_t lines) {
  for (int64_t i = 0; i < lines; ++i)
    std::printf("  | %s\n", vocabulary.decode(model->write_line(o.temperature)).c_str());
}

// Sum of the loss over a batch's characters, and their number.
std::pair<Tensor, int64_t> batch_loss(CharModel& model, const data::PaddedExample& batch) {
  const auto lines = rnn::pack_padded_sequence(batch.data, batch.lengths);
  const Tensor targets = rnn::pack_padded_sequence(batch.target, batch.lengths).data();
  return {nn::functional::cross_entropy(model(lines), targets), targets.numel()};
}

auto make_loader(data::datasets::TextLines lines, const Options& o, size_t workers) {
  return data::make_data_loader(
      lines.map(data::transforms::PadSequences(data::PadOptions().sort(true))),
      data::samplers::BucketBatchSampler(lines.lengths(), 50),
      data::DataLoaderOptions().batch_size(static_cast<size_t>(o.batch)).workers(workers));
}

double validation_loss(CharModel& model, const data::datasets::TextLines& lines, const Options& o) {
  NoGradGuard no_grad;
  model->eval();
  double sum = 0, characters = 0;
  const auto loader = make_loader(lines, o, 0);
  for (auto& batch : *loader) {
    const auto [loss, n] = batch_loss(model, batch);
    sum += loss.item<double>() * static_cast<double>(n);
    characters += static_cast<double>(n);
  }
  model->train();
  return sum / characters;
}

// The checkpoint: weights, the optimizer's state, and what is needed to make the same model again.
void save_checkpoint(const Options& o, CharModel& model, optim::Adam& optimizer,
                     const data::datasets::CharVocabulary& vocabulary, int64_t epoch) {
  const auto names = model->named_parameters();
  const auto state = optimizer.state_dict(&names);
  NamedTensors tensors;
  for (const auto& item : model->state_dict()) tensors.emplace_back("model." + item.key(), item.value());
  for (const auto& item : state.tensors) tensors.emplace_back("optimizer." + item.key(), item.value());
  Metadata metadata = {{"characters", vocabulary.characters()},
                       {"embedding", std::to_string(o.embedding)},
                       {"hidden", std::to_string(o.hidden)},
                       {"layers", std::to_string(o.layers)},
                       {"epoch", std::to_string(epoch)}};
  for (const auto& item : state.numbers) {
    char text[40];
    std::snprintf(text, sizeof text, "%.17g", item.value());
    metadata.emplace_back("optimizer." + item.key(), text);
  }
  save_safetensors(o.checkpoint, tensors, metadata);
}

std::string metadata_of(const SafeTensors& file, const std::string& key) {
  for (const auto& [k, value] : file.metadata)
    if (k == key) return value;
  throw IOError("the checkpoint does not hold \"" + key + "\": was it written by this program?");
}

void load_model(const SafeTensors& file, CharModel& model) {
  OrderedDict<std::string, Tensor> state;
  for (const auto& [name, value] : file.tensors)
    if (name.starts_with("model.")) state.insert(name.substr(6), value);
  model->load_state_dict(state);
}

void load_optimizer(const SafeTensors& file, CharModel& model, optim::Adam& optimizer) {
  optim::OptimizerStateDict state;
  for (const auto& [name, value] : file.tensors)
    if (name.starts_with("optimizer.")) state.tensors.insert(name.substr(10), value);
  for (const auto& [name, value] : file.metadata)
    if (name.starts_with("optimizer.")) state.numbers.insert(name.substr(10), std::stod(value));
  const auto names = model->named_parameters();
  optimizer.load_state_dict(state, &names);
}

int run(Options o) {
  using data::datasets::CharVocabulary;
  using data::datasets::TextLines;
  manual_seed(static_cast<uint64_t>(o.seed));
  std::optional<SafeTensors> file;
  if (o.resume || o.sample > 0) {
    file = load_safetensors(o.checkpoint);
    o.embedding = std::stoll(metadata_of(*file, "embedding"));
    o.hidden = std::stoll(metadata_of(*file, "hidden"));
    o.layers = std::stoll(metadata_of(*file, "layers"));
  }
  if (o.sample > 0) {
    const CharVocabulary vocabulary(metadata_of(*file, "characters"));
    CharModel model(vocabulary.size(), o);
    load_model(*file, model);
    print_sample(model, vocabulary, o, o.sample);
    return 0;
  }

  // The lines in an order of their own, the same in every run, so that the last twentieth, kept for
  // validation, is a fair sample of the text.
  const std::string text = shuffled_lines(o.data.empty() ? kEmbeddedText : read_file(o.data));
  const TextLines all =
      file ? TextLines(text, CharVocabulary(metadata_of(*file, "characters"))) : TextLines(text);
  const CharVocabulary& vocabulary = all.vocabulary();
  const size_t lines = *all.size();
  if (lines < 20)
    throw ValueError("the text has " + std::to_string(lines) + " lines; give one of 20 or more");
  const size_t held_out = lines / 20, held_start = lines - held_out;
  const TextLines train = all.subset(0, held_start), test = all.subset(held_start, lines);
  int64_t characters = 0;
  for (int64_t n : train.lengths()) characters += n;
  std::printf("%zu lines to train on (%lld characters, %lld different ones), %zu to validate on\n",
              held_start, static_cast<long long>(characters), static_cast<long long>(vocabulary.size()),
              held_out);

  if (o.epochs == 0) o.epochs = std::max<int64_t>(1, (kCharactersByDefault + characters / 2) / characters);
  CharModel model(vocabulary.size(), o);
  optim::Adam optimizer(model->parameters(), optim::AdamOptions(o.lr));
  int64_t first_epoch = 0;
  if (file) {
    load_model(*file, model);
    load_optimizer(*file, model, optimizer);
    first_epoch = std::stoll(metadata_of(*file, "epoch"));
    o.epochs += first_epoch;
    std::printf("going on after epoch %lld\n", static_cast<long long>(first_epoch));
  }
  std::printf("before training, it writes:\n");
  print_sample(model, vocabulary, o, 3);

  const NgramLoss counts = ngram_loss(indices_of(train), indices_of(test), vocabulary.size());
  const int64_t steps_per_epoch = (static_cast<int64_t>(held_start) + o.batch - 1) / o.batch;
  optim::OneCycleLR schedule(
      optimizer,
      optim::OneCycleLROptions(o.lr, (o.epochs - first_epoch) * steps_per_epoch + 1).cycle_momentum(false));
  const auto loader = make_loader(train, o, 1);
  double best = INFINITY;
  int64_t done = 0;
  Progress progress((o.epochs - first_epoch) * characters, "characters");
  for (int64_t epoch = first_epoch; epoch < o.epochs; ++epoch) {
    for (auto& batch : *loader) {
      optimizer.zero_grad();
      const auto [loss, n] = batch_loss(model, batch);
      loss.backward();
      nn::utils::clip_grad_norm_(model->parameters(), 1.0);
      optimizer.step();
      schedule.step();
      done += n;
      progress.update(done, loss.item<double>());
    }
    progress.finish();
    const double loss = validation_loss(model, test, o);
    std::printf("epoch %lld: validation loss %.3f nats per character (unigram %.3f, bigram %.3f)\n",
                static_cast<long long>(epoch + 1), loss, counts.unigram, counts.bigram);
    if (loss < best) {
      best = loss;
      save_checkpoint(o, model, optimizer, vocabulary, epoch + 1);
    }
  }
  std::printf("after training, it writes:\n");
  print_sample(model, vocabulary, o, 8);
  std::printf("%.0f s; the best checkpoint is in %s\n", progress.seconds(), o.checkpoint.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("An LSTM that learns lines of text and writes some of its own.");
  app.add_option("--data", o.data, "a text file; without it, the text of Tapir's own sources");
  app.add_option("--checkpoint", o.checkpoint, "where the best model is written and read")
      ->capture_default_str();
  app.add_flag("--resume", o.resume, "go on from the checkpoint");
  app.add_option("--sample", o.sample, "write this many lines from the checkpoint instead of training");
  app.add_option("--temperature", o.temperature, "below 1 the samples are safer, above bolder")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--epochs", o.epochs, "passes over the text; by default as many as take a minute or two")
      ->check(CLI::PositiveNumber);
  app.add_option("--hidden", o.hidden, "size of the LSTM's state")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--embedding", o.embedding, "size of a character's vector")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--layers", o.layers, "LSTM layers")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--batch", o.batch, "lines per step")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--lr", o.lr, "highest learning rate")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed, "the same seed gives the same run")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "char_lstm: %s\n", e.what());
    return 1;
  }
}
