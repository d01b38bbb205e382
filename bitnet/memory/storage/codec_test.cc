// SPDX-License-Identifier: MIT OR Apache-2.0
// Codecs: what goes in comes out, and damage is refused.
#include "bitnet/memory/storage/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "bitnet/base/error.h"
#include "bitnet/memory/storage/inactive_store.h"

namespace bitnet::storage {
namespace {

using Bytes = std::vector<std::byte>;

Bytes trits(std::size_t count) {
  std::mt19937 random(1);
  Bytes made(count);
  for (std::byte& b : made) b = static_cast<std::byte>(random() % 3 + 255);
  return made;
}

Bytes noise(std::size_t count) {
  std::mt19937 random(2);
  Bytes made(count);
  for (std::byte& b : made) b = static_cast<std::byte>(random());
  return made;
}

Bytes floats(std::size_t count) {
  std::mt19937 random(3);
  Bytes made(count * sizeof(float));
  for (std::size_t i = 0; i < count; ++i) {
    const float value = std::ldexp(1.0f + static_cast<float>(random() % 4096) / 4096, 1);
    std::memcpy(made.data() + i * sizeof value, &value, sizeof value);
  }
  return made;
}

Bytes unpacked(const PackedBlock& block) {
  Bytes out(block.bytes, std::byte{0x55});
  unpack_block(block, out);
  return out;
}

TEST(Codec, EachReturnsWhatItTook) {
  for (const BlockCodec& codec : codecs())
    for (const std::size_t size : {1u, 2u, 4u, 5u, 6u, 9u, 10u, 4096u, 100'003u}) {
      const Bytes content = trits(size);
      Bytes packed(codec.bound(size)), out(size);
      const std::size_t bytes = codec.compress(content, packed.data());
      ASSERT_GT(bytes, 0u) << codec.name << ' ' << size;
      ASSERT_LE(bytes, packed.size());
      ASSERT_TRUE(codec.decompress(std::span(packed).first(bytes), out)) << codec.name;
      EXPECT_EQ(out, content) << codec.name << ' ' << size;
      Bytes shorter(size - 1), longer(size + 1);
      const auto payload = std::span(packed).first(bytes);
      EXPECT_FALSE(codec.decompress(payload.first(bytes - 1), out)) << codec.name << ' ' << size;
      if (codec.id == CodecId::ternary) continue;  // does not say how long it is
      EXPECT_FALSE(codec.decompress(payload, shorter)) << codec.name << ' ' << size;
      EXPECT_FALSE(codec.decompress(payload, longer)) << codec.name << ' ' << size;
    }
}

TEST(Codec, TernaryIsFiveToAByteAndNothingElse) {
  const BlockCodec& codec = *find_codec(CodecId::ternary);
  for (int value = 0; value < 256; ++value) {
    Bytes content = trits(7);
    content[6] = static_cast<std::byte>(value);
    Bytes to(codec.bound(7));
    const bool is_trit = value <= 1 || value == 255;
    EXPECT_EQ(codec.compress(content, to.data()), is_trit ? 2u : 0u) << value;
  }
  // Of 256 codes for two values, nine are digits and nothing more.
  int accepted = 0;
  for (int code = 0; code < 256; ++code) {
    Bytes out(2);
    accepted += codec.decompress(Bytes{static_cast<std::byte>(code)}, out) ? 1 : 0;
  }
  EXPECT_EQ(accepted, 9);
}

TEST(Codec, PacksByContent) {
  const auto ternary = pack_block(trits(10'000));
  ASSERT_TRUE(ternary);
  EXPECT_EQ(ternary->codec, CodecId::ternary);
  EXPECT_EQ(ternary->payload.size(), 2'000u);
  EXPECT_FALSE(pack_block(noise(10'000)));
  EXPECT_FALSE(pack_block({}));
  const PackedBlock stored = pack_or_store(noise(10'000));
  EXPECT_EQ(stored.codec, CodecId::stored);
  EXPECT_EQ(unpacked(stored), noise(10'000));
  if (codecs().size() == 1) return;  // neither zstd nor lz4
  for (const std::size_t extra : {0u, 1u, 3u}) {
    Bytes content = floats(5'000);
    content.resize(content.size() + extra, std::byte{7});
    const auto block = pack_block(content);
    ASSERT_TRUE(block);
    EXPECT_EQ(block->element_bytes, 4);
    EXPECT_EQ(unpacked(*block), content);
  }
}

TEST(Codec, DamageIsRefusedOrChangesNothing) {
  for (const Bytes& content : {trits(301), floats(100), noise(64)}) {
    const PackedBlock good = pack_or_store(content);
    const auto harmless = [&](const PackedBlock& block) {
      Bytes out(content.size());
      try {
        unpack_block(block, out);
      } catch (const Error& e) {
        return e.code() != Errc::internal;
      }
      return out == content;
    };
    for (std::size_t i = 0; i < good.payload.size(); ++i) {
      PackedBlock bad = good;
      bad.payload[i] ^= std::byte{0x21};
      EXPECT_TRUE(harmless(bad)) << i;
      bad.payload.resize(i);
      EXPECT_THROW(unpacked(bad), Error) << i;
    }
    for (int value = 0; value < 256; ++value) {
      PackedBlock bad = good;
      bad.codec = static_cast<CodecId>(value);
      EXPECT_TRUE(harmless(bad)) << value;
      bad = good;
      bad.element_bytes = static_cast<std::uint8_t>(value);
      EXPECT_TRUE(harmless(bad)) << value;
    }
    PackedBlock bad = good;
    bad.payload.push_back(std::byte{0});
    EXPECT_THROW(unpacked(bad), Error);
    bad = good;
    ++bad.checksum;
    EXPECT_THROW(unpacked(bad), Error);
    Bytes other(content.size() + 1);
    EXPECT_THROW(unpack_block(good, other), Error);
  }
}

TEST(InactiveStore, CountsWhatItHolds) {
  InactiveStore store;
  const Bytes content = trits(50'000);
  EXPECT_EQ(store.park(noise(5'000)), nullptr);
  Parked* one = store.park(content);
  Parked* two = store.park(content);
  ASSERT_TRUE(one && two);
  EXPECT_EQ(store.figures().blocks, 2u);
  EXPECT_EQ(store.figures().bytes_before, 100'000u);
  EXPECT_EQ(store.figures().bytes_after, 20'000u);
  EXPECT_DOUBLE_EQ(store.figures().ratio(), 5.0);
  Bytes out(content.size());
  store.unpark(one, out);
  EXPECT_EQ(out, content);
  store.discard(two);
  const CompressionMetrics end = store.figures();
  EXPECT_EQ(end.blocks, 0u);
  EXPECT_EQ(end.bytes_before + end.bytes_after, 0u);
  EXPECT_EQ(end.packed, 2u);
  EXPECT_EQ(end.refused, 1u);
  EXPECT_EQ(end.unpacked, 1u);
  EXPECT_GT(end.compress_ns, 0u);
}

}  // namespace
}  // namespace bitnet::storage
