// SPDX-License-Identifier: MIT OR Apache-2.0
// Operands that ops compute in f32.
#pragma once

#include "bitnet/ops/context.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet::ops {

/// x (f32, f16 or bf16 on the CPU) as f32 in row-major order: its own bytes, borrowed, where it is
/// so already. Throws Error{unsupported} naming op and operand for other types and devices.
Tensor as_floats(const OpContext& context, const char* op, const char* operand,
                 const TensorView& x);

}  // namespace bitnet::ops
