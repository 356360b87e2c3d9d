#include "fuzz/fuzz.h"
#include "tapir/data/datasets/csv.h"

using namespace tapir;
using namespace tapir::data::datasets;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  for (const bool header : {true, false}) try {
      const CsvTable table = CsvTable::from_text(fuzz::text(data, size), CsvOptions().header(header));
      for (const CsvColumn& c : table.columns()) {
        fuzz::touch(c.values);
        fuzz::require(c.values.numel() == table.rows());
        if (c.type == ColumnType::kText)
          for (int64_t i = 0; i < table.rows(); ++i) {
            const int64_t code = c.values.data_ptr<int64_t>()[i];
            fuzz::require(code >= -1 && code < static_cast<int64_t>(c.categories.size()));
          }
      }
    } catch (const IOError&) {
    }
  return 0;
}
