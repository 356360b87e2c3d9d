// Text as sequences of words: one file, or a folder of files that share a vocabulary.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tapir/data/dataset.h"
#include "tapir/tensor/args.h"

namespace tapir::data::datasets {

/// Words and their indices: 0 is the end of a line ("<eos>"), 1 whatever is not in the vocabulary ("<unk>").
class TAPIR_API WordVocabulary {
 public:
  static constexpr int64_t kEndOfLine = 0;
  static constexpr int64_t kUnknown = 1;
  /// Of these words, in this order from index 2 on; words that come again and the two above are passed over.
  explicit WordVocabulary(const std::vector<std::string>& words);
  /// Of the words of a text, split at blanks, that it has at least `min_count` times, the most frequent
  /// first, and of those alike the one that comes first; with max_size > 0 no more than that, the two above
  /// included.
  explicit WordVocabulary(std::string_view text, int64_t min_count = 1, int64_t max_size = 0);
  /// kEndOfLine and kUnknown included.
  int64_t size() const { return static_cast<int64_t>(words_.size()); }
  /// kUnknown where there is no such word.
  int64_t index(std::string_view word) const;
  bool contains(std::string_view word) const { return index_.find(std::string(word)) != index_.end(); }
  /// Throws IndexError.
  const std::string& word(int64_t index) const;
  /// All of them, by index.
  const std::vector<std::string>& words() const { return words_; }
  /// The indices of a line's words, split at blanks.
  std::vector<int64_t> encode(std::string_view line) const;
  /// The words with spaces between them. Throws IndexError for an index out of range.
  std::string decode(ArrayRef<int64_t> indices) const;

 private:
  void add(std::string word);
  std::vector<std::string> words_;
  std::unordered_map<std::string, int64_t> index_;
};

/// The lines of a text, split at blanks into words, for a language model: of a line with n words,
/// example.data is [0, w1, ..., wn] and example.target [w1, ..., wn, 0], both (n + 1) int64. Lines without
/// words are left out. Copies share the text.
class TAPIR_API WordLines : public Dataset<WordLines> {
 public:
  /// Throws IOError where the file cannot be read.
  static WordLines from_file(const std::string& path);
  static WordLines from_file(const std::string& path, WordVocabulary vocabulary);
  /// With a vocabulary of the text's own words, or another's.
  explicit WordLines(std::string_view text);
  WordLines(std::string_view text, WordVocabulary vocabulary);

  /// Throws IndexError.
  Example<> get(size_t index) override;
  std::optional<size_t> size() const override { return lengths_.size(); }
  /// Length of each example, n + 1: what BucketBatchSampler takes.
  const std::vector<int64_t>& lengths() const { return lengths_; }
  /// All lines one after the other, each with kEndOfLine behind it: (N) int64.
  Tensor tokens() const;
  const WordVocabulary& vocabulary() const { return *vocabulary_; }

 private:
  friend class Corpus;
  WordLines(std::string_view text, std::shared_ptr<const WordVocabulary> vocabulary);
  std::shared_ptr<const WordVocabulary> vocabulary_;
  Tensor indices_;  // [0, line, 0, line, ..., 0]: examples show parts of it
  std::vector<int64_t> starts_, lengths_;
};

struct TAPIR_API CorpusOptions {
  /// Words that the text has less often are kUnknown.
  TAPIR_ARG(int64_t, min_count) = 1;
  /// No more words than that; 0 for any number.
  TAPIR_ARG(int64_t, max_size) = 0;
  /// The part whose words make the vocabulary, "train" say; "" for all parts.
  TAPIR_ARG(std::string, vocabulary_from);
};

/// A folder of text files: each file NAME.txt is the part NAME, and all have one vocabulary.
class TAPIR_API Corpus {
 public:
  /// Throws IOError where the folder cannot be read or holds no such file, ValueError where there is no part
  /// `vocabulary_from`.
  explicit Corpus(const std::string& folder, const CorpusOptions& options = {});
  const WordVocabulary& vocabulary() const { return *vocabulary_; }
  /// The names, in order.
  std::vector<std::string> parts() const;
  /// Throws IndexError where there is none of that name.
  const WordLines& part(const std::string& name) const;

 private:
  std::string folder_;
  std::shared_ptr<const WordVocabulary> vocabulary_;
  std::map<std::string, WordLines> parts_;
};

}  // namespace tapir::data::datasets
