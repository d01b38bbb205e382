// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/json.h"

#include <array>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

[[noreturn]] void fail_kind(std::string_view expected, std::string_view found) {
  fail(Errc::corrupt_file, "expected " + std::string(expected) + ", found " + std::string(found));
}

}  // namespace

std::string_view Json::kind() const noexcept {
  constexpr std::array<std::string_view, 7> kNames{"null",   "bool",  "integer", "number",
                                                   "string", "array", "object"};
  return kNames[value_.index()];
}

bool Json::as_bool() const {
  if (!is_bool()) fail_kind("bool", kind());
  return std::get<bool>(value_);
}

std::int64_t Json::as_int() const {
  if (!is_integer()) fail_kind("integer", kind());
  return std::get<std::int64_t>(value_);
}

double Json::as_double() const {
  if (is_integer()) return static_cast<double>(std::get<std::int64_t>(value_));
  if (!is_number()) fail_kind("number", kind());
  return std::get<double>(value_);
}

const std::string& Json::as_string() const {
  if (!is_string()) fail_kind("string", kind());
  return std::get<std::string>(value_);
}

const Json::Array& Json::as_array() const {
  if (!is_array()) fail_kind("array", kind());
  return std::get<Array>(value_);
}

const Json::Object& Json::as_object() const {
  if (!is_object()) fail_kind("object", kind());
  return std::get<Object>(value_);
}

const Json* Json::find(std::string_view key) const noexcept {
  const auto* members = std::get_if<Object>(&value_);
  if (members == nullptr) return nullptr;
  for (const auto& [name, member] : *members)
    if (name == key) return &member;
  return nullptr;
}

const Json& Json::at(std::string_view key) const {
  const Json* member = find(key);
  if (member == nullptr)
    fail(Errc::corrupt_file, is_object() ? "key \"" + printable(key) + "\" is missing"
                                         : "expected object with key \"" + printable(key) +
                                               "\", found " + std::string(kind()));
  return *member;
}

}  // namespace bitnet
