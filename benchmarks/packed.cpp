// Recurrent layers over 32 packed sequences of lengths 5 to 200, forward and backward, the packing included.
#include <torch/torch.h>

#include <vector>

#include "bench.h"

namespace {

constexpr int64_t kBatch = 32, kShortest = 5, kLongest = 200, kFeatures = 128, kHidden = 128;

template <class Module>
auto make_case(Module layer) {
  std::vector<int64_t> lengths;
  for (int64_t j = 0; j < kBatch; ++j)
    lengths.push_back(kLongest - j * (kLongest - kShortest) / (kBatch - 1));
  auto sizes = torch::tensor(lengths);
  auto x = torch::randn({kLongest, kBatch, kFeatures});
  torch::Tensor upstream;
  return [=]() mutable {
    layer->zero_grad();
    auto packed = torch::nn::utils::rnn::pack_padded_sequence(x, sizes);
    auto y = std::get<0>(layer->forward_with_packed_input(packed)).data();
    if (!upstream.defined()) upstream = torch::randn_like(y);
    y.backward(upstream);
    return y;
  };
}

}  // namespace

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  suite.add("packed/gru", [] {
    torch::manual_seed(1);
    return make_case(torch::nn::GRU(kFeatures, kHidden));
  });
  suite.add("packed/bidirectional_lstm", [] {
    torch::manual_seed(1);
    return make_case(torch::nn::LSTM(torch::nn::LSTMOptions(kFeatures, kHidden).bidirectional(true)));
  });
  return suite.run();
}
