// A whole training in one file, which survives being killed at any moment.
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

#include "support/catch.h"
#include "support/temporary_folder.h"
#include "tapir/tapir.h"

using namespace tapir;

namespace {

// Points on a noisy line; the noise is drawn anew each time that one is read.
class Points : public data::Dataset<Points> {
 public:
  data::Example<> get(size_t i) override {
    const Tensor x = full({8}, static_cast<double>(i) / 10) + 0.1 * randn({8});
    return {x, x.sum().unsqueeze(0)};
  }
  std::optional<size_t> size() const override { return 50; }
};

struct NetImpl : nn::Module {
  explicit NetImpl(int64_t width) : hidden(8, width), out(width, 1) {
    register_module("hidden", hidden);
    register_module("out", out);
  }
  Tensor forward(const Tensor& x) { return out(dropout(tanh(hidden(x)), 0.2, is_training())); }
  nn::Linear hidden, out;
};
TAPIR_MODULE(Net);

// Two epochs of six steps with everything that has a state, saved after each step.
struct Training {
  explicit Training(size_t workers, int64_t width = 2000)
      : net(width),
        adam(net->parameters(), 1e-3),
        schedule(adam, 3, 0.5),
        loader(data::make_data_loader(Points().map(data::transforms::Stack<>()),
                                      data::DataLoaderOptions(9).workers(workers))) {
    state.add("model", net)
        .add("optimizer", adam)
        .add("schedule", schedule)
        .add("loader", *loader)
        .add("epoch", epoch)
        .add("step", step)
        .add("loss", loss)
        .add("note", note);
  }
  void run(const std::string& path) {
    state.resume(path);
    for (; epoch < 2; ++epoch) {
      for (auto& batch : *loader) {
        const Tensor error = (net(batch.data) - batch.target).square().mean();
        adam.zero_grad();
        error.backward();
        adam.step();
        schedule.step();
        loss = error.item<double>();
        note = "step " + std::to_string(++step);
        state.save(path);
      }
    }
  }
  Net net;
  optim::Adam adam;
  optim::StepLR schedule;
  decltype(data::make_data_loader(Points().map(data::transforms::Stack<>()))) loader;
  int64_t epoch = 0, step = 0;
  double loss = 0;
  std::string note;
  TrainingState state;
};

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i].dtype() != b[i].dtype() || !(a[i].sizes() == b[i].sizes()) ||
        std::memcmp(a[i].data_ptr(), b[i].data_ptr(), a[i].nbytes()) != 0)
      return false;
  return true;
}
std::vector<Tensor> copies(const std::vector<Tensor>& tensors) {
  std::vector<Tensor> result;
  for (const Tensor& t : tensors) result.push_back(t.detach().clone());
  return result;
}

const char* const kFolder = "TAPIR_TEST_TRAINING";

// This program again, for the hidden test case `name`.
pid_t start(const char* name) {
  const char* const arguments[] = {"test_training_state", name, nullptr};
  pid_t child = 0;
  REQUIRE(::posix_spawn(&child, "/proc/self/exe", nullptr, nullptr, const_cast<char* const*>(arguments),
                        environ) == 0);
  return child;
}
int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
  }
  return status;
}

}  // namespace

// What the killed process does.
TEST_CASE("trains", "[.]") {
  const std::string folder = std::getenv(kFolder);
  manual_seed(3);
  Training training(2);
  training.run(folder + "/training");
  save(training.net, folder + "/weights");
}

TEST_CASE("a training that is killed at random moments ends with the weights of one that is not") {
  const TemporaryFolder folder;
  ::setenv(kFolder, folder.path().c_str(), 1);
  const auto begin = std::chrono::steady_clock::now();
  REQUIRE(wait_for(start("trains")) == 0);
  const double whole = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::filesystem::rename(folder / "weights", folder / "expected");
  std::filesystem::remove(folder / "training");

  std::mt19937 random(std::random_device{}());
  int killed = 0;
  for (int tries = 0;; ++tries) {
    const pid_t child = start("trains");
    // Now and then none is killed, so that a slow machine gets on.
    if (tries % 16 != 15) {
      std::this_thread::sleep_for(std::chrono::duration<double>(
          std::uniform_real_distribution<double>(0.1 * whole, 0.6 * whole)(random)));
      ::kill(child, SIGKILL);
    }
    const int status = wait_for(child);
    if (WIFEXITED(status)) {
      REQUIRE(WEXITSTATUS(status) == 0);
      break;
    }
    ++killed;
  }
  CHECK(killed > 0);
  Net expected(2000), resumed(2000);
  load(expected, folder / "expected");
  load(resumed, folder / "weights");
  CHECK(same(resumed->parameters(), expected->parameters()));
}

