// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/attention.h"

#include "bitnet/ops/work.h"

namespace bitnet {
namespace {

void check_cache(const char* op, const KvLayerView& cache, std::int64_t first,
                 std::int64_t tokens) {
  if (cache.capacity % 16 != 0 || first < 0 || first + tokens > cache.capacity)
    fail(Errc::invalid_argument, std::string(op) + ": positions " + std::to_string(first) + " to " +
                                     std::to_string(first + tokens) + " do not fit in a cache of " +
                                     std::to_string(cache.capacity));
}

}  // namespace

void rope(const OpContext& context, MatrixView<float> x, std::int64_t dim,
          MatrixView<const float> cos, MatrixView<const float> sin) {
  const auto run = supported(context, context.table->rope, "rope");
  require(dim > 0 && dim % 2 == 0 && x.cols % dim == 0, "rope: head size must be even and fit");
  check_dim("rope", "columns of cos", cos.stride, dim / 2);
  check_dim("rope", "columns of sin", sin.stride, dim / 2);
  check_dim("rope", "rows of cos", cos.rows, x.rows);
  check_dim("rope", "rows of sin", sin.rows, x.rows);
  run_in_span("rope", run, {x.data, x.stride, cos.data, sin.data, x.rows, x.cols / dim, dim},
              *context.threads);
}

void kv_write(const OpContext& context, MatrixView<const float> k, MatrixView<const float> v,
              const KvLayerView& cache, std::int64_t first_position) {
  const auto run = supported(context, context.table->kv_write, "kv_write");
  check_cache("kv_write", cache, first_position, k.rows);
  check_dim("kv_write", "columns of k", k.cols, cache.kv_heads * cache.dim);
  check_dim("kv_write", "columns of v", v.cols, cache.kv_heads * cache.dim);
  check_dim("kv_write", "rows of v", v.rows, k.rows);
  run_in_span("kv_write", run,
              {k.data, k.stride, v.data, v.stride, cache.keys, cache.values, cache.capacity,
               first_position, k.rows, cache.kv_heads, cache.dim, cache.type},
              *context.threads);
}

void attention(const OpContext& context, MatrixView<const float> q, const KvLayerView& cache,
               std::int64_t first_position, float scale, MatrixView<float> out) {
  const auto run = supported(context, context.table->attention, "attention");
  check_cache("attention", cache, first_position, q.rows);
  require(cache.dim > 0 && q.cols % cache.dim == 0, "attention: columns of q are not whole heads");
  const std::int64_t heads = q.cols / cache.dim;
  require(cache.kv_heads > 0 && heads % cache.kv_heads == 0,
          "attention: heads are not a multiple of kv heads");
  check_dim("attention", "columns of out", out.cols, q.cols);
  check_dim("attention", "rows of out", out.rows, q.rows);
  run_in_span(
      "attention", run,
      {q.data, q.stride, cache.keys, cache.values, out.data, out.stride, cache.capacity,
       first_position, q.rows, heads, cache.kv_heads, cache.dim, scale, nullptr, cache.type},
      *context.threads);
}

}  // namespace bitnet
