// SPDX-License-Identifier: MIT OR Apache-2.0
// Who holds a block of a pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "bitnet/device/driver.h"

namespace bitnet {

class HybridMemoryPool;

/// A handle as plain numbers, for callers that cannot hold a C++ object (C, Python). Belongs to the
/// pool that made it; stale once the block is freed.
struct HandleId {
  std::uint32_t index = 0;
  std::uint32_t generation = 0;  // odd
  std::uint32_t pool = 0;        // of this process, counted from 1: no two have the same
  friend bool operator==(const HandleId&, const HandleId&) = default;
};

/// Owns one block of a pool; gives it back when destroyed. Move-only. The pool must outlive it.
/// `id` names the block by number, generation and pool, so that the pool recognises handles that
/// are stale, freed twice or of another pool.
class MemoryHandle {
 public:
  MemoryHandle() = default;
  MemoryHandle(MemoryHandle&& other) noexcept { swap(other); }
  MemoryHandle& operator=(MemoryHandle&& other) noexcept {
    MemoryHandle(std::move(other)).swap(*this);
    return *this;
  }
  MemoryHandle(const MemoryHandle&) = delete;
  MemoryHandle& operator=(const MemoryHandle&) = delete;
  ~MemoryHandle();

  /// Stays where it is as long as the handle lives.
  std::byte* data() const noexcept { return data_; }
  std::size_t size_bytes() const noexcept { return bytes_; }
  Device device() const noexcept { return device_; }
  HandleId id() const noexcept { return id_; }
  explicit operator bool() const noexcept { return pool_ != nullptr; }

  /// Gives the ownership up without freeing: HybridMemoryPool::adopt() or free_id() takes it.
  HandleId release() noexcept {
    const HandleId id = id_;
    pool_ = nullptr;
    return id;
  }

  void swap(MemoryHandle& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(device_, other.device_);
    std::swap(id_, other.id_);
  }

 private:
  friend class HybridMemoryPool;
  HybridMemoryPool* pool_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  Device device_;
  HandleId id_;
};

/// While it lives, a movable block stays where it is. Move-only; the handle must outlive it.
class Pin {
 public:
  Pin() = default;
  Pin(Pin&& other) noexcept { swap(other); }
  Pin& operator=(Pin&& other) noexcept {
    Pin(std::move(other)).swap(*this);
    return *this;
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin();

  std::byte* data() const noexcept { return data_; }
  std::size_t size_bytes() const noexcept { return bytes_; }
  void swap(Pin& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(id_, other.id_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
  }

 private:
  friend class MovableHandle;
  friend class HybridMemoryPool;
  HybridMemoryPool* pool_ = nullptr;
  HandleId id_;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Owns a block of host memory that the pool may move (compaction) or compress while nobody has
/// pinned it. Move-only. The pool must outlive it.
class MovableHandle {
 public:
  MovableHandle() = default;
  MovableHandle(MovableHandle&& other) noexcept { swap(other); }
  MovableHandle& operator=(MovableHandle&& other) noexcept {
    MovableHandle(std::move(other)).swap(*this);
    return *this;
  }
  MovableHandle(const MovableHandle&) = delete;
  MovableHandle& operator=(const MovableHandle&) = delete;
  ~MovableHandle();

  /// The block's bytes, in place until the pin ends; a compressed block is unpacked first. Throws
  /// Error: out_of_memory, invalid_argument (the handle is empty).
  Pin pin() const;
  /// Pins that live now.
  std::uint32_t pin_count() const noexcept;
  /// Whether its bytes are compressed now.
  bool is_compressed() const noexcept;
  std::size_t size_bytes() const noexcept { return bytes_; }
  HandleId id() const noexcept { return id_; }
  explicit operator bool() const noexcept { return pool_ != nullptr; }

  void swap(MovableHandle& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(bytes_, other.bytes_);
    std::swap(id_, other.id_);
  }

 private:
  friend class HybridMemoryPool;
  HybridMemoryPool* pool_ = nullptr;
  std::size_t bytes_ = 0;
  HandleId id_;
};

}  // namespace bitnet
