// SPDX-License-Identifier: MIT OR Apache-2.0
// Dense linear kernels: AVX2.
#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {

void dense_linear_avx2(const DenseLinearArgs& args) noexcept { dense_linear_rows<F32x16>(args); }
void embed_avx2(const EmbedArgs& args) noexcept { embed_rows<F32x16>(args); }

}  // namespace bitnet::cpu
