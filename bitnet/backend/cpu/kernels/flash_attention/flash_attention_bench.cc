// SPDX-License-Identifier: MIT OR Apache-2.0
// Attention through the op (BITNET_ISA chooses the kernel), 20 heads of 128, against what limits
// it: one token against reading the keys and values of more layers than caches hold, many tokens
// against float multiply-adds on registers alone. A line for each case:
//   flash_attention/<case> threads=<n> seconds=<s> limit_seconds=<s> share=<limit / seconds>
// Each is the median of rounds that measure the op and its limit in turn.
#include <cstdio>
#include <string>
#include <vector>

#include "bitnet/backend/cpu/cpu_limits.h"
#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/flash_attention/flash_attention.h"
#include "bitnet/backend/cpu/measured_limits.h"

namespace bitnet::cpu {
namespace {

constexpr std::int64_t kHeads = 20, kDim = 128;
constexpr int kRounds = 9;

std::size_t usize(std::int64_t n) { return static_cast<std::size_t>(n); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

template <class Op, class Limit>
void measure(const std::string& name, int threads, const Op& op, const Limit& limit) {
  std::vector<double> ours, limits, shares;
  op();
  for (int i = 0; i < kRounds; ++i) {
    limits.push_back(limit());
    ours.push_back(best_seconds(1, op));
    shares.push_back(limits.back() / ours.back());
  }
  std::printf("flash_attention/%s threads=%d seconds=%.3e limit_seconds=%.3e share=%.3f\n",
              name.c_str(), threads, median(ours), median(limits), median(shares));
  std::fflush(stdout);
}

template <class T>
HeadRows<T> rows_at(T* data, std::int64_t heads, std::int64_t rows, std::int64_t columns) {
  return {data, heads * rows * columns, rows * columns, columns};
}

FlashAttentionArgs shape(std::int64_t kv_heads, std::int64_t queries, std::int64_t keys) {
  FlashAttentionArgs a{};
  a.batch = 1, a.heads = kHeads, a.kv_heads = kv_heads, a.queries = queries, a.keys = keys;
  a.dim = a.value_dim = kDim, a.causal = true, a.scale = 0.088f;
  return a;
}

void decode(ThreadPool& pool, std::int64_t kv_heads, std::int64_t keys) {
  constexpr std::int64_t kCacheFloats = 64 << 20;  // 256 MB
  const std::int64_t layer = kv_heads * keys * kDim, layers = kCacheFloats / (2 * layer);
  const std::vector<float> q(usize(kHeads * kDim), 0.1f), cache(usize(2 * layers * layer), 0.1f);
  std::vector<float> out(q.size());
  FlashAttentionArgs a = shape(kv_heads, 1, keys);
  a.q = rows_at(q.data(), kHeads, 1, kDim), a.out = rows_at(out.data(), kHeads, 1, kDim);
  const std::int64_t bytes = 2 * layers * layer * 4;
  measure(
      "decode/kv" + std::to_string(kv_heads) + "/keys" + std::to_string(keys), pool.size(),
      [&] {
        for (std::int64_t i = 0; i < layers; ++i) {
          a.k = rows_at(&cache[usize(2 * i * layer)], kv_heads, keys, kDim);
          a.v = rows_at(&cache[usize((2 * i + 1) * layer)], kv_heads, keys, kDim);
          flash_attention(a, pool);
        }
      },
      [&] {
        return best_seconds(1, [&] {
          pool.for_slices(bytes, 4096, [&](std::int64_t begin, std::int64_t end) {
            volatile float sink =
                read_once(reinterpret_cast<const char*>(cache.data()) + begin, end - begin);
            (void)sink;
          });
        });
      });
}

// Seconds of as many multiply-adds on registers, by all workers.
double fma_seconds(ThreadPool& pool, double flops) {
  const std::string_view kernel = choose(flash_forward_kernels(), isa::active()).name;
  double done = 0;
  const double seconds = best_seconds(20, [&] {
    std::vector<std::int64_t> each(usize(pool.size()));
    pool.run([&](int worker, int) {
      for (int i = 0; i < 8; ++i) each[usize(worker)] += fma_peak(kernel);
    });
    done = 0;
    for (const std::int64_t n : each) done += static_cast<double>(n);
  });
  return done > 0 ? flops / (done / seconds) : 0;
}

// Queries and keys of `tokens`. The gradient needs 5 products where the forward pass needs 2.
void prefill(ThreadPool& pool, std::int64_t kv_heads, std::int64_t tokens, bool gradient) {
  const std::vector<float> q(usize(kHeads * tokens * kDim), 0.1f), k(q), v(q), dout(q);
  std::vector<float> out(q.size()), logsumexp(usize(kHeads * tokens)), dq(q), dk(q), dv(q);
  FlashAttentionArgs a = shape(kv_heads, tokens, tokens);
  a.q = rows_at(q.data(), kHeads, tokens, kDim), a.out = rows_at(out.data(), kHeads, tokens, kDim);
  a.k = rows_at(k.data(), kv_heads, tokens, kDim), a.v = rows_at(v.data(), kv_heads, tokens, kDim);
  a.logsumexp = rows_at(logsumexp.data(), kHeads, tokens, 1);
  const FlashAttentionBackwardArgs b{
      a, rows_at(dout.data(), kHeads, tokens, kDim), rows_at(dq.data(), kHeads, tokens, kDim),
      rows_at(dk.data(), kv_heads, tokens, kDim), rows_at(dv.data(), kv_heads, tokens, kDim)};
  flash_attention(a, pool);
  const double product = 2.0 * static_cast<double>(kHeads * kDim * (tokens * (tokens + 1) / 2));
  measure((gradient ? "backward/kv" : "prefill/kv") + std::to_string(kv_heads) + "/tokens" +
              std::to_string(tokens),
          pool.size(),
          [&] { gradient ? flash_attention_backward(b, pool) : flash_attention(a, pool); },
          [&] { return fma_seconds(pool, (gradient ? 5 : 2) * product); });
}

void measure_all() {
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    for (const std::int64_t kv_heads : {5, 20}) decode(pool, kv_heads, 2048);
    for (const std::int64_t tokens : {512, 2048}) prefill(pool, 5, tokens, false);
    prefill(pool, 20, 2048, false);
    prefill(pool, 5, 512, true);
  }
}

}  // namespace
}  // namespace bitnet::cpu

int main() {
  bitnet::cpu::measure_all();
  return 0;
}
