// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/floats.h"

#include "bitnet/ops/check.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/tensor/copy.h"

namespace bitnet::ops {

Tensor as_floats(const OpContext& context, const char* op, const char* operand,
                 const TensorView& x) {
  check_type_in(op, operand, x.dtype(), {DType::f32, DType::f16, DType::bf16});
  check_on_cpu(op, operand, x);
  return x.dtype() == DType::f32 ? as_contiguous(x) : cast(context, x, DType::f32);
}

}  // namespace bitnet::ops
