// SPDX-License-Identifier: MIT OR Apache-2.0
// Orders in which the elements of a matrix may lie.
#pragma once

#include <cstdint>
#include <string>

#include "bitnet/tensor/shape.h"

namespace bitnet {

/// A matrix [rows][cols] in memory:
///   row_major     [rows][cols]
///   column_major  [cols][rows]
///   blocked       [ceil(rows/R)][ceil(cols/C)][R][C]: blocks of R x C, each row-major
///   packed_tile   [ceil(rows/R)][ceil(cols/C)][C/I][R][I]: tiles that a dot-product instruction
///   reads
///                 (I = 4 for int8 products that are summed in fours)
/// Blocks at the right and lower borders are filled up with zeros.
struct Layout {
  enum class Kind : std::uint8_t { row_major, column_major, blocked, packed_tile };
  Kind kind = Kind::row_major;
  std::int64_t block_rows = 1, block_cols = 1, inner_cols = 1;  // R, C, I; C is a multiple of I

  static Layout row_major() { return {}; }
  static Layout column_major() { return {Kind::column_major}; }
  /// Throw Error{invalid_argument} unless all are positive and block_cols a multiple of inner_cols.
  static Layout blocked(std::int64_t block_rows, std::int64_t block_cols);
  static Layout packed_tile(std::int64_t block_rows, std::int64_t block_cols,
                            std::int64_t inner_cols);

  friend bool operator==(const Layout&, const Layout&) = default;
};

/// "blocked(16, 64)"
std::string to_string(const Layout& layout);

/// Shape of the stored array, as above; `matrix` has rank 2.
Shape stored_shape(const Layout& layout, const Shape& matrix);

/// Elements from the start of the stored array to (row, col).
std::int64_t element_offset(const Layout& layout, const Shape& matrix, std::int64_t row,
                            std::int64_t col);

}  // namespace bitnet
