// SPDX-License-Identifier: MIT OR Apache-2.0
// Between byte rows whose bytes hold one column of four rows, and four block128 rows: a
// transposition of 4x4 fields.
#pragma once

#include <cstdint>

namespace bitnet::four_rows {

/// bytes[columns]; bits 2i+1:2i of byte c become the code of column c of rows[i]. False if any code
/// is 3 (the rows are written all the same).
bool to_block128(const std::uint8_t* bytes, std::int64_t columns,
                 std::uint8_t* const (&rows)[4]) noexcept;

/// The inverse.
void from_block128(const std::uint8_t* const (&rows)[4], std::int64_t columns,
                   std::uint8_t* bytes) noexcept;

}  // namespace bitnet::four_rows
