// Packing and padding of sequences.
#include "support/nn_oracle.h"
#include "tapir/autograd/engine.h"
#include "tapir/autograd/functions/index.h"
#include "tapir/nn/utils/rnn.h"
#include "tapir/tapir.h"

using namespace tapir;
using namespace tapir::nn::utils::rnn;
using nn_oracle::wave;

TEST_CASE("Packing and padding agree with PyTorch") {
  const auto p = pack_padded_sequence(wave({4, 3, 2}, 1), tensor({2, 4, 3}), false, false);
  nn_oracle::check("pack.data", p.data(), 0);
  nn_oracle::check("pack.batch_sizes", p.batch_sizes(), 0);
  nn_oracle::check("pack.sorted_indices", p.sorted_indices(), 0);
  nn_oracle::check("pack.unsorted_indices", p.unsorted_indices(), 0);
  const auto [padded, lengths] = pad_packed_sequence(p, false, -1.5, 5);
  CHECK(padded.sizes() == IntArrayRef({5, 3, 2}));
  nn_oracle::check("pack.padded", padded, 0);
  nn_oracle::check("pack.lengths", lengths, 0);
}

TEST_CASE("batch_first only turns the input and the output") {
  const Tensor x = wave({4, 3, 2}, 1);
  const auto p = pack_padded_sequence(x, tensor({4, 3, 1}));
  const auto q = pack_padded_sequence(x.transpose(0, 1), tensor({4, 3, 1}), true);
  CHECK(values::of(p.data()) == values::of(q.data()));
  CHECK(!p.sorted_indices().defined());
  const auto [a, n] = pad_packed_sequence(p);
  const auto [b, m] = pad_packed_sequence(q, true);
  CHECK(values::of(a) == values::of(b.transpose(0, 1)));
  CHECK(values::integers(n) == std::vector<int64_t>{4, 3, 1});
  CHECK(values::integers(m) == std::vector<int64_t>{4, 3, 1});
}

TEST_CASE("Sequences are padded at their end") {
  const std::vector<Tensor> s = {wave({2, 2}, 1), wave({3, 2}, 2), wave({1, 2}, 3)};
  const Tensor padded = pad_sequence(s, true, 9);
  REQUIRE(padded.sizes() == IntArrayRef({3, 3, 2}));
  for (size_t i = 0; i < s.size(); ++i) {
    const Tensor row = padded[static_cast<int64_t>(i)];
    CHECK(values::of(row.narrow(0, 0, s[i].size(0))) == values::of(s[i]));
    for (const double v : values::of(row.narrow(0, s[i].size(0), 3 - s[i].size(0)))) CHECK(v == 9);
  }
  CHECK(values::of(pad_sequence(s, false, 9).transpose(0, 1)) == values::of(padded));
  const auto packed = pack_sequence(s, false);
  const auto [back, lengths] = pad_packed_sequence(packed, true, 9);
  CHECK(values::of(back) == values::of(padded));
  CHECK(values::integers(lengths) == std::vector<int64_t>{2, 3, 1});
}

TEST_CASE("Gradients pass through packing to the steps that count") {
  Tensor x = wave({3, 2, 2}, 1).requires_grad_();
  const auto p = pack_padded_sequence(x, tensor({1, 3}), false, false);
  const Tensor y = std::get<0>(pad_packed_sequence(p));
  const Tensor up = wave({3, 2, 2}, 5);
  y.backward(up);
  for (int64_t t = 0; t < 3; ++t)
    for (int64_t b = 0; b < 2; ++b)
      for (int64_t i = 0; i < 2; ++i)
        CHECK(x.grad()[t][b][i].item<double>() == (b == 0 && t > 0 ? 0 : up[t][b][i].item<double>()));
}

TEST_CASE("Lengths that do not fit are refused") {
  const Tensor x = wave({4, 3, 2}, 1);
  CHECK_THROWS_AS(pack_padded_sequence(x, tensor({2, 4, 3})), ValueError);
  CHECK_THROWS_AS(pack_padded_sequence(x, tensor({5, 4, 3})), ValueError);
  CHECK_THROWS_AS(pack_padded_sequence(x, tensor({4, 3, 0})), ValueError);
  CHECK_THROWS_AS(pack_padded_sequence(x, tensor({4, 3})), ShapeError);
  CHECK_THROWS_AS(pack_padded_sequence(x, tensor({4.0, 3.0, 2.0})), DTypeError);
  CHECK_THROWS_AS(PackedSequence(x, tensor({1, 2})), ValueError);
  CHECK_THROWS_AS(PackedSequence(x, tensor({3, 2})), ShapeError);
  CHECK_THROWS_AS(pad_packed_sequence(pack_padded_sequence(x, tensor({4, 3, 1})), false, 0, 3), ValueError);
  CHECK_THROWS_AS(invert_permutation(tensor({0, 0})), ValueError);
  CHECK_THROWS_AS(pad_sequence({wave({2, 2}, 1), wave({2, 3}, 1)}), ShapeError);
}
