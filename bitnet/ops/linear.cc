// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/linear.h"

#include <algorithm>
#include <cmath>

#include "bitnet/ops/check.h"
#include "bitnet/ops/work.h"
#include "bitnet/ternary/activations.h"
#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet {
namespace {

constexpr std::int64_t kMaxCols = std::int64_t{1} << 22;  // 2 * 128 * 2^22 < 2^31

void check_dense(const char* op, const char* operand, const Tensor& w) {
  ops::check_type_in(op, operand, w.dtype(),
                     {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0, DType::q6_k});
}

TernaryLinearArgs base_args(const TernaryMatrix& w, const QuantizedRows& x, MatrixView<float> out,
                            const float* token_scale) {
  return {reinterpret_cast<const std::uint8_t*>(w.codes.data()),
          w.codes.defined() ? w.codes.row_stride_bytes() : block128::row_bytes(w.cols()),
          x.q(),
          x.stride(),
          x.sum(),
          token_scale,
          out.data,
          out.stride,
          w.rows(),
          ceil_div(w.cols(), 128),
          x.tokens()};
}

// Columns that fill a block are no work. Scales are read once and cost each token a product each,
// those of groups an addition too.
profile::Work work_of(const TernaryMatrix& w, const QuantizedRows& x, MatrixView<float> out) {
  const auto tokens = static_cast<std::uint64_t>(x.tokens());
  profile::Work work = bitnet::work_of(base_args(w, x, out, nullptr));
  if (w.tiles.bytes.defined())
    work.bytes = work.bytes + w.size_bytes() -
                 static_cast<std::size_t>(w.rows() * block128::row_bytes(w.cols()));
  work.int8_ops = 2 * tokens * static_cast<std::uint64_t>(w.rows() * w.cols());
  work.bytes += w.scales.size() * sizeof(float);
  work.float_ops += w.scales.size() * tokens * (w.granularity == ScaleGranularity::group ? 2 : 1);
  return work;
}

// Sums of the quantized activations of blocks [first, first + count) of each token, in pair order.
std::vector<std::int32_t> block_sums(const QuantizedRows& x, std::int64_t first,
                                     std::int64_t count) {
  std::vector<std::int32_t> sums(static_cast<std::size_t>(x.tokens()));
  const std::int64_t end = std::min((first + count) * 128, x.cols());
  for (std::int64_t t = 0; t < x.tokens(); ++t)
    for (std::int64_t k = first * 128; k < end; ++k)
      sums[static_cast<std::size_t>(t)] += x.q()[t * x.stride() + pair_order_index(k)];
  return sums;
}

void scale_rows(const OpContext& context, const TernaryMatrix& w, MatrixView<float> out) {
  context.threads->for_slices(out.rows, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t)
      for (std::int64_t r = 0; r < out.cols; ++r)
        out.row(t)[r] *= w.scales[static_cast<std::size_t>(r)];
  });
}

// A group is computed as a matrix of its own. Right rather than fast: group-scaled ternary files
// are rare.
void group_scaled(const OpContext& context, const TernaryMatrix& w, const QuantizedRows& x,
                  MatrixView<float> out, LinearScratch& scratch, const float* inverse) {
  const std::int64_t groups = ceil_div(w.cols(), w.group_cols);
  const std::int64_t blocks = ceil_div(w.cols(), 128);
  const std::int64_t group_blocks = w.group_cols / 128;
  MatrixView<float> part = scratch.partial(out.rows, out.cols);
  for (std::int64_t t = 0; t < out.rows; ++t) std::fill_n(out.row(t), out.cols, 0.0f);
  for (std::int64_t block = 0; block < blocks; block += group_blocks) {
    const std::int64_t count = std::min(group_blocks, blocks - block);
    const auto sums = block_sums(x, block, count);
    TernaryLinearArgs args = base_args(w, x, part, inverse);
    args.weights += block * 32;
    args.activations += block * 128;
    args.activation_sum = sums.data();
    args.blocks = count;
    context.table->ternary_linear(args, *context.threads);
    const std::int64_t group = block / group_blocks;
    for (std::int64_t t = 0; t < out.rows; ++t)
      for (std::int64_t r = 0; r < out.cols; ++r)
        out.row(t)[r] = std::fma(
            part.row(t)[r], w.scales[static_cast<std::size_t>(r * groups + group)], out.row(t)[r]);
  }
}

}  // namespace

LinearScratch::LinearScratch(std::int64_t max_tokens, std::int64_t max_rows, HybridMemoryPool& pool)
    : token_scale_(Tensor::allocate(DType::f32, {TernaryLookupArgs::kMaxParts, max_tokens}, pool)),
      pool_(&pool),
      max_tokens_(max_tokens),
      max_rows_(max_rows) {}

