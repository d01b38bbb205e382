// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/matmul_i8/matmul_i8.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<MatmulI8Fn> kMatmulI8Kernels[] = {
#if defined(__x86_64__)
    {"avx512vnni", isa::kAvx512 | isa::kAvx512Vnni, matmul_i8_avx512vnni},
    {"avxvnni", isa::kAvx2 | isa::kAvxVnni, matmul_i8_avxvnni},
    {"avx2", isa::kAvx2, matmul_i8_avx2},
#elif defined(__aarch64__)
    {"neon_dotprod", isa::kNeonDotprod, matmul_i8_dotprod},
    {"neon", isa::kNeon, matmul_i8_neon},
#endif
    {"reference", isa::kNone, matmul_i8_reference},
};

}  // namespace

std::span<const Kernel<MatmulI8Fn>> matmul_i8_kernels() noexcept { return kMatmulI8Kernels; }

const MatmulI8Kernels& active_matmul_i8_kernels() {
  static const MatmulI8Kernels kernels = choose(matmul_i8_kernels(), isa::active()).run();
  return kernels;
}

}  // namespace bitnet::cpu
