// SPDX-License-Identifier: MIT OR Apache-2.0
// Weights a second of each conversion to block128, one thread, a 2560 x 6912 matrix (BitNet b1.58
// 2B4T's largest).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <vector>

#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/formats.h"

namespace bitnet {
namespace {

constexpr std::int64_t kRows = 2560, kColumns = 6912;

void convert(benchmark::State& state, PackedFormat format) {
  const auto bytes = static_cast<std::size_t>(kRows * block128::row_bytes(kColumns));
  std::vector<std::uint8_t> truth(bytes, 0x55), out(bytes, 0);
  for (std::size_t i = 0; i < bytes; ++i) truth[i] = i % 3 == 0 ? 0x18 : 0x46;
  std::vector<float> scales(static_cast<std::size_t>(kRows * kColumns / 256), 1.0f);
  std::vector<std::uint8_t> packed(*packed_bytes(format, kRows, kColumns));
  from_block128(format, truth.data(), kRows, kColumns, scales.data(), packed.data());
  const PackedMatrix matrix{format, packed.data(), kRows, kColumns};
  for (auto _ : state) {
    auto fault = to_block128(matrix, 0, num_units(matrix), out.data(), scales.data());
    benchmark::DoNotOptimize(fault);
  }
  state.SetItemsProcessed(state.iterations() * kRows * kColumns);
}

BENCHMARK_CAPTURE(convert, i2_s_x86, PackedFormat::i2_s_x86);
BENCHMARK_CAPTURE(convert, i2_s_arm, PackedFormat::i2_s_arm);
BENCHMARK_CAPTURE(convert, i2_s_act_parallel, PackedFormat::i2_s_act_parallel);
BENCHMARK_CAPTURE(convert, hf_packed, PackedFormat::hf_packed);
BENCHMARK_CAPTURE(convert, tq1_0, PackedFormat::tq1_0);
BENCHMARK_CAPTURE(convert, tq2_0, PackedFormat::tq2_0);

}  // namespace
}  // namespace bitnet
