// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/measured_limits.h"

#include <gtest/gtest.h>

#include <vector>

#include "bitnet/backend/cpu/cpu_limits.h"
#include "bitnet/base/isa.h"

namespace bitnet::cpu {
namespace {

TEST(MeasuredLimits, EveryRateWhoseLoopIsKnown) {
  ThreadPool pool(2);
  const profile::Roof roof = measure_roof(pool);
  EXPECT_GT(roof.read_bytes_per_second, 1e7);
  EXPECT_EQ(roof.float_ops_per_second > 0, fma_peak(roof.float_kernel) > 0) << roof.float_kernel;
  EXPECT_EQ(roof.int8_ops_per_second > 0, dot_peak(roof.int8_kernel) > 0) << roof.int8_kernel;
  if (roof.float_kernel == "avx512" || roof.float_kernel == "avx2" || roof.float_kernel == "neon") {
    EXPECT_GT(roof.float_ops_per_second, 1e7);
  }
}

TEST(MeasuredLimits, KernelsWithoutALoopAreNotKnown) {
  EXPECT_EQ(fma_peak("reference"), 0);
  EXPECT_EQ(dot_peak("reference"), 0);
  EXPECT_EQ(peak_flops("reference"), 0.0);
}

TEST(MeasuredLimits, BestOfSeveralCalls) {
  int calls = 0;
  EXPECT_GE(best_seconds(7, [&] { ++calls; }), 0.0);
  EXPECT_EQ(calls, 7);
}

// The sum is of all words: a read that is cut short would be too fast.
TEST(MeasuredLimits, ReadingDependsOnEveryWord) {
  std::vector<std::uint64_t> words(512 * 9);
  auto* bytes = reinterpret_cast<const std::uint8_t*>(words.data());
  const auto size = static_cast<std::int64_t>(words.size() * 8);
  ASSERT_EQ(read_once(bytes, size), 0u);
  int seen = 0;
  for (std::size_t i = 0; i < words.size(); i += 8) {  // the first of each line, as lanes are kept
    words[i] = 1;
    seen += read_once(bytes, size) != 0;
    words[i] = 0;
  }
  EXPECT_EQ(seen, static_cast<int>(words.size() / 8));
}

}  // namespace
}  // namespace bitnet::cpu
