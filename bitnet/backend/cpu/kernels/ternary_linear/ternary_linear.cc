// SPDX-License-Identifier: MIT OR Apache-2.0
// The table of ternary linear kernels.
#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"

#include <array>

namespace bitnet::cpu {
namespace {

using Row = Kernel<TernaryLinearFn>;
constexpr std::array kKernels {
#if defined(__x86_64__)
  Row{"avx512vnni", isa::kAvx512 | isa::kAvx512Vnni, avx512vnni::ternary_linear},
      Row{"avxvnni", isa::kAvx2 | isa::kAvxVnni, avxvnni::ternary_linear},
      Row{"avx2", isa::kAvx2, avx2::ternary_linear},
#elif defined(__aarch64__)
  Row{"neon_i8mm", isa::kNeonDotprod | isa::kNeonI8mm, neon_i8mm::ternary_linear},
      Row{"neon_dotprod", isa::kNeonDotprod, neon_dotprod::ternary_linear},
#endif
      Row{"reference", isa::kNone, reference::ternary_linear},
};

}  // namespace

std::span<const Kernel<TernaryLinearFn>> ternary_linear_kernels() noexcept { return kKernels; }

}  // namespace bitnet::cpu
