// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/json_writer.h"

#include <charconv>
#include <cmath>

namespace bitnet {

std::string json_quote(std::string_view text) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out += '"';
}

void JsonWriter::separate() {
  if (!first_) text_ += ", ";
  first_ = false;
}

JsonWriter& JsonWriter::raw(std::string_view text) {
  separate();
  text_ += text;
  return *this;
}

JsonWriter& JsonWriter::begin_object() {
  raw("{");
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::end_object() {
  text_ += "}";
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::begin_array() {
  raw("[");
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::end_array() {
  text_ += "]";
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  raw(json_quote(name) + ": ");
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::value(std::string_view text) { return raw(json_quote(text)); }

JsonWriter& JsonWriter::value(double number) {
  if (!std::isfinite(number)) return null();
  char text[64];
  return raw({text, std::to_chars(text, text + sizeof text, number).ptr});
}

JsonWriter& JsonWriter::value(std::int64_t number) { return raw(std::to_string(number)); }
JsonWriter& JsonWriter::value(std::uint64_t number) { return raw(std::to_string(number)); }
JsonWriter& JsonWriter::value(bool flag) { return raw(flag ? "true" : "false"); }
JsonWriter& JsonWriter::null() { return raw("null"); }

JsonWriter& JsonWriter::value(std::span<const std::int32_t> numbers) {
  begin_array();
  for (const std::int32_t n : numbers) value(static_cast<std::int64_t>(n));
  return end_array();
}

}  // namespace bitnet
