// SPDX-License-Identifier: MIT OR Apache-2.0
// Kernels of ops on whole rows (formulas: ops/row_ops.h).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/row_ops.h"

namespace bitnet::cpu {

using RowsFn = void(const RowArgs&) noexcept;
RowsFn rows_reference, rows_avx2, rows_avx512, rows_neon;

std::span<const Kernel<RowsFn>> rows_kernels() noexcept;

}  // namespace bitnet::cpu
