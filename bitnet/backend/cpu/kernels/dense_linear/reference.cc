// SPDX-License-Identifier: MIT OR Apache-2.0
// Dense linear kernels: plain C++, the definition.
#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"

namespace bitnet::cpu {

void dense_linear_reference(const DenseLinearArgs& args) noexcept {
  dense_linear_rows<F32x16>(args);
}
void embed_reference(const EmbedArgs& args) noexcept { embed_rows<F32x16>(args); }

}  // namespace bitnet::cpu
