// SPDX-License-Identifier: MIT OR Apache-2.0
// Kernels that sketch dense weights (formula and layout: ops/args.h, SketchArgs).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

using SketchFn = void(const SketchArgs&) noexcept;
SketchFn sketch_reference, sketch_avx2, sketch_avx512, sketch_neon;

std::span<const Kernel<SketchFn>> sketch_kernels() noexcept;

}  // namespace bitnet::cpu
