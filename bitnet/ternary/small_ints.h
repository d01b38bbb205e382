// SPDX-License-Identifier: MIT OR Apache-2.0
// Rows of 4-, 2- and 1-bit integers (DType::i4, i2, i1): the first element in the low bits.
#pragma once

#include <cstdint>

#include "bitnet/tensor/dtype.h"

namespace bitnet::small_ints {

/// values[columns], each in the type's range (i1: any value, its sign counts, 0 as +1), to
/// row[row_bytes(type, columns)]; bits that pad the last byte are 0.
void pack_row(DType type, const std::int8_t* values, std::int64_t columns,
              std::uint8_t* row) noexcept;

/// The inverse.
void unpack_row(DType type, const std::uint8_t* row, std::int64_t columns,
                std::int8_t* values) noexcept;

}  // namespace bitnet::small_ints
