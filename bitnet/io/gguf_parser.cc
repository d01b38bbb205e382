// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/gguf_parser.h"

#include <algorithm>

#include "bitnet/base/checked.h"
#include "bitnet/io/utf8.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kMaxKeyBytes = 65'536;
constexpr std::uint64_t kMaxTensorNameBytes = 64;
constexpr std::uint64_t kMinKeyValueBytes = 8 + 1 + 4 + 1;        // key of one byte, u8
constexpr std::uint64_t kMinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;  // name of one byte, one dim
constexpr std::uint64_t kMinAlignment = 8, kMaxAlignment = 1 << 20;

std::string quoted(std::string_view kind, std::string_view name) {
  return std::string(kind) + " \"" + printable(name) + "\"";
}

}  // namespace

template <class T>
T GgufParser::read(std::string_view field) {
  if (left() < sizeof(T))
    source_.fail(
        "E_TRUNCATED", at_, std::string(field), std::to_string(left()) + " bytes left",
        std::to_string(sizeof(T)) + " needed, " + std::to_string(sizeof(T) - left()) + " missing");
  T value;
  std::memcpy(&value, text_.data() + at_, sizeof value);
  at_ += sizeof value;
  return value;
}

std::string_view GgufParser::read_string(const std::string& field, std::uint64_t max_length,
                                         bool may_be_empty) {
  const std::uint64_t start = at_;
  const auto length = read<std::uint64_t>(field);
  const std::uint64_t limit = std::min(max_length, left());
  if (length > limit || (length == 0 && !may_be_empty))
    source_.fail("E_STRLEN", start, field, "length " + std::to_string(length),
                 (may_be_empty ? "at most " : "1 to ") + std::to_string(limit) +
                     (left() < max_length ? " (the rest of the file)" : ""));
  const std::string_view text = text_.substr(at_, length);
  at_ += length;
  return text;
}

std::string_view GgufParser::read_name(const std::string& field, std::uint64_t max_length) {
  const std::string_view name = read_string(field, max_length, false);
  const bool has_control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (has_control || !is_utf8(name))
    source_.fail("E_KEY", at_ - name.size(), field, "\"" + printable(name) + "\"",
                 "UTF-8 without control characters");
  return name;
}

std::uint64_t GgufParser::read_count(const char* field, std::uint64_t min_record_bytes) {
  const std::uint64_t start = at_;
  const auto count = read<std::uint64_t>(field);
  if (count > left() / min_record_bytes)
    source_.fail("E_COUNT", start, field, std::to_string(count),
                 "at most " + std::to_string(left() / min_record_bytes) +
                     ", as the file goes on for " + std::to_string(left()) + " bytes");
  return count;
}

void GgufParser::read_magic_and_version() {
  constexpr std::string_view kMagic = "GGUF";
  const std::string_view magic = text_.substr(0, 4);
  if (magic.size() < 4 && kMagic.substr(0, magic.size()) == magic)
    source_.fail("E_TRUNCATED", 0, "magic", std::to_string(magic.size()) + " bytes", "4 bytes");
  if (magic != kMagic)
    source_.fail("E_MAGIC", 0, "magic", "\"" + printable(magic) + "\"",
                 magic == "FUGG" ? "big-endian GGUF, unsupported" : "\"GGUF\"");
  at_ = 4;
  version = read<std::uint32_t>("version");
  if (version != 2 && version != 3)
    source_.fail("E_VERSION", 4, "version", std::to_string(version),
                 (version & 0xffffu) == 0 && version != 0
                     ? "big-endian GGUF, unsupported; 2 and 3 are read"
                     : "2 and 3 are read");
}

