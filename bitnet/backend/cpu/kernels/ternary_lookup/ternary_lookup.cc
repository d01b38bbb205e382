// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/ternary_lookup/ternary_lookup.h"

#include <array>

namespace bitnet::cpu {
namespace {

using Row = Kernel<const TernaryLookupFns>;
const std::array kKernels {
#if defined(__x86_64__)
  Row{"avx512vbmi", isa::kAvx512 | isa::kAvx512Vnni | isa::kAvx512Vbmi,
      &avx512vbmi::ternary_lookup},
      Row{"avx512vnni", isa::kAvx512 | isa::kAvx512Vnni, &avx512vnni::ternary_lookup},
      Row{"avxvnni", isa::kAvx2 | isa::kAvxVnni, &avxvnni::ternary_lookup},
      Row{"avx2", isa::kAvx2, &avx2::ternary_lookup},
#elif defined(__aarch64__)
  Row{"neon_i8mm", isa::kNeonDotprod | isa::kNeonI8mm, &neon_i8mm::ternary_lookup},
      Row{"neon_dotprod", isa::kNeonDotprod, &neon_dotprod::ternary_lookup},
      Row{"neon", isa::kNeon, &neon::ternary_lookup},
#endif
      Row{"reference", isa::kNone, &reference::ternary_lookup},
};

}  // namespace

std::span<const Kernel<const TernaryLookupFns>> ternary_lookup_kernels() noexcept {
  return kKernels;
}

}  // namespace bitnet::cpu
