// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary products by looking sums of five weights up (ternary/lookup_tiles.h): tables of one
// token's activations, the products of strips of 64 rows, and the packing of weights.
#pragma once

#include <cstddef>
#include <span>

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"
#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet::cpu {

/// Tables of groups [first, first + count) of one token: for each 256 bytes, the low bytes of the
/// 128 sums and then their high bytes, where entry(m) says; entries that no m has are undefined.
struct LookupTablesArgs {
  const std::int8_t* activations;  // [places], in pair order
  std::int64_t places;             // what lies there; activations beyond count as 0
  std::int64_t groups, first, count;
  std::uint8_t* tables;  // [count][256], 64-byte aligned
  const std::uint8_t*
      next;  // fetched meanwhile, 64 bytes a group: the first codes; anything but null
};

/// sums[t][r] (+)= sum over groups [first, first + count) of w * q for the 64 * strips rows of
/// `strips` strips of one tile.
struct LookupSumsArgs {
  const std::uint8_t* codes;  // of the first strip at group `first`
  std::int64_t stride;        // from one group to the next
  std::int64_t strips;        // 1 to 8
  std::int64_t count, tokens;
  const std::uint8_t* tables;  // [tokens][count][256], 64-byte aligned
  std::int32_t* sums;          // [tokens][sums_stride], 64-byte aligned rows
  std::int64_t sums_stride;
  bool more;                 // adds to sums instead of setting them
  const std::uint8_t* next;  // codes of the next call, fetched meanwhile; anything but null
};
/// The sums lack 1 for each byte with bit 7 (lookup_tiles.h, negatives).

/// The same of one token and all groups; sums[64 * strips] are set.
struct LookupOneArgs {
  const std::int8_t* activations;  // [places], in pair order
  std::int64_t places, groups;
  const std::uint8_t* codes;  // of the first strip
  std::int64_t stride;        // from one group to the next
  std::int64_t strips;        // 1 to 8
  std::int32_t* sums;         // 64-byte aligned
  const std::uint8_t* next;   // codes of the next call, fetched meanwhile; anything but null
  StreamFetch fetch = {};
};

/// sums[t][r] = sum over all places of (w + 1) * q for the 64 rows of one strip and many tokens.
/// Weights are taken out of their bytes once for all tokens; scratch: kLookupGemmScratch bytes,
/// 64-byte aligned.
struct LookupGemmArgs {
  const std::uint8_t* codes;  // of the strip
  std::int64_t stride, groups;
  const std::int8_t* activations;  // [tokens][activation_stride]: places, then 0 up to 5 * groups
  std::int64_t activation_stride;  // >= 5 * groups + 7, all of it readable
  std::int64_t tokens;
  std::int32_t* sums;  // [tokens][64], 64-byte aligned
  std::uint8_t* scratch;
};
inline constexpr std::int64_t kLookupGemmGroups = 96;  // unpacked at once: 30 KB
inline constexpr std::int64_t kLookupGemmScratch =
    kLookupGemmGroups * lookup_tiles::kDigits * lookup_tiles::kStripRows;

/// lookup_tiles::pack() of strips [begin, end). `scratch`: lookup_pack_scratch(cols) bytes, 64-byte
/// aligned.
struct LookupPackArgs {
  const std::uint8_t* rows_of_codes;  // block128, no code 3
  std::int64_t row_bytes, rows, cols, begin, end;
  std::uint8_t* out;
  std::uint8_t* scratch;
};
constexpr std::int64_t lookup_pack_scratch(std::int64_t cols) noexcept {
  const std::int64_t groups = (lookup_tiles::groups(cols) + 63) / 64 * 64;
  return lookup_tiles::kStripRows * groups + 5 * groups + 64;
}

/// Tables of at most so many tokens are made at once.
inline constexpr std::int64_t kLookupTableTokens = 32;

/// All kernels give the same sums and the same bytes.
struct TernaryLookupFns {
  /// Both null where gemm_tokens is 1.
  void (*tables)(const LookupTablesArgs&) noexcept;
  void (*sums)(const LookupSumsArgs&) noexcept;
  /// Null where tables() and sums() are as fast, or gemm().
  void (*one)(const LookupOneArgs&) noexcept;
  void (*gemm)(const LookupGemmArgs&) noexcept;
  void (*pack)(const LookupPackArgs&) noexcept;
  /// From so many tokens on gemm() is faster than tables() and sums(); 1 to kLookupTableTokens.
  std::int64_t gemm_tokens;
};

/// Kernels of this architecture, best first; the last is the reference.
std::span<const Kernel<const TernaryLookupFns>> ternary_lookup_kernels() noexcept;

namespace reference {
extern const TernaryLookupFns ternary_lookup;
}
namespace avx2 {
extern const TernaryLookupFns ternary_lookup;
}
namespace avxvnni {
extern const TernaryLookupFns ternary_lookup;
}
namespace avx512vnni {
extern const TernaryLookupFns ternary_lookup;
}
namespace avx512vbmi {
extern const TernaryLookupFns ternary_lookup;
}
namespace neon {
extern const TernaryLookupFns ternary_lookup;
}
namespace neon_dotprod {
extern const TernaryLookupFns ternary_lookup;
}
namespace neon_i8mm {
extern const TernaryLookupFns ternary_lookup;
}

}  // namespace bitnet::cpu
