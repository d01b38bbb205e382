// SPDX-License-Identifier: MIT OR Apache-2.0
// Multi-head attention and its gradient on views. Formulas: ops/flash_attention_args.h.
#pragma once

#include <cstdint>
#include <optional>

#include "bitnet/ops/context.h"
#include "bitnet/tensor/view.h"

namespace bitnet::ops {

struct FlashAttentionOptions {
  bool causal = false;                 // query t sees keys j <= t + keys - queries
  std::optional<std::int64_t> window;  // at least 1: only the last so many of them; needs causal
  std::optional<float> scale;          // 1 / sqrt(dim)
};

/// out [batch, heads, queries, value_dim] = attention of q [batch, heads, queries, dim] over
/// k [batch, kv_heads, keys, dim] and v [batch, kv_heads, keys, value_dim], heads a multiple of
/// kv_heads; logsumexp [batch, heads, queries], where it is given, is what the gradient needs. All
/// f32 on the CPU. Queries, keys and batch may be 0; the other dimensions are 1 at least.
/// The columns of all but logsumexp lie side by side, other strides are anything; an output
/// overlaps no other operand, nor itself.
/// Throws Error{invalid_argument} for shapes, strides and options that do not fit,
/// Error{unsupported} for other types, devices, columns that are apart and strides that are not
/// whole floats (see contiguous()).
void flash_attention(const OpContext& context, TensorView q, TensorView k, TensorView v,
                     const FlashAttentionOptions& options, MutableTensorView out,
                     std::optional<MutableTensorView> logsumexp = {});

/// dq, dk, dv, shaped as q, k, v: the gradient of sum(out * dout), from what flash_attention()
/// gave for the same operands and options. Throws as it does.
void flash_attention_backward(const OpContext& context, TensorView q, TensorView k, TensorView v,
                              TensorView out, TensorView logsumexp, TensorView dout,
                              const FlashAttentionOptions& options, MutableTensorView dq,
                              MutableTensorView dk, MutableTensorView dv);

}  // namespace bitnet::ops
