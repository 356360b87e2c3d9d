// Lines of text as sequences of characters, each line of its own length.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tapir/data/dataset.h"

namespace tapir::data::datasets {

/// Characters (Unicode code points, read as UTF-8) and their indices: 0 is the end of a line, 1 whatever is
/// not in the vocabulary, the others follow by code point.
class TAPIR_API CharVocabulary {
 public:
  static constexpr int64_t kEndOfLine = 0;
  static constexpr int64_t kUnknown = 1;
  /// Of the characters of `text`.
  explicit CharVocabulary(std::string_view text);
  /// kEndOfLine and kUnknown included.
  int64_t size() const { return static_cast<int64_t>(characters_.size()); }
  /// Indices of the text's characters; '\n' is kEndOfLine, a byte that is not UTF-8 is kUnknown.
  std::vector<int64_t> encode(std::string_view text) const;
  /// The text of indices, U+FFFD for kUnknown. Throws IndexError for an index out of range.
  std::string decode(ArrayRef<int64_t> indices) const;
  /// The text that gives this vocabulary again.
  std::string characters() const;

 private:
  std::vector<char32_t> characters_;
  std::unordered_map<char32_t, int64_t> index_;
};

/// The lines of a text for a language model: of a line with n characters, example.data is [0, c1, ..., cn]
/// and example.target [c1, ..., cn, 0], both (n + 1) int64. Lines end with "\n" or "\r\n"; empty ones are
/// left out. Copies share the text.
class TAPIR_API TextLines : public Dataset<TextLines> {
 public:
  /// Throws IOError where the file cannot be read.
  static TextLines from_file(const std::string& path);
  static TextLines from_file(const std::string& path, CharVocabulary vocabulary);
  /// With a vocabulary of the text's own characters, or with another's (of the text that a model was trained
  /// on).
  explicit TextLines(std::string_view text);
  TextLines(std::string_view text, CharVocabulary vocabulary);

  /// Throws IndexError.
  Example<> get(size_t index) override;
  std::optional<size_t> size() const override;
  /// Length of each example, n + 1: what BucketBatchSampler takes.
  const std::vector<int64_t>& lengths() const;
  const CharVocabulary& vocabulary() const;
  /// The lines of [begin, end), for a part of the text to validate on. Throws IndexError.
  TextLines subset(size_t begin, size_t end) const;

 private:
  struct Text;
  std::shared_ptr<const Text> text_;
  std::vector<int64_t> starts_, lengths_;
};

}  // namespace tapir::data::datasets