MatrixView<float> LinearScratch::partial(std::int64_t tokens, std::int64_t rows) {
  require(tokens <= max_tokens_ && rows <= max_rows_, "LinearScratch: too small");
  if (!partial_.defined())
    partial_ = Tensor::allocate(DType::f32, {max_tokens_, max_rows_}, *pool_);
  return {partial_.as_mutable<float>(), tokens, rows, max_rows_};
}

namespace {

void check_shapes(const TernaryMatrix& w, const QuantizedRows& x, MatrixView<float> out) {
  if (w.codes.defined())
    ops::check_type("ternary_linear", "codes of w", w.codes.dtype(), DType::ternary2);
  check_dim("ternary_linear", "columns of x", x.cols(), w.cols());
  check_dim("ternary_linear", "columns of out", out.cols, w.rows());
  check_dim("ternary_linear", "rows of out", out.rows, x.tokens());
  require(w.cols() <= kMaxCols, "ternary_linear: more than 2^22 columns");
  const auto scales = static_cast<std::int64_t>(w.scales.size());
  if (w.granularity == ScaleGranularity::row)
    check_dim("ternary_linear", "row scales", scales, w.rows());
  if (w.granularity != ScaleGranularity::group) return;
  require(w.group_cols > 0 && w.group_cols % 256 == 0,
          "ternary_linear: groups must be multiples of 256 columns", Errc::unsupported);
  check_dim("ternary_linear", "group scales", scales, w.rows() * ceil_div(w.cols(), w.group_cols));
}

// scale / s[t], or 1 / s[t] where rows or groups have scales of their own.
void fill_token_scale(const TernaryMatrix& w, const QuantizedRows& x, float* to) {
  const float numerator = w.granularity == ScaleGranularity::tensor ? w.scale : 1.0f;
  for (std::int64_t t = 0; t < x.tokens(); ++t) to[t] = numerator / x.scale()[t];
}

// Matrices [first, first + count) of `w`, all of them in tiles.
void by_lookup(const OpContext& context, std::span<const TernaryMatrix* const> w,
               const QuantizedRows& x, std::span<const MatrixView<float>> out,
               LinearScratch& scratch) {
  const auto run = supported(context, context.table->ternary_lookup, "ternary_lookup");
  TernaryLookupArgs args{};
  for (std::size_t i = 0; i < w.size(); ++i) {
    float* const token_scale = scratch.token_scale(static_cast<std::int64_t>(i));
    fill_token_scale(*w[i], x, token_scale);
    args.parts[i] = {reinterpret_cast<const std::uint8_t*>(w[i]->tiles.bytes.data()), token_scale,
                     out[i].data, out[i].stride, w[i]->rows()};
  }
  args.num_parts = static_cast<int>(w.size());
  args.activations = x.q();
  args.activation_stride = x.stride();
  args.tokens = x.tokens();
  args.cols = x.cols();
  const profile::Span span("ternary_linear", [&] {
    profile::Work work;
    for (std::size_t i = 0; i < w.size(); ++i) work += work_of(*w[i], x, out[i]);
    return work;
  });
  run(args, *context.threads);
  for (std::size_t i = 0; i < w.size(); ++i)
    if (w[i]->granularity == ScaleGranularity::row) scale_rows(context, *w[i], out[i]);
}

}  // namespace

void ternary_linear(const OpContext& context, const TernaryMatrix& w, const QuantizedRows& x,
                    MatrixView<float> out, LinearScratch& scratch) {
  check_shapes(w, x, out);
  if (w.tiles.bytes.defined()) {
    const TernaryMatrix* const matrices[] = {&w};
    return by_lookup(context, matrices, x, {&out, 1}, scratch);
  }
  const auto run = supported(context, context.table->ternary_linear, "ternary_linear");
  const profile::Span span("ternary_linear", [&] { return work_of(w, x, out); });
  float* token_scale = scratch.token_scale();
  fill_token_scale(w, x, token_scale);
  if (w.granularity == ScaleGranularity::group)
    return group_scaled(context, w, x, out, scratch, token_scale);
  run(base_args(w, x, out, token_scale), *context.threads);
  if (w.granularity == ScaleGranularity::row) scale_rows(context, w, out);
}

