// SPDX-License-Identifier: MIT OR Apache-2.0
// Kernels of int8 matrix products, exact in int32. As matmul/matmul.h, the op packs both factors
// into panels; what an element of a panel is, each kernel decides.
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"

namespace bitnet::cpu {

/// count x depth elements to a panel of depth_groups x width x group elements, `group` terms that
/// lie side by side along the depth; what is missing is 0. Element (i, k) lies at from + i * step +
/// k * depth_step, one of the two is 1.
struct PackI8Run {
  const std::int8_t* from;
  std::int64_t step, depth_step;
  std::int64_t count, depth, width;
  void* panel;               // 64-byte aligned
  std::int32_t* correction;  // [width] or null: what a tile's sums begin with
};

/// out[r][c] (+)= correction[c] + sum over k of a[k][r] * b[k][c] for a whole tile.
struct TileI8Run {
  const void *a, *b;
  std::int64_t depth;  // as packed: whole groups
  const std::int32_t* correction;
  std::int32_t* out;
  std::int64_t out_stride;
  bool first;
};

struct MatmulI8Kernels {
  std::int64_t rows, columns;  // of a tile
  std::int64_t group;          // depths are packed in groups of so many
  std::int64_t element;        // bytes of an element of a panel
  void (*pack_a)(const PackI8Run&) noexcept;
  void (*pack_b)(const PackI8Run&) noexcept;
  void (*tile)(const TileI8Run&) noexcept;
};
using MatmulI8Fn = const MatmulI8Kernels() noexcept;
MatmulI8Fn matmul_i8_reference, matmul_i8_avx2, matmul_i8_avxvnni, matmul_i8_avx512vnni,
    matmul_i8_neon, matmul_i8_dotprod;

std::span<const Kernel<MatmulI8Fn>> matmul_i8_kernels() noexcept;

/// Those of the ISA in use.
const MatmulI8Kernels& active_matmul_i8_kernels();

}  // namespace bitnet::cpu
