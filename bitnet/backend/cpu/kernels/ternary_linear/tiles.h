// SPDX-License-Identifier: MIT OR Apache-2.0
// How the kernels walk a matrix: tiles of four rows, blocks of weights that stay in L2.
// Internal linkage: each kernel file owns its copy (see simd/scalar.h).
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitnet/ops/args.h"

namespace bitnet::cpu {
namespace {

constexpr std::int64_t kTileRows = 4;
// How far ahead of its use a weight is fetched where memory is the limit and no StreamFetch says.
// Past the caches but the first, on a Zen 5 server one thread reached 95, 100 and 100 % of the read
// bandwidth with 4, 6 and 8 KB, two threads 103, 101 and 100 %; into all caches 100 and 97 % with 8
// KB.
constexpr std::int64_t kPrefetchBytes = 6144;
// The same into L2 and no further. Lines on their way into L1 fill its few buffers: with AVX-512 a
// Zen 4 core had half the rate with one or two tokens when they went there.
constexpr std::int64_t kFarBytes = 8192;
constexpr std::int64_t kBlockBytes = 256 * 1024;  // of weights, in L2 while all tokens pass

// Four rows; past the last row the last one again, its results are not stored.
struct RowTile {
  const std::uint8_t *w0, *w1, *w2, *w3;
  std::int64_t first, valid;
};

inline RowTile row_tile(const TernaryLinearArgs& a, std::int64_t first) noexcept {
  const std::int64_t more = a.rows - 1 - first;  // valid rows after the first
  const std::uint8_t* w = a.weights + first * a.row_bytes;
  return {w,
          w + (more < 1 ? more : 1) * a.row_bytes,
          w + (more < 2 ? more : 2) * a.row_bytes,
          w + (more < 3 ? more : 3) * a.row_bytes,
          first,
          more < 3 ? more + 1 : 4};
}

// Calls body(row, token) with the first row and token of every tile.
template <class Body>
inline void for_tiles(const TernaryLinearArgs& a, std::int64_t tile_tokens,
                      const Body& body) noexcept {
  const std::int64_t fitting = kBlockBytes / (a.row_bytes * kTileRows) * kTileRows;
  const std::int64_t block_rows = fitting > kTileRows ? fitting : kTileRows;
  for (std::int64_t begin = 0; begin < a.rows; begin += block_rows) {
    const std::int64_t end = begin + block_rows < a.rows ? begin + block_rows : a.rows;
    for (std::int64_t t = 0; t < a.tokens; t += tile_tokens)
      for (std::int64_t r = begin; r < end; r += kTileRows) body(r, t);
  }
}

using GemmTileFn = void(const TernaryLinearArgs&, const RowTile&, std::int64_t token) noexcept;

// run[n - 1] computes a tile of n tokens.
template <std::size_t kTileTokens>
inline void gemm(const TernaryLinearArgs& a, GemmTileFn* const (&run)[kTileTokens]) noexcept {
  constexpr auto kTokens = static_cast<std::int64_t>(kTileTokens);
  for_tiles(a, kTokens, [&](std::int64_t r, std::int64_t t) {
    const std::int64_t left = a.tokens - t;
    run[(left < kTokens ? left : kTokens) - 1](a, row_tile(a, r), t);
  });
}

}  // namespace
}  // namespace bitnet::cpu
