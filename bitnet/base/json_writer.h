// SPDX-License-Identifier: MIT OR Apache-2.0
// JSON as text (RFC 8259), written in order.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bitnet {

/// `text` as a JSON string literal, quotes included. Bytes beyond ASCII stay as they are.
std::string json_quote(std::string_view text);

/// `text` with every byte that is not part of valid UTF-8 replaced by U+FFFD: names and paths may
/// hold any bytes, JSON may not.
std::string valid_utf8(std::string_view text);

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

}  // namespace bitnet
