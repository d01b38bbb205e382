// SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>
#include <cmath>

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/quantizers/quantizers.h"
#include "bitnet/backend/cpu/worker_scratch.h"
#include "bitnet/base/checked.h"
#include "bitnet/ternary/block128.h"

namespace bitnet::cpu {
namespace {

constexpr std::int64_t kChunk = 4096;  // elements of dropout that a worker takes at once

// One group of one row. `scale` and `zero_point` are written unless they are given.
struct Group {
  const QuantizeRowsArgs& args;
  const QuantizerKernels& kernels;
  const float* x;
  std::uint8_t* codes;
  std::int64_t count;
  float& scale;
  std::int32_t* zero_point;
  std::uint64_t first;  // index of its first element
};

float mean_scale(const Group& g) {
  return std::max(
      static_cast<float>(g.kernels.abs_sum(g.x, g.count) / static_cast<double>(g.count)), 1e-5f);
}

void to_ternary(const Group& g) {
  if (!g.args.given) g.scale = mean_scale(g);
  const float inverse = 1.0f / g.scale;
  std::uint8_t codes[block128::kWeights * 8];
  std::uint8_t* to = g.codes;
  for (std::int64_t k = 0; k < g.count; k += std::int64_t{sizeof codes}) {
    const std::int64_t count = std::min<std::int64_t>(sizeof codes, g.count - k);
    g.kernels.ternary(g.x + k, count, inverse, codes);
    block128::pack_codes(codes, count, to);
    to += block128::row_bytes(count);
  }
}

void to_signs(const Group& g) {
  if (!g.args.given) g.scale = mean_scale(g);
  for (std::int64_t k = 0; k < g.count; k += 8) {
    unsigned byte = 0;
    for (std::int64_t i = 0; i < std::min<std::int64_t>(8, g.count - k); ++i)
      byte |= static_cast<unsigned>(g.x[k + i] >= 0) << i;
    g.codes[k / 8] = static_cast<std::uint8_t>(byte);
  }
}

void to_i8(const Group& g) {
  I8Run run{g.x,     reinterpret_cast<std::int8_t*>(g.codes), g.count,     0,      0,
            -127.0f, g.args.kind == Quantizer::stochastic_i8, g.args.seed, g.first};
  if (g.args.kind == Quantizer::asymmetric_i8) {
    if (!g.args.given) {
      const Extremes e = g.kernels.extremes(g.x, g.count);
      const float low = std::min(e.least, 0.0f), high = std::max(e.most, 0.0f);
      const float range = std::max(high - low, 1e-5f);
      g.scale = range / 255.0f;
      const float zero = std::nearbyint(-128.0f - low * (255.0f / range));
      *g.zero_point = static_cast<std::int32_t>(std::clamp(zero, -128.0f, 127.0f));
      run.scale = 255.0f / range;
    } else {
      run.scale = 1.0f / g.scale;
    }
    run.offset = static_cast<float>(*g.zero_point);
    run.low = -128.0f;
  } else if (!g.args.given) {
    const Extremes e = g.kernels.extremes(g.x, g.count);
    const float most = std::max({-e.least, e.most, 1e-5f});
    g.scale = most / 127.0f;
    run.scale = 127.0f / most;
  } else {
    run.scale = 1.0f / g.scale;
  }
  g.kernels.to_i8(run);
}

}  // namespace

void quantize_rows(const QuantizeRowsArgs& args, ThreadPool& pool) {
  const QuantizerKernels& kernels = active_quantizers_kernels();
  const std::int64_t groups = ceil_div(args.cols, args.group_cols);
  for_rows(pool, args.rows, args.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      for (std::int64_t i = 0; i < groups; ++i) {
        const std::int64_t column = i * args.group_cols;
        const bool ternary = args.kind == Quantizer::absmean_ternary;
        const std::int64_t offset = ternary                        ? block128::row_bytes(column)
                                    : args.kind == Quantizer::sign ? column / 8
                                                                   : column;
        const std::int64_t at = r * args.scale_stride + i;
        const Group group{args,
                          kernels,
                          args.x + r * args.x_stride + column,
                          args.codes + r * args.row_bytes + offset,
                          std::min(args.group_cols, args.cols - column),
                          args.scales[at],
                          args.zero_points ? args.zero_points + at : nullptr,
                          static_cast<std::uint64_t>(r * args.cols + column)};
        if (ternary)
          to_ternary(group);
        else if (args.kind == Quantizer::sign)
          to_signs(group);
        else
          to_i8(group);
      }
  });
}

void abs_sum(const AbsSumArgs& args, ThreadPool& pool) {
  const QuantizerKernels& kernels = active_quantizers_kernels();
  for_rows(pool, args.rows, args.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r)
      args.sums[r] = kernels.abs_sum(args.x + r * args.x_stride, args.cols);
  });
}

void dropout(const DropoutArgs& args, ThreadPool& pool) {
  const QuantizerKernels& kernels = active_quantizers_kernels();
  for_rows(pool, ceil_div(args.count, kChunk), kChunk, [&](std::int64_t begin, std::int64_t end) {
    DropoutArgs part = args;
    const std::int64_t from = begin * kChunk;
    part.x += from;
    if (part.g) part.g += from;
    part.out += from;
    part.first += static_cast<std::uint64_t>(from);
    part.count = std::min(end * kChunk, args.count) - from;
    kernels.dropout(part);
  });
}

// Columns are divided, so that each element's additions stay in order.
void embed_grad(const EmbedGradArgs& args, ThreadPool& pool) {
  const auto body = [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = 0; t < args.tokens; ++t) {
      float* to = args.table + args.ids[t] * args.cols;
      const float* g = args.g + t * args.g_stride;
      for (std::int64_t c = begin; c < end; ++c) to[c] += g[c];
    }
  };
  if (args.tokens * args.cols <= 32768)
    body(0, args.cols);
  else
    pool.for_slices(args.cols, 16, body);
}

}  // namespace bitnet::cpu
