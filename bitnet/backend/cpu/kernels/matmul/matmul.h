// SPDX-License-Identifier: MIT OR Apache-2.0
// Kernels of float matrix products (definition: ops/matmul_args.h). The op packs both factors into
// panels of floats; a tile of the result is then a loop over two streams.
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/tensor/dtype.h"

namespace bitnet::cpu {

/// Terms of a chain, as kMatmulBlock in ops/matmul_args.h, which kernels may not include.
inline constexpr std::int64_t kMatmulChain = 256;

/// count x depth elements to ceil(count / width) panels [depth][width], one behind the other; what
/// is missing in the last is 0. Element (i, k) lies at from + i * step + k * depth_step; one of the
/// two steps is the element's size. There is room for 16 floats behind the last panel.
struct PackRun {
  const unsigned char* from;
  DType dtype;  // f32, f16, bf16
  std::int64_t step, depth_step;
  std::int64_t count, depth, width;
  float* panels;
};

/// out[r][c] (+)= sum over k of a[k][r] * b[k][c] for a whole tile; chains of kMatmulChain, whose
/// sums are added to what is there; `first`: to nothing, the first one is stored.
struct TileRun {
  const float* a;  // [depth][tile rows]
  const float* b;  // [depth][tile columns]
  std::int64_t depth;
  float* out;  // [tile rows][out_stride]
  std::int64_t out_stride;
  bool first;
  // Of tiles straight from b alone: floats from one depth to the next, and to what is read next.
  std::int64_t b_step = 0, ahead = 0;
};

/// Few rows: out[r][j] for r < rows <= 4 and j < columns straight from b, of which whole vectors of
/// 16 columns are read, as part[r][j] = chain(part[r][j]) over `depth` rows of b.
struct StreamRun {
  const float* a;  // [rows][a_stride]
  std::int64_t a_stride;
  const unsigned char* b;  // (k, j) at b + k * row_step, elements one behind the other
  DType dtype;
  std::int64_t row_step;
  std::int64_t rows, columns, depth;
  float* part;  // [rows][part_stride]
  std::int64_t part_stride;
};

/// The same for 16 columns (rows of the transposed b): part[r][0..15] over depth elements.
struct TransposedStreamRun {
  const float* a;
  std::int64_t a_stride;
  const unsigned char* b;  // (k, j) at b + j * column_step, elements one behind the other
  DType dtype;
  std::int64_t column_step;
  std::int64_t rows, columns, depth;  // columns <= 16
  float* part;                        // [rows][16]
};

inline constexpr int kMostTileRows = 16;

struct MatmulKernels {
  std::int64_t rows, columns;  // of the largest tile
  void (*pack)(const PackRun&) noexcept;
  void (*tile[kMostTileRows + 1])(const TileRun&) noexcept;        // of 1 … rows rows
  void (*loose_tile[kMostTileRows + 1])(const TileRun&) noexcept;  // b where it lies
  void (*stream)(const StreamRun&) noexcept;
  void (*transposed_stream)(const TransposedStreamRun&) noexcept;
};
using MatmulFn = const MatmulKernels() noexcept;
MatmulFn matmul_reference, matmul_avx2, matmul_avx512, matmul_neon;

std::span<const Kernel<MatmulFn>> matmul_kernels() noexcept;

/// Those of the ISA in use.
const MatmulKernels& active_matmul_kernels();

}  // namespace bitnet::cpu
