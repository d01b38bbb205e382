// SPDX-License-Identifier: MIT OR Apache-2.0
// Ops on whole rows: AVX-512.
#include "bitnet/backend/cpu/kernels/rows/rows_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {

void rows_avx512(const RowArgs& args) noexcept { all_rows<F32x16>(args); }

}  // namespace bitnet::cpu
