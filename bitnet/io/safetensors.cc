// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/safetensors.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "bitnet/base/checked.h"
#include "bitnet/io/json.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the reference implementation's cap
constexpr std::size_t kMaxDims = 8;

struct TypeRow {
  std::string_view name;
  std::uint64_t bits;
  std::optional<DType> dtype;
};

constexpr std::array kTypes{
    TypeRow{"BF16", 16, DType::bf16},    TypeRow{"F16", 16, DType::f16},
    TypeRow{"F32", 32, DType::f32},      TypeRow{"F64", 64, DType::f64},
    TypeRow{"U8", 8, DType::u8},         TypeRow{"I8", 8, DType::i8},
    TypeRow{"U16", 16, DType::u16},      TypeRow{"I32", 32, DType::i32},
    TypeRow{"I64", 64, DType::i64},      TypeRow{"BOOL", 8, std::nullopt},
    TypeRow{"I16", 16, std::nullopt},    TypeRow{"U32", 32, std::nullopt},
    TypeRow{"U64", 64, std::nullopt},    TypeRow{"C64", 64, std::nullopt},
    TypeRow{"F8_E4M3", 8, std::nullopt}, TypeRow{"F8_E5M2", 8, std::nullopt},
    TypeRow{"F8_E8M0", 8, std::nullopt}, TypeRow{"F6_E2M3", 6, std::nullopt},
    TypeRow{"F6_E3M2", 6, std::nullopt}, TypeRow{"F4", 4, std::nullopt},
};

const TypeRow* find_type(std::string_view name) noexcept {
  const auto* row = std::find_if(kTypes.begin(), kTypes.end(),
                                 [&](const TypeRow& type) { return type.name == name; });
  return row == kTypes.end() ? nullptr : row;
}

/// Reads the header's entries; knows where to point an error.
class HeaderReader {
 public:
  HeaderReader(std::string_view header, std::uint64_t data_bytes, const Source& source)
      : header_(header), data_bytes_(data_bytes), source_(source) {}

  SafetensorsTensor tensor(const std::string& name, const Json& entry) const {
    SafetensorsTensor result;
    result.name = name;
    const TypeRow& type = read_type(name, entry);
    result.dtype_name = type.name;
    result.dtype = type.dtype;
    read_offsets(name, entry, result);
    read_shape(name, entry, type, result);
    return result;
  }

  void metadata(const Json& entry, SafetensorsFile::Metadata& out) const {
    if (!entry.is_object()) fail("E_HEADER", "__metadata__", entry.kind(), "an object of strings");
    for (const auto& [key, value] : entry.as_object()) {
      if (!value.is_string()) fail("E_HEADER", "__metadata__", value.kind(), "a string");
      out.emplace_back(key, value.as_string());
    }
  }

  [[noreturn]] void fail(const char* kind, std::string_view name, std::string_view value,
                         std::string limit, const char* part = "") const {
    const std::size_t at = header_.find(json_quote(name));
    source_.fail(kind, kLengthBytes + (at == std::string_view::npos ? 0 : at),
                 "tensor \"" + printable(name) + "\"" + part, std::string(value), std::move(limit));
  }

 private:
  const Json& member(const std::string& name, const Json& entry, const char* key) const {
    const Json* found = entry.find(key);
    if (found == nullptr)
      fail("E_HEADER", name, entry.kind(), std::string("an object with \"") + key + "\"");
    return *found;
  }

  /// A JSON integer >= 0.
  std::uint64_t count(const std::string& name, const Json& value, const char* kind,
                      const char* part) const {
    if (!value.is_integer()) fail("E_HEADER", name, value.kind(), "an integer", part);
    if (value.as_int() < 0) fail(kind, name, std::to_string(value.as_int()), "at least 0", part);
    return static_cast<std::uint64_t>(value.as_int());
  }

  const TypeRow& read_type(const std::string& name, const Json& entry) const {
    const Json& dtype = member(name, entry, "dtype");
    if (!dtype.is_string()) fail("E_HEADER", name, dtype.kind(), "a string", " dtype");
    const TypeRow* row = find_type(dtype.as_string());
    if (row == nullptr)
      fail("E_DTYPE", name, printable(dtype.as_string()), "a type of safetensors", " dtype");
    return *row;
  }

  void read_offsets(const std::string& name, const Json& entry, SafetensorsTensor& out) const {
    const Json& offsets = member(name, entry, "data_offsets");
    if (!offsets.is_array() || offsets.as_array().size() != 2)
      fail("E_HEADER", name, offsets.kind(), "an array of two", " data_offsets");
    const auto begin = count(name, offsets.as_array()[0], "E_OFFSET", " data_offsets");
    const auto end = count(name, offsets.as_array()[1], "E_OFFSET", " data_offsets");
    if (begin > end)
      fail("E_OFFSET", name, std::to_string(begin) + " > " + std::to_string(end), "begin <= end",
           " data_offsets");
    if (end > data_bytes_)
      fail("E_TRUNCATED", name, "ends at data byte " + std::to_string(end),
           "the file has " + std::to_string(data_bytes_) + ", " +
               std::to_string(end - data_bytes_) + " are missing",
           " data_offsets");
    out.offset = kLengthBytes + header_.size() + begin;
    out.size_bytes = end - begin;
  }

