// SPDX-License-Identifier: MIT OR Apache-2.0
// Element-wise kernels: AVX-512.
#include "bitnet/backend/cpu/kernels/activation/activation_impl.h"
#include "bitnet/backend/cpu/simd/avx512.h"

namespace bitnet::cpu {

void gated_activation_avx512(const GatedActivationArgs& args) noexcept {
  gated_activation_rows<F32x16>(args);
}
void add_avx512(const AddArgs& args) noexcept { add_rows<F32x16>(args); }
void exp_avx512(const ExpArgs& args) noexcept { exp_all<F32x16>(args); }

}  // namespace bitnet::cpu
