// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ternary/hf_packed.h"

#include <algorithm>

#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/four_rows.h"

namespace bitnet::hf_packed {

std::optional<TernaryFault> to_block128(const std::uint8_t* packed, std::int64_t rows,
                                        std::int64_t columns, std::int64_t begin, std::int64_t end,
                                        std::uint8_t* out) noexcept {
  const std::int64_t quarter = rows / 4;
  const std::int64_t stride = block128::row_bytes(columns);
  bool good = true;
  for (std::int64_t r = begin; r < end; ++r) {
    std::uint8_t* const four[4] = {out + r * stride, out + (r + quarter) * stride,
                                   out + (r + 2 * quarter) * stride,
                                   out + (r + 3 * quarter) * stride};
    good &= four_rows::to_block128(packed + r * columns, columns, four);
  }
  if (good) return std::nullopt;
  for (std::int64_t i = 0; i < 4; ++i)
    if (auto fault = block128::find_bad_code(out, begin + i * quarter, end + i * quarter, columns))
      return fault;
  return std::nullopt;
}

void from_block128(const std::uint8_t* block128, std::int64_t rows, std::int64_t columns,
                   std::uint8_t* packed) noexcept {
  const std::int64_t quarter = rows / 4;
  const std::int64_t stride = block128::row_bytes(columns);
  for (std::int64_t r = 0; r < quarter; ++r) {
    const std::uint8_t* const four[4] = {block128 + r * stride, block128 + (r + quarter) * stride,
                                         block128 + (r + 2 * quarter) * stride,
                                         block128 + (r + 3 * quarter) * stride};
    four_rows::from_block128(four, columns, packed + r * columns);
  }
}

}  // namespace bitnet::hf_packed
