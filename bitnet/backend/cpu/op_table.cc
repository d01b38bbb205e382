// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/op_table.h"

#include <string>

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/matmul_op.h"
#include "bitnet/backend/cpu/pointwise_op.h"
#include "bitnet/backend/cpu/quantize_op.h"
#include "bitnet/backend/cpu/reduce_op.h"
#include "bitnet/backend/cpu/ternary_linear_op.h"
#include "bitnet/backend/cpu/ternary_lookup_op.h"
#include "bitnet/base/isa.h"

namespace bitnet::cpu {

const OpTable& op_table() {
  static const std::string name = "cpu/" + std::string(isa::name_of(isa::active()));
  static const OpTable table{
      .name = name.c_str(),
      .quantize = quantize,
      .ternary_linear = ternary_linear,
      .ternary_lookup = ternary_lookup,
      .pack_lookup = pack_lookup,
      .lookup_is_faster = lookup_is_faster,
      .rms_norm = rms_norm,
      .dense_linear = dense_linear,
      .sketch = sketch,
      .sketch_dot = sketch_dot,
      .sketch_refine = sketch_refine,
      .embed = embed,
      .gated_activation = gated_activation,
      .add = add,
      .rope = rope,
      .kv_write = kv_write,
      .attention = attention,
      .unary = unary,
      .binary = binary,
      .compare = compare,
      .where = where,
      .cast = cast,
      .reduce = reduce,
      .matmul = matmul,
      .rows = rows,
      .quantize_rows = quantize_rows,
      .abs_sum = abs_sum,
      .dropout = dropout,
      .embed_grad = embed_grad,
      .flash_attention = flash_attention,
      .flash_attention_backward = flash_attention_backward,
  };
  return table;
}

}  // namespace bitnet::cpu
