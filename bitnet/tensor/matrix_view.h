// SPDX-License-Identifier: MIT OR Apache-2.0
// Rows of numbers that somebody else owns: what ops take and return.
#pragma once

#include <cstdint>
#include <type_traits>

namespace bitnet {

/// [rows][cols], row r at data + r * stride (in elements). A view of T converts to a view of const
/// T.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t rows = 0, cols = 0, stride = 0;

  T* row(std::int64_t r) const noexcept { return data + r * stride; }
  /// Rows [first, first + count).
  MatrixView rows_from(std::int64_t first, std::int64_t count) const noexcept {
    return {row(first), count, cols, stride};
  }
  /// Columns [first, first + count) of every row.
  MatrixView cols_from(std::int64_t first, std::int64_t count) const noexcept {
    return {data + first, rows, count, stride};
  }
  operator MatrixView<const T>() const noexcept requires(!std::is_const_v<T>) {
    return {data, rows, cols, stride};
  }
};

}  // namespace bitnet
