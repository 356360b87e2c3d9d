// What a model must beat: how well counts of single characters and of pairs predict a text.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

/// Cross-entropy in nats per character on `test`, of a unigram and a bigram model counted on `train`. A line
/// is the indices of its characters, 0 (end of line) not included; the end of each line is predicted too.
/// Counts are smoothed: a character gets one more in the unigram, and the bigram adds the unigram's
/// probability as one more observation.
struct NgramLoss {
  double unigram = 0, bigram = 0;
};
inline NgramLoss ngram_loss(const std::vector<std::vector<int64_t>>& train,
                            const std::vector<std::vector<int64_t>>& test, int64_t vocabulary) {
  const size_t n = static_cast<size_t>(vocabulary);
  std::vector<double> single(n, 1), pair(n * n, 0), before(n, 0);
  double total = static_cast<double>(n);
  const auto visit = [](const std::vector<int64_t>& line, auto&& f) {
    size_t last = 0;
    for (int64_t c : line) {
      f(last, static_cast<size_t>(c));
      last = static_cast<size_t>(c);
    }
    f(last, size_t{0});
  };
  for (const auto& line : train)
    visit(line, [&](size_t a, size_t b) {
      ++single[b];
      ++pair[a * n + b];
      ++before[a];
      ++total;
    });
  NgramLoss loss;
  double characters = 0;
  for (const auto& line : test)
    visit(line, [&](size_t a, size_t b) {
      const double p = single[b] / total;
      loss.unigram -= std::log(p);
      loss.bigram -= std::log((pair[a * n + b] + p) / (before[a] + 1));
      ++characters;
    });
  loss.unigram /= characters;
  loss.bigram /= characters;
  return loss;
}
