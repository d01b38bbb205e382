// SPDX-License-Identifier: MIT OR Apache-2.0
// Pair order: how one token's int8 activations lie in memory, so that a 64-byte load of them meets
// a 64-byte load of two block128 weight blocks (ops/args.h, QuantizeArgs).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bitnet {

/// Columns of one group of pair order: two block128 blocks.
inline constexpr std::int64_t kPairColumns = 256;

/// Bytes that `cols` activations take in pair order: cols rounded up to whole groups.
constexpr std::int64_t pair_order_bytes(std::int64_t cols) noexcept {
  return (cols + kPairColumns - 1) / kPairColumns * kPairColumns;
}

/// Where column `col` is stored. Column 128*h + 32*g + p of a group is its byte 64*g + 32*h + p.
constexpr std::int64_t pair_order_index(std::int64_t col) noexcept {
  const std::int64_t half = (col / 128) % 2, plane = (col / 32) % 4, p = col % 32;
  return col / kPairColumns * kPairColumns + 64 * plane + 32 * half + p;
}

/// stored[pair_order_index(k)] = columns[k]; the rest of `stored` is 0.
/// stored.size() >= pair_order_bytes(columns.size()).
inline void arrange_pairs(std::span<const std::int8_t> columns,
                          std::span<std::int8_t> stored) noexcept {
  for (std::int8_t& q : stored) q = 0;
  for (std::size_t k = 0; k < columns.size(); ++k)
    stored[static_cast<std::size_t>(pair_order_index(static_cast<std::int64_t>(k)))] = columns[k];
}

/// columns[k] = stored[pair_order_index(k)]; stored.size() >= pair_order_bytes(columns.size()).
inline void unarrange_pairs(std::span<const std::int8_t> stored,
                            std::span<std::int8_t> columns) noexcept {
  for (std::size_t k = 0; k < columns.size(); ++k)
    columns[k] = stored[static_cast<std::size_t>(pair_order_index(static_cast<std::int64_t>(k)))];
}

}  // namespace bitnet
