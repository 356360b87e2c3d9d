// A neural module network (Andreas et al. 2016): each question about a scene is answered by a network of its
// own, put together of small layers as the question's words are.
//
//   module_network                                       train, then test on deeper questions than trained on
//   module_network --ask "(count (and red (left-of circle)))"
//
// Scenes hold a few objects of some colour and shape at some place, seen with noise. A question is a tree:
// words find objects, left-of, above and their like find objects with a relation to those found, and, or and
// not combine, exists and count answer. Only the answers are told.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "support/progress.h"
#include "tapir/tapir.h"

using namespace tapir;

namespace {

struct Options {
  int64_t steps = 120000, batch = 4, width = 32, objects = 7, depth = 2, seed = 1;
  double lr = 2e-3, noise = 0.1;
  std::string ask;
};

const std::vector<std::string> kColours{"red", "green", "blue"}, kShapes{"circle", "square", "triangle"},
    kRelations{"left-of", "right-of", "above", "below"};

int64_t random_below(int64_t n) { return randint(0, n, {1}).item<int64_t>(); }
const std::string& any_of(const std::vector<std::string>& words) {
  return words[static_cast<size_t>(random_below(static_cast<int64_t>(words.size())))];
}
int64_t index_in(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) - words.begin();
}

struct Question {
  std::string word;
  std::vector<Question> parts;

  std::string str() const {
    if (parts.empty()) return word;
    std::string text = '(' + word;
    for (const Question& p : parts) text += ' ' + p.str();
    return text + ')';
  }
  // Takes a question from the beginning of `text`.
  static Question parse(std::string& text) {
    const auto skip = [&] { text.erase(0, std::min(text.find_first_not_of(' '), text.size())); };
    const auto take_word = [&] {
      skip();
      const std::string word = text.substr(0, text.find_first_of("() "));
      if (word.empty()) throw ValueError("the question lacks a word before \"" + text + '"');
      text.erase(0, word.size());
      return word;
    };
    skip();
    if (text.empty() || text[0] != '(') return {take_word(), {}};
    text.erase(0, 1);
    Question q{take_word(), {}};
    for (skip(); !text.empty() && text[0] != ')'; skip()) q.parts.push_back(parse(text));
    if (text.empty()) throw ValueError("the question lacks a \")\"");
    text.erase(0, 1);
    return q;
  }
};

Question random_objects(int64_t depth) {
  if (depth == 0) return {any_of(random_below(2) ? kColours : kShapes), {}};
  switch (random_below(4)) {
    case 0:
      return {"not", {random_objects(depth - 1)}};
    case 1:
      return {any_of({"and", "or"}), {random_objects(depth - 1), random_objects(random_below(depth))}};
    default:
      return {any_of(kRelations), {random_objects(depth - 1)}};
  }
}
Question random_question(int64_t depth) { return {any_of({"exists", "count"}), {random_objects(depth)}}; }

struct Object {
  int64_t colour, shape;
  double x, y;
};
using Scene = std::vector<Object>;

Scene random_scene(int64_t most) {
  Scene scene(static_cast<size_t>(2 + random_below(most - 1)));
  for (Object& o : scene) {
    const Tensor place = rand({2});
    o = {random_below(3), random_below(3), place[0].item<double>(), place[1].item<double>()};
  }
  return scene;
}

// What the network sees: (objects, 8).
Tensor look_at(const Scene& scene, double noise) {
  const Tensor seen = zeros({static_cast<int64_t>(scene.size()), 8});
  float* row = seen.data_ptr<float>();
  for (const Object& o : scene) {
    row[o.colour] = row[3 + o.shape] = 1;
    row[6] = static_cast<float>(o.x);
    row[7] = static_cast<float>(o.y);
    row += 8;
  }
  // Places are seen as they are: relations of near objects would else have no right answer.
  return seen + noise * cat({randn({seen.size(0), 6}), zeros({seen.size(0), 2})}, 1);
}

std::vector<bool> find(const Question& q, const Scene& scene) {
  std::vector<bool> found(scene.size());
  if (q.parts.empty()) {
    for (size_t i = 0; i < scene.size(); ++i)
      found[i] = scene[i].colour == index_in(kColours, q.word) || scene[i].shape == index_in(kShapes, q.word);
    return found;
  }
  const std::vector<bool> a = find(q.parts[0], scene);
  const std::vector<bool> b = q.parts.size() > 1 ? find(q.parts[1], scene) : a;
  for (size_t i = 0; i < scene.size(); ++i) {
    if (q.word == "not") found[i] = !a[i];
    if (q.word == "and") found[i] = a[i] && b[i];
    if (q.word == "or") found[i] = a[i] || b[i];
    for (size_t j = 0; j < scene.size(); ++j) {
      if (!a[j]) continue;
      if (q.word == "left-of" && scene[i].x < scene[j].x) found[i] = true;
      if (q.word == "right-of" && scene[i].x > scene[j].x) found[i] = true;
      if (q.word == "above" && scene[i].y > scene[j].y) found[i] = true;
      if (q.word == "below" && scene[i].y < scene[j].y) found[i] = true;
    }
  }
  return found;
}
int64_t answer(const Question& q, const Scene& scene) {
  const std::vector<bool> found = find(q.parts.at(0), scene);
  const int64_t n = std::count(found.begin(), found.end(), true);
  return q.word == "count" ? n : n > 0;
}

