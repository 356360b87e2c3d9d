// Files read whole, for the data sets that are made of text.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tapir::data::datasets {

/// The file's bytes. Throws IOError with `op` and the path.
std::string read_text(const char* op, const std::string& path);

/// Removes the first line from `text` and returns it without its "\n" or "\r\n".
std::string_view take_line(std::string_view& text);

/// The parts between blanks (space, tab, \r, \v, \f), in order.
std::vector<std::string_view> split_words(std::string_view line);

/// Text of an unknown file, short enough for a message.
std::string shown(std::string_view text);

/// The files of a folder whose names end with one of the suffixes (in upper case too), by name: their paths.
/// Throws IOError with `op` where there is no such folder.
std::vector<std::string> files_in(const char* op, const std::string& folder,
                                  const std::vector<std::string>& suffixes);

}  // namespace tapir::data::datasets
