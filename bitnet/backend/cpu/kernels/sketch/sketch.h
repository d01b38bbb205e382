// SPDX-License-Identifier: MIT OR Apache-2.0
// Kernels that sketch dense weights (formula and layout: ops/args.h, SketchArgs).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

using SketchFn = void(const SketchArgs&) noexcept;
SketchFn sketch_reference, sketch_avx2, sketch_avx512, sketch_neon;

std::span<const Kernel<SketchFn>> sketch_kernels() noexcept;

/// Products with a sketch (SketchDotArgs).
using SketchDotFn = void(const SketchDotArgs&) noexcept;
SketchDotFn sketch_dot_reference, sketch_dot_avx2, sketch_dot_avxvnni, sketch_dot_avx512vnni,
    sketch_dot_neon, sketch_dot_dotprod;

std::span<const Kernel<SketchDotFn>> sketch_dot_kernels() noexcept;

/// What the last bits add (SketchRefineArgs).
using SketchRefineFn = void(const SketchRefineArgs&) noexcept;
SketchRefineFn sketch_refine_reference, sketch_refine_avx2, sketch_refine_avx512,
    sketch_refine_neon;

std::span<const Kernel<SketchRefineFn>> sketch_refine_kernels() noexcept;

}  // namespace bitnet::cpu
