// SPDX-License-Identifier: MIT OR Apache-2.0
// Blocks below 1 MiB: spans of blocks of one size. What is here is shared by all threads; a thread
// takes and gives blocks by the magazine (thread_heap.h).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "bitnet/memory/arenas.h"
#include "bitnet/memory/size_classes.h"

namespace bitnet::memory {

/// A run of units that holds blocks of one class.
struct Span {
  std::uint64_t* free_bits = nullptr;  // one for each block: it is here, not with a thread
  std::uint32_t unit = 0;
  std::uint32_t size_class = 0;
  std::uint32_t free_blocks = 0;
  std::uint32_t next = kNoUnit, prev = kNoUnit;  // spans with free blocks
  std::uint32_t first_word = 0;                  // no free bit lies before it
  std::uint32_t freed_ms = 0;
  std::uint32_t purged_pages = 0;  // of its free blocks, since one was last handed out
  bool listed = false;
  bool evacuating = false;  // its blocks are on the move to other spans
  bool changed = false;     // a block came back since its free pages were purged
};

/// A kind for each unit of the pool's address space: what an address belongs to.
inline constexpr std::uint8_t kNoBlock = 0;       // and what lies inside a large block
inline constexpr std::uint8_t kFirstClass = 1;    // kFirstClass + size class: a span's unit
inline constexpr std::uint8_t kLargeBlock = 255;  // the first unit of a large block
using UnitKinds = std::atomic<std::uint8_t>*;

/// Thread-safe.
class SmallBlockPool {
 public:
  /// `kinds[u]` describes unit u of the arenas. Throws Error{out_of_memory}.
  SmallBlockPool(const Arenas::Config& config, Metadata& metadata, Footprint& footprint,
                 UnitKinds kinds);

  /// Up to `count` blocks, fewer where fewer are at hand; 0: grow() first.
  std::uint32_t take(std::uint32_t size_class, void** blocks, std::uint32_t count) noexcept;
  /// Adds a span. False at the limit, out of memory, or where no dirty memory is left.
  bool grow(std::uint32_t size_class, Buddy::From from) noexcept;
  void give(std::uint32_t size_class, void* const* blocks, std::uint32_t count) noexcept;

  /// As give(), but straight to the block's span: compaction must not get it back.
  void give_to_span(std::uint32_t size_class, void* block) noexcept;

  /// Empties what is kept for the next taker, of classes from `first_class` on: blocks go to their
  /// spans, empty spans to the arenas. Whether there was any.
  bool flush(std::uint32_t first_class) noexcept;
  /// Returns pages of free blocks inside spans that are in use, freed `min_age_ms` ago or longer;
  /// the bytes returned.
  std::uint64_t purge_free_pages(std::uint64_t max_bytes, std::uint64_t min_age_ms,
                                 bool (*out_of_time)(void*), void* context) noexcept;

  Span& span_of(const void* block) noexcept { return spans_[heads_[arenas_.unit_of(block)]]; }
  std::byte* start_of(const Span& span) const noexcept { return arenas_.address(span.unit); }
  std::uint32_t index_of(const Span& span, const void* block) const noexcept {
    const auto offset =
        static_cast<std::uint64_t>(static_cast<const std::byte*>(block) - start_of(span));
    return static_cast<std::uint32_t>((offset * kSizeClasses[span.size_class].reciprocal) >>
                                      kReciprocalShift);
  }

  /// Compaction: makes the sparsest spans of a class give no more blocks, so many that the others
  /// have room for what is live in them. Whether there are such spans.
  bool begin_evacuation(std::uint32_t size_class) noexcept;
  void end_evacuation(std::uint32_t size_class) noexcept;

  struct ClassFigures {
    std::uint64_t spans = 0, blocks = 0;  // all, handed out or not
    std::uint64_t free_blocks = 0;        // in spans and kept for the next taker
  };
  ClassFigures figures(std::uint32_t size_class) const;
  std::uint64_t purged_bytes() const noexcept {
    return purged_bytes_.load(std::memory_order_relaxed);
  }
  /// Frees of blocks that were free, found when they came back to their span.
  std::uint64_t double_frees() const noexcept {
    return double_frees_.load(std::memory_order_relaxed);
  }
  Arenas& arenas() noexcept { return arenas_; }
  const Arenas& arenas() const noexcept { return arenas_; }
  /// Throws Error{internal} where records contradict each other.
  void validate() const;

  void lock_all() noexcept;
  void unlock_all() noexcept;

 private:
  static constexpr std::uint32_t kMaxTransfer = 128;

  struct alignas(64) Class {
    mutable AdaptiveMutex mutex;
    std::uint32_t first = kNoUnit;  // of the list of spans with free blocks
    std::uint32_t kept = kNoUnit;   // one empty span, listed
    std::uint32_t spans = 0;
    std::uint64_t free_blocks = 0;  // in spans
    std::atomic<std::uint32_t> transfer_count{0};
    void** transfer = nullptr;  // blocks that threads gave back, for the next taker
  };

  void list(Class& c, Span& span) noexcept;
  void unlist(Class& c, Span& span) noexcept;
  std::uint32_t take_from(Class& c, Span& span, void** blocks, std::uint32_t count) noexcept;
  /// Puts a block back into its span; a span to release when that emptied one, else kNoUnit.
  std::uint32_t put(Class& c, void* block, std::uint32_t now_ms) noexcept;
  void release(std::uint32_t unit) noexcept;
  static std::uint32_t transfer_limit(std::uint32_t size_class) noexcept;
  static std::size_t words(std::uint32_t size_class) noexcept {
    return (kSizeClasses[size_class].span_blocks + 63) / 64;
  }
  Metadata& metadata_;
  UnitKinds kinds_;
  Arenas arenas_;
  Span* spans_ = nullptr;           // [units], used at a span's first unit
  std::uint32_t* heads_ = nullptr;  // [units]: the first unit of the span around it
  std::array<Class, kNumClasses> classes_;
  std::atomic<std::uint64_t> purged_bytes_{0}, double_frees_{0};
};

}  // namespace bitnet::memory
