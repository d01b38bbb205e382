// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ternary/formats.h"

#include <array>
#include <cstring>

#include "bitnet/base/checked.h"
#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/hf_packed.h"
#include "bitnet/ternary/i2_s.h"
#include "bitnet/ternary/lookup_tiles.h"
#include "bitnet/ternary/tq1_0.h"
#include "bitnet/ternary/tq2_0.h"

namespace bitnet {
namespace {

constexpr std::int64_t kX86Group = 32;
constexpr std::int64_t kArmGroup = 16;

/// rows * columns / weights * bytes where rows * columns is a multiple of `weights`.
std::optional<std::uint64_t> whole_blocks(std::int64_t rows, std::int64_t columns,
                                          std::uint64_t weights, std::uint64_t bytes) noexcept {
  const auto count =
      checked_mul(static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(columns));
  if (!count || *count % weights != 0) return std::nullopt;
  return checked_mul(*count / weights, bytes);
}

// lookup_tiles::bytes() where it does not wrap.
std::optional<std::uint64_t> tile_bytes(std::int64_t rows, std::int64_t columns) noexcept {
  using namespace lookup_tiles;
  if (rows > INT64_MAX - kStripRows || columns > INT64_MAX - kPairColumns) return std::nullopt;
  const auto strip = checked_mul(static_cast<std::uint64_t>(groups(columns)) + 4, kStripRows);
  return strip ? checked_mul(*strip, static_cast<std::uint64_t>(strips(rows))) : std::nullopt;
}

}  // namespace

std::string_view name(PackedFormat format) noexcept {
  constexpr std::array<std::string_view, 8> kNames{"block128",          "i2_s_x86",    "i2_s_arm",
                                                   "i2_s_act_parallel", "tq1_0",       "tq2_0",
                                                   "hf_packed",         "lookup_tiles"};
  return kNames[static_cast<std::size_t>(format)];
}

std::optional<std::uint64_t> packed_bytes(PackedFormat format, std::int64_t rows,
                                          std::int64_t columns) noexcept {
  if (rows <= 0 || columns <= 0 || columns > INT64_MAX - block128::kWeights) return std::nullopt;
  switch (format) {
    case PackedFormat::block128:
      return checked_mul(static_cast<std::uint64_t>(rows),
                         static_cast<std::uint64_t>(block128::row_bytes(columns)));
    case PackedFormat::i2_s_x86:
      return whole_blocks(rows, columns, 4 * kX86Group, kX86Group);
    case PackedFormat::i2_s_arm:
      return whole_blocks(rows, columns, 4 * kArmGroup, kArmGroup);
    case PackedFormat::i2_s_act_parallel:
    case PackedFormat::hf_packed:
      if (rows % 4 != 0) return std::nullopt;
      return whole_blocks(rows, columns, 4, 1);
    case PackedFormat::tq1_0:
      if (columns % tq1_0::kWeights != 0) return std::nullopt;
      return whole_blocks(rows, columns, tq1_0::kWeights, tq1_0::kBytes);
    case PackedFormat::tq2_0:
      if (columns % tq2_0::kWeights != 0) return std::nullopt;
      return whole_blocks(rows, columns, tq2_0::kWeights, tq2_0::kBytes);
    case PackedFormat::lookup_tiles:
      return tile_bytes(rows, columns);
  }
  return std::nullopt;
}

std::int64_t num_units(const PackedMatrix& matrix) noexcept {
  const bool four_rows_a_byte =
      matrix.format == PackedFormat::hf_packed || matrix.format == PackedFormat::i2_s_act_parallel;
  if (matrix.format == PackedFormat::lookup_tiles) return lookup_tiles::strips(matrix.rows);
  return four_rows_a_byte ? matrix.rows / 4 : matrix.rows;
}

std::optional<TernaryFault> to_block128(const PackedMatrix& m, std::int64_t begin, std::int64_t end,
                                        std::uint8_t* out, float* group_scales) noexcept {
  switch (m.format) {
    case PackedFormat::block128: {
      const std::int64_t stride = block128::row_bytes(m.columns);
      std::memcpy(out + begin * stride, m.data + begin * stride,
                  static_cast<std::size_t>((end - begin) * stride));
      return block128::find_bad_code(out, begin, end, m.columns);
    }
    case PackedFormat::i2_s_x86:
      return i2_s::stream_to_block128(m.data, kX86Group, m.columns, begin, end, out);
    case PackedFormat::i2_s_arm:
      return i2_s::stream_to_block128(m.data, kArmGroup, m.columns, begin, end, out);
    case PackedFormat::i2_s_act_parallel:
      return i2_s::act_parallel_to_block128(m.data, m.columns, begin, end, out);
    case PackedFormat::tq1_0:
      return tq1_0::to_block128(m.data, m.columns, begin, end, out, group_scales);
    case PackedFormat::tq2_0:
      return tq2_0::to_block128(m.data, m.columns, begin, end, out, group_scales);
    case PackedFormat::hf_packed:
      return hf_packed::to_block128(m.data, m.rows, m.columns, begin, end, out);
    case PackedFormat::lookup_tiles: {
      const auto fault = lookup_tiles::find_fault(m.data, m.rows, m.columns, begin, end);
      if (!fault) lookup_tiles::unpack(m.data, m.rows, m.columns, begin, end, out);
      return fault;
    }
  }
  return std::nullopt;
}

std::optional<TernaryFault> from_block128(PackedFormat format, const std::uint8_t* block128,
                                          std::int64_t rows, std::int64_t columns,
                                          const float* group_scales, std::uint8_t* out) noexcept {
  switch (format) {
    case PackedFormat::block128:
      std::memcpy(out, block128, static_cast<std::size_t>(rows * block128::row_bytes(columns)));
      break;
    case PackedFormat::i2_s_x86:
      i2_s::stream_from_block128(block128, kX86Group, rows, columns, out);
      break;
    case PackedFormat::i2_s_arm:
      i2_s::stream_from_block128(block128, kArmGroup, rows, columns, out);
      break;
    case PackedFormat::i2_s_act_parallel:
      i2_s::act_parallel_from_block128(block128, rows, columns, out);
      break;
    case PackedFormat::tq1_0:
      return tq1_0::from_block128(block128, rows, columns, group_scales, out);
    case PackedFormat::tq2_0:
      return tq2_0::from_block128(block128, rows, columns, group_scales, out);
    case PackedFormat::hf_packed:
      hf_packed::from_block128(block128, rows, columns, out);
      break;
    case PackedFormat::lookup_tiles:
      lookup_tiles::pack(block128, block128::row_bytes(columns), rows, columns, 0,
                         lookup_tiles::strips(rows), out);
      break;
  }
  return std::nullopt;
}

std::optional<float> common_scale(const float* group_scales, std::int64_t num_groups) noexcept {
  float common = 0;
  for (std::int64_t i = 0; i < num_groups; ++i) {
    if (group_scales[i] == 0 || group_scales[i] == common) continue;
    if (common != 0) return std::nullopt;
    common = group_scales[i];
  }
  return common;
}

}  // namespace bitnet
