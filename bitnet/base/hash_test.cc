// SPDX-License-Identifier: MIT OR Apache-2.0
// XXH64 against published vectors: the empty and short strings of the specification's libraries,
// and the sanity buffer of the reference implementation's own check.
#include "bitnet/base/hash.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace bitnet {
namespace {

std::uint64_t of(std::string_view text) {
  return xxh64(std::as_bytes(std::span(text.data(), text.size())));
}

TEST(Hash, PublishedStrings) {
  EXPECT_EQ(of(""), 0xef46db3751d8e999u);
  EXPECT_EQ(of("a"), 0xd24ec4f1a98c6e5bu);
  EXPECT_EQ(of("abc"), 0x44bc2cf5ad770999u);
  EXPECT_EQ(of("Nobody inspects the spammish repetition"), 0xfbcea83c8a378bf1u);
}

TEST(Hash, ReferenceSanityBuffer) {
  constexpr std::uint64_t kPrime32 = 2654435761u;
  std::vector<std::byte> buffer(222);
  std::uint64_t generator = kPrime32;
  for (std::byte& b : buffer) {
    b = static_cast<std::byte>(generator >> 56);
    generator *= 11400714785074694797u;
  }
  const std::span<const std::byte> all(buffer);
  EXPECT_EQ(xxh64(all.first(0), kPrime32), 0xAC75FDA2929B17EFu);
  EXPECT_EQ(xxh64(all.first(1)), 0xE934A84ADB052768u);
  EXPECT_EQ(xxh64(all.first(1), kPrime32), 0x5014607643A9B4C3u);
  EXPECT_EQ(xxh64(all.first(4)), 0x9136A0DCA57457EEu);
  EXPECT_EQ(xxh64(all.first(14)), 0x8282DCC4994E35C8u);
  EXPECT_EQ(xxh64(all.first(14), kPrime32), 0xC3BD6BF63DEB6DF0u);
  EXPECT_EQ(xxh64(all), 0xB641AE8CB691C174u);
  EXPECT_EQ(xxh64(all, kPrime32), 0x20CB8AB7AE10C14Au);
}

}  // namespace
}  // namespace bitnet
