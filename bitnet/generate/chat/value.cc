// SPDX-License-Identifier: MIT OR Apache-2.0
// Python's rules for truth, equality, str() and json.dumps(). Depth is limited when values are
// made.
#include "bitnet/generate/chat/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "bitnet/generate/tokenizer/unicode.h"

namespace bitnet::chat {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// repr() of a float: the shortest digits that give it back, with exponent from 1e16 on and below
// 1e-4.
std::string float_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  char buffer[400];
  const double size = std::fabs(number);
  const auto format = size != 0 && (size >= 1e16 || size < 1e-4) ? std::chars_format::scientific
                                                                 : std::chars_format::fixed;
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, number, format).ptr;
  std::string text(buffer, end);
  if (format == std::chars_format::fixed && text.find('.') == text.npos) text += ".0";
  return text;
}

// repr() of a string. Of the code points beyond Latin-1 that Python calls unprintable, only white
// space is escaped.
std::string quoted(const std::string& text) {
  const char quote = text.find('\'') != text.npos && text.find('"') == text.npos ? '"' : '\'';
  std::string out(1, quote);
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_code_point(text, at);
    const char c = text[at];
    if (c == '\n' || c == '\r' || c == '\t') {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    } else if (c == '\\' || c == quote) {
      out.append(1, '\\').append(1, c);
    } else if (point.value < 0x20 || (point.value >= 0x7F && point.value <= 0xA0) ||
               point.value == 0xAD) {
      out.append("\\x").append(1, kHex[point.value >> 4]).append(1, kHex[point.value & 15]);
    } else if (point.value > 0xFF && code_class(point.value) == CodeClass::space) {
      out += "\\u";
      for (int shift = 12; shift >= 0; shift -= 4) out += kHex[point.value >> shift & 15];
    } else {
      out.append(text, at, point.size);
    }
    at += point.size;
  }
  return out + quote;
}

std::string repr(const Value& value) {
  return value.text() ? quoted(*value.text()) : to_text(value);
}

void append_json_string(std::string& out, const std::string& text) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    constexpr std::string_view kEscaped = "\"\\\n\r\t\b\f";
    if (const std::size_t which = kEscaped.find(c); which != kEscaped.npos) {
      out.append(1, '\\').append(1, "\"\\nrtbf"[which]);
    } else if (byte < 0x20) {
      out.append("\\u00").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]);
    } else {
      out += c;
    }
  }
  out += '"';
}

// False where a part has no JSON form.
bool append_json(std::string& out, const Value& value, int indent, int level) {
  const auto line = [&](int at) {
    if (indent >= 0) out.append(1, '\n').append(static_cast<std::size_t>(indent * at), ' ');
  };
  const char* comma = indent >= 0 ? "," : ", ";
  if (value.is<None>()) {
    out += "null";
  } else if (const bool* truth = value.get<bool>()) {
    out += *truth ? "true" : "false";
  } else if (value.is_integer() || (value.is<double>() && std::isfinite(value.number()))) {
    out += to_text(value);
  } else if (value.text()) {
    append_json_string(out, *value.text());
  } else if (const List* list = value.get<List>()) {
    out += '[';
    for (std::size_t i = 0; i < (*list)->items.size(); ++i) {
      if (i > 0) out += comma;
      line(level + 1);
      if (!append_json(out, (*list)->items[i], indent, level + 1)) return false;
    }
    if (!(*list)->items.empty()) line(level);
    out += ']';
  } else if (const Dict* dict = value.get<Dict>()) {
    out += '{';
    for (std::size_t i = 0; i < (*dict)->items.size(); ++i) {
      if (i > 0) out += comma;
      line(level + 1);
      append_json_string(out, (*dict)->items[i].first);
      out += ": ";
      if (!append_json(out, (*dict)->items[i].second, indent, level + 1)) return false;
    }
    if (!(*dict)->items.empty()) line(level);
    out += '}';
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::int64_t Value::integer() const noexcept {
  return is<bool>() ? std::int64_t{*get<bool>()} : *get<std::int64_t>();
}

double Value::number() const noexcept {
  return is<double>() ? *get<double>() : static_cast<double>(integer());
}

bool Value::truth() const noexcept {
  if (is<Undefined>() || is<None>()) return false;
  if (is_number()) return number() != 0;
  if (text()) return !text()->empty();
  if (const List* list = get<List>()) return !(*list)->items.empty();
  if (const Dict* dict = get<Dict>()) return !(*dict)->items.empty();
  return true;
}

std::string_view Value::kind() const noexcept {
  constexpr std::string_view kKinds[] = {"undefined", "None", "bool",  "int",
                                         "float",     "str",  "list",  "dict",
                                         "namespace", "loop", "macro", "function"};
  return kKinds[data_.index()];
}

int Value::depth() const noexcept {
  if (const List* list = get<List>()) return (*list)->depth;
  if (const Dict* dict = get<Dict>()) return (*dict)->depth;
  return 0;
}

bool equal(const Value& a, const Value& b) noexcept {
  if (a.is_integer() && b.is_integer()) return a.integer() == b.integer();
  if (a.is_number() && b.is_number()) return a.number() == b.number();
  if (a.text() && b.text()) return *a.text() == *b.text();
  if (a.is<None>() || a.is<Undefined>()) return a.kind() == b.kind();
  if (const List* x = a.get<List>(), *y = b.get<List>(); x && y)
    return (*x)->is_tuple == (*y)->is_tuple &&
           std::equal((*x)->items.begin(), (*x)->items.end(), (*y)->items.begin(),
                      (*y)->items.end(), equal);
  if (const Dict* x = a.get<Dict>(), *y = b.get<Dict>(); x && y) {
    if ((*x)->items.size() != (*y)->items.size()) return false;
    return std::all_of((*x)->items.begin(), (*x)->items.end(), [&](const auto& item) {
      return std::any_of((*y)->items.begin(), (*y)->items.end(), [&](const auto& other) {
        return item.first == other.first && equal(item.second, other.second);
      });
    });
  }
  return false;
}

std::string to_text(const Value& value) {
  if (value.text()) return *value.text();
  if (value.is<Undefined>()) return "";
  if (value.is<None>()) return "None";
  if (const bool* truth = value.get<bool>()) return *truth ? "True" : "False";
  if (const auto* number = value.get<std::int64_t>()) return std::to_string(*number);
  if (const double* number = value.get<double>()) return float_text(*number);
  std::string out;
  const auto separate = [&out](const char* open) { out += out.empty() ? open : ", "; };
  if (const List* list = value.get<List>()) {
    const bool tuple = (*list)->is_tuple;
    for (const Value& item : (*list)->items) {
      separate(tuple ? "(" : "[");
      out += repr(item);
    }
    if (out.empty()) return tuple ? "()" : "[]";
    return out + (!tuple ? "]" : (*list)->items.size() == 1 ? ",)" : ")");
  }
  if (const Dict* dict = value.get<Dict>()) {
    for (const auto& [key, item] : (*dict)->items) {
      separate("{");
      out += quoted(key) + ": " + repr(item);
    }
    return out.empty() ? "{}" : out + "}";
  }
  return '<' + std::string(value.kind()) + '>';
}

std::string to_json(const Value& value, int indent) {
  std::string out;
  return append_json(out, value, indent, 0) ? out : std::string();
}

}  // namespace bitnet::chat
