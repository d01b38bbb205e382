// SPDX-License-Identifier: MIT OR Apache-2.0
// Ops on whole rows: plain C++, the definition.
#include "bitnet/backend/cpu/kernels/rows/rows_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"

namespace bitnet::cpu {

void rows_reference(const RowArgs& args) noexcept { all_rows<F32x16>(args); }

}  // namespace bitnet::cpu
