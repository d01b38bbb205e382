// SPDX-License-Identifier: MIT OR Apache-2.0
// XXH64 and CRC-32 against published vectors: the empty and short strings of the specification's
// libraries, and the sanity buffer of the reference implementation's own check.
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

// Bit by bit, as the polynomial is defined.
std::uint32_t slow_crc32(std::span<const std::byte> bytes) {
  std::uint32_t sum = ~0u;
  for (const std::byte byte : bytes)
    for (int bit = 0; bit < 8; ++bit) {
      const auto in = (std::to_integer<std::uint32_t>(byte) >> bit) & 1;
      sum = (sum >> 1) ^ ((sum ^ in) & 1 ? 0xEDB88320u : 0u);
    }
  return ~sum;
}

// The check value of the catalogue of CRC algorithms, and pieces of many lengths at every place.
TEST(Crc32, CheckValueAndPieces) {
  const std::string_view digits = "123456789";
  EXPECT_EQ(crc32(std::as_bytes(std::span(digits.data(), digits.size()))), 0xCBF43926u);
  EXPECT_EQ(crc32({}), 0u);
  std::vector<std::byte> buffer(100'000);
  std::uint32_t state = 1;
  for (std::byte& byte : buffer) byte = static_cast<std::byte>((state = state * 69069 + 1) >> 24);
  const std::span<const std::byte> all(buffer);
  for (std::size_t cut = 0; cut <= 100; ++cut)
    EXPECT_EQ(crc32(all.subspan(cut, 100 - cut), crc32(all.first(cut))),
              slow_crc32(all.first(100)));
  for (const std::size_t size : {32'767u, 32'768u, 32'775u, 65'536u, 100'000u})
    EXPECT_EQ(crc32(all.first(size)), slow_crc32(all.first(size))) << size;
  EXPECT_EQ(crc32(all.subspan(33'333), crc32(all.first(33'333))), slow_crc32(all));
}

}  // namespace
}  // namespace bitnet
