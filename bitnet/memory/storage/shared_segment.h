// SPDX-License-Identifier: MIT OR Apache-2.0
// Blocks that several processes of one user use at once, in memory with a name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "bitnet/base/os/shared_memory.h"

namespace bitnet::storage {

/// A block by its place, the same in every process; stale once nobody refers to the block.
struct SharedId {
  std::uint32_t unit = 0, generation = 0;
  friend bool operator==(const SharedId&, const SharedId&) = default;
};

class SharedSegment;

/// One process's reference to a block. Move-only; the SharedSegment must outlive it. In a child
/// that was forked it does nothing at its end: the reference is the parent's.
class SharedBlock {
 public:
  SharedBlock() = default;
  SharedBlock(SharedBlock&& other) noexcept { swap(other); }
  SharedBlock& operator=(SharedBlock&& other) noexcept {
    SharedBlock(std::move(other)).swap(*this);
    return *this;
  }
  SharedBlock(const SharedBlock&) = delete;
  SharedBlock& operator=(const SharedBlock&) = delete;
  ~SharedBlock();

  /// Others may write these bytes at any time.
  std::span<std::byte> bytes() const noexcept { return bytes_; }
  SharedId id() const noexcept { return id_; }
  explicit operator bool() const noexcept { return segment_ != nullptr; }
  void swap(SharedBlock& other) noexcept {
    std::swap(segment_, other.segment_);
    std::swap(id_, other.id_);
    std::swap(bytes_, other.bytes_);
  }

 private:
  friend class SharedSegment;
  SharedSegment* segment_ = nullptr;
  SharedId id_;
  std::span<std::byte> bytes_;
};

struct SharedFigures {
  std::uint32_t peers = 0;                   // processes that are attached
  std::uint64_t blocks = 0, references = 0;  // of all peers together
  std::uint64_t units = 0, used_units = 0;
  std::uint64_t unit_bytes = 0;
};

/// A segment of units of equal size; a block is a run of them, taken first fit. Each unit has a
/// row: generation, units of the block that begins here, its bytes, and each peer's references to
/// it. A block exists while a reference to it does. So there is nothing to repair when a peer is
/// killed, at whatever instruction: its references are struck, blocks without any are free. Peers
/// are swept when the lock's holder has died, when one attaches, and when there is no room.
///
/// What is in the segment is checked whenever it is used, for a peer may have written anything;
/// sizes and places come from this process's own copy. The worst that a hostile peer can do to
/// others is to change their blocks' bytes and counts, or to keep the lock. Thread-safe.
class SharedSegment {
 public:
  static constexpr std::size_t kMaxPeers = 32;
  static constexpr std::uint64_t kMaxUnits = std::uint64_t{1} << 24;

  /// Attaches, or makes the segment where there is none of this name; then it has room for
  /// `heap_bytes`, in units of `unit_bytes` (a power of two from 64 to 1 GiB). Throws Error:
  /// invalid_argument (name, sizes); io (the system refuses, or a peer keeps the lock for 10 s);
  /// corrupt_file (it is none of ours); out_of_memory (32 peers are attached).
  SharedSegment(const std::string& name, std::uint64_t heap_bytes, std::uint64_t unit_bytes = 4096);
  /// Attaches. Throws as above, and invalid_argument where there is no such segment.
  explicit SharedSegment(const std::string& name);
  /// Gives back what this process still refers to. The last one out removes the name.
  ~SharedSegment();
  SharedSegment(const SharedSegment&) = delete;
  SharedSegment& operator=(const SharedSegment&) = delete;

  /// Its contents are unspecified. Throws Error: invalid_argument (0 bytes), out_of_memory,
  /// unsupported (in a forked child: it attaches by itself), io, corrupt_file.
  SharedBlock allocate(std::uint64_t bytes);
  /// One more reference to a block that somebody refers to. Throws Error: invalid_argument (stale
  /// or no block), out_of_memory (65535 references by this process), and as allocate().
  SharedBlock open(SharedId id);

  /// Strikes the references of peers that have died; how many those were.
  std::size_t sweep();
  SharedFigures figures();
  /// Walks all rows. Throws Error{corrupt_file} naming the first that is wrong, or where pages of
  /// the segment were lost.
  void check();

  /// Removes segments whose peers are all dead and whose name begins with `prefix`; how many.
  static std::size_t remove_stale(std::string_view prefix);

 private:
  friend class SharedBlock;
  struct Header;
  struct Row;
  struct Layout {
    std::uint64_t units, unit_bytes;
    std::uint64_t heap_offset() const noexcept;
    std::uint64_t segment_bytes() const noexcept { return heap_offset() + units * unit_bytes; }
    /// Throws Error{invalid_argument}.
    void validate() const;
  };
  class Guard;

  static std::optional<os::SharedMemory> find(const std::string& name);
  static os::SharedMemory make(const std::string& name, const Layout& layout);
  /// What the header says, checked against the segment's size.
  static Layout read_layout(const os::SharedMemory& memory);
  bool join(os::SharedMemory memory);
  void require_own_process() const;
  Header& header() const noexcept;
  Row& row(std::uint64_t unit) const noexcept;
  std::uint64_t run_at(std::uint64_t unit) const;
  std::optional<SharedId> take(std::uint64_t bytes);
  SharedBlock block(SharedId id, std::uint64_t bytes) noexcept;
  std::size_t sweep_locked();
  void strike(std::size_t peer) noexcept;
  std::size_t count_peers() const noexcept;
  void release(SharedId id) noexcept;

  std::optional<os::SharedMemory> memory_;
  os::ProcessIdentity self_;
  Layout layout_{};               // checked once, never read again
  std::size_t slot_ = kMaxPeers;  // none
  std::mutex mutex_;              // between threads of this process, before the segment's own lock
};

}  // namespace bitnet::storage
