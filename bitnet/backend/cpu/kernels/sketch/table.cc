// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/sketch/sketch.h"

namespace bitnet::cpu {
namespace {

constexpr Kernel<SketchFn> kSketchKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, sketch_avx512},
    {"avx2", isa::kAvx2, sketch_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, sketch_neon},
#endif
    {"reference", isa::kNone, sketch_reference},
};

constexpr Kernel<SketchDotFn> kSketchDotKernels[] = {
#if defined(__x86_64__)
    {"avx512vnni", isa::kAvx512 | isa::kAvx512Vnni, sketch_dot_avx512vnni},
    {"avxvnni", isa::kAvx2 | isa::kAvxVnni, sketch_dot_avxvnni},
    {"avx2", isa::kAvx2, sketch_dot_avx2},
#elif defined(__aarch64__)
    {"neon_dotprod", isa::kNeonDotprod, sketch_dot_dotprod},
    {"neon", isa::kNeon, sketch_dot_neon},
#endif
    {"reference", isa::kNone, sketch_dot_reference},
};

constexpr Kernel<SketchRefineFn> kSketchRefineKernels[] = {
#if defined(__x86_64__)
    {"avx512", isa::kAvx512, sketch_refine_avx512},
    {"avx2", isa::kAvx2, sketch_refine_avx2},
#elif defined(__aarch64__)
    {"neon", isa::kNeon, sketch_refine_neon},
#endif
    {"reference", isa::kNone, sketch_refine_reference},
};

}  // namespace

std::span<const Kernel<SketchFn>> sketch_kernels() noexcept { return kSketchKernels; }
std::span<const Kernel<SketchDotFn>> sketch_dot_kernels() noexcept { return kSketchDotKernels; }
std::span<const Kernel<SketchRefineFn>> sketch_refine_kernels() noexcept {
  return kSketchRefineKernels;
}

}  // namespace bitnet::cpu
