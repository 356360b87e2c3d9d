#include "tapir/data/datasets/text_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "tapir/tensor/error_format.h"

namespace tapir::data::datasets {

std::string read_text(const char* op, const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) throw_error<IOError>("{}: cannot open \"{}\": {}", op, path, std::strerror(errno));
  std::string text;
  char block[1 << 16];
  while (const size_t n = std::fread(block, 1, sizeof(block), file)) text.append(block, n);
  const int error = std::ferror(file) ? errno : 0;
  std::fclose(file);
  if (error) throw_error<IOError>("{}: cannot read \"{}\": {}", op, path, std::strerror(error));
  return text;
}

std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::vector<std::string_view> split_words(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r\v\f";
  std::vector<std::string_view> words;
  for (size_t at = 0; (at = line.find_first_not_of(kBlanks, at)) != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(kBlanks, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = end;
  }
  return words;
}

std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 60))
    out += static_cast<uint8_t>(c) < 0x20 || c == 0x7f ? fmt::format("\\x{:02x}", static_cast<uint8_t>(c))
                                                       : std::string(1, c);
  return text.size() > 60 ? out + "..." : out;
}

std::vector<std::string> files_in(const char* op, const std::string& folder,
                                  const std::vector<std::string>& suffixes) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) throw_error<IOError>("{}: cannot open the folder \"{}\": {}", op, folder, error.message());
  std::vector<std::string> paths;
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    if (error) throw_error<IOError>("{}: cannot read the folder \"{}\": {}", op, folder, error.message());
    std::string suffix = entries->path().extension().string();
    std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    std::error_code ignored;
    if (std::find(suffixes.begin(), suffixes.end(), suffix) != suffixes.end() &&
        entries->is_regular_file(ignored))
      paths.push_back(entries->path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

}  // namespace tapir::data::datasets
