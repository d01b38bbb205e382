// SPDX-License-Identifier: MIT OR Apache-2.0
// Element-wise kernels: NEON.
#include "bitnet/backend/cpu/kernels/activation/activation_impl.h"
#include "bitnet/backend/cpu/simd/neon.h"

namespace bitnet::cpu {

void gated_activation_neon(const GatedActivationArgs& args) noexcept {
  gated_activation_rows<F32x16>(args);
}
void add_neon(const AddArgs& args) noexcept { add_rows<F32x16>(args); }
void exp_neon(const ExpArgs& args) noexcept { exp_all<F32x16>(args); }

}  // namespace bitnet::cpu