struct AnswererImpl : nn::Module {
  explicit AnswererImpl(const Options& o)
      : finders(register_module("finders", nn::ModuleDict())),
        relations(register_module("relations", nn::ModuleDict())),
        answers(register_module("answers", nn::ModuleDict())) {
    const auto net = [&](int64_t in, int64_t out) {
      return nn::Sequential(nn::Linear(in, o.width), nn::ReLU(), nn::Linear(o.width, out)).ptr();
    };
    for (const auto& words : {kColours, kShapes})
      for (const auto& word : words) finders->register_module(word, net(8, 1));
    for (const auto& word : kRelations) relations->register_module(word, net(16, 1));
    answers->register_module("exists", net(1, 2));
    answers->register_module("count", net(1, o.objects + 1));
  }

  /// How much each object of scene (N, 8) is meant by the question: (N).
  Tensor find(const Question& q, const Tensor& scene) {
    if (finders->contains(q.word)) return sigmoid(run(finders, q.word, scene)).squeeze(1);
    if (q.parts.empty()) throw ValueError("there is no word \"" + q.word + '"');
    const Tensor a = find(q.parts[0], scene);
    if (relations->contains(q.word)) {
      const int64_t n = scene.size(0);
      const Tensor pairs =
          cat({scene.unsqueeze(1).expand({n, n, 8}), scene.unsqueeze(0).expand({n, n, 8})}, 2);
      const Tensor related = sigmoid(run(relations, q.word, pairs)).squeeze(2);  // (N, N)
      return std::get<0>((related * a).max(1));  // to some object that is meant
    }
    if (q.word == "not") return 1 - a;
    if (q.parts.size() < 2) throw ValueError('"' + q.word + "\" takes two parts");
    const Tensor b = find(q.parts[1], scene);
    if (q.word == "and") return a * b;
    if (q.word == "or") return a + b - a * b;
    throw ValueError("there is no word \"" + q.word + '"');
  }

  /// Logits of the answers: no and yes, or 0, 1, 2, ...
  Tensor forward(const Question& q, const Tensor& scene) {
    if (!answers->contains(q.word) || q.parts.size() != 1)
      throw ValueError("a question is (exists ...) or (count ...), got " + q.str());
    const Tensor found = find(q.parts[0], scene);
    return run(answers, q.word, (q.word == "count" ? found.sum() : found.max()).unsqueeze(0));
  }

  nn::ModuleDict finders, relations, answers;

 private:
  static Tensor run(nn::ModuleDict& modules, const std::string& word, const Tensor& x) {
    return modules->at<nn::SequentialImpl>(word).forward(x);
  }
};
TAPIR_MODULE(Answerer);

double accuracy(Answerer& answerer, const Options& o, int64_t depth) {
  NoGradGuard no_grad;
  constexpr int kQuestions = 1000;
  int right = 0;
  for (int i = 0; i < kQuestions; ++i) {
    const Question q = random_question(depth);
    const Scene scene = random_scene(o.objects);
    right += answerer(q, look_at(scene, o.noise)).argmax().item<int64_t>() == answer(q, scene);
  }
  return 100.0 * right / kQuestions;
}

void train(const Options& o) {
  Answerer answerer(o);
  optim::Adam adam(answerer->parameters(), optim::AdamOptions(o.lr));
  optim::CosineAnnealingLR schedule(adam, o.steps);
  Progress progress(o.steps * o.batch, "questions");
  for (int64_t step = 1; step <= o.steps; ++step) {
    Tensor loss = zeros({});
    // Short questions come first, so that there is something to build on.
    const int64_t deepest = std::min(o.depth, 3 * o.depth * step / o.steps);
    for (int64_t i = 0; i < o.batch; ++i) {
      const Question q = random_question(random_below(deepest + 1));
      const Scene scene = random_scene(o.objects);
      loss = loss +
             nn::functional::cross_entropy(answerer(q, look_at(scene, o.noise)), tensor(answer(q, scene)));
    }
    adam.zero_grad();
    loss.backward();
    nn::utils::clip_grad_norm_(answerer->parameters(), 5.0);
    adam.step();
    schedule.step();
    progress.update(step * o.batch, loss.item<double>() / static_cast<double>(o.batch));
  }
  progress.finish();
  for (int64_t depth = 0; depth <= o.depth + 2; ++depth)
    std::printf("questions of depth %lld: %.1f %% are answered right%s\n", static_cast<long long>(depth),
                accuracy(answerer, o, depth), depth > o.depth ? " (deeper than any it was trained on)" : "");
  for (int i = 0; i < 5; ++i) {
    std::string text = o.ask;
    const Question q = text.empty() ? random_question(o.depth) : Question::parse(text);
    const Scene scene = random_scene(o.objects);
    NoGradGuard no_grad;
    const auto got = answerer(q, look_at(scene, o.noise)).argmax().item<int64_t>();
    std::printf("%s of %zu objects? %lld (right: %lld)\n", q.str().c_str(), scene.size(),
                static_cast<long long>(got), static_cast<long long>(answer(q, scene)));
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("Networks that are put together as questions are.");
  app.add_option("--steps", o.steps, "of training")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--batch", o.batch, "questions per step")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--depth", o.depth, "of the questions to train on")
      ->capture_default_str()
      ->check(CLI::Range(0, 10));
  app.add_option("--objects", o.objects, "of a scene at most")
      ->capture_default_str()
      ->check(CLI::Range(2, 100));
  app.add_option("--lr", o.lr, "learning rate")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--ask", o.ask, "a question to answer at the end");
  app.add_option("--seed", o.seed, "the same seed gives the same run")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    manual_seed(static_cast<uint64_t>(o.seed));
    train(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "module_network: %s\n", e.what());
    return 1;
  }
  return 0;
}
