#include "fuzz/fuzz.h"
#include "tapir/data/datasets/trees.h"

using namespace tapir;
using namespace tapir::data::datasets;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = fuzz::text(data, size);
  try {
    const Tree tree = Tree::parse(text);
    fuzz::require(Tree::parse(tree.str()).str() == tree.str());
  } catch (const ValueError&) {
  }
  try {
    const fuzz::File file(data, size);
    fuzz::require(*Trees(file.path()).size() <= size);
  } catch (const IOError&) {
  }
  return 0;
}
