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

}  // namespace

std::span<const Kernel<SketchFn>> sketch_kernels() noexcept { return kSketchKernels; }

}  // namespace bitnet::cpu
