// A neural Turing machine (Graves, Wayne and Danihelka 2014) that learns to copy: it reads a sequence of
// random bits, and after a mark writes it out again from its memory. Trained on short sequences, it copies
// longer ones.
//
//   turing_machine
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "support/progress.h"
#include "tapir/tapir.h"

using namespace tapir;

namespace {

struct Options {
  int64_t bits = 6, slots = 32, width = 12, hidden = 64, longest = 10, steps = 6000, seed = 1;
  double lr = 3e-4;
};

// What a head is told by the controller, and the attention over the memory's slots that follows from it.
struct HeadImpl : nn::Module {
  HeadImpl(int64_t in, int64_t memory_width)
      : width(memory_width), address(register_module("address", nn::Linear(in, memory_width + 6))) {}

  /// state (1, in), memory (slots, width), attention before (slots): attention now (slots)
  Tensor forward(const Tensor& state, const Tensor& memory, const Tensor& before) {
    const Tensor told = address(state).squeeze(0);
    const auto part = [&](int64_t start, int64_t n) { return told.narrow(0, start, n); };
    const Tensor key = tanh(part(0, width)), strength = softplus(part(width, 1)),
                 gate = sigmoid(part(width + 1, 1));
    const Tensor shift = softmax(part(width + 2, 3), 0), sharpness = 1 + softplus(part(width + 5, 1));
    // by content: cosine similarity with each slot
    const Tensor similarity =
        matmul(memory, key) / (((memory * memory).sum({1}) * (key * key).sum() + 1e-8).sqrt());
    const Tensor content = softmax(strength * similarity, 0);
    const Tensor mixed = gate * content + (1 - gate) * before;
    // by place: back, stay or on, around the memory's ends
    const Tensor moved = shift[0] * roll(mixed, -1) + shift[1] * mixed + shift[2] * roll(mixed, 1);
    const Tensor sharp = pow(moved + 1e-8, sharpness);
    return sharp / sharp.sum();
  }

  int64_t width;
  nn::Linear address;
};
TAPIR_MODULE(Head);

struct MachineImpl : nn::Module {
  explicit MachineImpl(const Options& o)
      : options(o),
        controller(register_module("controller", nn::LSTMCell(o.bits + 1 + o.width, o.hidden))),
        reader(register_module("reader", Head(o.hidden, o.width))),
        writer(register_module("writer", Head(o.hidden, o.width))),
        erase(register_module("erase", nn::Linear(o.hidden, o.width))),
        add(register_module("add", nn::Linear(o.hidden, o.width))),
        out(register_module("out", nn::Linear(o.hidden + o.width, o.bits))) {}

  /// Logits (T, bits) of the copy of sequence (T, bits).
  Tensor forward(const Tensor& sequence) {
    const int64_t length = sequence.size(0);
    Tensor memory = full({options.slots, options.width}, 1e-2), read = zeros({1, options.width});
    Tensor read_at = zeros({options.slots}), write_at = zeros({options.slots});
    read_at[0].fill_(1);
    write_at[0].fill_(1);
    auto state = std::make_tuple(zeros({1, options.hidden}), zeros({1, options.hidden}));
    const Tensor nothing = zeros({1, options.bits}), mark = ones({1, 1}), no_mark = zeros({1, 1});
    std::vector<Tensor> written;
    for (int64_t t = 0; t <= 2 * length; ++t) {
      const Tensor input = t < length ? sequence.narrow(0, t, 1) : nothing;
      state = controller(cat({input, t == length ? mark : no_mark, read}, 1), state);
      const Tensor h = std::get<0>(state);
      write_at = writer(h, memory, write_at);
      const Tensor weights = write_at.unsqueeze(1);  // (slots, 1)
      memory = memory * (1 - weights * sigmoid(erase(h))) + weights * tanh(add(h));
      read_at = reader(h, memory, read_at);
      read = matmul(read_at.unsqueeze(0), memory);
      if (t > length) written.push_back(out(cat({h, read}, 1)));
    }
    return cat(written, 0);
  }

  const Options options;
  nn::LSTMCell controller;
  Head reader, writer;
  nn::Linear erase, add, out;
};
TAPIR_MODULE(Machine);

Tensor random_bits(int64_t length, int64_t bits) { return randint(0, 2, {length, bits}).to(kFloat32); }

void test(Machine& machine, const Options& o) {
  NoGradGuard no_grad;
  for (int64_t length : {o.longest / 2, o.longest, 2 * o.longest}) {
    double wrong = 0;
    for (int i = 0; i < 20; ++i) {
      const Tensor bits = random_bits(length, o.bits);
      wrong += (machine(bits) > 0).to(kFloat32).ne(bits).sum().item<double>();
    }
    std::printf("length %2lld: %.2f %% of the bits are wrong%s\n", static_cast<long long>(length),
                100 * wrong / static_cast<double>(20 * length * o.bits),
                length > o.longest ? " (longer than any it was trained on)" : "");
  }
}

void train(const Options& o) {
  Machine machine(o);
  optim::RMSprop optimizer(machine->parameters(),
                           optim::RMSpropOptions(o.lr).alpha(0.95).momentum(0.9).eps(1e-4));
  Progress progress(o.steps, "sequences");
  for (int64_t step = 1; step <= o.steps; ++step) {
    const int64_t length =
        randint(1, o.longest + 1, {1}).item<int64_t>();  // the graph has another size each time
    const Tensor bits = random_bits(length, o.bits), logits = machine(bits);
    // binary cross-entropy of the logits
    const Tensor loss = (relu(logits) - logits * bits + log(1 + exp(-abs(logits)))).mean();
    optimizer.zero_grad();
    loss.backward();
    nn::utils::clip_grad_norm_(machine->parameters(), 5.0);
    optimizer.step();
    progress.update(step, loss.item<double>());
  }
  progress.finish();
  test(machine, o);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  CLI::App app("A neural Turing machine that learns to copy.");
  app.add_option("--steps", o.steps, "sequences to train on")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_option("--longest", o.longest, "length of the longest of them")
      ->capture_default_str()
      ->check(CLI::Range(2, 1000));
  app.add_option("--slots", o.slots, "of the memory")->capture_default_str()->check(CLI::Range(2, 100000));
  app.add_option("--lr", o.lr, "learning rate")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--seed", o.seed, "the same seed gives the same run")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    manual_seed(static_cast<uint64_t>(o.seed));
    train(o);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "turing_machine: %s\n", e.what());
    return 1;
  }
  return 0;
}
