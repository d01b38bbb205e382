// SPDX-License-Identifier: MIT OR Apache-2.0
// Ops on whole rows: AVX2.
#include "bitnet/backend/cpu/kernels/rows/rows_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {

void rows_avx2(const RowArgs& args) noexcept { all_rows<F32x16>(args); }

}  // namespace bitnet::cpu
