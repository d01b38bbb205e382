// SPDX-License-Identifier: MIT OR Apache-2.0
// Dense linear kernels: NEON.
#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {

void dense_linear_neon(const DenseLinearArgs& args) noexcept { dense_linear_rows<F32x16>(args); }
void embed_neon(const EmbedArgs& args) noexcept { embed_rows<F32x16>(args); }

}  // namespace bitnet::cpu
