// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/tensor/dtype.h"

#include <array>

#include "bitnet/base/checked.h"

namespace bitnet {
namespace {

constexpr std::array<DTypeInfo, 13> kInfo{{
    {"f32", 1, 4},
    {"f16", 1, 2},
    {"bf16", 1, 2},
    {"i8", 1, 1},
    {"u8", 1, 1},
    {"u16", 1, 2},
    {"i32", 1, 4},
    {"i64", 1, 8},
    {"f64", 1, 8},
    {"ternary2", 128, 32},
    {"q8_0", 32, 34},
    {"q4_0", 32, 18},
    {"q6_k", 256, 210},
}};

}  // namespace

const DTypeInfo& info(DType type) noexcept { return kInfo[static_cast<std::size_t>(type)]; }

std::optional<std::uint64_t> row_bytes(DType type, std::int64_t columns) noexcept {
  const DTypeInfo& t = info(type);
  if (columns < 0) return std::nullopt;
  if (type != DType::ternary2 && columns % t.block_elements != 0) return std::nullopt;
  const std::int64_t blocks = columns / t.block_elements + (columns % t.block_elements != 0);
  return checked_mul(static_cast<std::uint64_t>(blocks), static_cast<std::uint64_t>(t.block_bytes));
}

std::optional<DType> dtype_from_name(std::string_view name) noexcept {
  for (std::size_t i = 0; i < kInfo.size(); ++i)
    if (kInfo[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

}  // namespace bitnet
