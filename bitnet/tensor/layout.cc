// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/tensor/layout.h"

namespace bitnet {

Layout Layout::blocked(std::int64_t block_rows, std::int64_t block_cols) {
  require(block_rows > 0 && block_cols > 0, "Layout: blocks have no rows or no columns");
  return {Kind::blocked, block_rows, block_cols, 1};
}

Layout Layout::packed_tile(std::int64_t block_rows, std::int64_t block_cols,
                           std::int64_t inner_cols) {
  require(block_rows > 0 && block_cols > 0 && inner_cols > 0 && block_cols % inner_cols == 0,
          "Layout: tiles have no rows, no columns, or columns that are not whole inner groups");
  return {Kind::packed_tile, block_rows, block_cols, inner_cols};
}

std::string to_string(const Layout& layout) {
  const std::string blocks =
      std::to_string(layout.block_rows) + ", " + std::to_string(layout.block_cols);
  switch (layout.kind) {
    case Layout::Kind::row_major:
      return "row_major";
    case Layout::Kind::column_major:
      return "column_major";
    case Layout::Kind::blocked:
      return "blocked(" + blocks + ")";
    case Layout::Kind::packed_tile:
      return "packed_tile(" + blocks + ", " + std::to_string(layout.inner_cols) + ")";
  }
  return "";
}

Shape stored_shape(const Layout& layout, const Shape& matrix) {
  require(matrix.rank() == 2, "stored_shape: the layout is one of matrices");
  const std::int64_t rows = matrix[0], cols = matrix[1];
  const std::int64_t down = ceil_div(rows, layout.block_rows);
  const std::int64_t across = ceil_div(cols, layout.block_cols);
  switch (layout.kind) {
    case Layout::Kind::row_major:
      return matrix;
    case Layout::Kind::column_major:
      return {cols, rows};
    case Layout::Kind::blocked:
      return {down, across, layout.block_rows, layout.block_cols};
    case Layout::Kind::packed_tile:
      return {down, across, layout.block_cols / layout.inner_cols, layout.block_rows,
              layout.inner_cols};
  }
  return matrix;
}

std::int64_t element_offset(const Layout& layout, const Shape& matrix, std::int64_t row,
                            std::int64_t col) {
  require(matrix.rank() == 2 && row >= 0 && row < matrix[0] && col >= 0 && col < matrix[1],
          "element_offset: outside the matrix");
  if (layout.kind == Layout::Kind::row_major) return row * matrix[1] + col;
  if (layout.kind == Layout::Kind::column_major) return col * matrix[0] + row;
  const std::int64_t across = ceil_div(matrix[1], layout.block_cols);
  const std::int64_t block = row / layout.block_rows * across + col / layout.block_cols;
  const std::int64_t r = row % layout.block_rows, c = col % layout.block_cols;
  const std::int64_t start = block * layout.block_rows * layout.block_cols;
  if (layout.kind == Layout::Kind::blocked) return start + r * layout.block_cols + c;
  return start + (c / layout.inner_cols * layout.block_rows + r) * layout.inner_cols +
         c % layout.inner_cols;
}

}  // namespace bitnet
