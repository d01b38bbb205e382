// SPDX-License-Identifier: MIT OR Apache-2.0
// Dense linear kernels: AVX-512.
#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {

void dense_linear_avx512(const DenseLinearArgs& args) noexcept { dense_linear_rows<F32x16>(args); }
void embed_avx512(const EmbedArgs& args) noexcept { embed_rows<F32x16>(args); }

}  // namespace bitnet::cpu
