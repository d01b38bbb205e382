// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary linear layers of BitNet b1.58 2B4T, and the machine's limits measured in the same run.
// GB/s counts packed weights; GOPS counts a product and an addition as two.
// One thread is timed by its CPU time, several by the clock.
// Shared machines: --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
#include <benchmark/benchmark.h>

#include <memory>
#include <string>
#include <vector>

#include "bitnet/backend/cpu/cpu_limits.h"
#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/backend/cpu/ternary_linear_op.h"
#include "bitnet/backend/cpu/ternary_lookup_op.h"
#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet::cpu {
namespace {

constexpr std::int64_t kColdBytes = 512 << 20;  // many times the last cache

struct Free {
  void operator()(void* p) const noexcept { std::free(p); }
};
template <class T>
using Array = std::unique_ptr<T[], Free>;

// 64-byte aligned, every page written; plain 4 KB pages, as weights in a mapped file have.
template <class T>
Array<T> array_of(std::int64_t count) {
  const std::size_t bytes = (static_cast<std::size_t>(count) * sizeof(T) + 63) / 64 * 64;
  auto* p = static_cast<T*>(std::aligned_alloc(64, bytes));
  std::uint64_t seed = 1;
  for (std::size_t i = 0; i < bytes; ++i) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    reinterpret_cast<std::uint8_t*>(p)[i] = static_cast<std::uint8_t>((seed >> 33) & 0xAA);
  }
  return Array<T>(p);
}

// Aligned to 32 bytes and no more, as tensors in a GGUF file are.
const std::uint8_t* cold_weights() {
  static const Array<std::uint8_t> weights = array_of<std::uint8_t>(kColdBytes + 32);
  return weights.get() + 32;
}

struct Layer {
  std::int64_t rows, cols, tokens;
  Array<std::int8_t> q = array_of<std::int8_t>(tokens * (cols + 255) / 256 * 256);
  std::vector<std::int32_t> sum = std::vector<std::int32_t>(static_cast<std::size_t>(tokens));
  std::vector<float> scale = std::vector<float>(static_cast<std::size_t>(tokens), 0.5f);
  Array<float> out = array_of<float>(rows * tokens);

  std::int64_t bytes() const { return rows * cols / 4; }
  TernaryLinearArgs args() {
    return {cold_weights(), cols / 4, q.get(), (cols + 255) / 256 * 256, sum.data(), scale.data(),
            out.get(),      rows,     rows,    (cols + 127) / 128,       tokens};
  }
};

void report(benchmark::State& state, const Layer& layer) {
  const double runs = static_cast<double>(state.iterations());
  state.counters["GB/s"] = benchmark::Counter(runs * static_cast<double>(layer.bytes()) / 1e9,
                                              benchmark::Counter::kIsRate);
  state.counters["GOPS"] = benchmark::Counter(
      runs * static_cast<double>(layer.rows * layer.cols * layer.tokens) * 2 / 1e9,
      benchmark::Counter::kIsRate);
}

// Every call reads other weights when `cold`, the same ones otherwise.
template <class Run>
void measure(benchmark::State& state, Layer layer, bool cold, Run&& run) {
  TernaryLinearArgs args = layer.args();
  std::int64_t offset = 0;
  for (auto _ : state) {
    args.weights = cold_weights() + offset;
    run(args);
    if (cold) offset += layer.bytes();
    if (offset + layer.bytes() > kColdBytes) offset = 0;
  }
  report(state, layer);
}

struct Shape {
  std::int64_t rows, cols;
};
constexpr Shape kShapes[] = {{2560, 2560}, {6912, 2560}, {2560, 6912}};

