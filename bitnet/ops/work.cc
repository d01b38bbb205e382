// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/work.h"

#include "bitnet/ops/sketch_tiles.h"

namespace bitnet {
namespace {

constexpr std::int64_t kFloat = sizeof(float);

profile::Work work(std::int64_t bytes, std::int64_t float_ops, std::int64_t int8_ops = 0) noexcept {
  return {static_cast<std::uint64_t>(bytes), static_cast<std::uint64_t>(float_ops),
          static_cast<std::uint64_t>(int8_ops)};
}

}  // namespace

// The maximum, the product, the rounding; the sum is one of integers, not of products.
profile::Work work_of(const QuantizeArgs& a) noexcept {
  const std::int64_t scale_and_sum = 8;
  return work(a.tokens * (a.cols * kFloat + a.cols + scale_and_sum), 3 * a.tokens * a.cols);
}

profile::Work work_of(const TernaryLinearArgs& a) noexcept {
  const std::int64_t cols = a.blocks * 128, token = cols + 8;  // integers, their sum, a scale
  return work(a.rows * a.blocks * 32 + a.tokens * token + a.tokens * a.rows * kFloat,
              a.tokens * a.rows, 2 * a.tokens * a.rows * cols);
}

// x^2 added; times r and the weight. A row's own five are left out.
profile::Work work_of(const RmsNormArgs& a) noexcept {
  return work((2 * a.tokens + 1) * a.cols * kFloat, 4 * a.tokens * a.cols);
}

profile::Work work_of(const DenseLinearArgs& a) noexcept {
  return work(a.rows * a.row_bytes + a.tokens * (a.cols + a.rows) * kFloat,
              2 * a.tokens * a.rows * a.cols);
}

// Maximum, w / d, two roundings, two products and two differences: eight; four squares added:
// eight.
profile::Work work_of(const SketchArgs& a) noexcept {
  return work(
      a.rows * (a.row_bytes + SketchArgs::kSums * kFloat + sketch_tiles::last_row_bytes(a.cols)) +
          sketch_tiles::bytes(a.rows, a.cols),
      16 * a.rows * a.cols);
}

// Two products of integers for a weight; a product and an addition of floats for 64.
profile::Work work_of(const SketchDotArgs& a) noexcept {
  const std::int64_t cols = a.pairs * sketch_tiles::kPairColumns;
  return work(sketch_tiles::bytes(a.rows, cols) + a.tokens * (2 * cols + a.rows * kFloat),
              a.tokens * a.rows * cols / 32, 4 * a.tokens * a.rows * cols);
}

// A sign and an addition for a weight, a product and an addition for 4 of them.
profile::Work work_of(const SketchRefineArgs& a) noexcept {
  const std::int64_t cols = a.pairs * sketch_tiles::kPairColumns;
  return work(a.count * (sketch_tiles::last_row_bytes(cols) + 2 * kFloat), a.count * cols * 5 / 2);
}

profile::Work work_of(const EmbedArgs& a) noexcept {
  return work(a.tokens * (a.row_bytes + a.cols * kFloat), 0);
}

profile::Work work_of(const GatedActivationArgs& a) noexcept {
  const std::int64_t count = a.tokens * a.cols;
  return work(3 * count * kFloat, (a.kind == GatedActivation::relu2 ? 3 : 4) * count);
}

profile::Work work_of(const AddArgs& a) noexcept {
  const std::int64_t count = a.tokens * a.cols;
  return work(3 * count * kFloat, count);
}

// A pair takes two products and two fused multiply-adds.
profile::Work work_of(const RopeArgs& a) noexcept {
  const std::int64_t count = a.tokens * a.heads * a.dim;
  return work((2 * count + a.tokens * a.dim) * kFloat, 3 * count);
}

profile::Work work_of(const KvWriteArgs& a) noexcept {
  const std::int64_t count = 2 * a.tokens * a.kv_heads;
  return work(count * (a.dim * kFloat + kv_head_bytes(a.type, 1, a.dim)),
              a.type == KvType::int8 ? count * (3 * a.dim + 2) : 0);
}

// For each position that a token sees: two dot products of `dim`, the scale, the difference to the
// maximum, the maximum, exp, the sum; of int8 two products with scales. The division at the end is
// one a number.
profile::Work work_of(const AttentionArgs& a) noexcept {
  const std::int64_t positions = a.first_position + a.tokens;
  const std::int64_t seen = a.tokens * a.first_position + a.tokens * (a.tokens + 1) / 2;
  const std::int64_t scales = a.type == KvType::int8 ? 2 : 0;
  return work(2 * a.tokens * a.heads * a.dim * kFloat +
                  2 * a.kv_heads * kv_head_bytes(a.type, positions, a.dim),
              a.heads * (seen * (4 * a.dim + 5 + scales) + a.tokens * a.dim));
}

}  // namespace bitnet
