// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/kv_cache.h"

#include <gtest/gtest.h>

#include "bitnet/base/error_testing.h"

namespace bitnet {
namespace {

// 1 MB a layer at first: three groups of 8, 8 and 4 layers.
ModelConfig config() {
  ModelConfig c;
  c.num_layers = 20;
  c.num_kv_heads = 4;
  c.head_dim = 128;
  c.max_positions = 4096;
  return c;
}

// A number for each place, exact in f32.
float number(std::int64_t layer, bool value, std::int64_t head, std::int64_t position,
             std::int64_t k) {
  return static_cast<float>((((layer * 2 + value) * 4 + head) * 4096 + position) * 128 + k);
}

// visit(element, number) for every element of `positions`, as KvLayerView says where it lies.
template <class Visit>
void for_elements(KvCache& cache, std::int64_t first, std::int64_t end, const Visit& visit) {
  for (std::int64_t layer = 0; layer < 20; ++layer) {
    const KvLayerView v = cache.layer(layer);
    for (std::int64_t h = 0; h < 4; ++h)
      for (std::int64_t p = first; p < end; ++p)
        for (const std::int64_t k : {0, 77, 127}) {
          visit(v.keys[h * v.capacity * 128 + p / 16 * 16 * 128 + k * 16 + p % 16],
                number(layer, false, h, p, k));
          visit(v.values[(h * v.capacity + p) * 128 + k], number(layer, true, h, p, k));
        }
  }
}

void fill(KvCache& cache, std::int64_t first, std::int64_t end) {
  cache.reserve(end);
  for_elements(cache, first, end, [](float& at, float n) { at = n; });
  cache.resize(end);
}

std::int64_t wrong(KvCache& cache, std::int64_t end) {
  std::int64_t count = 0;
  for_elements(cache, 0, end, [&](float at, float n) { count += at != n; });
  return count;
}

TEST(KvCache, GrowsWithAllItHolds) {
  HybridMemoryPool pool;
  KvCache cache(config(), 1000, pool);
  std::int64_t held = 0;
  for (const std::int64_t end : {1, 17, 250, 257, 300, 700, 1000}) {
    fill(cache, held, end);
    held = end;
    ASSERT_EQ(wrong(cache, held), 0) << held;
    EXPECT_LE(pool.metrics().live_bytes,
              KvCache::byte_size(config(), std::max<std::int64_t>(256, held + held / 4 + 16)));
  }
  KvCache copy = cache.clone();
  fill(cache, 3, 9);
  cache.resize(5);
  EXPECT_EQ(wrong(copy, 1000), 0);
  EXPECT_EQ(copy.size(), 1000);
  EXPECT_EQ(code_of([&] { cache.reserve(1001); }), Errc::invalid_argument);
}

TEST(KvCache, KeepsWhatItHoldsWhereItCannotGrow) {
  // Room for all at first and one group grown, not for a second.
  MemoryPoolConfig limits;
  limits.max_bytes = 20u * (1u << 20) + 21u * (1u << 20);
  HybridMemoryPool pool(limits);
  KvCache cache(config(), 4096, pool);
  fill(cache, 0, 250);
  EXPECT_EQ(code_of([&] { cache.reserve(600); }), Errc::out_of_memory);
  EXPECT_EQ(cache.size(), 250);
  EXPECT_EQ(wrong(cache, 250), 0);
  fill(cache, 250, 256);
  EXPECT_EQ(wrong(cache, 256), 0);
}

}  // namespace
}  // namespace bitnet