void add_layers(const Kernel<TernaryLinearFn>& kernel) {
  const auto add = [&](std::int64_t rows, std::int64_t cols, std::int64_t tokens, bool cold) {
    const std::string name = "kernel/" + std::string(kernel.name) + (cold ? "/dram/" : "/cached/") +
                             std::to_string(rows) + "x" + std::to_string(cols) + "x" +
                             std::to_string(tokens);
    benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
      measure(state, Layer{rows, cols, tokens}, cold, kernel.run);
    });
  };
  add(512, 2560, 1, false);  // 320 KB: L2
  for (const Shape& s : kShapes) {
    add(s.rows, s.cols, 1, true);
    for (const std::int64_t tokens : {2, 4, 8, 16}) add(s.rows, s.cols, tokens, true);
    for (const std::int64_t tokens : {128, 512}) add(s.rows, s.cols, tokens, false);
  }
  benchmark::RegisterBenchmark(
      ("limit/dot/" + std::string(kernel.name)).c_str(), [=](benchmark::State& state) {
        std::int64_t ops = 0;
        for (auto _ : state) ops += dot_peak(kernel.name);
        state.counters["GOPS"] =
            benchmark::Counter(static_cast<double>(ops) / 1e9, benchmark::Counter::kIsRate);
      });
}

// The same layers at 1.6 bits a weight, by the kernels that the machine chooses; weights in the
// caches. GB/s counts them as if they took 2 bits.
void add_lookup(int threads, const Shape& s, std::int64_t tokens) {
  const std::string name = "lookup/" + std::to_string(s.rows) + "x" + std::to_string(s.cols) + "x" +
                           std::to_string(tokens) + "/threads:" + std::to_string(threads);
  auto* bench = benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    ThreadPool pool(threads);
    Layer layer{s.rows, s.cols, tokens};
    const auto tiles = array_of<std::uint8_t>(lookup_tiles::bytes(s.rows, s.cols));
    const Array<std::uint8_t> codes = array_of<std::uint8_t>(layer.bytes());
    pack_lookup({codes.get(), s.cols / 4, tiles.get(), s.rows, s.cols}, pool);
    TernaryLookupArgs args{};
    args.parts[0] = {tiles.get(), layer.scale.data(), layer.out.get(), s.rows, s.rows};
    args.num_parts = 1, args.activations = layer.q.get(), args.tokens = tokens, args.cols = s.cols;
    args.activation_stride = layer.args().activation_stride;
    for (auto _ : state) ternary_lookup(args, pool);
    report(state, layer);
  });
  if (threads > 1) bench->UseRealTime();
}

void add_threads(int threads) {
  for (const Shape& s : kShapes)
    for (const std::int64_t tokens : {1, 8, 128, 512}) add_lookup(threads, s, tokens);
  const std::string suffix = "/threads:" + std::to_string(threads);
  auto* read =
      benchmark::RegisterBenchmark(("limit/read" + suffix).c_str(), [=](benchmark::State& state) {
        ThreadPool pool(threads);
        for (auto _ : state)
          pool.for_slices(kColdBytes, 4096, [](std::int64_t begin, std::int64_t end) {
            benchmark::DoNotOptimize(read_once(cold_weights() + begin, end - begin));
          });
        state.counters["GB/s"] = benchmark::Counter(
            static_cast<double>(state.iterations()) * static_cast<double>(kColdBytes) / 1e9,
            benchmark::Counter::kIsRate);
      });
  if (threads > 1) read->UseRealTime();
  for (const Shape& s : kShapes)
    for (const std::int64_t tokens : {1, 8, 128, 512}) {
      const std::string name = "op/" + std::to_string(s.rows) + "x" + std::to_string(s.cols) + "x" +
                               std::to_string(tokens) + suffix;
      auto* op = benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        ThreadPool pool(threads);
        measure(state, Layer{s.rows, s.cols, tokens}, tokens <= 16,
                [&](const TernaryLinearArgs& args) { ternary_linear(args, pool); });
      });
      if (threads > 1) op->UseRealTime();
    }
}

}  // namespace
}  // namespace bitnet::cpu

int main(int argc, char** argv) {
  for (const auto& kernel : bitnet::cpu::ternary_linear_kernels())
    if (bitnet::isa::has(bitnet::isa::active(), kernel.needs) && kernel.name != "reference")
      bitnet::cpu::add_layers(kernel);
  bitnet::cpu::add_threads(1);
  bitnet::cpu::add_threads(2);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
