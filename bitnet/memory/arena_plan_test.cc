// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/arena_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

void expect_valid(std::span<const PlannedTensor> tensors, const ArenaPlan& plan) {
  ASSERT_EQ(plan.offsets.size(), tensors.size());
  ASSERT_GE(plan.bytes, plan.lower_bound);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const PlannedTensor& a = tensors[i];
    ASSERT_EQ(plan.offsets[i] % a.alignment, 0u);
    ASSERT_LE(plan.offsets[i] + a.bytes, plan.bytes);
    for (std::size_t k = 0; k < i; ++k) {
      const PlannedTensor& b = tensors[k];
      const bool meet = a.first <= b.last && b.first <= a.last;
      const bool overlap = plan.offsets[i] < plan.offsets[k] + b.bytes &&
                           plan.offsets[k] < plan.offsets[i] + a.bytes;
      ASSERT_FALSE(meet && overlap && a.bytes && b.bytes) << i << " and " << k;
    }
  }
}

std::vector<PlannedTensor> random_tensors(std::minstd_rand& random, std::size_t count,
                                          std::uint32_t steps, std::uint64_t most) {
  std::vector<PlannedTensor> tensors(count);
  for (PlannedTensor& t : tensors) {
    t.bytes = random() % most;
    t.first = static_cast<std::uint32_t>(random() % steps);
    t.last = std::min<std::uint32_t>(steps - 1, t.first + static_cast<std::uint32_t>(random() % 6));
    t.alignment = 1u << (random() % 8);
  }
  return tensors;
}

// The least arena over all orders of placing, each at the lowest offset that is free.
std::uint64_t best_of_all_orders(std::span<const PlannedTensor> tensors) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::uint64_t best = UINT64_MAX;
  do {
    std::vector<std::uint64_t> offset(tensors.size());
    std::uint64_t bytes = 0;
    for (std::size_t n = 0; n < order.size(); ++n) {
      const PlannedTensor& t = tensors[order[n]];
      for (bool moved = true; moved;) {
        moved = false;
        for (std::size_t k = 0; k < n; ++k) {
          const PlannedTensor& o = tensors[order[k]];
          if (o.last < t.first || o.first > t.last) continue;
          if (offset[order[n]] < offset[order[k]] + o.bytes &&
              offset[order[k]] < offset[order[n]] + t.bytes) {
            offset[order[n]] = offset[order[k]] + o.bytes;
            moved = true;
          }
        }
      }
      bytes = std::max(bytes, offset[order[n]] + t.bytes);
    }
    best = std::min(best, bytes);
  } while (std::next_permutation(order.begin(), order.end()));
  return best;
}

TEST(ArenaPlan, NoTwoTensorsOverlapWhileBothLive) {
  std::minstd_rand random(1);
  double worst = 1.0;
  for (int round = 0; round < 300; ++round) {
    const auto tensors = random_tensors(random, 1 + random() % 120, 40, 100'000);
    const ArenaPlan plan = plan_arena(tensors);
    expect_valid(tensors, plan);
    worst = std::max(worst, static_cast<double>(plan.bytes) /
                                static_cast<double>(std::max<std::uint64_t>(1, plan.lower_bound)));
  }
  EXPECT_LT(worst, 1.5) << "observed: 1.2";
}

TEST(ArenaPlan, IsNearTheBestOfAllOrdersWhereThoseCanBeTried) {
  std::minstd_rand random(2);
  for (int round = 0; round < 60; ++round) {
    auto tensors = random_tensors(random, 6, 8, 1000);
    for (PlannedTensor& t : tensors) t.alignment = 1;
    const ArenaPlan plan = plan_arena(tensors);
    const std::uint64_t best = best_of_all_orders(tensors);
    EXPECT_GE(best, plan.lower_bound);
    EXPECT_LE(plan.bytes, best + best / 4) << round;
  }
}

// The tensors of a decoder's layers as they come and go: residual, norm, q k v, scores, ffn.
std::vector<PlannedTensor> decoder_step(std::uint64_t tokens) {
  constexpr std::uint64_t kWidth = 2560 * 4, kFfn = 6912 * 4;
  std::vector<PlannedTensor> tensors;
  std::uint32_t step = 0;
  const auto add = [&](std::uint64_t bytes, std::uint32_t life) {
    tensors.push_back({bytes, step, step + life, 64});
    ++step;
  };
  for (int layer = 0; layer < 30; ++layer) {
    add(tokens * kWidth, 8);  // residual, used until the layer's end
    add(tokens * kWidth, 1);
    add(tokens * kWidth * 3 / 2, 1);
    add(tokens * tokens * 20 * 4, 1);
    add(tokens * kWidth, 1);
    add(tokens * kWidth, 1);
    add(tokens * kFfn * 2, 1);
    add(tokens * kFfn, 1);
    add(tokens * kWidth, 1);
  }
  return tensors;
}

TEST(ArenaPlan, ADecodersStepNeedsNoMoreThanWhatLivesAtOnce) {
  for (const std::uint64_t tokens : {1u, 16u, 128u, 512u}) {
    const auto tensors = decoder_step(tokens);
    const ArenaPlan plan = plan_arena(tensors);
    expect_valid(tensors, plan);
    EXPECT_EQ(plan.bytes, plan.lower_bound) << tokens;
  }
}

TEST(ArenaPlan, IsTheSameEachTime) {
  std::minstd_rand random(3);
  const auto tensors = random_tensors(random, 100, 30, 5000);
  EXPECT_EQ(plan_arena(tensors).offsets, plan_arena(tensors).offsets);
}

TEST(ArenaPlan, BadTensorsAreRefusedByNumber) {
  const auto message = [](PlannedTensor bad) -> std::string {
    const PlannedTensor tensors[] = {{64, 0, 0, 64}, bad};
    try {
      plan_arena(tensors);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Errc::invalid_argument);
      return e.what();
    }
    return "";
  };
  EXPECT_NE(message({1, 3, 2, 64}).find("tensor 1 ends"), std::string::npos);
  EXPECT_NE(message({1, 0, 0, 48}).find("tensor 1 has an alignment"), std::string::npos);
  EXPECT_NE(message({UINT64_MAX, 0, 0, 64}).find("tensor 1 makes"), std::string::npos);
  EXPECT_EQ(plan_arena({}).bytes, 0u);
}

TEST(PlannedArena, TensorsHoldTheirBytesWhileTheyLive) {
  HybridMemoryPool pool;
  const auto tensors = decoder_step(3);
  const PlannedArena arena(plan_arena(tensors), pool);
  EXPECT_EQ(pool.metrics().live_bytes, arena.size_bytes());
  for (std::uint32_t step = 0; step < 280; ++step)
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const PlannedTensor& t = tensors[i];
      if (t.first == step) std::memset(arena.data(i), static_cast<int>(i % 251), t.bytes);
      for (std::size_t k = 0; k < t.bytes && t.last == step; k += 61)
        ASSERT_EQ(arena.data(i)[k], static_cast<std::byte>(i % 251)) << i;
    }
}

}  // namespace
}  // namespace bitnet
