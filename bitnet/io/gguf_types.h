// SPDX-License-Identifier: MIT OR Apache-2.0
// GGUF's two lists of types: of key values, and of tensors (ggml), with what each fork of llama.cpp
// means by a number.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bitnet/tensor/dtype.h"
#include "bitnet/ternary/formats.h"

namespace bitnet {

enum class GgufValueType : std::uint32_t {
  u8 = 0,
  i8 = 1,
  u16 = 2,
  i16 = 3,
  u32 = 4,
  i32 = 5,
  f32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  u64 = 10,
  i64 = 11,
  f64 = 12,
};

inline constexpr std::uint32_t kGgufValueTypes = 13;

/// "u8", "string", …
std::string_view name(GgufValueType type) noexcept;

/// Bytes of one value; 0 for strings and arrays.
std::uint64_t size_bytes(GgufValueType type) noexcept;

/// Ids of tensor types that are read and written here.
enum class GgmlType : std::uint32_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q8_0 = 8,
  q6_k = 14,
  i8 = 24,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  i2_s = 36,
  // Our own: ternary/lookup_tiles.h and a scale (docs/FORMATS.md). "t16" read as a number, far from
  // the numbers that llama.cpp and its forks count up from 0, 97 and 200.
  lt1_6 = 0x743136,
};

struct GgmlTypeInfo {
  GgmlType type;
  std::string_view name;
  std::uint64_t block_elements;  // along the first (contiguous) dimension
  std::uint64_t block_bytes;     // 0: rows lie in tiles, packed_bytes() says how many bytes
  std::uint64_t trailer_bytes;   // after the last block: 32 for I2_S, 64 for LT1_6
  std::optional<DType> dtype;    // for types that are tensors as they stand
  std::optional<PackedFormat>
      packed;  // for ternary types; I2_S is taken as the x86 layout (ternary/i2_s.h)
};

/// Bytes of a tensor of `rows` rows of `columns` elements, all above 0, whose product fits in 63
/// bits, trailer included; nullopt where the elements do not fill blocks or the size wraps.
std::optional<std::uint64_t> tensor_bytes(const GgmlTypeInfo& type, std::int64_t columns,
                                          std::int64_t rows) noexcept;

/// nullptr for an id that is not read here.
const GgmlTypeInfo* find_ggml_type(std::uint32_t id) noexcept;
const GgmlTypeInfo& info(GgmlType type) noexcept;

/// "Q4_K (llama.cpp)" for ids known by name: which tool writes them; "unknown" otherwise.
std::string describe_ggml_id(std::uint32_t id);

}  // namespace bitnet
