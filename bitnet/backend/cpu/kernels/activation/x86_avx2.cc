// SPDX-License-Identifier: MIT OR Apache-2.0
// Element-wise kernels: AVX2.
#include "bitnet/backend/cpu/kernels/activation/activation_impl.h"
#include "bitnet/backend/cpu/simd/avx2.h"

namespace bitnet::cpu {

void gated_activation_avx2(const GatedActivationArgs& args) noexcept {
  gated_activation_rows<F32x16>(args);
}
void add_avx2(const AddArgs& args) noexcept { add_rows<F32x16>(args); }
void exp_avx2(const ExpArgs& args) noexcept { exp_all<F32x16>(args); }

}  // namespace bitnet::cpu
