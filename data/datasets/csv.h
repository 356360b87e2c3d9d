// Tables in comma-separated files.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tapir/data/dataset.h"
#include "tapir/tensor/args.h"

namespace tapir::data::datasets {

/// What a column holds.
enum class ColumnType { kInteger, kReal, kText };

struct TAPIR_API CsvOptions {
  /// What lies between two fields.
  TAPIR_ARG(char, delimiter) = ',';
  /// Whether the first line has the columns' names; else they are "0", "1", ...
  TAPIR_ARG(bool, header) = true;
  /// Fields that stand for a missing value.
  TAPIR_ARG(std::vector<std::string>, missing) = {"", "NA", "N/A", "nan", "NaN", "null", "NULL"};
  /// The types of columns by name. Others get the first of integer, real and text that takes all their
  /// values; a column of integers of which some are missing is real.
  using Types = std::vector<std::pair<std::string, ColumnType>>;
  TAPIR_ARG(Types, types);
  /// For CSV: the column of the targets; "" for the last one.
  TAPIR_ARG(std::string, target);
  /// For CSV: the columns of the data; none for all but the target.
  TAPIR_ARG(std::vector<std::string>, features);
};

/// A column of a table.
struct CsvColumn {
  std::string name;
  ColumnType type = ColumnType::kText;
  /// (N): int64 for kInteger; float64 for kReal, NaN where missing; for kText int64 indices of `categories`,
  /// -1 where missing.
  Tensor values;
  /// The different texts of a kText column, in order of their bytes.
  std::vector<std::string> categories;
  /// How many values are missing.
  int64_t missing = 0;
};

/// A table read whole. Fields are those of RFC 4180: what is within quotes may hold delimiters, line breaks
/// and doubled quotes. Lines end with "\n" or "\r\n", empty ones are left out, a byte order mark is passed
/// over, and blanks belong to their field unless it is a number.
class TAPIR_API CsvTable {
 public:
  /// Throws IOError, which names file, line and column, where the file cannot be read, a line has more or
  /// fewer fields than the first, a quote is not closed, or a value is not of the type given for its column;
  /// ValueError where `types` names a column that is not there.
  static CsvTable from_file(const std::string& path, const CsvOptions& options = {});
  /// `name` stands for the path in messages.
  static CsvTable from_text(std::string_view text, const CsvOptions& options = {},
                            const std::string& name = "text");
  int64_t rows() const { return rows_; }
  const std::vector<CsvColumn>& columns() const { return columns_; }
  bool contains(const std::string& name) const;
  /// Throws IndexError, which lists the names, where there is none of that name.
  const CsvColumn& column(const std::string& name) const;
  /// The columns of those names side by side, (N, K): numbers, and for text the indices of its categories.
  Tensor matrix(const std::vector<std::string>& names, DType dtype = kFloat32) const;

 private:
  int64_t rows_ = 0;
  std::vector<CsvColumn> columns_;
};

/// The rows of a table as examples: data (K) float32, the columns `features`, and target (), the column
/// `target`: float32 where that is real, else int64. Copies share the table.
class TAPIR_API CSV : public Dataset<CSV> {
 public:
  /// Throws what CsvTable does; IndexError where a column is not there, ValueError where the target is
  /// missing in some row.
  explicit CSV(const std::string& path, const CsvOptions& options = {});
  explicit CSV(CsvTable table, const CsvOptions& options = {});
  /// Throws IndexError.
  Example<> get(size_t index) override;
  std::optional<size_t> size() const override { return static_cast<size_t>(table_->rows()); }
  const CsvTable& table() const { return *table_; }
  /// (N, K) and (N).
  const Tensor& features() const { return features_; }
  const Tensor& targets() const { return targets_; }

 private:
  std::shared_ptr<const CsvTable> table_;
  Tensor features_, targets_;
};

}  // namespace tapir::data::datasets
