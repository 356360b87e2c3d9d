// A character-level Transformer that learns a text and writes on in its manner.
//
//   transformer_lm FILE
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "support/progress.h"
#include "tapir/tapir.h"

using namespace tapir;

namespace {

struct Options {
  std::string file;
  int64_t context = 64, width = 128, heads = 4, layers = 2, batch = 16, steps = 1500, sample = 400, seed = 1;
  double lr = 1e-3, dropout = 0.1, temperature = 0.8;
};

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw IOError("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct ModelImpl : nn::Module {
  ModelImpl(int64_t vocabulary, const Options& o)
      : context(o.context),
        characters(register_module("characters", nn::Embedding(vocabulary, o.width))),
        places(register_module("places", nn::Embedding(o.context, o.width))),
        layers(register_module("layers", nn::ModuleList())),
        norm(register_module("norm", nn::LayerNorm(nn::LayerNormOptions({o.width})))),
        out(register_module("out", nn::Linear(o.width, vocabulary))) {
    for (int64_t i = 0; i < o.layers; ++i)
      layers->push_back(nn::TransformerEncoderLayer(nn::TransformerEncoderLayerOptions(o.width, o.heads)
                                                        .dim_feedforward(4 * o.width)
                                                        .dropout(o.dropout)
                                                        .activation(kGELU)
                                                        .batch_first(true)
                                                        .norm_first(true)));
  }

  /// text (B, T), T <= context: logits (B, T, V) of each place's next character.
  Tensor forward(const Tensor& text) {
    const int64_t length = text.size(1);
    // -inf above the diagonal: no place sees those behind it
    const Tensor mask = triu(full({length, length}, -INFINITY), 1);
    Tensor x = characters(text) + places(arange(length));
    for (const auto& layer : *layers) x = layer->as<nn::TransformerEncoderLayer>()->forward(x, mask);
    return out(norm(x));
  }

  int64_t context;
  nn::Embedding characters, places;
  nn::ModuleList layers;
  nn::LayerNorm norm;
  nn::Linear out;
};
TAPIR_MODULE(Model);

Tensor loss_of(Model& model, const Tensor& blocks) {  // (B, context + 1)
  const int64_t length = blocks.size(1) - 1;
  const Tensor logits = model(blocks.narrow(1, 0, length));
  return nn::functional::cross_entropy(logits.flatten(0, 1), blocks.narrow(1, 1, length).flatten());
}

// Mean loss over all of a text, block by block.
double evaluate(Model& model, const Tensor& text) {
  NoGradGuard no_grad;
  model->eval();
  double sum = 0;
  int64_t blocks = 0;
  for (int64_t at = 0; at + model->context < text.numel(); at += model->context, ++blocks)
    sum += loss_of(model, text.narrow(0, at, model->context + 1).unsqueeze(0)).item<double>();
  model->train();
  return sum / static_cast<double>(blocks);
}

std::string write(Model& model, const data::datasets::CharVocabulary& vocabulary, const Options& o) {
  NoGradGuard no_grad;
  model->eval();
  std::vector<int64_t> text{data::datasets::CharVocabulary::kEndOfLine};
  while (static_cast<int64_t>(text.size()) <= o.sample) {
    const int64_t seen = std::min<int64_t>(o.context, static_cast<int64_t>(text.size()));
    const Tensor last = tensor(std::vector<int64_t>(text.end() - seen, text.end()));
    const Tensor p = softmax(model(last.unsqueeze(0))[0][-1] / o.temperature, 0);
    double left = rand({1}).item<double>();
    int64_t next = 0;
    while (next + 1 < p.size(0) && (left -= p[next].item<double>()) > 0) ++next;
    text.push_back(next);
  }
  return vocabulary.decode({text.data() + 1, text.size() - 1});
}

void train(const Options& o) {
  const std::string text = read_file(o.file);
  const data::datasets::CharVocabulary vocabulary(text);
  const Tensor all = tensor(vocabulary.encode(text));
  const int64_t held_out = all.numel() / 20;
  if (held_out <= o.context)
    throw ValueError(o.file + " is too short for a context of " + std::to_string(o.context));
  const Tensor training = all.narrow(0, 0, all.numel() - held_out);
  const Tensor test = all.narrow(0, all.numel() - held_out, held_out);

  Model model(vocabulary.size(), o);
  optim::AdamW adam(model->parameters(), optim::AdamWOptions(o.lr).weight_decay(0.01));
  optim::OneCycleLR schedule(adam, optim::OneCycleLROptions(o.lr, o.steps).pct_start(0.1));
  Progress progress(o.steps * o.batch * o.context, "characters");
  for (int64_t step = 1; step <= o.steps; ++step) {
    std::vector<Tensor> blocks;
    const Tensor starts = randint(0, training.numel() - o.context, {o.batch});
    for (int64_t i = 0; i < o.batch; ++i)
      blocks.push_back(training.narrow(0, starts[i].item<int64_t>(), o.context + 1));
    const Tensor loss = loss_of(model, stack(blocks));
    adam.zero_grad();
    loss.backward();
    nn::utils::clip_grad_norm_(model->parameters(), 1.0);
    adam.step();
    if (step < o.steps) schedule.step();
    progress.update(step * o.batch * o.context, loss.item<double>());
  }
  progress.finish();
  const double loss = evaluate(model, test);
  std::printf("held-out text: %.3f nats per character (perplexity %.2f)\n\n%s\n", loss, std::exp(loss),
              write(model, vocabulary, o).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("A character-level Transformer language model.");
  app.add_option("file", o.file, "a text")->required();
  app.add_option("--context", o.context, "characters that it sees")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--width", o.width, "of its vectors")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--heads", o.heads, "of its attention")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--layers", o.layers, "one on the other")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--batch", o.batch, "blocks per step")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--steps", o.steps, "of training")->capture_default_str()->check(CLI::Range(2, 100000000));
  app.add_option("--lr", o.lr, "greatest learning rate")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--sample", o.sample, "characters to write at the end")->capture_default_str();
  app.add_option("--seed", o.seed, "the same seed gives the same run")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    manual_seed(static_cast<uint64_t>(o.seed));
    train(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "transformer_lm: %s\n", e.what());
    return 1;
  }
  return 0;
}
