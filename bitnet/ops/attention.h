// SPDX-License-Identifier: MIT OR Apache-2.0
// Rotary positions, the key/value cache of one layer, causal attention over it. Formulas and
// layouts: ops/args.h.
#pragma once

#include "bitnet/ops/args.h"
#include "bitnet/ops/context.h"
#include "bitnet/tensor/matrix_view.h"

namespace bitnet {

/// Keys and values of one layer, laid out as KvWriteArgs says.
struct KvLayerView {
  void* keys = nullptr;
  void* values = nullptr;
  std::int64_t capacity = 0;  // positions, a multiple of 16
  std::int64_t kv_heads = 0, dim = 0;
  KvType type = KvType::f32;
};

/// Rotates every head of x [tokens][heads * dim] in place; cos and sin [tokens][dim / 2].
void rope(const OpContext& context, MatrixView<float> x, std::int64_t dim,
          MatrixView<const float> cos, MatrixView<const float> sin);

/// Stores k, v [tokens][kv_heads * dim] at positions first_position, first_position + 1, …
void kv_write(const OpContext& context, MatrixView<const float> k, MatrixView<const float> v,
              const KvLayerView& cache, std::int64_t first_position);

/// out [tokens][heads * dim] = attention of q over positions [0, first_position + t] of the cache.
void attention(const OpContext& context, MatrixView<const float> q, const KvLayerView& cache,
               std::int64_t first_position, float scale, MatrixView<float> out);

}  // namespace bitnet
