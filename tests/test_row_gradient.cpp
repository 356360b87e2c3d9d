// Gradients by rows: what sparse embeddings give, how they gather, and what the optimizers make of them.
#include "support/optim_oracle.h"
#include "support/tensors.h"
#include "tapir/tapir.h"

using namespace tapir;
using optim_oracle::wave;

namespace {

nn::Embedding table_of(nn::EmbeddingOptions options) {
  return nn::Embedding(options._weight(wave({7, 3}, 0.2)));
}
nn::EmbeddingOptions sparse() { return nn::EmbeddingOptions(7, 3).sparse(true); }

Tensor second_part(int t, nn::Embedding& table) {
  return table(tensor({1, 5 * t % 7}).view({1, 2})).square().sum();
}
Tensor loss_at(int t, nn::Embedding& table) {
  return (table(tensor({t * 2 % 7, (t + 3) % 7, t * 2 % 7})) * wave({3, 3}, t)).sum() + second_part(t, table);
}

template <class O>
void check_training(const std::string& name, O&& make, nn::EmbeddingOptions options = sparse(),
                    bool once = false) {
  nn::Embedding table = table_of(options);
  auto optimizer = make(table->parameters());
  for (int t = 0; t < 8; ++t) {
    const Tensor loss = once ? second_part(t, table) : loss_at(t, table);
    optimizer.zero_grad();
    loss.backward();
    REQUIRE(row_gradient(table->weight));
    optimizer.step();
  }
  optim_oracle::check(name, values::of(table->weight), 1e-14);
}

}  // namespace

TEST_CASE("a sparse embedding's gradient is its rows, ascending, each once, and the dense one by grad()") {
  nn::Embedding table = table_of(sparse()), dense = table_of(nn::EmbeddingOptions(7, 3));
  for (int t = 0; t < 2; ++t) {  // the second backward adds
    loss_at(1, table).backward();
    loss_at(1, dense).backward();
  }
  const RowGradient* rows = row_gradient(table->weight);
  REQUIRE(rows);
  CHECK(values::of(rows->rows) == std::vector<double>{1, 2, 4, 5});
  CHECK(allclose(rows->values, dense->weight.grad().index_select(0, rows->rows), 1e-14, 0));
  CHECK(!row_gradient(dense->weight));
  CHECK(allclose(table->weight.grad(), dense->weight.grad(), 1e-14, 0));
  CHECK(row_gradient(table->weight));  // reading the dense one changes nothing
}

TEST_CASE("what the user does to grad() counts") {
  nn::Embedding table = table_of(sparse());
  loss_at(1, table).backward();
  const Tensor before = table->weight.grad().clone();
  table->weight.mutable_grad().mul_(2);
  CHECK(!row_gradient(table->weight));
  CHECK_SAME(table->weight.grad(), before * 2);
  optim::SGD sgd(table->parameters(), 1.0);
  const Tensor weight = table->weight.detach().clone();
  sgd.step();
  CHECK_SAME(table->weight.detach(), weight - before * 2);
  table->weight.mutable_grad() = ones({7, 3}, kFloat64);
  loss_at(1, table).backward();  // adds to the dense one
  CHECK(!row_gradient(table->weight));
  sgd.zero_grad();
  CHECK(!table->weight.grad().defined());
}

TEST_CASE("a weight that is also used otherwise, or has a hook, gets a dense gradient") {
  nn::Embedding table = table_of(sparse()), dense = table_of(nn::EmbeddingOptions(7, 3));
  for (nn::Embedding* t : {&table, &dense})
    (loss_at(1, *t) + matmul((*t)->weight, wave({3, 2}, 1)).square().sum()).backward();
  CHECK(!row_gradient(table->weight));
  CHECK(allclose(table->weight.grad(), dense->weight.grad(), 1e-14, 0));
  table->zero_grad();
  int seen = 0;
  table->weight.register_hook([&](Tensor g) { seen += g.sizes() == IntArrayRef({7, 3}); });
  loss_at(1, table).backward();
  CHECK(seen == 1);
  CHECK(!row_gradient(table->weight));
}

