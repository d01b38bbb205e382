// SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>

#include "bitnet/base/checked.h"
#include "bitnet/ops/work.h"

namespace bitnet {
namespace {

constexpr double kFloat = sizeof(float);

profile::Work work(double bytes, double float_ops, double int8_ops = 0) noexcept {
  return {static_cast<std::uint64_t>(bytes), static_cast<std::uint64_t>(float_ops),
          static_cast<std::uint64_t>(int8_ops)};
}

double count_of(const Shape& shape) noexcept {
  double count = 1;
  for (const std::int64_t dim : shape.dims()) count *= static_cast<double>(dim);
  return count;
}

// Bytes of the elements that an operand of this shape really has.
double bytes_of(const Shape& shape, const Strides& strides, DType type) noexcept {
  double count = 1;
  for (int i = 0; i < shape.rank(); ++i)
    if (strides[static_cast<std::size_t>(i)] != 0) count *= static_cast<double>(shape[i]);
  return count * info(type).bits() / 8;
}

double bytes_of(const Shape& shape, const ArrayIn& x) noexcept {
  return bytes_of(shape, x.strides, x.dtype);
}
double bytes_of(const Shape& shape, const ArrayOut& x) noexcept {
  return bytes_of(shape, x.strides, x.dtype);
}

// Operations for each element of a row, as the formulas of ops/row_ops.h go over it.
double row_ops(RowOp op) noexcept {
  switch (op) {
    case RowOp::softmax:
    case RowOp::log_softmax:
      return 5;  // maximum, difference, exp, sum, scale (or the logarithm taken off)
    case RowOp::cross_entropy:
      return 4;
    case RowOp::cross_entropy_grad:
      return 6;
    case RowOp::layer_norm:
      return 8;  // sum; difference, square, sum; difference, scale, weight, bias
    case RowOp::rms_norm:
      return 4;  // square, sum; scale, weight
    case RowOp::softmax_grad:
    case RowOp::log_softmax_grad:
      return 4;
    case RowOp::layer_norm_grad:
      return 15;
    case RowOp::rms_norm_grad:
      return 10;
  }
  return 0;
}

// Pairs of a query and a key that it sees, of one head.
double pairs_of(const FlashAttentionArgs& a) noexcept {
  double pairs = 0;
  for (std::int64_t t = 0; t < a.queries; ++t) {
    const std::int64_t end =
        a.causal ? std::clamp<std::int64_t>(t + a.keys - a.queries + 1, 0, a.keys) : a.keys;
    const std::int64_t first = a.window > 0 ? std::max<std::int64_t>(0, end - a.window) : 0;
    pairs += static_cast<double>(end - first);
  }
  return pairs;
}

double queries_of(const FlashAttentionArgs& a) noexcept {
  return static_cast<double>(a.batch) * static_cast<double>(a.heads) *
         static_cast<double>(a.queries);
}

// Of q, k, v and out.
double floats_of(const FlashAttentionArgs& a) noexcept {
  const double keys =
      static_cast<double>(a.batch) * static_cast<double>(a.kv_heads) * static_cast<double>(a.keys);
  return (queries_of(a) + keys) * static_cast<double>(a.dim + a.value_dim);
}

}  // namespace

// Of each pair two products, the scale, exp and its sum, and the maximum.
profile::Work work_of(const FlashAttentionArgs& a) noexcept {
  const double heads = static_cast<double>(a.batch) * static_cast<double>(a.heads);
  return work((floats_of(a) + (a.logsumexp.data ? queries_of(a) : 0)) * kFloat,
              heads * pairs_of(a) * (2 * static_cast<double>(a.dim + a.value_dim) + 4));
}

// Scores and their gradient again, then the three gradients; each operand read, each gradient
// written.
profile::Work work_of(const FlashAttentionBackwardArgs& b) noexcept {
  const FlashAttentionArgs& a = b.forward;
  const double heads = static_cast<double>(a.batch) * static_cast<double>(a.heads);
  const double products = 2 * static_cast<double>(3 * a.dim + 2 * a.value_dim);
  return work((2 * floats_of(a) + queries_of(a)) * kFloat, heads * pairs_of(a) * (products + 5));
}

profile::Work work_of(const UnaryArgs& a) noexcept {
  return work(bytes_of(a.shape, a.x) + bytes_of(a.shape, a.out), count_of(a.shape));
}

profile::Work work_of(const BinaryArgs& a) noexcept {
  return work(bytes_of(a.shape, a.a) + bytes_of(a.shape, a.b) + bytes_of(a.shape, a.out),
              count_of(a.shape));
}

profile::Work work_of(const CompareArgs& a) noexcept {
  return work(bytes_of(a.shape, a.a) + bytes_of(a.shape, a.b) + bytes_of(a.shape, a.out),
              count_of(a.shape));
}

profile::Work work_of(const WhereArgs& a) noexcept {
  return work(bytes_of(a.shape, a.condition) + bytes_of(a.shape, a.a) + bytes_of(a.shape, a.b) +
                  bytes_of(a.shape, a.out),
              0);
}

profile::Work work_of(const CastArgs& a) noexcept {
  return work(bytes_of(a.shape, a.x) + bytes_of(a.shape, a.out), 0);
}

profile::Work work_of(const ReduceArgs& a) noexcept {
  const auto along = static_cast<double>(a.count);
  return work(bytes_of(a.kept, a.x) * (a.step == 0 ? 1 : along) + bytes_of(a.kept, a.out),
              count_of(a.kept) * along);
}

profile::Work work_of(const MatmulArgs& a) noexcept {
  const auto m = static_cast<double>(a.m), n = static_cast<double>(a.n),
             k = static_cast<double>(a.k);
  const double ops = 2 * m * n * k * count_of(a.batch);
  const double bytes = bytes_of(a.batch, a.a) * m * k + bytes_of(a.batch, a.b) * k * n +
                       bytes_of(a.batch, a.out) * m * n + (a.bias ? n * kFloat : 0);
  return a.a.dtype == DType::i8 ? work(bytes, 0, ops) : work(bytes, ops);
}

profile::Work work_of(const RowOpArgs& a) noexcept {
  const double rows = static_cast<double>(a.rows), count = rows * static_cast<double>(a.cols);
  const bool one_out = a.op == RowOp::cross_entropy;
  const auto bytes = [](DType type) { return static_cast<double>(info(type).block_bytes); };
  const double element = bytes(a.x.dtype) + (a.g.data && a.g.stride != 0 ? bytes(a.g.dtype) : 0) +
                         (one_out ? 0 : bytes(a.out.dtype)) + (a.extra ? kFloat : 0);
  const double columns = (a.weight != nullptr) + (a.bias != nullptr);
  return work(element * count + columns * static_cast<double>(a.cols) * kFloat +
                  (one_out ? rows * kFloat : 0) + (a.targets ? rows * 8 : 0),
              row_ops(a.op) * count);
}

// The mean or the maximum; product, rounding, clipping.
profile::Work work_of(const QuantizeRowsArgs& a) noexcept {
  const double count = static_cast<double>(a.rows) * static_cast<double>(a.cols);
  const auto groups = static_cast<double>(ceil_div(a.cols, a.group_cols));
  const double scales = a.scale_stride == 0 ? 1 : static_cast<double>(a.rows) * groups;
  return work(count * kFloat + static_cast<double>(a.rows) * static_cast<double>(a.row_bytes) +
                  scales * (a.zero_points ? 8 : 4),
              (a.given ? 3 : 4) * count);
}

profile::Work work_of(const AbsSumArgs& a) noexcept {
  const double rows = static_cast<double>(a.rows), count = rows * static_cast<double>(a.cols);
  return work(count * kFloat + rows * 8, count);
}

profile::Work work_of(const DropoutArgs& a) noexcept {
  const auto count = static_cast<double>(a.count);
  return work((a.g ? 3 : 2) * count * kFloat, count);
}

profile::Work work_of(const EmbedGradArgs& a) noexcept {
  const double count = static_cast<double>(a.tokens) * static_cast<double>(a.cols);
  return work(3 * count * kFloat + static_cast<double>(a.tokens) * 8, count);
}

}  // namespace bitnet
