// The data loader: an epoch of 64 batches of 64 images (1, 28, 28), each sample read, normalised and stacked.
#include <torch/torch.h>

#include <memory>

#include "bench.h"

namespace {

namespace data = torch::data;

class Images : public data::Dataset<Images> {
 public:
  Images() : images_(torch::randn({4096, 1, 28, 28})), targets_(torch::randint(10, {4096})) {}
  data::Example<> get(size_t i) override {
    return {images_[static_cast<int64_t>(i)], targets_[static_cast<int64_t>(i)]};
  }
  torch::optional<size_t> size() const override { return 4096; }

 private:
  torch::Tensor images_, targets_;
};

auto make_case(size_t workers) {
  torch::manual_seed(1);
  auto dataset = Images().map(data::transforms::Normalize<>(0.13, 0.31)).map(data::transforms::Stack<>());
  std::shared_ptr loader = data::make_data_loader<data::samplers::RandomSampler>(
      std::move(dataset), data::DataLoaderOptions(64).workers(workers));
  return [loader] {
    double sum = 0;
    for (auto& batch : *loader) sum += static_cast<double>(batch.data.data_ptr<float>()[0]);
    return sum;
  };
}

}  // namespace

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  suite.add("loader/workers1", [] { return make_case(1); });
  suite.add("loader/workers2", [] { return make_case(2); });
  return suite.run();
}
