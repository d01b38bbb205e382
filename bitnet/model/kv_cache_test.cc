// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/kv_cache.h"

#include <gtest/gtest.h>

#include <cstring>

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

// Some bits for each place; -1 is that of a scale.
std::uint32_t bits_of(std::int64_t layer, bool value, std::int64_t head, std::int64_t position,
                      std::int64_t k) {
  const std::int64_t place = (((layer * 2 + value) * 4 + head) * 4096 + position) * 129 + k + 1;
  return static_cast<std::uint32_t>(place) * 2654435761u >> 3;
}

// visit(address, bytes, bits) for numbers and scales of `positions`, as KvWriteArgs says where they
// lie.
template <class Visit>
void for_elements(KvCache& cache, std::int64_t first, std::int64_t end, const Visit& visit) {
  const KvType type = cache.type();
  const std::int64_t width = type == KvType::f32 ? 4 : type == KvType::bf16 ? 2 : 1;
  for (std::int64_t layer = 0; layer < 20; ++layer) {
    const KvLayerView v = cache.layer(layer);
    EXPECT_EQ(v.type, type);
    for (std::int64_t h = 0; h < 4; ++h) {
      auto* keys = static_cast<std::byte*>(v.keys) + h * kv_head_bytes(type, v.capacity, 128);
      auto* values = static_cast<std::byte*>(v.values) + h * kv_head_bytes(type, v.capacity, 128);
      for (std::int64_t p = first; p < end; ++p) {
        for (const std::int64_t k : {0, 77, 127}) {
          visit(keys + (p / 16 * 16 * 128 + k * 16 + p % 16) * width, width,
                bits_of(layer, false, h, p, k));
          visit(values + (p * 128 + k) * width, width, bits_of(layer, true, h, p, k));
        }
        if (type != KvType::int8) continue;
        visit(keys + v.capacity * 128 + p * 4, 4, bits_of(layer, false, h, p, -1));
        visit(values + v.capacity * 128 + p * 4, 4, bits_of(layer, true, h, p, -1));
      }
    }
  }
}

void fill(KvCache& cache, std::int64_t first, std::int64_t end) {
  cache.reserve(end);
  for_elements(cache, first, end, [](std::byte* at, std::int64_t width, std::uint32_t bits) {
    std::memcpy(at, &bits, static_cast<std::size_t>(width));
  });
  cache.resize(end);
}

std::int64_t wrong(KvCache& cache, std::int64_t end) {
  std::int64_t count = 0;
  for_elements(cache, 0, end, [&](std::byte* at, std::int64_t width, std::uint32_t bits) {
    count += std::memcmp(at, &bits, static_cast<std::size_t>(width)) != 0;
  });
  return count;
}

constexpr KvType kTypes[] = {KvType::f32, KvType::bf16, KvType::int8};

TEST(KvCache, GrowsWithAllItHolds) {
  for (const KvType type : kTypes) {
    HybridMemoryPool pool;
    KvCache cache(config(), 1000, type, pool);
    std::int64_t held = 0;
    for (const std::int64_t end : {1, 17, 250, 257, 300, 700, 1000}) {
      fill(cache, held, end);
      held = end;
      ASSERT_EQ(wrong(cache, held), 0) << held;
      EXPECT_LE(
          pool.metrics().live_bytes,
          KvCache::byte_size(config(), std::max<std::int64_t>(256, held + held / 4 + 16), type));
    }
    KvCache copy = cache.clone();
    fill(cache, 3, 9);
    cache.resize(5);
    EXPECT_EQ(copy.type(), type);
    EXPECT_EQ(wrong(copy, 1000), 0);
    EXPECT_EQ(copy.size(), 1000);
    EXPECT_EQ(code_of([&] { cache.reserve(1001); }), Errc::invalid_argument);
  }
}

// docs/INFERENCE.md: 30 layers of 5 heads of 128.
TEST(KvCache, BytesOfAFullCacheOf2b4tsShape) {
  ModelConfig c;
  c.num_layers = 30;
  c.num_kv_heads = 5;
  c.head_dim = 128;
  EXPECT_EQ(KvCache::byte_size(c, 512), 78'643'200u);
  EXPECT_EQ(KvCache::byte_size(c, 512, KvType::bf16), 39'321'600u);
  EXPECT_EQ(KvCache::byte_size(c, 512, KvType::int8), 20'275'200u);
  EXPECT_EQ(KvCache::byte_size(c, 4096, KvType::int8), 162'201'600u);
}

TEST(KvCache, TypesHaveNames) {
  for (const KvType type : kTypes) EXPECT_EQ(kv_type_from_name(to_string(type)), type);
  for (const char* name : {"", "F32", "f16", "int8 ", "i8"})
    EXPECT_EQ(kv_type_from_name(name), std::nullopt) << name;
}

TEST(KvCache, KeepsWhatItHoldsWhereItCannotGrow) {
  // Room for all at first and one group grown, not for a second.
  MemoryPoolConfig limits;
  limits.max_bytes = 20u * (1u << 20) + 21u * (1u << 20);
  HybridMemoryPool pool(limits);
  KvCache cache(config(), 4096, KvType::f32, pool);
  fill(cache, 0, 250);
  EXPECT_EQ(code_of([&] { cache.reserve(600); }), Errc::out_of_memory);
  EXPECT_EQ(cache.size(), 250);
  EXPECT_EQ(wrong(cache, 250), 0);
  fill(cache, 250, 256);
  EXPECT_EQ(wrong(cache, 256), 0);
}

}  // namespace
}  // namespace bitnet
