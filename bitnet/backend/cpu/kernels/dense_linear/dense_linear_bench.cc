// SPDX-License-Identifier: MIT OR Apache-2.0
// The output head of a 2B model, 128256 x 2560. One token: bytes of weights a second, and their
// share of what reading alone reaches (of_read). Many tokens: share of the float peak (of_peak).
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear.h"
#include "bitnet/backend/cpu/measured_limits.h"
#include "bitnet/backend/cpu/worker_scratch.h"
#include "bitnet/tensor/dtype.h"

namespace bitnet::cpu {
namespace {

constexpr std::int64_t kCols = 2560;

// Bytes of 1/64: small bf16, f16 and int8 numbers in any format.
std::vector<std::uint8_t>& weights(std::int64_t bytes) {
  static std::vector<std::uint8_t> w;
  if (static_cast<std::int64_t>(w.size()) < bytes) w.assign(static_cast<std::size_t>(bytes), 0x21);
  return w;
}

void head(benchmark::State& state, const Kernel<DenseLinearFn>& kernel, DType type,
          std::int64_t rows, std::int64_t tokens, int threads) {
  const auto stride = static_cast<std::int64_t>(row_bytes(type, kCols).value());
  const std::int64_t bytes = rows * stride;
  const std::uint8_t* w = weights(bytes).data();
  ThreadPool pool(threads);
  const std::vector<float> x(static_cast<std::size_t>(tokens * kCols), 0.5f);
  std::vector<float> out(static_cast<std::size_t>(tokens * rows));
  const double read = tokens == 1 ? read_bandwidth(pool, w, bytes / 4096 * 4096) : 0;
  const double peak = peak_flops(kernel.name) * threads;
  const auto work = [&] {
    pool.for_slices(rows, 16, [&](std::int64_t begin, std::int64_t end) {
      kernel.run({w + begin * stride, stride, static_cast<std::uint8_t>(type), x.data(), kCols,
                  out.data() + begin, rows, end - begin, kCols, tokens,
                  worker_scratch(dense_linear_scratch_floats(kCols))});
    });
  };
  double best = 1e9;
  for (auto _ : state) best = std::min(best, best_seconds(1, work));
  const double flops = 2.0 * static_cast<double>(rows * kCols * tokens);
  state.counters["best_ms"] = best * 1e3;
  if (tokens == 1) {
    state.counters["GB/s"] = static_cast<double>(bytes) / best * 1e-9;
    state.counters["of_read"] = static_cast<double>(bytes) / best / read;
  }
  state.counters["GFLOP/s"] = flops / best * 1e-9;
  if (peak > 0) state.counters["of_peak"] = flops / best / peak;
}

[[maybe_unused]] const bool registered = [] {
  for (const auto& kernel : dense_linear_kernels()) {
    if (kernel.needs == isa::kNone || !isa::has(isa::detect(), kernel.needs)) continue;
    for (const DType type :
         {DType::bf16, DType::f16, DType::f32, DType::q8_0, DType::q4_0, DType::q6_k})
      for (const std::int64_t tokens : {1, 512})
        for (const int threads : {1, 2}) {
          const std::int64_t rows = tokens == 1 ? 128256 : 3072;
          benchmark::RegisterBenchmark(
              ("head/" + std::string(kernel.name) + "/" + std::string(info(type).name) +
               "/tokens:" + std::to_string(tokens) + "/threads:" + std::to_string(threads))
                  .c_str(),
              [=](benchmark::State& s) { head(s, kernel, type, rows, tokens, threads); })
              ->Unit(benchmark::kMillisecond)
              ->UseRealTime();
        }
  }
  return true;
}();

}  // namespace
}  // namespace bitnet::cpu
