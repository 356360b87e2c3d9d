#include "fuzz/fuzz.h"
#include "tapir/data/datasets/corpus.h"
#include "tapir/data/datasets/text_lines.h"

using namespace tapir;
using namespace tapir::data::datasets;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = fuzz::text(data, size);
  const WordLines words(text);
  fuzz::touch(words.tokens());
  const int64_t* tokens = words.tokens().data_ptr<int64_t>();
  fuzz::require(!words.vocabulary().decode({tokens, static_cast<size_t>(words.tokens().numel())}).empty() ==
                (words.tokens().numel() > 0));
  TextLines lines(text);
  for (size_t i = 0; i < *lines.size(); ++i) fuzz::touch(lines.get(i).target);
  const CharVocabulary again(lines.vocabulary().characters());
  fuzz::require(again.size() == lines.vocabulary().size());
  return 0;
}
