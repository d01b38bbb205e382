// SPDX-License-Identifier: MIT OR Apache-2.0
// Open-addressing hash tables of the tokenizer: built once, then read by many threads.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace bitnet::tokenizer_detail {

/// Seed of all tables of this process, so that a file cannot be made whose keys all collide.
std::uint64_t table_seed();

/// The 128-bit product of a and b, folded to 64 bits.
inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

template <class T>
std::uint64_t load(const char* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) noexcept {
  constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15u;
  const char* p = bytes.data();
  std::size_t n = bytes.size();
  std::uint64_t hash = seed ^ (n * kOdd);
  for (; n > 8; n -= 8, p += 8) hash = fold_multiply(hash ^ load<std::uint64_t>(p), kOdd);
  std::uint64_t tail = 0;
  if (n >= 4) {
    tail = load<std::uint32_t>(p) << 32 | load<std::uint32_t>(p + n - 4);
  } else if (n > 0) {
    tail = load<std::uint8_t>(p) << 16 | load<std::uint8_t>(p + n / 2) << 8 |
           load<std::uint8_t>(p + n - 1);
  }
  return fold_multiply(hash ^ tail, kOdd ^ seed);
}

/// Slots for `count` keys: a power of two, at most two thirds full.
inline std::size_t slots_for(std::size_t count) noexcept {
  return std::bit_ceil(count + count / 2 + 2);
}

/// (first, second) -> (value, extra); 16 bytes a slot.
class PairTable {
 public:
  struct Entry {
    std::uint32_t first = 0, second = 0;
    std::uint32_t value = kNone;
    std::uint32_t extra = 0;
  };
  static constexpr std::uint32_t kNone = 0xFFFFFFFFu;  // value of an absent key

  explicit PairTable(std::size_t capacity) : slots_(slots_for(capacity)), seed_(table_seed()) {}

  /// False if the key is there already. At most `capacity` keys may be inserted; value != kNone.
  bool insert(const Entry& entry) noexcept {
    Entry& slot = slots_[slot_of(entry.first, entry.second)];
    if (slot.value != kNone) return false;
    slot = entry;
    return true;
  }
  const Entry& find(std::uint32_t first, std::uint32_t second) const noexcept {
    return slots_[slot_of(first, second)];
  }

 private:
  std::size_t slot_of(std::uint32_t first, std::uint32_t second) const noexcept {
    const std::uint64_t key = std::uint64_t{first} << 32 | second;
    std::size_t at = fold_multiply(key ^ seed_, 0x9E3779B97F4A7C15u);
    for (;; ++at) {
      at &= slots_.size() - 1;
      const Entry& slot = slots_[at];
      if (slot.value == kNone || (slot.first == first && slot.second == second)) return at;
    }
  }

  std::vector<Entry> slots_;
  std::uint64_t seed_;
};

/// Strings -> numbers 0, 1, 2, … The strings lie elsewhere: `text_of(number)` gives them back.
class StringTable {
 public:
  explicit StringTable(std::size_t capacity) : slots_(slots_for(capacity)), seed_(table_seed()) {}

  /// False if the string is there already.
  template <class TextOf>
  bool insert(std::string_view text, std::int32_t number, const TextOf& text_of) {
    const std::uint64_t hash = hash_bytes(text, seed_);
    Slot& slot = slots_[slot_of(text, hash, text_of)];
    if (slot.number >= 0) return false;
    slot = {tag_of(hash), number};
    return true;
  }
  template <class TextOf>
  std::optional<std::int32_t> find(std::string_view text, const TextOf& text_of) const {
    const Slot& slot = slots_[slot_of(text, hash_bytes(text, seed_), text_of)];
    return slot.number < 0 ? std::nullopt : std::optional(slot.number);
  }

 private:
  struct Slot {
    std::uint32_t tag = 0;
    std::int32_t number = -1;
  };

  static std::uint32_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint32_t>(hash >> 32);
  }
  template <class TextOf>
  std::size_t slot_of(std::string_view text, std::uint64_t hash, const TextOf& text_of) const {
    for (std::size_t at = hash;; ++at) {
      at &= slots_.size() - 1;
      const Slot& slot = slots_[at];
      if (slot.number < 0 || (slot.tag == tag_of(hash) && text_of(slot.number) == text)) return at;
    }
  }

  std::vector<Slot> slots_;
  std::uint64_t seed_;
};

}  // namespace bitnet::tokenizer_detail
