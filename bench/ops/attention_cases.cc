// SPDX-License-Identifier: MIT OR Apache-2.0
// Attention of 20 heads of 128: a token against reading its keys and values, a prompt against the
// peak of multiply-adds.
#include "bench/ops/harness.h"
#include "bitnet/ops/flash_attention.h"

namespace bench {

using namespace bitnet;

void attention_cases(Harness& h) {
  const auto c = h.runtime.context();
  const std::int64_t heads = 20, dim = 128, keys = h.quick() ? 64 : 2048;
  for (const std::int64_t kv_heads : {5, 20}) {
    // Several layers in turn: 10 to 42 MB each are not found in a cache.
    const std::int64_t layers = h.quick() ? 1 : kv_heads == 5 ? 16 : 4;
    const Tensor q = random_tensor(DType::f32, {layers, heads, 1, dim}, 11);
    const Tensor k = random_tensor(DType::f32, {layers, kv_heads, keys, dim}, 12);
    const Tensor v = random_tensor(DType::f32, {layers, kv_heads, keys, dim}, 13);
    Tensor out = Tensor::allocate(DType::f32, {layers, heads, 1, dim});
    const double bytes = double(k.size_bytes() + v.size_bytes());
    h.run(
        "attention, one token of 20 heads, " + std::to_string(kv_heads) + " of keys, context 2048",
        [&] {
          for (std::int64_t layer = 0; layer < layers; ++layer) {
            const Range at{layer, layer + 1};
            ops::flash_attention(c, q.view().slice(0, at), k.view().slice(0, at),
                                 v.view().slice(0, at), {.causal = true, .window = {}, .scale = {}},
                                 out.mutable_view().slice(0, at));
          }
        },
        {}, {"limit", 0.7}, bytes / h.read_bandwidth());
  }
  for (const std::int64_t tokens : {512, 2048}) {
    const std::int64_t n = h.quick() ? 32 : tokens;
    const Tensor q = random_tensor(DType::f32, {1, heads, n, dim}, 14);
    const Tensor k = random_tensor(DType::f32, {1, 5, n, dim}, 15),
                 v = random_tensor(DType::f32, {1, 5, n, dim}, 16);
    Tensor out = Tensor::allocate(DType::f32, {1, heads, n, dim});
    // Two products, half of each masked.
    const double flops = 2.0 * 2.0 * double(heads) * double(n) * double(n) * double(dim) / 2;
    h.run(
        "attention, causal, prompt of " + std::to_string(tokens),
        [&] {
          ops::flash_attention(c, q, k, v, {.causal = true, .window = {}, .scale = {}},
                               out.mutable_view());
        },
        {}, {}, flops / h.float_rate());
  }
}

}  // namespace bench
