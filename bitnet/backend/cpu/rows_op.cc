// SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/pointwise/pointwise.h"
#include "bitnet/backend/cpu/kernels/rows/rows.h"
#include "bitnet/backend/cpu/worker_scratch.h"

namespace bitnet::cpu {
namespace {

// Halves are turned into floats so many rows at a time: 64 KB, which stay in the first caches.
constexpr std::int64_t kBlockFloats = 16384;

const std::byte* row(const RowsIn& rows, std::int64_t t) {
  return static_cast<const std::byte*>(rows.data) + t * rows.stride * info(rows.dtype).block_bytes;
}

void convert(const void* from, DType from_type, void* to, DType to_type, std::int64_t count) {
  active_pointwise_kernels().convert({from, to, count, from_type, to_type});
}

// Rows [begin, begin + count) of an operand where they lie, or as floats in `buffer`.
struct Floats {
  const float* data;
  std::int64_t stride;
};
Floats floats(const RowsIn& rows, std::int64_t begin, std::int64_t count, std::int64_t cols,
              float* buffer) {
  if (rows.data == nullptr) return {nullptr, 0};
  const std::byte* from = row(rows, begin);
  if (rows.dtype == DType::f32) return {reinterpret_cast<const float*>(from), rows.stride};
  if (rows.stride == cols) {
    convert(from, rows.dtype, buffer, DType::f32, count * cols);
  } else {
    for (std::int64_t t = 0; t < count; ++t)
      convert(row(rows, begin + t), rows.dtype, buffer + t * cols, DType::f32, cols);
  }
  return {buffer, cols};
}

// `scratch`: three times the block, or null where all are floats.
void run_block(const RowOpArgs& a, std::int64_t begin, std::int64_t count, float* scratch) {
  static const auto run = choose(rows_kernels(), isa::active()).run;
  const std::int64_t size = count * a.cols;
  const auto part = [&](std::int64_t i) { return scratch ? scratch + i * size : nullptr; };
  const Floats x = floats(a.x, begin, count, a.cols, part(0));
  const Floats g = floats(a.g, begin, count, a.cols, part(1));
  const bool halves = a.out.dtype != DType::f32;
  auto* out =
      static_cast<std::byte*>(a.out.data) + begin * a.out.stride * info(a.out.dtype).block_bytes;
  float* to = halves ? part(2) : reinterpret_cast<float*>(out);
  run({a.op, x.data, x.stride, g.data, g.stride, a.weight, a.bias,
       a.targets ? a.targets + begin : nullptr, to, halves ? a.cols : a.out.stride,
       a.extra ? a.extra + begin * a.cols : nullptr, count, a.cols, a.eps});
  if (!halves) return;
  for (std::int64_t t = 0; t < count; ++t)
    convert(to + t * a.cols, DType::f32, out + t * a.out.stride * info(a.out.dtype).block_bytes,
            a.out.dtype, a.cols);
}

}  // namespace

void rows(const RowOpArgs& args, ThreadPool& pool) {
  const bool floats_alone = args.x.dtype == DType::f32 && args.out.dtype == DType::f32 &&
                            (args.g.data == nullptr || args.g.dtype == DType::f32);
  for_rows(pool, args.rows, args.cols, [&](std::int64_t begin, std::int64_t end) {
    if (floats_alone) return run_block(args, begin, end - begin, nullptr);
    const std::int64_t height = std::max<std::int64_t>(1, kBlockFloats / args.cols);
    float* scratch = worker_scratch(3 * std::min(height, end - begin) * args.cols);
    for (std::int64_t t = begin; t < end; t += height)
      run_block(args, t, std::min(height, end - t), scratch);
  });
}

}  // namespace bitnet::cpu
