// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/tensor/dtype.h"

#include <array>

#include "bitnet/base/checked.h"

namespace bitnet {
namespace {

using enum NumberKind;

constexpr std::array<DTypeInfo, 17> kInfo{{
    {"f32", 1, 4, floating, -0x1.fffffep127, 0x1.fffffep127, false},
    {"f16", 1, 2, floating, -65504, 65504, false},
    {"bf16", 1, 2, floating, -0x1.fep127, 0x1.fep127, false},
    {"i8", 1, 1, signed_integer, -128, 127, false},
    {"u8", 1, 1, unsigned_integer, 0, 255, false},
    {"u16", 1, 2, unsigned_integer, 0, 65535, false},
    {"i32", 1, 4, signed_integer, -0x1p31, 0x1p31 - 1, false},
    {"i64", 1, 8, signed_integer, -0x1p63, 0x1p63, false},  // highest: rounded up by 1
    {"f64", 1, 8, floating, -0x1.fffffffffffffp1023, 0x1.fffffffffffffp1023, false},
    {"ternary2", 128, 32, ternary, -1, 1, true},
    {"q8_0", 32, 34, scaled_block, -65504.0 * 128, 65504.0 * 128, false},
    {"q4_0", 32, 18, scaled_block, -65504.0 * 8, 65504.0 * 8, false},
    {"q6_k", 256, 210, scaled_block, -65504.0 * 128 * 32, 65504.0 * 128 * 32, false},
    {"i4", 2, 1, signed_integer, -8, 7, true},
    {"i2", 4, 1, signed_integer, -2, 1, true},
    {"i1", 8, 1, signed_integer, -1, 1, true},
    {"ternary1_6", 160, 32, ternary, -1, 1, true},
}};

}  // namespace

const DTypeInfo& info(DType type) noexcept { return kInfo[static_cast<std::size_t>(type)]; }

std::optional<std::uint64_t> row_bytes(DType type, std::int64_t columns) noexcept {
  const DTypeInfo& t = info(type);
  if (columns < 0) return std::nullopt;
  if (!t.pads_rows && columns % t.block_elements != 0) return std::nullopt;
  const std::int64_t blocks = columns / t.block_elements + (columns % t.block_elements != 0);
  return checked_mul(static_cast<std::uint64_t>(blocks), static_cast<std::uint64_t>(t.block_bytes));
}

std::optional<DType> dtype_from_name(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kInfo.size(); ++i)
    if (kInfo[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

}  // namespace bitnet
