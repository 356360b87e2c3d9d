// The digits of the MNIST set, in two parts.
#pragma once

#include <cstdio>
#include <string>
#include <utility>

#include "tapir/tapir.h"

/// Images (N, 1, 28, 28) from 0 to 1, and the digits that they show, as a data set.
struct Digits : tapir::data::Dataset<Digits> {
  tapir::Tensor images, targets;
  Digits(tapir::Tensor i, tapir::Tensor t) : images(std::move(i)), targets(std::move(t)) {}
  tapir::data::Example<> get(size_t i) override {
    return {images[static_cast<int64_t>(i)], targets[static_cast<int64_t>(i)]};
  }
  std::optional<size_t> size() const override { return static_cast<size_t>(images.size(0)); }
};

/// Digits to train on and to test with, from the folder of the IDX files. Where the training files are
/// missing, the test set is cut: 8,000 digits train, 2,000 test.
inline std::pair<Digits, Digits> read_digits(const std::string& folder) {
  using tapir::data::datasets::MNIST;
  try {
    const MNIST training(folder, MNIST::Mode::kTrain), test(folder, MNIST::Mode::kTest);
    return {Digits(training.images(), training.targets()), Digits(test.images(), test.targets())};
  } catch (const tapir::IOError&) {
    const MNIST set(folder, MNIST::Mode::kTest);
    std::printf("no training files in %s: 8,000 digits of the test set train, the others test\n",
                folder.c_str());
    const auto part = [&](int64_t start, int64_t n) {
      return Digits(set.images().narrow(0, start, n), set.targets().narrow(0, start, n));
    };
    return {part(0, 8000), part(8000, 2000)};
  }
}
