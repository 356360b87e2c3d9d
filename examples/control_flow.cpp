// A model whose depth the data decides: it reads a surname letter by letter and stops as soon as it is sure
// of the language; unsure at the end, it reads the name again, backwards. Ordinary `for`, `if` and `break`.
//
//   control_flow FOLDER
//
// FOLDER holds one text file per language, a name a line, such as names/*.txt of PyTorch's tutorial data:
// https://download.pytorch.org/tutorial/data.zip
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "support/progress.h"
#include "tapir/tapir.h"

using namespace tapir;

namespace {

struct Options {
  std::string folder;
  int64_t hidden = 64, steps = 40000, seed = 1;
  double lr = 2e-3, sure = 0.9;
};

struct Name {
  std::vector<int64_t> letters;  // bytes
  int64_t language = 0;
};
struct Names {
  std::vector<std::string> languages;
  std::vector<std::vector<Name>> training;  // by language
  std::vector<Name> held_out;
};

Names read(const std::string& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  Names names;
  for (const auto& path : files) {
    std::ifstream file(path);
    std::vector<Name> all;
    for (std::string line; std::getline(file, line);) {
      Name name;
      for (const char c : line) name.letters.push_back(static_cast<unsigned char>(c));
      name.language = static_cast<int64_t>(names.languages.size());
      if (!name.letters.empty()) all.push_back(std::move(name));
    }
    if (all.size() < 10) continue;
    std::shuffle(all.begin(), all.end(), std::mt19937(0));
    const auto cut = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 10);
    names.held_out.insert(names.held_out.end(), all.begin(), cut);
    names.training.emplace_back(cut, all.end());
    names.languages.push_back(path.stem().string());
  }
  if (names.languages.size() < 2)
    throw IOError(folder + " holds fewer than two .txt files with ten names each");
  return names;
}

struct ReaderImpl : nn::Module {
  ReaderImpl(int64_t languages, int64_t hidden)
      : embedding(register_module("embedding", nn::Embedding(256, 32))),
        cell(register_module("cell", nn::GRUCell(32, hidden))),
        out(register_module("out", nn::Linear(hidden, languages))) {}

  struct Reading {
    Tensor logits;             // (1, languages), when it stopped
    std::vector<Tensor> path;  // the logits after each letter
    int64_t letters = 0;
  };
  Reading forward(const Name& name, double sure) {
    Reading r;
    Tensor h = zeros({1, out->options.in_features()});
    std::vector<int64_t> letters = name.letters;
    for (int pass = 0; pass < 2; ++pass) {
      for (const int64_t letter : letters) {
        h = cell(embedding(tensor({letter})), h);
        ++r.letters;
        r.logits = out(h);
        r.path.push_back(r.logits);
        if (r.letters > 1 && softmax(r.logits, 1).max().item<double>() > sure) return r;
      }
      std::reverse(letters.begin(), letters.end());  // not sure yet: once more, from the end
    }
    return r;
  }

  nn::Embedding embedding;
  nn::GRUCell cell;
  nn::Linear out;
};
TAPIR_MODULE(Reader);

void test(Reader& reader, const Names& names, double sure) {
  NoGradGuard no_grad;
  double right = 0, letters = 0, length = 0;
  for (const Name& name : names.held_out) {
    const auto reading = reader(name, sure);
    right += reading.logits.argmax(1).item<int64_t>() == name.language;
    letters += static_cast<double>(reading.letters);
    length += static_cast<double>(name.letters.size());
  }
  const auto n = static_cast<double>(names.held_out.size());
  std::printf("%.1f %% of the held-out names get their language; %.1f letters read of names of %.1f\n",
              100 * right / n, letters / n, length / n);
}

void train(const Options& o) {
  const Names names = read(o.folder);
  Reader reader(static_cast<int64_t>(names.languages.size()), o.hidden);
  optim::Adam adam(reader->parameters(), optim::AdamOptions(o.lr));
  optim::CosineAnnealingLR schedule(adam, o.steps);
  Progress progress(o.steps, "names");
  std::mt19937 random(static_cast<unsigned>(o.seed));
  const auto pick = [&](const auto& from) -> const auto& { return from[random() % from.size()]; };
  for (int64_t step = 1; step <= o.steps; ++step) {
    const Name& name = pick(pick(names.training));  // each language as often as any other
    const auto reading = reader(name, o.sure);
    // Later letters count more: the first few cannot tell.
    Tensor loss = zeros({});
    for (size_t t = 0; t < reading.path.size(); ++t)
      loss = loss + nn::functional::cross_entropy(reading.path[t], tensor({name.language})) *
                        (static_cast<double>(t + 1) / static_cast<double>(reading.path.size()));
    loss = loss / static_cast<double>(reading.path.size());
    adam.zero_grad();
    loss.backward();
    nn::utils::clip_grad_norm_(reader->parameters(), 1.0);
    adam.step();
    schedule.step();
    progress.update(step, loss.item<double>());
    if (step % (o.steps / 4) == 0) {
      progress.finish();
      test(reader, names, o.sure);
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("Tells the language of surnames, reading as many letters as it needs.");
  app.add_option("folder", o.folder, "a .txt file per language, a name a line")->required();
  app.add_option("--sure", o.sure, "stop reading at this probability")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--hidden", o.hidden, "size of the state")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--steps", o.steps, "names to train on")
      ->capture_default_str()
      ->check(CLI::Range(4, 1000000000));
  app.add_option("--lr", o.lr, "first learning rate")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed, "the same seed gives the same run")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    manual_seed(static_cast<uint64_t>(o.seed));
    train(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "control_flow: %s\n", e.what());
    return 1;
  }
  return 0;
}
