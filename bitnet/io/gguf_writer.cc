// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/gguf_writer.h"

#include <algorithm>

#include "bitnet/base/checked.h"
#include "bitnet/io/utf8.h"

namespace bitnet {
namespace {

constexpr std::uint32_t kVersion = 3;
constexpr std::size_t kMaxKeyBytes = 65'536;
constexpr std::size_t kMaxTensorNameBytes = 64;
constexpr std::string_view kAlignmentKey = "general.alignment";

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_string(std::string& out, std::string_view text) {
  append(out, std::uint64_t{text.size()});
  out += text;
}

void check_name(std::string_view name, std::size_t max_bytes) {
  const bool has_control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (name.empty() || name.size() > max_bytes || has_control || !is_utf8(name))
    fail(Errc::invalid_argument, "GgufWriter: bad name \"" + printable(name) + "\"");
}

std::uint64_t size_of(std::string_view name, GgmlType id, std::span<const std::int64_t> dims) {
  const GgmlTypeInfo& type = info(id);
  std::optional<std::uint64_t> elements = 1;
  for (const std::int64_t length : dims)
    elements = elements && length > 0 ? checked_mul(*elements, static_cast<std::uint64_t>(length))
                                      : std::nullopt;
  const bool fits = elements && *elements <= static_cast<std::uint64_t>(INT64_MAX) &&
                    !dims.empty() && dims.size() <= 4;
  const auto size =
      fits ? tensor_bytes(type, dims[0], static_cast<std::int64_t>(*elements) / dims[0])
           : std::nullopt;
  if (!size || *size > static_cast<std::uint64_t>(INT64_MAX))
    fail(Errc::invalid_argument, "GgufWriter: tensor \"" + printable(name) +
                                     "\" has a shape that " + std::string(type.name) +
                                     " cannot hold");
  return *size;
}

}  // namespace

void GgufWriter::begin_key(std::string_view key, GgufValueType type) {
  check_name(key, kMaxKeyBytes);
  if (std::find(keys_.begin(), keys_.end(), key) != keys_.end())
    fail(Errc::invalid_argument, "GgufWriter: two of key \"" + printable(key) + "\"");
  keys_.emplace_back(key);
  append_string(key_value_bytes_, key);
  append(key_value_bytes_, static_cast<std::uint32_t>(type));
}

void GgufWriter::add_u32(std::string_view key, std::uint32_t value) {
  begin_key(key, GgufValueType::u32);
  append(key_value_bytes_, value);
}

void GgufWriter::add_u64(std::string_view key, std::uint64_t value) {
  begin_key(key, GgufValueType::u64);
  append(key_value_bytes_, value);
}

void GgufWriter::add_i32(std::string_view key, std::int32_t value) {
  begin_key(key, GgufValueType::i32);
  append(key_value_bytes_, value);
}

void GgufWriter::add_f32(std::string_view key, float value) {
  begin_key(key, GgufValueType::f32);
  append(key_value_bytes_, value);
}

void GgufWriter::align_tensors(std::uint32_t bytes) {
  require(bytes >= 8 && bytes <= (1u << 20) && (bytes & (bytes - 1)) == 0,
          "GgufWriter: an alignment is a power of two from 8 to 1048576");
  add_u32(kAlignmentKey, bytes);
  alignment_ = bytes;
}

std::uint64_t GgufWriter::padding(std::uint64_t size) const noexcept {
  return (alignment_ - size % alignment_) % alignment_;
}

void GgufWriter::add_bool(std::string_view key, bool value) {
  begin_key(key, GgufValueType::boolean);
  append(key_value_bytes_, static_cast<std::uint8_t>(value));
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
  begin_key(key, GgufValueType::string);
  append_string(key_value_bytes_, value);
}

void GgufWriter::add_strings(std::string_view key, std::span<const std::string_view> values) {
  GgufArray array{GgufValueType::string, values.size(), {}, {values.begin(), values.end()}};
  add_copy({key, {GgufValueType::array, std::move(array)}, 0});
}

void GgufWriter::add_f32_array(std::string_view key, std::span<const float> values) {
  GgufArray array{GgufValueType::f32, values.size(), std::as_bytes(values), {}};
  add_copy({key, {GgufValueType::array, std::move(array)}, 0});
}

void GgufWriter::add_i32_array(std::string_view key, std::span<const std::int32_t> values) {
  GgufArray array{GgufValueType::i32, values.size(), std::as_bytes(values), {}};
  add_copy({key, {GgufValueType::array, std::move(array)}, 0});
}

void GgufWriter::add_copy(const GgufKeyValue& entry) {
  require(entry.key != kAlignmentKey, "GgufWriter: the alignment is chosen by align_tensors()");
  begin_key(entry.key, entry.value.type);
  append_value(entry.value);
}

void GgufWriter::append_value(const GgufValue& value) {
  std::string& out = key_value_bytes_;
  if (const auto* text = std::get_if<std::string_view>(&value.data)) {
    append_string(out, *text);
  } else if (const auto* array = std::get_if<GgufArray>(&value.data)) {
    append(out, static_cast<std::uint32_t>(array->element_type));
    append(out, array->count);
    for (const std::string_view element : array->strings) append_string(out, element);
    out.append(reinterpret_cast<const char*>(array->data.data()), array->data.size());
  } else if (const auto* real = std::get_if<double>(&value.data)) {
    if (value.type == GgufValueType::f32)
      append(out, static_cast<float>(*real));
    else
      append(out, *real);
  } else {
    // Little-endian: an integer's low bytes are the integer of fewer bytes.
    const auto* is_signed = std::get_if<std::int64_t>(&value.data);
    const auto* is_bool = std::get_if<bool>(&value.data);
    const std::uint64_t bits = is_signed ? static_cast<std::uint64_t>(*is_signed)
                               : is_bool ? std::uint64_t{*is_bool}
                                         : std::get<std::uint64_t>(value.data);
    out.append(reinterpret_cast<const char*>(&bits), size_bytes(value.type));
  }
}

void GgufWriter::add_tensor(std::string_view name, GgmlType type,
                            std::span<const std::int64_t> dims, TensorBytes bytes) {
  check_name(name, kMaxTensorNameBytes);
  for (const Item& item : items_)
    if (item.name == name)
      fail(Errc::invalid_argument, "GgufWriter: two of tensor \"" + printable(name) + "\"");
  items_.push_back({std::string(name),
                    type,
                    {dims.begin(), dims.end()},
                    size_of(name, type, dims),
                    std::move(bytes)});
}

std::string GgufWriter::header() const {
  std::string out = "GGUF";
  append(out, kVersion);
  append(out, std::uint64_t{items_.size()});
  append(out, std::uint64_t{keys_.size()});
  out += key_value_bytes_;
  std::uint64_t offset = 0;
  for (const Item& item : items_) {
    append_string(out, item.name);
    append(out, static_cast<std::uint32_t>(item.dims.size()));
    for (const std::int64_t length : item.dims) append(out, static_cast<std::uint64_t>(length));
    append(out, static_cast<std::uint32_t>(item.type));
    append(out, offset);
    offset += item.size_bytes + padding(item.size_bytes);
  }
  out.append(padding(out.size()), '\0');
  return out;
}

void GgufWriter::write(const std::string& path) const {
  os::AtomicFile file(path);
  file.write(header());
  for (const Item& item : items_) {
    const std::uint64_t begin = file.size();
    item.bytes([&](std::span<const std::byte> piece) { file.write(piece); });
    const std::uint64_t written = file.size() - begin;
    if (written != item.size_bytes)
      fail(Errc::invalid_argument, "GgufWriter: tensor \"" + printable(item.name) + "\" gave " +
                                       std::to_string(written) + " bytes, needs " +
                                       std::to_string(item.size_bytes));
    file.write(std::string(padding(written), '\0'));
  }
  file.commit();
}

}  // namespace bitnet
