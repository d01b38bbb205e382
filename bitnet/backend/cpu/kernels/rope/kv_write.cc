// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/rope/rope.h"

namespace bitnet::cpu {

void kv_write_reference(const KvWriteArgs& a) noexcept {
  for (std::int64_t h = 0; h < a.kv_heads; ++h) {
    float* keys = a.keys + h * a.capacity * a.dim;
    float* values = a.values + h * a.capacity * a.dim;
    for (std::int64_t t = 0; t < a.tokens; ++t) {
      const std::int64_t p = a.first_position + t;
      const float* k = a.k + t * a.k_stride + h * a.dim;
      const float* v = a.v + t * a.v_stride + h * a.dim;
      float* column = keys + p / 16 * (a.dim * 16) + p % 16;
      for (std::int64_t d = 0; d < a.dim; ++d) column[d * 16] = k[d];
      for (std::int64_t d = 0; d < a.dim; ++d) values[p * a.dim + d] = v[d];
    }
  }
}

}  // namespace bitnet::cpu
