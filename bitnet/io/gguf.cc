// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/gguf.h"

#include <algorithm>
#include <cstring>

#include "bitnet/io/gguf_parser.h"

namespace bitnet {
namespace {

template <class T>
T load_at(const GgufArray& array, std::uint64_t index) noexcept {
  T value;
  std::memcpy(&value, array.data.data() + index * sizeof value, sizeof value);
  return value;
}

std::string field_of(std::string_view key) { return "key \"" + printable(key) + "\""; }

bool is_real(GgufValueType type) noexcept {
  return type == GgufValueType::f32 || type == GgufValueType::f64;
}

}  // namespace

std::int64_t integer_at(const GgufArray& array, std::uint64_t index) noexcept {
  switch (array.element_type) {
    case GgufValueType::u8:
    case GgufValueType::boolean:
      return load_at<std::uint8_t>(array, index);
    case GgufValueType::i8:
      return load_at<std::int8_t>(array, index);
    case GgufValueType::u16:
      return load_at<std::uint16_t>(array, index);
    case GgufValueType::i16:
      return load_at<std::int16_t>(array, index);
    case GgufValueType::u32:
      return load_at<std::uint32_t>(array, index);
    case GgufValueType::i32:
      return load_at<std::int32_t>(array, index);
    default:
      return load_at<std::int64_t>(array, index);
  }
}

double real_at(const GgufArray& array, std::uint64_t index) noexcept {
  return array.element_type == GgufValueType::f32 ? double{load_at<float>(array, index)}
                                                  : load_at<double>(array, index);
}

GgufFile::GgufFile(Source source) : source_(std::move(source)) {
  GgufParser parser(source_);
  parser.run();
  version_ = parser.version;
  alignment_ = parser.alignment;
  key_values_ = std::move(parser.key_values);
  tensors_ = std::move(parser.tensors);
  keys_by_name_ = std::move(parser.keys_by_name);
  tensors_by_name_ = std::move(parser.tensors_by_name);
  warnings_ = std::move(parser.warnings);
  source_.check_intact();
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const noexcept {
  const auto at = std::lower_bound(
      tensors_by_name_.begin(), tensors_by_name_.end(), name,
      [&](std::uint32_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  return at == tensors_by_name_.end() || tensors_[*at].name != name ? nullptr : &tensors_[*at];
}

const GgufKeyValue* GgufFile::find(std::string_view key) const noexcept {
  const auto at = std::lower_bound(
      keys_by_name_.begin(), keys_by_name_.end(), key,
      [&](std::uint32_t i, std::string_view wanted) { return key_values_[i].key < wanted; });
  return at == keys_by_name_.end() || key_values_[*at].key != key ? nullptr : &key_values_[*at];
}

const GgufKeyValue& GgufFile::at(std::string_view key) const {
  const GgufKeyValue* entry = find(key);
  if (entry == nullptr) source_.fail("E_KEY", 0, field_of(key), "absent", "required");
  return *entry;
}

std::uint64_t GgufFile::get_u64(std::string_view key) const {
  const GgufKeyValue& entry = at(key);
  if (const auto* value = std::get_if<std::uint64_t>(&entry.value.data)) return *value;
  const auto* value = std::get_if<std::int64_t>(&entry.value.data);
  if (value == nullptr || *value < 0)
    source_.fail("E_KEYTYPE", entry.offset, field_of(key),
                 std::string(name(entry.value.type)) + (value ? " " + std::to_string(*value) : ""),
                 "an integer >= 0");
  return static_cast<std::uint64_t>(*value);
}

std::uint32_t GgufFile::get_u32(std::string_view key) const {
  const std::uint64_t value = get_u64(key);
  if (value > UINT32_MAX)
    source_.fail("E_KEYTYPE", at(key).offset, field_of(key), std::to_string(value),
                 "at most 4294967295");
  return static_cast<std::uint32_t>(value);
}

std::int64_t GgufFile::get_i64(std::string_view key) const {
  const GgufKeyValue& entry = at(key);
  if (const auto* value = std::get_if<std::int64_t>(&entry.value.data)) return *value;
  const std::uint64_t value = get_u64(key);
  if (value > static_cast<std::uint64_t>(INT64_MAX))
    source_.fail("E_KEYTYPE", entry.offset, field_of(key), std::to_string(value),
                 "at most 9223372036854775807");
  return static_cast<std::int64_t>(value);
}

float GgufFile::get_f32(std::string_view key) const {
  const GgufKeyValue& entry = at(key);
  const auto* value = std::get_if<double>(&entry.value.data);
  if (value == nullptr)
    source_.fail("E_KEYTYPE", entry.offset, field_of(key), std::string(name(entry.value.type)),
                 "f32");
  return static_cast<float>(*value);
}

bool GgufFile::get_bool(std::string_view key) const {
  const GgufKeyValue& entry = at(key);
  const auto* value = std::get_if<bool>(&entry.value.data);
  if (value == nullptr)
    source_.fail("E_KEYTYPE", entry.offset, field_of(key), std::string(name(entry.value.type)),
                 "bool");
  return *value;
}

std::string_view GgufFile::get_string(std::string_view key) const {
  const GgufKeyValue& entry = at(key);
  const auto* value = std::get_if<std::string_view>(&entry.value.data);
  if (value == nullptr)
    source_.fail("E_KEYTYPE", entry.offset, field_of(key), std::string(name(entry.value.type)),
                 "string");
  return *value;
}

const GgufArray& GgufFile::array_at(std::string_view key, const char* expected) const {
  const GgufKeyValue& entry = at(key);
  const auto* array = std::get_if<GgufArray>(&entry.value.data);
  const std::string_view wanted = expected;
  const bool fits = array != nullptr &&
                    (wanted == "array of strings" ? array->element_type == GgufValueType::string
                     : wanted == "array of f32"   ? is_real(array->element_type)
                                                  : array->element_type != GgufValueType::string &&
                                                      !is_real(array->element_type));
  if (!fits)
    source_.fail("E_KEYTYPE", entry.offset, field_of(key),
                 array ? "array of " + std::string(name(array->element_type))
                       : std::string(name(entry.value.type)),
                 expected);
  return *array;
}

const std::vector<std::string_view>& GgufFile::get_strings(std::string_view key) const {
  return array_at(key, "array of strings").strings;
}

std::vector<float> GgufFile::get_f32_array(std::string_view key) const {
  const GgufArray& array = array_at(key, "array of f32");
  std::vector<float> values(array.count);
  for (std::uint64_t i = 0; i < array.count; ++i) values[i] = static_cast<float>(real_at(array, i));
  return values;
}

std::vector<std::int64_t> GgufFile::get_int_array(std::string_view key) const {
  const GgufArray& array = array_at(key, "array of integers");
  std::vector<std::int64_t> values(array.count);
  for (std::uint64_t i = 0; i < array.count; ++i) values[i] = integer_at(array, i);
  return values;
}

}  // namespace bitnet
