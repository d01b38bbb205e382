// SPDX-License-Identifier: MIT OR Apache-2.0
// The definition of the ternary linear layer: every other kernel gives the same bits.
#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"

namespace bitnet::cpu::reference {
namespace {

// Byte p of block b holds columns 128*b + 32*g + p in bits 7-2g:6-2g; pair order keeps those
// activations at 256*(b/2) + 64*g + 32*(b%2) + p.
std::int32_t dot(const std::uint8_t* w, const std::int8_t* x, std::int64_t blocks) noexcept {
  std::int32_t sum = 0;
  for (std::int64_t b = 0; b < blocks; ++b)
    for (int g = 0; g < 4; ++g) {
      const std::int8_t* q = x + 256 * (b / 2) + 64 * g + 32 * (b % 2);
      for (int p = 0; p < 32; ++p) sum += ((w[32 * b + p] >> (6 - 2 * g)) & 3) * q[p];
    }
  return sum;
}

}  // namespace

void ternary_linear(const TernaryLinearArgs& a) noexcept {
  for (std::int64_t t = 0; t < a.tokens; ++t)
    for (std::int64_t r = 0; r < a.rows; ++r) {
      const std::int32_t coded =
          dot(a.weights + r * a.row_bytes, a.activations + t * a.activation_stride, a.blocks);
      const std::int32_t sum = coded - a.activation_sum[t];
      a.out[t * a.out_stride + r] = static_cast<float>(sum) * a.token_scale[t];
    }
}

}  // namespace bitnet::cpu::reference
