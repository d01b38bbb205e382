// SPDX-License-Identifier: MIT OR Apache-2.0
// GGUF versions 2 and 3, little-endian (ggml/docs/gguf.md): key/values, tensor descriptions,
// aligned tensor bytes.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bitnet/io/gguf_types.h"
#include "bitnet/io/source.h"

namespace bitnet {

/// An array of numbers, bools or strings. Strings and bytes lie in the file's memory.
struct GgufArray {
  GgufValueType element_type = GgufValueType::u8;
  std::uint64_t count = 0;
  std::span<const std::byte> data;        // numbers and bools, packed, unaligned; empty for strings
  std::vector<std::string_view> strings;  // empty for numbers
};

struct GgufValue {
  GgufValueType type = GgufValueType::u8;
  std::variant<std::uint64_t, std::int64_t, double, bool, std::string_view, GgufArray> data;
};

struct GgufKeyValue {
  std::string_view key;
  GgufValue value;
  std::uint64_t offset = 0;  // of the key, in the file
};

struct GgufTensor {
  std::string_view name;
  const GgmlTypeInfo* type = nullptr;
  std::uint32_t num_dims = 0;
  std::array<std::int64_t, 4> dims{
      1, 1, 1, 1};               // GGUF order: dims[0] is contiguous (columns), dims[1] counts rows
  std::uint64_t offset = 0;      // from the start of the file
  std::uint64_t size_bytes = 0;  // I2_S: with its 32 trailing bytes

  std::int64_t columns() const noexcept { return dims[0]; }
  std::int64_t rows() const noexcept {
    return dims[1] * dims[2] * dims[3];
  }  // the product was checked
};

/// One file, checked whole when opened; strings and bytes stay in the mapping, which lives as long
/// as this. Throws FileError: E_IO, E_TRUNCATED, E_MAGIC, E_VERSION, E_COUNT, E_STRLEN, E_KEY,
/// E_DUPKEY, E_TYPE, E_DEPTH, E_KEYTYPE, E_ALIGN, E_NDIMS, E_DIM, E_SHAPE, E_SIZE, E_OFFSET,
/// E_OVERLAP, E_DUPTENSOR, E_DTYPE, E_BLOCK.
class GgufFile {
 public:
  explicit GgufFile(const std::string& path) : GgufFile(Source(path)) {}
  /// Reads from memory, which must outlive this.
  GgufFile(std::span<const std::byte> bytes, std::string name)
      : GgufFile(Source(bytes, std::move(name))) {}

  const std::string& path() const noexcept { return source_.name(); }
  std::uint32_t version() const noexcept { return version_; }
  std::uint64_t alignment() const noexcept { return alignment_; }
  /// Both in file order.
  const std::vector<GgufKeyValue>& key_values() const noexcept { return key_values_; }
  const std::vector<GgufTensor>& tensors() const noexcept { return tensors_; }
  /// Bytes that belong to no tensor: sentences; errors under a strict policy.
  const std::vector<std::string>& warnings() const noexcept { return warnings_; }

  const GgufTensor* find_tensor(std::string_view name) const noexcept;  // nullptr: none
  std::span<const std::byte> bytes(const GgufTensor& tensor) const noexcept {
    return source_.bytes().subspan(tensor.offset, tensor.size_bytes);
  }

  const GgufKeyValue* find(std::string_view key) const noexcept;  // nullptr: none
  /// Typed values. Integers of any width are taken where they fit; FileError E_KEY where the key is
  /// absent, E_KEYTYPE with both types where the value is of another kind or does not fit.
  std::uint64_t get_u64(std::string_view key) const;
  std::uint32_t get_u32(std::string_view key) const;
  std::int64_t get_i64(std::string_view key) const;
  float get_f32(std::string_view key) const;  // f32 or f64
  bool get_bool(std::string_view key) const;
  std::string_view get_string(std::string_view key) const;
  const std::vector<std::string_view>& get_strings(std::string_view key) const;
  std::vector<float> get_f32_array(std::string_view key) const;
  std::vector<std::int64_t> get_int_array(std::string_view key) const;

  const Source& source() const noexcept { return source_; }

 private:
  explicit GgufFile(Source source);
  const GgufKeyValue& at(std::string_view key) const;
  const GgufArray& array_at(std::string_view key, const char* expected) const;

  Source source_;
  std::uint32_t version_ = 0;
  std::uint64_t alignment_ = 32;
  std::vector<GgufKeyValue> key_values_;
  std::vector<GgufTensor> tensors_;
  std::vector<std::uint32_t> keys_by_name_, tensors_by_name_;
  std::vector<std::string> warnings_;
};

/// Number `index` of an array of integers or bools, as i64; index < count. u64 beyond i64 wraps.
std::int64_t integer_at(const GgufArray& array, std::uint64_t index) noexcept;
/// Number `index` of an array of f32 or f64.
double real_at(const GgufArray& array, std::uint64_t index) noexcept;

}  // namespace bitnet
