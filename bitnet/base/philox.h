// SPDX-License-Identifier: MIT OR Apache-2.0
// Random numbers from a counter: the same on every device, for any division of the work.
// Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011), whose
// test vectors philox_test.cc holds.
#pragma once

#include <array>
#include <cstdint>

namespace bitnet {

inline constexpr std::uint32_t kPhiloxMultiply[2] = {0xD2511F53u, 0xCD9E8D57u};
inline constexpr std::uint32_t kPhiloxKeyStep[2] = {0x9E3779B9u, 0xBB67AE85u};

/// Four numbers of 32 bits for each counter and key.
constexpr std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                              std::array<std::uint32_t, 2> key) noexcept {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{kPhiloxMultiply[0]} * counter[0];
    const std::uint64_t b = std::uint64_t{kPhiloxMultiply[1]} * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key = {key[0] + kPhiloxKeyStep[0], key[1] + kPhiloxKeyStep[1]};
  }
  return counter;
}

/// Number `index` of a stream: blocks of 64 hold the words 0, then 1, 2 and 3 of 16 counters, so
/// that 16 lanes compute them without exchanging anything. The counter is {index / 64 * 16 + index
/// % 16, its high half, 0, 0}, the key the seed's halves.
constexpr std::uint32_t philox_at(std::uint64_t seed, std::uint64_t index) noexcept {
  const std::uint64_t counter = index / 64 * 16 + index % 16;
  return philox(
      {static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32), 0, 0},
      {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)})[index % 64 / 16];
}

}  // namespace bitnet