void ternary_linears(const OpContext& context, std::span<const TernaryMatrix* const> w,
                     const QuantizedRows& x, std::span<const MatrixView<float>> out,
                     LinearScratch& scratch) {
  require(w.size() == out.size() && w.size() <= TernaryLookupArgs::kMaxParts,
          "ternary_linears: number of matrices");
  const bool packed = std::all_of(w.begin(), w.end(),
                                  [](const TernaryMatrix* m) { return m->tiles.bytes.defined(); });
  if (!packed) {
    for (std::size_t i = 0; i < w.size(); ++i) ternary_linear(context, *w[i], x, out[i], scratch);
    return;
  }
  for (std::size_t i = 0; i < w.size(); ++i) check_shapes(*w[i], x, out[i]);
  by_lookup(context, w, x, out, scratch);
}

bool can_pack_for_lookup(const OpContext& context, const TernaryMatrix& w) noexcept {
  return context.table->pack_lookup && w.codes.defined() && w.codes.dtype() == DType::ternary2 &&
         w.cols() <= kMaxCols && w.granularity != ScaleGranularity::group;
}

void pack_for_lookup(const OpContext& context, TernaryMatrix& w, std::byte* memory,
                     std::shared_ptr<const void> keeper) {
  require(can_pack_for_lookup(context, w), "pack_for_lookup: the matrix cannot be moved");
  context.table->pack_lookup(
      {reinterpret_cast<const std::uint8_t*>(w.codes.data()), w.codes.row_stride_bytes(),
       reinterpret_cast<std::uint8_t*>(memory), w.rows(), w.cols()},
      *context.threads);
  const std::int64_t rows = w.rows(), cols = w.cols();
  w.tiles = {
      Tensor::borrow(DType::i8, {lookup_tiles::bytes(rows, cols)}, memory, std::move(keeper)), rows,
      cols};
  w.codes = {};
}

void unpack_from_lookup(const OpContext& context, TernaryMatrix& w, std::byte* memory,
                        std::shared_ptr<const void> keeper) {
  require(w.tiles.bytes.defined(), "unpack_from_lookup: the weights do not lie in tiles");
  const auto* tiles = reinterpret_cast<const std::uint8_t*>(w.tiles.bytes.data());
  const std::int64_t rows = w.rows(), cols = w.cols();
  context.threads->for_slices(lookup_tiles::strips(rows), 1,
                              [&](std::int64_t begin, std::int64_t end) {
                                lookup_tiles::unpack(tiles, rows, cols, begin, end,
                                                     reinterpret_cast<std::uint8_t*>(memory));
                              });
  w.codes = Tensor::borrow(DType::ternary2, {rows, cols}, memory, std::move(keeper));
  w.tiles = {};
}

void pack_for_lookup(const OpContext& context, TernaryMatrix& w, HybridMemoryPool& pool) {
  if (!can_pack_for_lookup(context, w)) return;
  const auto memory = std::make_shared<Tensor>(
      Tensor::allocate(DType::i8, {lookup_tiles::bytes(w.rows(), w.cols())}, pool));
  pack_for_lookup(context, w, memory->mutable_data(), memory);
}

void dense_linear(const OpContext& context, const Tensor& w, MatrixView<const float> x,
                  MatrixView<float> out) {
  const auto run = supported(context, context.table->dense_linear, "dense_linear");
  check_dense("dense_linear", "w", w);
  check_dim("dense_linear", "columns of x", x.cols, w.cols());
  check_dim("dense_linear", "columns of out", out.cols, w.rows());
  check_dim("dense_linear", "rows of out", out.rows, x.rows);
  run_in_span("dense_linear", run,
              {w.data(), w.row_stride_bytes(), static_cast<std::uint8_t>(w.dtype()), x.data,
               x.stride, out.data, out.stride, w.rows(), w.cols(), x.rows, nullptr},
              *context.threads);
}

void embed(const OpContext& context, const Tensor& table, std::span<const std::int32_t> ids,
           MatrixView<float> out) {
  const auto run = supported(context, context.table->embed, "embed");
  check_dense("embed", "table", table);
  check_dim("embed", "columns of out", out.cols, table.cols());
  check_dim("embed", "rows of out", out.rows, static_cast<std::int64_t>(ids.size()));
  for (const std::int32_t id : ids)
    if (id < 0 || id >= table.rows())
      fail(Errc::invalid_argument, "embed: token id " + std::to_string(id) +
                                       " is outside the vocabulary of " +
                                       std::to_string(table.rows()));
  run_in_span("embed", run,
              {table.data(), table.row_stride_bytes(), static_cast<std::uint8_t>(table.dtype()),
               ids.data(), out.data, out.stride, table.cols(), out.rows},
              *context.threads);
}

}  // namespace bitnet