void GgufParser::run() {
  read_magic_and_version();
  // n_tensors comes first; its records lie behind the key/values, so the bound is loose but enough
  // to allocate by.
  const std::uint64_t num_tensors = read_count("n_tensors", kMinTensorBytes);
  const std::uint64_t num_key_values = read_count("n_kv", kMinKeyValueBytes);
  key_values.reserve(num_key_values);
  for (std::uint64_t i = 0; i < num_key_values; ++i) key_values.push_back(read_key_value(i));
  read_alignment();
  if (num_tensors > left() / kMinTensorBytes)
    source_.fail(
        "E_COUNT", 8, "n_tensors", std::to_string(num_tensors),
        "at most " + std::to_string(left() / kMinTensorBytes) + " in the bytes that are left");
  tensors.reserve(num_tensors);
  offset_fields_.reserve(num_tensors);
  for (std::uint64_t i = 0; i < num_tensors; ++i) tensors.push_back(read_tensor(i));
  sort_names();
  place_tensors();
}

GgufKeyValue GgufParser::read_key_value(std::uint64_t index) {
  GgufKeyValue entry;
  entry.offset = at_;
  entry.key = read_name("key " + std::to_string(index), kMaxKeyBytes);
  entry.value = read_value(quoted("key", entry.key));
  return entry;
}

GgufValueType GgufParser::read_type(const std::string& field) {
  const auto id = read<std::uint32_t>(field);
  if (id >= kGgufValueTypes)
    source_.fail("E_TYPE", at_ - 4, field, "value type " + std::to_string(id), "0 to 12");
  return static_cast<GgufValueType>(id);
}

bool GgufParser::read_bool(const std::string& field) {
  const auto byte = read<std::uint8_t>(field);
  if (byte > 1) source_.fail("E_TYPE", at_ - 1, field, "bool " + std::to_string(byte), "0 or 1");
  return byte == 1;
}

GgufValue GgufParser::read_value(const std::string& field) {
  GgufValue value;
  value.type = read_type(field);
  switch (value.type) {
    case GgufValueType::u8:
      value.data = std::uint64_t{read<std::uint8_t>(field)};
      break;
    case GgufValueType::u16:
      value.data = std::uint64_t{read<std::uint16_t>(field)};
      break;
    case GgufValueType::u32:
      value.data = std::uint64_t{read<std::uint32_t>(field)};
      break;
    case GgufValueType::u64:
      value.data = read<std::uint64_t>(field);
      break;
    case GgufValueType::i8:
      value.data = std::int64_t{read<std::int8_t>(field)};
      break;
    case GgufValueType::i16:
      value.data = std::int64_t{read<std::int16_t>(field)};
      break;
    case GgufValueType::i32:
      value.data = std::int64_t{read<std::int32_t>(field)};
      break;
    case GgufValueType::i64:
      value.data = read<std::int64_t>(field);
      break;
    case GgufValueType::f32:
      value.data = double{read<float>(field)};
      break;
    case GgufValueType::f64:
      value.data = read<double>(field);
      break;
    case GgufValueType::boolean:
      value.data = read_bool(field);
      break;
    case GgufValueType::string:
      value.data = read_string(field, UINT64_MAX, true);
      break;
    case GgufValueType::array:
      value.data = read_array(field);
      break;
  }
  return value;
}

GgufArray GgufParser::read_array(const std::string& field) {
  GgufArray array;
  array.element_type = read_type(field + " element");
  if (array.element_type == GgufValueType::array)
    source_.fail("E_DEPTH", at_ - 4, field, "an array of arrays", "arrays of plain values");
  const std::uint64_t start = at_;
  array.count = read<std::uint64_t>(field);
  const bool is_string = array.element_type == GgufValueType::string;
  const std::uint64_t element_bytes = is_string ? 8 : size_bytes(array.element_type);
  if (array.count > left() / element_bytes)
    source_.fail("E_COUNT", start, field, std::to_string(array.count) + " elements",
                 "at most " + std::to_string(left() / element_bytes) + " (the rest of the file)");
  if (is_string) {
    array.strings.reserve(array.count);
    std::string element = field + " element ";
    const std::size_t stem = element.size();
    for (std::uint64_t i = 0; i < array.count; ++i) {
      element.resize(stem);
      element += std::to_string(i);
      array.strings.push_back(read_string(element, UINT64_MAX, true));
    }
    return array;
  }
  array.data = source_.bytes().subspan(at_, array.count * element_bytes);
  if (array.element_type == GgufValueType::boolean)
    for (std::uint64_t i = 0; i < array.count; ++i) read_bool(field);
  else
    at_ += array.data.size();
  return array;
}