  void read_shape(const std::string& name, const Json& entry, const TypeRow& type,
                  SafetensorsTensor& out) const {
    const Json& shape = member(name, entry, "shape");
    if (!shape.is_array()) fail("E_HEADER", name, shape.kind(), "an array", " shape");
    if (shape.as_array().size() > kMaxDims)
      fail("E_NDIMS", name, std::to_string(shape.as_array().size()), "at most 8 axes", " shape");
    // Also where another axis is 0: strides are products of these.
    std::optional<std::uint64_t> room = type.bits;
    bool empty = false;
    for (const Json& axis : shape.as_array()) {
      const auto length = count(name, axis, "E_SHAPE", " shape");
      out.shape.push_back(static_cast<std::int64_t>(length));
      room = room ? checked_mul(*room, std::max<std::uint64_t>(length, 1)) : std::nullopt;
      empty = empty || length == 0;
    }
    if (!room) fail("E_SHAPE", name, "size wraps", "at most 2^64 - 1 bits", " shape");
    const std::uint64_t bits = empty ? 0 : *room;
    if (bits % 8 != 0 || bits / 8 != out.size_bytes)
      fail("E_SHAPE", name, std::string(type.name) + " x shape = " + std::to_string(bits) + " bits",
           "data_offsets span " + std::to_string(out.size_bytes) + " bytes", " shape");
  }

  std::string_view header_;
  std::uint64_t data_bytes_;
  const Source& source_;
};

void check_cover(const std::vector<SafetensorsTensor>& tensors, std::uint64_t begin,
                 std::uint64_t end, const HeaderReader& reader, const Source& source) {
  std::uint64_t covered = begin;
  const SafetensorsTensor* before = nullptr;
  for (const SafetensorsTensor& tensor : tensors) {
    if (tensor.offset < covered)
      reader.fail("E_OFFSET", tensor.name, "byte " + std::to_string(tensor.offset),
                  "overlaps tensor \"" + printable(before->name) + "\", which ends at byte " +
                      std::to_string(covered));
    if (tensor.offset > covered)
      reader.fail("E_OFFSET", tensor.name, "byte " + std::to_string(tensor.offset),
                  "bytes from " + std::to_string(covered) + " belong to no tensor");
    covered = tensor.offset + tensor.size_bytes;
    before = &tensor;
  }
  if (covered != end)
    source.fail("E_OFFSET", covered, "end of the last tensor",
                std::to_string(end - covered) + " bytes follow", "no byte without a tensor");
}

}  // namespace

std::vector<SafetensorsTensor> parse_safetensors_header(std::string_view header,
                                                        std::uint64_t data_bytes,
                                                        const Source& source,
                                                        SafetensorsFile::Metadata& metadata) {
  if (header.empty() || header[0] != '{')
    source.fail("E_HEADER", kLengthBytes, "header",
                header.empty() ? "empty" : "starts with \"" + printable(header.substr(0, 1)) + "\"",
                "a JSON object, which starts with {");
  const Json json = parse_json(header, source.name(), kLengthBytes, {.max_depth = 4});
  const HeaderReader reader(header, data_bytes, source);
  std::vector<SafetensorsTensor> tensors;
  tensors.reserve(json.as_object().size());
  for (const auto& [name, entry] : json.as_object()) {
    if (name == "__metadata__")
      reader.metadata(entry, metadata);
    else
      tensors.push_back(reader.tensor(name, entry));
  }
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::tie(a.offset, a.size_bytes, a.name) < std::tie(b.offset, b.size_bytes, b.name);
  });
  const std::uint64_t begin = kLengthBytes + header.size();
  check_cover(tensors, begin, begin + data_bytes, reader, source);
  return tensors;
}

SafetensorsFile::SafetensorsFile(Source source) : source_(std::move(source)) {
  const std::string_view text = source_.text();
  if (text.size() < kLengthBytes)
    source_.fail("E_TRUNCATED", 0, "header length", std::to_string(text.size()) + " bytes",
                 "8 bytes");
  std::uint64_t length = 0;
  std::memcpy(&length, text.data(), sizeof length);
  if (length > kMaxHeaderBytes || length > text.size() - kLengthBytes)
    source_.fail("E_HEADER", 0, "header length", std::to_string(length),
                 "at most 100000000 and the file's other " +
                     std::to_string(text.size() - kLengthBytes) + " bytes");
  header_ = text.substr(kLengthBytes, length);
  tensors_ =
      parse_safetensors_header(header_, text.size() - kLengthBytes - length, source_, metadata_);
  by_name_.resize(tensors_.size());
  for (std::uint32_t i = 0; i < by_name_.size(); ++i) by_name_[i] = i;
  std::sort(by_name_.begin(), by_name_.end(),
            [&](std::uint32_t a, std::uint32_t b) { return tensors_[a].name < tensors_[b].name; });
  source_.check_intact();
}

const SafetensorsTensor* SafetensorsFile::find(std::string_view name) const noexcept {
  const auto at = std::lower_bound(
      by_name_.begin(), by_name_.end(), name,
      [&](std::uint32_t i, std::string_view wanted) { return tensors_[i].name < wanted; });
  if (at == by_name_.end() || tensors_[*at].name != name) return nullptr;
  return &tensors_[*at];
}

Tensor SafetensorsFile::read(const SafetensorsTensor& tensor, HybridMemoryPool& pool) const {
  if (!tensor.dtype)
    source_.fail("E_DTYPE", tensor.offset, "tensor \"" + printable(tensor.name) + "\" dtype",
                 tensor.dtype_name, "a type that is computed with", Errc::unsupported);
  Tensor copy = Tensor::allocate(*tensor.dtype, Shape(std::span(tensor.shape)), pool);
  if (tensor.size_bytes > 0)
    std::memcpy(copy.mutable_data(), bytes(tensor).data(), tensor.size_bytes);
  source_.check_intact();
  copy.set_name(tensor.name);
  return copy;
}

std::optional<std::string_view> safetensors_name(DType type) noexcept {
  for (const TypeRow& row : kTypes)
    if (row.dtype == type) return row.name;
  return std::nullopt;
}

}  // namespace bitnet
