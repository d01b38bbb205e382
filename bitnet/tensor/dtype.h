// SPDX-License-Identifier: MIT OR Apache-2.0
// Element types of tensors, block formats of GGUF included.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bitnet {

enum class DType : std::uint8_t {
  f32,
  f16,
  bf16,
  i8,
  u8,
  u16,
  i32,
  i64,
  f64,
  /// Codes 0..2 for weights -1..+1, four in a byte, rows of blocks of 128 (ternary/block128.h).
  ternary2,
  /// Blocks of 32: f16 d, 32 int8; value = d * q. (llama.cpp ggml-common.h, block_q8_0)
  q8_0,
  /// Blocks of 32: f16 d, 16 bytes of nibbles; value = d * (q - 8). (block_q4_0)
  q4_0,
  /// Blocks of 256: 4 + 2 bits, int8 scale per 16, f16 d; value = d * scale * (q - 32).
  /// (block_q6_K)
  q6_k,
  /// -8..7, two's complement, two in a byte, the first in the low bits; rows are padded with zeros
  /// to whole bytes. i2 and i1 are stored in the same way.
  i4,
  i2,  // -2..1, four in a byte
  i1,  // a set bit is +1, a clear one -1; eight in a byte
  /// Weights -1..+1, five in a byte, rows of blocks of 160 (ternary/block160.h).
  ternary1_6,
};

/// What the elements of a type are.
enum class NumberKind : std::uint8_t {
  floating,
  signed_integer,
  unsigned_integer,
  ternary,
  scaled_block
};

struct DTypeInfo {
  std::string_view name;
  std::int64_t block_elements;  // elements in the smallest storable unit, along the last axis
  std::int64_t block_bytes;
  NumberKind kind;
  double lowest, highest;  // the finite range; of scaled blocks that of their scale times codes
  bool pads_rows;  // the last block of a row may be filled up; otherwise columns must fill blocks

  bool packed() const noexcept { return block_elements > 1; }
  double bits() const noexcept {
    return 8.0 * static_cast<double>(block_bytes) / static_cast<double>(block_elements);
  }
};

/// Size and name of a type.
const DTypeInfo& info(DType type) noexcept;

/// Bytes of one row of `columns` elements; nullopt where the columns do not fill whole blocks of a
/// type that does not pad its rows, or the size wraps. columns >= 0.
std::optional<std::uint64_t> row_bytes(DType type, std::int64_t columns) noexcept;

/// "bf16" -> DType::bf16.
std::optional<DType> dtype_from_name(std::string_view name) noexcept;

}  // namespace bitnet
