// SPDX-License-Identifier: MIT OR Apache-2.0
// Attention of a 2B model: 20 heads of 128, 5 kv heads; type: 0 f32, 1 bf16, 2 int8. Prefill: share
// of the float peak (of_peak). Decode: keys and values of many layers, more than the caches hold,
// and the share of what reading alone reaches (of_read).
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/attention/attention.h"
#include "bitnet/backend/cpu/measured_limits.h"

namespace bitnet::cpu {
namespace {

constexpr std::int64_t kHeads = 20, kKvHeads = 5, kDim = 128;

std::size_t usize(std::int64_t n) { return static_cast<std::size_t>(n); }

// Zeros, of int8 with scales of 0: what is computed costs the same.
std::vector<std::byte> half_cache(KvType type, std::int64_t positions) {
  return std::vector<std::byte>(usize(kKvHeads * kv_head_bytes(type, positions, kDim)));
}

void prefill(benchmark::State& state, const Kernel<AttentionFn>& kernel) {
  const std::int64_t tokens = state.range(0), stride = kHeads * kDim;
  const auto type = static_cast<KvType>(state.range(1));
  const std::vector<float> q(usize(tokens * stride), 0.1f);
  const std::vector<std::byte> cache = half_cache(type, tokens);
  std::vector<float> out(q.size());
  AttentionArgs args{q.data(), stride, cache.data(), cache.data(), out.data(), stride,  tokens, 0,
                     tokens,   kHeads, kKvHeads,     kDim,         0.088f,     nullptr, type};
  std::vector<float> scratch(usize(attention_scratch_floats(args)));
  args.scratch = scratch.data();
  const double peak = peak_flops(kernel.name);
  double best = 1e9;
  for (auto _ : state) best = std::min(best, best_seconds(1, [&] { kernel.run(args); }));
  const double flops = 4.0 * static_cast<double>(kHeads * kDim * (tokens * (tokens + 1) / 2));
  state.counters["best_ms"] = best * 1e3;
  state.counters["GFLOP/s"] = flops / best * 1e-9;
  if (peak > 0) state.counters["of_peak"] = flops / best / peak;
}

// Through the op, chosen by BITNET_ISA.
void decode(benchmark::State& state) {
  const std::int64_t context = state.range(0), layers = state.range(1);
  const auto type = static_cast<KvType>(state.range(2));
  ThreadPool pool(static_cast<int>(state.range(3)));
  const std::vector<float> q(usize(kHeads * kDim), 0.1f);
  const std::vector<std::vector<std::byte>> halves(usize(2 * layers), half_cache(type, context));
  std::vector<float> out(q.size());
  const auto bytes = 2 * layers * static_cast<std::int64_t>(halves[0].size());
  const std::vector<std::byte> other(usize(bytes));
  const double read = read_bandwidth(pool, other.data(), bytes);
  double best = 1e9;
  for (auto _ : state)
    best = std::min(best, best_seconds(1, [&] {
                      for (std::size_t l = 0; l < halves.size(); l += 2)
                        attention({q.data(), kHeads * kDim, halves[l].data(), halves[l + 1].data(),
                                   out.data(), kHeads * kDim, context, context - 1, 1, kHeads,
                                   kKvHeads, kDim, 0.088f, nullptr, type},
                                  pool);
                    }));
  state.counters["us_per_layer"] = best * 1e6 / static_cast<double>(layers);
  state.counters["GB/s"] = static_cast<double>(bytes) / best * 1e-9;
  state.counters["of_read"] = static_cast<double>(bytes) / best / read;
}

[[maybe_unused]] const bool registered = [] {
  for (const auto& kernel : attention_kernels()) {
    if (kernel.needs == isa::kNone || !isa::has(isa::detect(), kernel.needs)) continue;
    benchmark::RegisterBenchmark(("prefill/" + std::string(kernel.name)).c_str(),
                                 [=](benchmark::State& s) { prefill(s, kernel); })
        ->ArgNames({"tokens", "type"})
        ->ArgsProduct({{512, 2048}, {0, 1, 2}})
        ->Unit(benchmark::kMillisecond);
  }
  benchmark::RegisterBenchmark("decode", decode)
      ->ArgNames({"context", "layers", "type", "threads"})
      ->ArgsProduct({{256, 2048, 4096}, {30}, {0, 1, 2}, {1, 2}})
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
  return true;
}();

}  // namespace
}  // namespace bitnet::cpu
