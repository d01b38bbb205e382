// SPDX-License-Identifier: MIT OR Apache-2.0
// JSON documents of model folders: read strictly, kept in document order.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "bitnet/base/json_writer.h"  // json_quote()

namespace bitnet {

/// One value of a document. Objects keep their order; duplicate keys are refused by parse_json().
/// Accessors throw Error{corrupt_file} "expected string, found number" where the kind differs.
class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() = default;  // null
  template <class T>
  requires(!std::is_same_v<std::decay_t<T>, Json>) explicit Json(T&& value)
      : value_(std::forward<T>(value)) {}

  bool is_null() const noexcept { return value_.index() == 0; }
  bool is_bool() const noexcept { return std::holds_alternative<bool>(value_); }
  bool is_integer() const noexcept { return std::holds_alternative<std::int64_t>(value_); }
  bool is_number() const noexcept { return is_integer() || std::holds_alternative<double>(value_); }
  bool is_string() const noexcept { return std::holds_alternative<std::string>(value_); }
  bool is_array() const noexcept { return std::holds_alternative<Array>(value_); }
  bool is_object() const noexcept { return std::holds_alternative<Object>(value_); }
  std::string_view kind() const noexcept;  // "null", "bool", "integer", "number", "string", …

  bool as_bool() const;
  std::int64_t as_int() const;  // integers only
  double as_double() const;     // any number
  const std::string& as_string() const;
  const Array& as_array() const;
  const Object& as_object() const;

  /// The member of an object, nullptr where it is absent (or this is not an object).
  const Json* find(std::string_view key) const noexcept;
  /// The member; throws Error{corrupt_file} naming the key where it is absent.
  const Json& at(std::string_view key) const;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> value_;
};

/// Limits a hostile document meets. A value takes 40 bytes and at least two bytes of text ("0,"),
/// so memory stays within a fixed multiple of the text's size, and of max_values.
struct JsonLimits {
  int max_depth = 64;
  std::int64_t max_values =
      8'000'000;  // ten times a tokenizer of 128,256 tokens and 280,147 merges
};

/// Parses one document (RFC 8259, UTF-8; nothing after it but white space). `file` and
/// `base_offset` go into errors. Throws FileError{corrupt_file} with the byte offset: E_HEADER for
/// syntax, bad UTF-8, numbers out of range (1e400, integers beyond 64 bits), E_DUPKEY for a
/// repeated key, E_DEPTH beyond max_depth, E_COUNT beyond max_values. Throws Error{unsupported} in
/// a build without JSON (BITNET_JSON=OFF).
Json parse_json(std::string_view text, const std::string& file, std::uint64_t base_offset = 0,
                const JsonLimits& limits = {});

}  // namespace bitnet