void GgufParser::read_alignment() {
  for (const GgufKeyValue& entry : key_values) {
    if (entry.key != "general.alignment") continue;
    if (entry.value.type != GgufValueType::u32)
      source_.fail("E_KEYTYPE", entry.offset, quoted("key", entry.key),
                   std::string(name(entry.value.type)), "u32");
    alignment = std::get<std::uint64_t>(entry.value.data);
    if (alignment < kMinAlignment || alignment > kMaxAlignment ||
        (alignment & (alignment - 1)) != 0)
      source_.fail("E_ALIGN", entry.offset, quoted("key", entry.key), std::to_string(alignment),
                   "a power of two from 8 to 1048576");
  }
}

GgufTensor GgufParser::read_tensor(std::uint64_t index) {
  GgufTensor tensor;
  offset_fields_.push_back(at_);
  tensor.name = read_name("tensor " + std::to_string(index) + " name", kMaxTensorNameBytes);
  const std::string field = quoted("tensor", tensor.name);
  read_dims(tensor, field, index);
  const std::uint64_t type_offset = at_;
  const auto id = read<std::uint32_t>(field + " type");
  tensor.type = find_ggml_type(id);
  if (tensor.type == nullptr)
    source_.fail("E_DTYPE", type_offset, field, "type " + std::to_string(id) + " is not read here",
                 "known as: " + describe_ggml_id(id), Errc::unsupported);
  check_tensor_size(tensor, type_offset);
  tensor.offset = read<std::uint64_t>(field + " offset");
  return tensor;
}

void GgufParser::read_dims(GgufTensor& tensor, const std::string& field, std::uint64_t index) {
  tensor.num_dims = read<std::uint32_t>(field + " n_dims");
  if (tensor.num_dims < 1 || tensor.num_dims > 4)
    source_.fail("E_NDIMS", at_ - 4, "tensor " + std::to_string(index) + " n_dims",
                 std::to_string(tensor.num_dims), "1 to 4");
  for (std::uint32_t axis = 0; axis < tensor.num_dims; ++axis) {
    const auto length = read<std::uint64_t>(field + " dims");
    if (length == 0 || length > static_cast<std::uint64_t>(INT64_MAX))
      source_.fail("E_DIM", at_ - 8, field + " dim " + std::to_string(axis), std::to_string(length),
                   "1 to 2^63 - 1");
    tensor.dims[axis] = static_cast<std::int64_t>(length);
  }
}

void GgufParser::check_tensor_size(GgufTensor& tensor, std::uint64_t type_offset) {
  const std::string field = quoted("tensor", tensor.name);
  std::optional<std::uint64_t> elements = 1;
  for (const std::int64_t length : tensor.dims)
    elements = elements ? checked_mul(*elements, static_cast<std::uint64_t>(length)) : std::nullopt;
  if (!elements || *elements > static_cast<std::uint64_t>(INT64_MAX))
    source_.fail("E_SHAPE", type_offset, field, "product of the dims wraps", "at most 2^63 - 1");

  const GgmlTypeInfo& type = *tensor.type;
  // An I2_S stream ignores rows: only the whole must fill bytes.
  const std::uint64_t unit =
      type.type == GgmlType::i2_s ? *elements : static_cast<std::uint64_t>(tensor.dims[0]);
  if (unit % type.block_elements != 0)
    source_.fail(
        "E_BLOCK", type_offset, field, std::to_string(unit) + " elements",
        "a multiple of " + std::to_string(type.block_elements) + " for " + std::string(type.name));
  const auto size = tensor_bytes(type, tensor.columns(), tensor.rows());
  const auto padded = size ? checked_round_up(*size, alignment) : std::nullopt;
  if (!padded)
    source_.fail("E_SHAPE", type_offset, field, "size in bytes wraps", "at most 2^64 - 1");
  tensor.size_bytes = *size;
  const auto total = checked_add(total_bytes_, *size);
  if (!total || *total > text_.size())
    source_.fail(
        "E_SIZE", type_offset, field,
        "tensors so far take " + (total ? std::to_string(*total) : "2^64 or more") + " bytes",
        "the file has " + std::to_string(text_.size()));
  total_bytes_ = *total;
}

