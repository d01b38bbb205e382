// SPDX-License-Identifier: MIT OR Apache-2.0
// Numbers and tables as people and programs read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/base/json_writer.h"

namespace bitnet::cli {

/// 1234.5678 with 1 digit: "1234.6"
std::string fixed(double value, int digits);
/// "713 MB", "1.19 GB" (powers of 1000); below 1 kB in bytes.
std::string bytes_in_words(std::uint64_t bytes);
/// "34,634,240"
std::string with_commas(std::int64_t value);
/// "48 tokens", "1 token"
std::string counted(std::int64_t count, const std::string& noun);
/// At least `columns` wide; widths count UTF-8 characters.
std::string pad_right(std::string text, std::size_t columns);
std::string pad_left(std::string text, std::size_t columns);

/// Rows of cells in columns as wide as their widest cell; the columns named in `right` are aligned
/// to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> header, std::vector<std::size_t> right = {});
  void add(std::vector<std::string> row);
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> right_;
};

}  // namespace bitnet::cli
