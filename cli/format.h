// SPDX-License-Identifier: MIT OR Apache-2.0
// Numbers and tables as people and programs read them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

/// One JSON document, written in order. Numbers that JSON does not have (NaN) become null.
class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(double number);
  JsonWriter& value(std::int64_t number);
  JsonWriter& value(std::uint64_t number);
  JsonWriter& value(int number) { return value(static_cast<std::int64_t>(number)); }
  JsonWriter& value(bool flag);
  JsonWriter& null();
  JsonWriter& value(std::span<const std::int32_t> numbers);
  template <class T>
  JsonWriter& member(std::string_view name, const T& item) {
    return key(name).value(item);
  }
  /// The document and a line end.
  std::string text() const { return text_ + "\n"; }

 private:
  void separate();
  JsonWriter& raw(std::string_view text);
  std::string text_;
  bool first_ = true;
};

}  // namespace bitnet::cli
