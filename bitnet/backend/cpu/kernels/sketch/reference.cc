// SPDX-License-Identifier: MIT OR Apache-2.0
// Sketches of dense weights: plain C++, the definition.
#include "bitnet/backend/cpu/kernels/sketch/sketch_impl.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch_refine_impl.h"
#include "bitnet/backend/cpu/simd/scalar.h"
#include "bitnet/ops/sketch_tiles.h"

namespace bitnet::cpu {

void sketch_reference(const SketchArgs& args) noexcept { sketch_rows<F32x16>(args); }

void sketch_refine_reference(const SketchRefineArgs& args) noexcept { sketch_refine<F32x16>(args); }

void sketch_dot_reference(const SketchDotArgs& a) noexcept {
  using namespace sketch_tiles;
  for (std::int64_t token = 0; token < a.tokens; ++token)
    for (std::int64_t row = 0; row < a.rows; ++row) {
      const std::uint8_t* tile = a.sketch + row / kRows * a.pairs * kTileBytes;
      F32x16 sum = F32x16::zero();
      for (std::int64_t block = 0; block < 2 * a.pairs; ++block) {
        const std::uint8_t* at = tile + block / 2 * kTileBytes;
        const std::int8_t* values = a.values + 2 * kBlockColumns * (block * a.tokens + token);
        const std::int64_t within = block % 2;
        std::int32_t exact = 0;
        for (std::int64_t k = 0; k < kBlockColumns; ++k)
          exact += (2 * upper_at(at + 64 + kBlockBytes * within, row % kRows, k) - 31) *
                   (128 * values[k] + values[kBlockColumns + k]);
        sum = F32x16::fma(F32x16::set1_f16(at + 32 * within + 2 * (row % kRows)),
                          F32x16::set1(static_cast<float>(exact)), sum);
      }
      float results[16];
      (sum * F32x16::set1(a.scale[token])).store(results);
      a.out[token * a.out_stride + row] = results[0];
    }
}

}  // namespace bitnet::cpu
