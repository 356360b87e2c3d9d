#include "tapir/data/datasets/corpus.h"

#include <algorithm>
#include <filesystem>

#include "tapir/data/datasets/text_file.h"
#include "tapir/tensor/error_format.h"

namespace tapir::data::datasets {

void WordVocabulary::add(std::string word) {
  if (index_.emplace(word, size()).second) words_.push_back(std::move(word));
}

WordVocabulary::WordVocabulary(const std::vector<std::string>& words) {
  add("<eos>");
  add("<unk>");
  for (const std::string& w : words) add(w);
}

WordVocabulary::WordVocabulary(std::string_view text, int64_t min_count, int64_t max_size) {
  struct Word {
    std::string_view word;
    int64_t count;
  };
  std::vector<Word> found;
  std::unordered_map<std::string_view, size_t> place;
  while (!text.empty())
    for (const std::string_view word : split_words(take_line(text))) {
      const auto [at, is_new] = place.emplace(word, found.size());
      if (is_new) found.push_back({word, 0});
      ++found[at->second].count;
    }
  std::stable_sort(found.begin(), found.end(),
                   [](const Word& a, const Word& b) { return a.count > b.count; });
  add("<eos>");
  add("<unk>");
  for (const Word& w : found) {
    if (w.count < min_count || (max_size > 0 && size() >= max_size)) break;
    add(std::string(w.word));
  }
}

int64_t WordVocabulary::index(std::string_view word) const {
  const auto found = index_.find(std::string(word));
  return found == index_.end() ? kUnknown : found->second;
}

const std::string& WordVocabulary::word(int64_t index) const {
  TAPIR_CHECK_AS(IndexError, index >= 0 && index < size(),
                 "WordVocabulary: got index {}, expected one in [0, {})", index, size());
  return words_[static_cast<size_t>(index)];
}

std::vector<int64_t> WordVocabulary::encode(std::string_view line) const {
  std::vector<int64_t> indices;
  for (const std::string_view word : split_words(line)) indices.push_back(index(word));
  return indices;
}

std::string WordVocabulary::decode(ArrayRef<int64_t> indices) const {
  std::string text;
  for (const int64_t i : indices) {
    if (!text.empty()) text += ' ';
    text += word(i);
  }
  return text;
}

WordLines::WordLines(std::string_view text, std::shared_ptr<const WordVocabulary> vocabulary)
    : vocabulary_(std::move(vocabulary)) {
  std::vector<int64_t> indices{WordVocabulary::kEndOfLine};
  while (!text.empty()) {
    const std::vector<int64_t> line = vocabulary_->encode(take_line(text));
    if (line.empty()) continue;
    starts_.push_back(static_cast<int64_t>(indices.size()) - 1);
    lengths_.push_back(static_cast<int64_t>(line.size()) + 1);
    indices.insert(indices.end(), line.begin(), line.end());
    indices.push_back(WordVocabulary::kEndOfLine);
  }
  indices_ = Tensor::empty({static_cast<int64_t>(indices.size())}, kInt64);
  std::copy(indices.begin(), indices.end(), indices_.data_ptr<int64_t>());
}

WordLines::WordLines(std::string_view text) : WordLines(text, WordVocabulary(text)) {}
WordLines::WordLines(std::string_view text, WordVocabulary vocabulary)
    : WordLines(text, std::make_shared<const WordVocabulary>(std::move(vocabulary))) {}

WordLines WordLines::from_file(const std::string& path) { return WordLines(read_text("WordLines", path)); }
WordLines WordLines::from_file(const std::string& path, WordVocabulary vocabulary) {
  return WordLines(read_text("WordLines", path), std::move(vocabulary));
}

Example<> WordLines::get(size_t index) {
  TAPIR_CHECK_AS(IndexError, index < starts_.size(), "WordLines: got index {}, expected one below {}", index,
                 starts_.size());
  const Layout& all = indices_.layout_of();
  return {indices_.alias(all.narrow(0, starts_[index], lengths_[index])),
          indices_.alias(all.narrow(0, starts_[index] + 1, lengths_[index]))};
}

Tensor WordLines::tokens() const {
  return indices_.alias(indices_.layout_of().narrow(0, 1, indices_.numel() - 1));
}

Corpus::Corpus(const std::string& folder, const CorpusOptions& options) : folder_(folder) {
  std::map<std::string, std::string> texts;
  for (const std::string& path : files_in("Corpus", folder, {".txt"}))
    texts.emplace(std::filesystem::path(path).stem().string(), read_text("Corpus", path));
  TAPIR_CHECK_AS(IOError, !texts.empty(), "Corpus: there is no .txt file in \"{}\"", folder);
  std::string all;
  if (options.vocabulary_from().empty()) {
    for (const auto& [name, text] : texts) all += text + '\n';
  } else {
    const auto found = texts.find(options.vocabulary_from());
    TAPIR_CHECK_AS(ValueError, found != texts.end(),
                   "Corpus: there is no \"{}.txt\" in \"{}\" for vocabulary_from", options.vocabulary_from(),
                   folder);
    all = found->second;
  }
  vocabulary_ = std::make_shared<const WordVocabulary>(all, options.min_count(), options.max_size());
  for (const auto& [name, text] : texts) parts_.emplace(name, WordLines(text, vocabulary_));
}

std::vector<std::string> Corpus::parts() const {
  std::vector<std::string> names;
  for (const auto& [name, lines] : parts_) names.push_back(name);
  return names;
}

const WordLines& Corpus::part(const std::string& name) const {
  const auto found = parts_.find(name);
  TAPIR_CHECK_AS(IndexError, found != parts_.end(), "Corpus: there is no \"{}.txt\" in \"{}\"", name,
                 folder_);
  return found->second;
}

}  // namespace tapir::data::datasets
