#include "tapir/data/datasets/text_lines.h"

#include <algorithm>

#include "tapir/data/datasets/text_file.h"
#include "tapir/tensor/error_format.h"

namespace tapir::data::datasets {

namespace {

constexpr char32_t kReplacement = 0xfffd;

// The code point at text[at], which is moved behind it; kReplacement for a byte that begins none (RFC 3629).
char32_t next_character(std::string_view text, size_t& at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(at);
  const size_t start = at++;
  if (lead < 0x80) return lead;
  const size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (lead < 0xc2 || lead > 0xf4 || text.size() - at < more) return kReplacement;
  char32_t c = lead & (0x3fu >> more);
  for (size_t i = 1; i <= more; ++i) {
    if ((byte(start + i) & 0xc0) != 0x80) return kReplacement;
    c = c << 6 | (byte(start + i) & 0x3fu);
  }
  const bool too_long = (more == 2 && c < 0x800) || (more == 3 && c < 0x10000);
  if (too_long || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) return kReplacement;
  at = start + 1 + more;
  return c;
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    out += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (c & 0x3f));
  }
}

}  // namespace

CharVocabulary::CharVocabulary(std::string_view text) {
  std::vector<char32_t> found;
  std::vector<bool> seen(0x110000);
  for (size_t at = 0; at < text.size();) {
    const char32_t c = next_character(text, at);
    if (c != U'\n' && c != U'\r' && c != kReplacement && !seen[c]) {
      seen[c] = true;
      found.push_back(c);
    }
  }
  std::sort(found.begin(), found.end());
  characters_ = {U'\n', kReplacement};
  characters_.insert(characters_.end(), found.begin(), found.end());
  for (size_t i = 0; i < characters_.size(); ++i) index_.emplace(characters_[i], static_cast<int64_t>(i));
}

std::vector<int64_t> CharVocabulary::encode(std::string_view text) const {
  std::vector<int64_t> indices;
  indices.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const auto found = index_.find(next_character(text, at));
    indices.push_back(found == index_.end() ? kUnknown : found->second);
  }
  return indices;
}

std::string CharVocabulary::decode(ArrayRef<int64_t> indices) const {
  std::string text;
  for (const int64_t i : indices) {
    TAPIR_CHECK_AS(IndexError, i >= 0 && i < size(),
                   "CharVocabulary::decode: got index {}, expected one in [0, {})", i, size());
    append_utf8(text, characters_[static_cast<size_t>(i)]);
  }
  return text;
}

std::string CharVocabulary::characters() const {
  std::string text;
  for (size_t i = 2; i < characters_.size(); ++i) append_utf8(text, characters_[i]);
  return text;
}

// All lines one after the other, [0, line, 0, line, ..., 0]: examples show parts of it.
struct TextLines::Text {
  CharVocabulary vocabulary;
  Tensor indices;
};

TextLines::TextLines(std::string_view text) : TextLines(text, CharVocabulary(text)) {}

TextLines::TextLines(std::string_view text, CharVocabulary vocabulary) {
  std::vector<int64_t> indices{CharVocabulary::kEndOfLine};
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    if (line.empty()) continue;
    starts_.push_back(static_cast<int64_t>(indices.size()) - 1);
    const std::vector<int64_t> encoded = vocabulary.encode(line);
    lengths_.push_back(static_cast<int64_t>(encoded.size()) + 1);
    indices.insert(indices.end(), encoded.begin(), encoded.end());
    indices.push_back(CharVocabulary::kEndOfLine);
  }
  const Tensor all = Tensor::empty({static_cast<int64_t>(indices.size())}, kInt64);
  std::copy(indices.begin(), indices.end(), all.data_ptr<int64_t>());
  text_ = std::make_shared<const Text>(Text{std::move(vocabulary), all});
}

TextLines TextLines::from_file(const std::string& path) { return TextLines(read_text("TextLines", path)); }
TextLines TextLines::from_file(const std::string& path, CharVocabulary vocabulary) {
  return TextLines(read_text("TextLines", path), std::move(vocabulary));
}

Example<> TextLines::get(size_t index) {
  TAPIR_CHECK_AS(IndexError, index < starts_.size(), "TextLines: got index {}, expected one below {}", index,
                 starts_.size());
  const Layout& all = text_->indices.layout_of();
  return {text_->indices.alias(all.narrow(0, starts_[index], lengths_[index])),
          text_->indices.alias(all.narrow(0, starts_[index] + 1, lengths_[index]))};
}

std::optional<size_t> TextLines::size() const { return starts_.size(); }
const std::vector<int64_t>& TextLines::lengths() const { return lengths_; }
const CharVocabulary& TextLines::vocabulary() const { return text_->vocabulary; }

TextLines TextLines::subset(size_t begin, size_t end) const {
  TAPIR_CHECK_AS(IndexError, begin <= end && end <= starts_.size(),
                 "TextLines::subset: got lines {} to {}, expected a part of [0, {})", begin, end,
                 starts_.size());
  TextLines part = *this;
  const auto cut = [&](const std::vector<int64_t>& all) {
    return std::vector<int64_t>(all.begin() + static_cast<std::ptrdiff_t>(begin),
                                all.begin() + static_cast<std::ptrdiff_t>(end));
  };
  part.starts_ = cut(starts_);
  part.lengths_ = cut(lengths_);
  return part;
}

}  // namespace tapir::data::datasets
