#include "tapir/data/datasets/csv.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>

#include "tapir/data/datasets/text_file.h"
#include "tapir/tensor/error_format.h"
#include "tapir/tensor/ops/copy.h"

namespace tapir::data::datasets {

namespace {

// All fields of a text: text and end of each, one after the other, and the line in which each row begins.
struct Fields {
  std::string text;
  std::vector<size_t> ends;
  std::vector<int64_t> lines;
  size_t columns = 0;

  std::string_view at(size_t row, size_t column) const {
    const size_t i = row * columns + column;
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(text).substr(begin, ends[i] - begin);
  }
};

Fields read_fields(std::string_view in, char delimiter, const std::string& name) {
  Fields fields;
  fields.text.reserve(in.size());
  if (in.starts_with("\xef\xbb\xbf")) in.remove_prefix(3);
  if (in.starts_with("\xff\xfe") || in.starts_with("\xfe\xff"))
    throw_error<IOError>("CsvTable: {}: it is UTF-16, expected UTF-8; convert it first", name);
  // The old Macintosh's line ends.
  const bool only_returns = in.find('\n') == in.npos;
  size_t at = 0;
  int64_t line = 1;
  const auto ends_line = [&] {
    return in[at] == '\n' || (in[at] == '\r' && (only_returns || (at + 1 < in.size() && in[at + 1] == '\n')));
  };
  while (at < in.size()) {
    if (ends_line()) {
      at += in[at] == '\r' && !only_returns ? 2 : 1;
      ++line;
      continue;
    }
    const int64_t first_line = line;
    const size_t before = fields.ends.size();
    for (bool more = true; more;) {
      if (at < in.size() && in[at] == '"') {
        const int64_t opened = line;
        for (++at;; ++at) {
          if (at == in.size())
            throw_error<IOError>("CsvTable: {}:{}: a quote is opened and not closed", name, opened);
          if (in[at] == '"') {
            ++at;
            if (at == in.size() || in[at] != '"') break;
          }
          if (in[at] == '\n') ++line;
          fields.text += in[at];
        }
        if (at < in.size() && in[at] != delimiter && !ends_line())
          throw_error<IOError>(
              "CsvTable: {}:{}: got \"{}\" behind a closing quote, expected '{}' or the line's end", name,
              line, shown(in.substr(at, 10)), delimiter);
      } else {
        while (at < in.size() && in[at] != delimiter && !ends_line()) fields.text += in[at++];
      }
      fields.ends.push_back(fields.text.size());
      more = at < in.size() && in[at] == delimiter;
      if (more) ++at;
    }
    const size_t count = fields.ends.size() - before;
    if (fields.lines.empty()) fields.columns = count;
    if (count != fields.columns)
      throw_error<IOError>("CsvTable: {}:{}: got {} fields, expected {} as in line {}", name, first_line,
                           count, fields.columns, fields.lines[0]);
    fields.lines.push_back(first_line);
  }
  return fields;
}

std::string_view without_blanks(std::string_view field) {
  const size_t begin = std::min(field.find_first_not_of(" \t"), field.size());
  const size_t end = field.find_last_not_of(" \t");
  return end == std::string_view::npos ? std::string_view() : field.substr(begin, end - begin + 1);
}

template <class T>
std::optional<T> number_of(std::string_view field) {
  field = without_blanks(field);
  if (field.starts_with('+') && field.size() > 1 && field[1] != '-') field.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (end != field.data() + field.size() || field.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range && std::is_same_v<T, double>) {
    // Too small or too large for a double: what strtod makes of it.
    value = static_cast<T>(std::strtod(std::string(field).c_str(), nullptr));
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  return value;
}

const char* type_name(ColumnType type) {
  return type == ColumnType::kInteger ? "an integer" : type == ColumnType::kReal ? "a number" : "text";
}

class ColumnReader {
 public:
  ColumnReader(const Fields& fields, size_t first_row, size_t column, const CsvOptions& options)
      : fields_(fields), first_(first_row), column_(column) {
    rows_ = fields.lines.size() - first_row;
    missing_.resize(rows_);
    for (size_t i = 0; i < rows_; ++i)
      missing_[i] =
          std::find(options.missing().begin(), options.missing().end(), field(i)) != options.missing().end();
  }

  CsvColumn read(std::optional<ColumnType> wanted, const std::string& column_name,
                 const std::string& file) const {
    CsvColumn column;
    column.name = column_name;
    column.missing = std::count(missing_.begin(), missing_.end(), true);
    const auto fail = [&](size_t row, ColumnType type) {
      throw_error<IOError>("CsvTable: {}:{}: column \"{}\" has {}, expected {}", file,
                           fields_.lines[first_ + row], column_name,
                           missing_[row] ? "no value" : fmt::format("\"{}\"", shown(field(row))),
                           type_name(type));
    };
    const bool all_missing = column.missing == static_cast<int64_t>(rows_);
    if (wanted == ColumnType::kInteger || (!wanted && column.missing == 0 && rows_ > 0)) {
      const size_t bad = fill<int64_t>(column.values, kInt64);
      column.type = ColumnType::kInteger;
      if (bad == rows_) return column;
      if (wanted) fail(bad, ColumnType::kInteger);
    }
    if (wanted == ColumnType::kReal || (!wanted && !all_missing)) {
      const size_t bad = fill<double>(column.values, kFloat64);
      column.type = ColumnType::kReal;
      if (bad == rows_) return column;
      if (wanted) fail(bad, ColumnType::kReal);
    }
    column.type = ColumnType::kText;
    categories(column);
    return column;
  }

 private:
  std::string_view field(size_t row) const { return fields_.at(first_ + row, column_); }

  // The first row that is no T, or the number of rows.
  template <class T>
  size_t fill(Tensor& values, DType dtype) const {
    values = Tensor::empty({static_cast<int64_t>(rows_)}, dtype);
    T* const out = values.data_ptr<T>();
    for (size_t i = 0; i < rows_; ++i) {
      const std::optional<T> value = missing_[i] ? std::nullopt : number_of<T>(field(i));
      if (!value && (!missing_[i] || dtype == kInt64)) return i;
      out[i] = value.value_or(std::numeric_limits<T>::quiet_NaN());
    }
    return rows_;
  }

  void categories(CsvColumn& column) const {
    std::map<std::string_view, int64_t> index;
    for (size_t i = 0; i < rows_; ++i)
      if (!missing_[i]) index.emplace(field(i), 0);
    for (auto& [text, i] : index) {
      i = static_cast<int64_t>(column.categories.size());
      column.categories.emplace_back(text);
    }
    column.values = Tensor::empty({static_cast<int64_t>(rows_)}, kInt64);
    for (size_t i = 0; i < rows_; ++i)
      column.values.data_ptr<int64_t>()[i] = missing_[i] ? -1 : index.at(field(i));
  }

  const Fields& fields_;
  size_t first_, column_, rows_ = 0;
  std::vector<bool> missing_;
};

}  // namespace

CsvTable CsvTable::from_file(const std::string& path, const CsvOptions& options) {
  return from_text(read_text("CsvTable", path), options, path);
}

CsvTable CsvTable::from_text(std::string_view text, const CsvOptions& options, const std::string& name) {
  const char d = options.delimiter();
  TAPIR_CHECK_AS(ValueError, d != '"' && d != '\n' && d != '\r', "CsvTable: got {} for the delimiter",
                 d == '"' ? "a quote" : "a line break");
  const Fields fields = read_fields(text, d, name);
  TAPIR_CHECK_AS(IOError, !fields.lines.empty(), "CsvTable: {}: it has no lines", name);
  CsvTable table;
  const size_t first = options.header() ? 1 : 0;
  table.rows_ = static_cast<int64_t>(fields.lines.size() - first);
  for (size_t c = 0; c < fields.columns; ++c) {
    const std::string column = options.header() ? std::string(fields.at(0, c)) : std::to_string(c);
    TAPIR_CHECK_AS(IOError, !table.contains(column), "CsvTable: {}:{}: two columns are named \"{}\"", name,
                   fields.lines[0], shown(column));
    const auto type = std::find_if(options.types().begin(), options.types().end(),
                                   [&](const auto& t) { return t.first == column; });
    table.columns_.push_back(
        ColumnReader(fields, first, c, options)
            .read(type == options.types().end() ? std::nullopt : std::optional(type->second), column, name));
  }
  for (const auto& [column, type] : options.types())
    TAPIR_CHECK_AS(ValueError, table.contains(column),
                   "CsvTable: {}: there is no column \"{}\", which `types` names", name, column);
  return table;
}

bool CsvTable::contains(const std::string& name) const {
  return std::any_of(columns_.begin(), columns_.end(), [&](const CsvColumn& c) { return c.name == name; });
}

const CsvColumn& CsvTable::column(const std::string& name) const {
  std::string names;
  for (const CsvColumn& c : columns_) {
    if (c.name == name) return c;
    names += (names.empty() ? "\"" : ", \"") + shown(c.name) + '"';
  }
  throw_error<IndexError>("CsvTable: there is no column \"{}\"; there are {}", name, shown(names));
}

Tensor CsvTable::matrix(const std::vector<std::string>& names, DType dtype) const {
  const Tensor out = Tensor::empty({rows_, static_cast<int64_t>(names.size())}, dtype);
  for (size_t i = 0; i < names.size(); ++i)
    raw::copy_into(out.alias(out.layout_of().select(1, static_cast<int64_t>(i))), column(names[i]).values);
  return out;
}

CSV::CSV(const std::string& path, const CsvOptions& options)
    : CSV(CsvTable::from_file(path, options), options) {}

CSV::CSV(CsvTable table, const CsvOptions& options)
    : table_(std::make_shared<const CsvTable>(std::move(table))) {
  const CsvColumn& target =
      options.target().empty() ? table_->columns().back() : table_->column(options.target());
  TAPIR_CHECK_AS(ValueError, target.missing == 0,
                 "CSV: the target, column \"{}\", is missing in {} of {} rows", shown(target.name),
                 target.missing, table_->rows());
  std::vector<std::string> names = options.features();
  if (names.empty())
    for (const CsvColumn& c : table_->columns())
      if (c.name != target.name) names.push_back(c.name);
  features_ = table_->matrix(names);
  targets_ = target.type == ColumnType::kReal ? raw::cast(target.values, kFloat32) : target.values;
}

Example<> CSV::get(size_t index) {
  TAPIR_CHECK_AS(IndexError, index < *size(), "CSV: got index {}, expected one below {}", index, *size());
  const int64_t i = static_cast<int64_t>(index);
  return {features_.alias(features_.layout_of().select(0, i)),
          targets_.alias(targets_.layout_of().select(0, i))};
}

}  // namespace tapir::data::datasets
