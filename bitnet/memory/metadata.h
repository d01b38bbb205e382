// SPDX-License-Identifier: MIT OR Apache-2.0
// Memory for a pool's own records, apart from the blocks: what writes past a block cannot reach it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace bitnet::memory {

/// Hands out zeroed words and takes them back for the same count. Thread-safe.
class Metadata {
 public:
  Metadata() = default;
  ~Metadata();
  Metadata(const Metadata&) = delete;
  Metadata& operator=(const Metadata&) = delete;

  /// `count` zeroed words of 8 bytes. nullptr when out of memory.
  std::uint64_t* take_words(std::size_t count) noexcept;
  /// `count` as it was taken, at most kMaxRecycledWords: larger ones are kept until the end.
  void give_words(std::uint64_t* words, std::size_t count) noexcept;
  /// Taken from the system.
  std::uint64_t bytes() const noexcept { return bytes_; }

  static constexpr std::size_t kMaxRecycledWords = 1024;

  std::mutex& mutex() noexcept { return mutex_; }  // for the fork handlers

 private:
  struct Chunk {
    void* pages;
    std::size_t bytes;
  };
  struct FreeWords {
    FreeWords* next;
  };
  std::mutex mutex_;
  std::vector<Chunk> chunks_;
  std::uint64_t* next_ = nullptr;  // in the newest chunk
  std::size_t left_words_ = 0;
  std::array<FreeWords*, kMaxRecycledWords + 1> free_{};
  std::uint64_t bytes_ = 0;
};

}  // namespace bitnet::memory