TEST_CASE("in one process: stopped after each step, with other workers each time") {
  const TemporaryFolder folder;
  manual_seed(3);
  Training whole(1, 20);
  whole.run(folder / "whole");
  const auto after = default_generator().get_state();

  struct Stop {};
  for (int step = 0; step < 12; ++step) {
    manual_seed(3 + static_cast<uint64_t>(step));  // only the first one counts
    Training part(static_cast<size_t>(step % 3), 20);
    part.state.resume(folder / "parts");
    CHECK(part.step == step);
    CHECK(part.note == (step ? "step " + std::to_string(step) : ""));
    try {
      for (; part.epoch < 2; ++part.epoch)
        for (auto& batch : *part.loader) {
          const Tensor error = (part.net(batch.data) - batch.target).square().mean();
          part.adam.zero_grad();
          error.backward();
          part.adam.step();
          part.schedule.step();
          part.loss = error.item<double>();
          part.note = "step " + std::to_string(++part.step);
          part.state.save(folder / "parts");
          throw Stop();
        }
    } catch (const Stop&) {
    }
    if (step == 11) {
      CHECK(same(part.net->parameters(), whole.net->parameters()));
      CHECK(part.loss == whole.loss);
      CHECK(part.adam.param_groups()[0].options().get_lr() ==
            whole.adam.param_groups()[0].options().get_lr());
      CHECK((default_generator().get_state() == after));
    }
  }
  CHECK(folder.files() == 2);
}

// A process that may write files of 40 kB at most, as on a full disk.
TEST_CASE("writes to a full disk", "[.]") {
  const std::string path = std::string(std::getenv(kFolder)) + "/training";
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{40000, 40000};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  Training training(0);
  training.step = 1000;
  CHECK_THROWS_AS(training.state.save(path), IOError);
}

TEST_CASE("a write that is cut short does not cost the previous file") {
  const TemporaryFolder folder;
  ::setenv(kFolder, folder.path().c_str(), 1);
  Training training(0);
  training.step = 7;
  training.state.save(folder / "training");
  const auto weights = copies(training.net->parameters());
  CHECK(wait_for(start("writes to a full disk")) == 0);
  CHECK(folder.files() == 1);
  Training other(0);
  other.state.load(folder / "training");
  CHECK(other.step == 7);
  CHECK(same(other.net->parameters(), weights));
}

TEST_CASE("a file with other parts, or a part that does not fit, changes nothing") {
  const TemporaryFolder folder;
  Training training(0, 10), other(0, 11), larger(0, 10);
  int64_t more = 0;
  training.step = 3;
  training.state.save(folder / "training");
  larger.state.add("more", more);
  const auto weights = copies(other.net->parameters());
  const auto generator = default_generator().get_state();
  CHECK_THROWS_AS(other.state.load(folder / "training"), ValueError);
  CHECK_THROWS_AS(larger.state.load(folder / "training"), ValueError);
  CHECK_THROWS_AS(other.state.load(folder / "missing"), IOError);
  CHECK_FALSE(other.state.resume(folder / "missing"));
  save(training.net, folder / "weights");
  CHECK_THROWS_AS(other.state.load(folder / "weights"), ValueError);
  CHECK_THROWS_AS(other.state.add("step", more), ValueError);
  CHECK_THROWS_AS(other.state.add("a.b", more), ValueError);
  CHECK_THROWS_AS(other.state.add("generator", more), ValueError);
  CHECK(same(other.net->parameters(), weights));
  CHECK((default_generator().get_state() == generator));

  // The parts before the one that does not fit are put back.
  nn::Linear model(2, 3);
  TrainingState narrow, wide;
  double number = 1.5;
  bool flag = true;
  Tensor tensor = ones({3});
  Generator own;
  narrow.add("number", number).add("flag", flag).add("tensor", tensor).add("own", own).add("model", model);
  narrow.save(folder / "narrow");
  nn::Linear wrong(2, 4);
  wide.add("number", number).add("flag", flag).add("tensor", tensor).add("own", own).add("model", wrong);
  number = 2.5;
  flag = false;
  tensor = zeros({3});
  own.manual_seed(4);
  const auto own_before = own.get_state();
  CHECK_THROWS_AS(wide.load(folder / "narrow"), ValueError);
  CHECK(number == 2.5);
  CHECK_FALSE(flag);
  CHECK(tensor.equal(zeros({3})));
  CHECK((own.get_state() == own_before));
  narrow.load(folder / "narrow");
  CHECK(number == 1.5);
  CHECK(flag);
  CHECK(tensor.equal(ones({3})));
  CHECK((own.get_state() != own_before));
}