TEST_CASE("a second derivative through a sparse embedding is right") {
  CHECK(autograd::gradgradcheck(
      [](const std::vector<Tensor>& in) {
        return std::vector<Tensor>{embedding(in[0], tensor({3, 1, 3}), -1, false, true).square()};
      },
      {wave({4, 2}, 1).requires_grad_()}));
}

TEST_CASE("optimizers on gradients by rows follow PyTorch") {
  using namespace optim;
  check_training("sgd", [](auto p) { return SGD(p, 0.3); });
  check_training("adagrad", [](auto p) {
    return Adagrad(p, AdagradOptions(0.2).lr_decay(0.1).initial_accumulator_value(0.05));
  });
  check_training("sparse_adam", [](auto p) { return SparseAdam(p, 0.1); });
  check_training("sparse_adam_options", [](auto p) {
    return SparseAdam(p, SparseAdamOptions(0.1).betas({0.7, 0.9}).eps(1e-2));
  });
  const auto sgd = [](auto p) { return SGD(p, 0.3); };
  check_training("sgd_padding", sgd, sparse().padding_idx(1));
  check_training("sgd_frequency", sgd, sparse().scale_grad_by_freq(true));
  check_training("sgd_max_norm", sgd, sparse().max_norm(0.4), true);
  check_training("sgd_max_norm_1", sgd, sparse().max_norm(0.6).norm_type(1), true);
}

TEST_CASE("an optimizer that moves every row takes the dense gradient, and gives the same") {
  nn::Embedding table = table_of(sparse()), dense = table_of(nn::EmbeddingOptions(7, 3));
  optim::Adam one(table->parameters(), 0.1), other(dense->parameters(), 0.1);
  for (int t = 0; t < 5; ++t) {
    for (auto [e, o] : {std::pair(&table, &one), std::pair(&dense, &other)}) {
      o->zero_grad();
      loss_at(t, *e).backward();
      o->step();
    }
  }
  CHECK(values::of(table->weight) == values::of(dense->weight));
}

TEST_CASE("SparseAdam refuses a dense gradient, and changes nothing then") {
  nn::Embedding dense = table_of(nn::EmbeddingOptions(7, 3));
  optim::SparseAdam adam(dense->parameters(), 0.1);
  loss_at(1, dense).backward();
  const std::string message = message_of<ValueError>([&] { adam.step(); });
  CHECK(contains(message, "SparseAdam"));
  CHECK(contains(message, "sparse(true)"));
  CHECK(values::of(dense->weight) == values::of(wave({7, 3}, 0.2)));
}

TEST_CASE("clipping scales the rows") {
  nn::Embedding table = table_of(sparse()), dense = table_of(nn::EmbeddingOptions(7, 3));
  loss_at(1, table).backward();
  loss_at(1, dense).backward();
  const double norm = nn::utils::clip_grad_norm_(table->parameters(), 0.5);
  CHECK(norm == Approx(nn::utils::clip_grad_norm_(dense->parameters(), 0.5)).epsilon(1e-14));
  REQUIRE(row_gradient(table->weight));
  CHECK(allclose(table->weight.grad(), dense->weight.grad(), 1e-14, 0));
}

TEST_CASE("a run on sparse embeddings resumes to the bit") {
  nn::Embedding table = table_of(sparse());
  optim::SparseAdam adam(table->parameters(), 0.1);
  const auto steps = [](nn::Embedding& e, optim::SparseAdam& o, int from, int to) {
    for (int t = from; t < to; ++t) {
      o.zero_grad();
      loss_at(t, e).backward();
      o.step();
    }
  };
  steps(table, adam, 0, 3);
  nn::Embedding copy = nn::Embedding(sparse()._weight(table->weight.detach().clone()));
  optim::SparseAdam resumed(copy->parameters(), 0.1);
  resumed.load_state_dict(adam.state_dict());
  steps(table, adam, 3, 8);
  steps(copy, resumed, 3, 8);
  CHECK(values::of(table->weight) == values::of(copy->weight));
}