void GgufParser::sort_names() {
  const auto sorted = [](std::size_t count, auto name_of) {
    std::vector<std::uint32_t> order(count);
    for (std::uint32_t i = 0; i < count; ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      const int names = name_of(a).compare(name_of(b));
      return names != 0 ? names < 0 : a < b;
    });
    return order;
  };
  keys_by_name = sorted(key_values.size(), [&](std::uint32_t i) { return key_values[i].key; });
  tensors_by_name = sorted(tensors.size(), [&](std::uint32_t i) { return tensors[i].name; });
  for (std::size_t i = 1; i < keys_by_name.size(); ++i) {
    const GgufKeyValue& first = key_values[keys_by_name[i - 1]];
    const GgufKeyValue& second = key_values[keys_by_name[i]];
    if (first.key == second.key)
      source_.fail("E_DUPKEY", second.offset, quoted("key", second.key), "repeated",
                   "first at byte " + std::to_string(first.offset));
  }
  for (std::size_t i = 1; i < tensors_by_name.size(); ++i) {
    const std::uint32_t first = tensors_by_name[i - 1], second = tensors_by_name[i];
    if (tensors[first].name == tensors[second].name)
      source_.fail("E_DUPTENSOR", offset_fields_[second], quoted("tensor", tensors[second].name),
                   "repeated", "first at byte " + std::to_string(offset_fields_[first]));
  }
}

void GgufParser::place_tensors() {
  if (tensors.empty()) {
    if (left() >= alignment)
      warnings.push_back(std::to_string(left()) + " bytes follow the header");
    return;
  }
  const std::uint64_t begin = *checked_round_up(at_, alignment);  // at_ <= file size
  const std::uint64_t data_bytes = text_.size() > begin ? text_.size() - begin : 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    GgufTensor& tensor = tensors[i];
    const std::string field = quoted("tensor", tensor.name) + " offset";
    if (tensor.offset % alignment != 0)
      source_.fail("E_OFFSET", offset_fields_[i], field, std::to_string(tensor.offset),
                   "a multiple of " + std::to_string(alignment));
    const auto end = checked_add(tensor.offset, tensor.size_bytes);
    if (!end || *end > data_bytes)
      source_.fail(
          "E_OFFSET", offset_fields_[i], field,
          std::to_string(tensor.offset) + " + " + std::to_string(tensor.size_bytes) + " bytes",
          "the tensor data has " + std::to_string(data_bytes) + " bytes" +
              (end ? ", " + std::to_string(*end - data_bytes) + " are missing" : ""));
  }

  std::vector<std::uint32_t> order(tensors.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return std::pair(tensors[a].offset, a) < std::pair(tensors[b].offset, b);
  });
  std::uint64_t covered = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    GgufTensor& tensor = tensors[order[i]];
    if (tensor.offset < covered)
      source_.fail("E_OVERLAP", offset_fields_[order[i]], quoted("tensor", tensor.name),
                   "data byte " + std::to_string(tensor.offset),
                   quoted("tensor", tensors[order[i - 1]].name) + " ends at data byte " +
                       std::to_string(covered));
    if (tensor.offset > (covered + alignment - 1) / alignment * alignment)
      warnings.push_back(std::to_string(tensor.offset - covered) + " bytes before " +
                         quoted("tensor", tensor.name) + " belong to no tensor");
    covered = tensor.offset + tensor.size_bytes;
    tensor.offset += begin;
  }
  if (data_bytes - covered >= alignment)
    warnings.push_back(std::to_string(data_bytes - covered) + " bytes follow the last tensor");
}

}  // namespace bitnet
