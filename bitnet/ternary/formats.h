// SPDX-License-Identifier: MIT OR Apache-2.0
// The packed formats of ternary matrices, and their conversion to and from the one that kernels
// read (block128.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bitnet {

enum class PackedFormat : std::uint8_t {
  block128,           // block128.h
  i2_s_x86,           // i2_s.h: GGUF I2_S as x86 machines and the Python converter write it
  i2_s_arm,           // i2_s.h: GGUF I2_S as ARM builds before 2026 wrote it
  i2_s_act_parallel,  // i2_s.h: GGUF I2_S of builds without ACT_PARALLEL, four rows in a byte
  tq1_0,              // tq1_0.h: GGUF TQ1_0, five weights in a byte
  tq2_0,              // tq2_0.h: GGUF TQ2_0
  hf_packed,          // hf_packed.h: Hugging Face U8 tensors, four row groups in a byte
  lookup_tiles,       // lookup_tiles.h: GGUF LT1_6, our own, five weights in a byte
};

/// "i2_s_x86", …
std::string_view name(PackedFormat format) noexcept;

/// What is wrong with packed weights, and the first place of it in row-major order of the rows
/// looked at.
struct TernaryFault {
  enum class Kind : std::uint8_t {
    code,   // E_CODE: a 2-bit code 3 or a base-3 byte that encodes no five trits
    scale,  // E_SCALE: NaN, infinite, negative, or zero over weights that are not
    count,  // E_BLOCK: a number beside the weights of a row that does not agree with them
  };
  Kind kind;
  std::int64_t row, column;
  double value;  // the code, byte, scale or number seen
};

/// A packed matrix of rows x columns in memory of packed_bytes() bytes. Scales of I2_S and Hugging
/// Face tensors lie outside; those of TQ1_0 and TQ2_0 inside.
struct PackedMatrix {
  PackedFormat format;
  const std::uint8_t* data;
  std::int64_t rows, columns;
};

/// Bytes of a packed matrix; nullopt where the format cannot hold the shape (columns not whole
/// blocks, rows not whole groups of four) or the size wraps.
std::optional<std::uint64_t> packed_bytes(PackedFormat format, std::int64_t rows,
                                          std::int64_t columns) noexcept;

/// Independent pieces of work in a conversion: rows, or groups of four rows where a byte holds four
/// rows, or strips of 64 rows where these lie together.
std::int64_t num_units(const PackedMatrix& matrix) noexcept;

/// Converts units [begin, end) into `out`, the start of a block128 matrix of the same shape; every
/// weight of these units is checked. `group_scales` [rows][columns / 256] receives the scales of
/// TQ1_0 and TQ2_0 (0 for a group whose weights are all zero) and may be null for other formats.
/// The matrix's shape must suit the format.
std::optional<TernaryFault> to_block128(const PackedMatrix& matrix, std::int64_t begin,
                                        std::int64_t end, std::uint8_t* out,
                                        float* group_scales) noexcept;

/// The inverse, whole matrix at once: packs `block128` (codes 0..2 only) into `out`. TQ1_0 and
/// TQ2_0 take `group_scales` [rows][columns / 256]; a scale that half precision cannot hold is a
/// fault.
std::optional<TernaryFault> from_block128(PackedFormat format, const std::uint8_t* block128,
                                          std::int64_t rows, std::int64_t columns,
                                          const float* group_scales, std::uint8_t* out) noexcept;

/// The one scale of all groups that are not all zero (0 where every group is): nullopt where they
/// differ.
std::optional<float> common_scale(const float* group_scales, std::int64_t num_groups) noexcept;

}  // namespace bitnet