TEST_CASE("a tensor that is loaded stays the variable's, with what the optimizer knows of it") {
  const TemporaryFolder folder;
  const std::string path = folder / "training";
  Tensor weight = ones({3}), none, later;
  weight.requires_grad_();
  optim::SGD sgd({weight}, 1.0);
  TrainingState state;
  state.add("weight", weight).add("none", none).add("later", later);
  state.save(path);

  const Tensor same_weight = weight;
  {
    NoGradGuard guard;
    weight.fill_(5);
  }
  none = ones({2});
  later = ones({2});
  const uint32_t version = weight._version();
  state.load(path);
  CHECK(weight.is_same(same_weight));
  CHECK(weight.requires_grad());
  CHECK(weight._version() > version);
  CHECK(weight.equal(ones({3})));
  CHECK_FALSE(none.defined());
  weight.sum().backward();
  sgd.step();
  CHECK(weight.equal(zeros({3})));

  // Other sizes or another dtype change nothing; what was loaded before them is put back, None too.
  for (const Tensor& other : {ones({1}), ones({3}, kFloat64)}) {
    Tensor misfit = other, defined = full({2}, 7), undefined;
    const Tensor same_defined = defined;
    TrainingState wrong;
    wrong.add("none", defined).add("later", undefined).add("weight", misfit);
    CHECK_THROWS_WITH(wrong.load(path), ContainsSubstring("\"weight\" is float32 of sizes [3]"));
    CHECK(misfit.is_same(other));
    CHECK(misfit.equal(ones(misfit.sizes(), misfit.dtype())));
    CHECK(defined.is_same(same_defined));
    CHECK(defined.equal(full({2}, 7)));
    CHECK_FALSE(undefined.defined());
  }
  weight.reset();
  state.load(path);
  CHECK(weight.equal(ones({3})));
}

TEST_CASE("a loop goes on where the file's other parts do not fit") {
  const TemporaryFolder folder;
  const auto loader = data::make_data_loader(Points().map(data::transforms::Stack<>()), 9);
  Tensor tensor = ones({2}), other = ones({3});
  TrainingState state, wrong;
  state.add("loader", *loader).add("tensor", tensor);
  wrong.add("loader", *loader).add("tensor", other);
  state.save(folder / "training");
  int batches = 0;
  for (auto& batch : *loader) {
    static_cast<void>(batch);
    if (++batches == 2) CHECK_THROWS_AS(wrong.load(folder / "training"), ValueError);
  }
  CHECK(batches == 6);
  auto it = loader->begin();
  state.load(folder / "training");
  CHECK_THROWS_WITH(++it, ContainsSubstring("load_state_dict()"));
}

TEST_CASE("a sampler's own generator may be used elsewhere too") {
  using Indices = std::vector<std::vector<size_t>>;
  struct Numbers : data::Dataset<Numbers, size_t> {
    size_t get(size_t i) override { return i; }
    std::optional<size_t> size() const override { return 12; }
  };
  const TemporaryFolder folder;
  // Two loops over loaders that share a generator, from which the first one draws too.
  struct Run {
    explicit Run(bool generator_first, uint64_t seed) {
      gen.manual_seed(seed);
      if (generator_first) state.add("gen", gen);
      state.add("a", *a).add("b", *b).add("n", n);
      if (!generator_first) state.add("gen", gen);
    }
    void go(const std::string& path, int64_t save_at) {
      for (; epochs < 2; ++epochs) {
        for (auto& batch : *a) {
          seen.push_back(batch);
          rand({2}, gen);
          for (auto& other : *b) seen.push_back(other);
          if (++n == save_at) state.save(path), seen.clear();
        }
        if (n <= 3) continue;
        break;
      }
    }
    Generator gen;
    std::unique_ptr<data::StatelessDataLoader<Numbers, data::samplers::RandomSampler>> a =
        data::make_data_loader(Numbers(), data::samplers::RandomSampler(12, kInt64, gen), 4);
    std::unique_ptr<data::StatelessDataLoader<Numbers, data::samplers::SubsetRandomSampler>> b =
        data::make_data_loader(Numbers(), data::samplers::SubsetRandomSampler({3, 4, 5, 6, 7}, gen), 2);
    int64_t n = 0, epochs = 0;
    Indices seen;
    TrainingState state;
  };
  for (const bool generator_first : {false, true})
    for (const int64_t save_at : {1, 2, 3, 4}) {
      Run whole(generator_first, 1);
      whole.go(folder / "training", save_at);
      Run resumed(generator_first, 2);
      resumed.state.load(folder / "training");
      resumed.epochs = resumed.n > 3 ? 1 : 0;
      resumed.go("", 0);
      CHECK((resumed.seen == whole.seen));
      CHECK((resumed.gen.get_state() == whole.gen.get_state()));
    }

  // Without the generator as a part: the loader knows what it had drawn.
  Generator gen, fresh;
  const auto loader = data::make_data_loader(Numbers(), data::samplers::RandomSampler(12, kInt64, gen), 4);
  data::State state;
  Indices expected, resumed;
  for (int epoch = 0; epoch < 2; ++epoch)
    for (auto& batch : *loader) {
      if (state.entries().empty())
        state = loader->state_dict();
      else
        expected.push_back(batch);
    }
  fresh.manual_seed(5);
  const auto other = data::make_data_loader(Numbers(), data::samplers::RandomSampler(12, kInt64, fresh), 4);
  other->load_state_dict(state);
  for (int epoch = 0; epoch < 2; ++epoch)
    for (auto& batch : *other) resumed.push_back(batch);
  CHECK((resumed == expected));
}
