// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/metadata.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "bitnet/base/os/memory.h"

namespace bitnet::memory {
namespace {

constexpr std::size_t kChunkWords = 256 * 1024 / 8;

}  // namespace

Metadata::~Metadata() {
  for (const Chunk& chunk : chunks_) os::unmap_pages(chunk.pages, chunk.bytes);
}

std::uint64_t* Metadata::take_words(std::size_t count) noexcept {
  const std::lock_guard lock(mutex_);
  if (count <= kMaxRecycledWords && free_[count]) {
    FreeWords* words = free_[count];
    free_[count] = words->next;
    auto* taken = reinterpret_cast<std::uint64_t*>(words);
    std::memset(taken, 0, count * 8);
    return taken;
  }
  if (count > left_words_) {
    const std::size_t words = std::max(count, kChunkWords);
    try {
      chunks_.reserve(chunks_.size() + 1);
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
    // Not map_pages' 2 MiB alignment and huge pages: most of a big table is never touched.
    void* pages = os::reserve_pages(words * 8, os::kPageBytes);
    if (!pages) return nullptr;
    if (!os::commit_pages(pages, words * 8)) {
      os::unmap_pages(pages, words * 8);
      return nullptr;
    }
    chunks_.push_back({pages, words * 8});
    if (count >= kChunkWords) return static_cast<std::uint64_t*>(pages);
    bytes_ += words * 8;
    next_ = static_cast<std::uint64_t*>(pages);
    left_words_ = words;
  }
  std::uint64_t* taken = next_;
  next_ += count;
  left_words_ -= count;
  return taken;
}

void Metadata::give_words(std::uint64_t* words, std::size_t count) noexcept {
  if (!words || count == 0 || count > kMaxRecycledWords) return;
  const std::lock_guard lock(mutex_);
  auto* freed = reinterpret_cast<FreeWords*>(words);
  freed->next = free_[count];
  free_[count] = freed;
}

}  // namespace bitnet::memory
