// SPDX-License-Identifier: MIT OR Apache-2.0
// The front door of all tensor memory, on every device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "bitnet/device/driver.h"

namespace bitnet {

class HybridMemoryPool;

/// Owns one block of a pool; gives it back when destroyed. Move-only. The pool must outlive it.
/// `id` and `generation` let the pool recognise handles that are stale, freed twice or of another
/// pool.
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

  std::byte* data() const noexcept { return data_; }
  std::size_t size_bytes() const noexcept { return bytes_; }
  Device device() const noexcept { return device_; }
  explicit operator bool() const noexcept { return pool_ != nullptr; }

  void swap(MemoryHandle& other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(device_, other.device_);
    std::swap(id_, other.id_);
    std::swap(generation_, other.generation_);
  }

 private:
  friend class HybridMemoryPool;
  HybridMemoryPool* pool_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
  Device device_;
  std::uint32_t id_ = 0;
  std::uint32_t generation_ = 0;
};

/// Counts since construction; bytes as asked for.
struct MemoryMetrics {
  std::uint64_t live_bytes = 0;
  std::uint64_t peak_bytes = 0;
  std::uint64_t live_blocks = 0;
  std::uint64_t total_allocations = 0;
  std::uint64_t failed_allocations = 0;
};

struct PoolConfig {
  /// Hard limit of live bytes over all devices; 0 = none.
  std::uint64_t max_bytes = 0;
};

/// Hands out blocks of the drivers it was given. Thread-safe.
class HybridMemoryPool {
 public:
  /// Allocates CPU memory from whole pages; further devices through add_driver().
  explicit HybridMemoryPool(PoolConfig config = {});
  /// Every handle must be gone. Blocks still live are leaked on purpose: their owners may still
  /// read them.
  ~HybridMemoryPool();
  HybridMemoryPool(const HybridMemoryPool&) = delete;
  HybridMemoryPool& operator=(const HybridMemoryPool&) = delete;

  /// Adds a device. Throws Error{invalid_argument} where it has a driver already.
  void add_driver(std::unique_ptr<Driver> driver);

  static constexpr std::size_t kDefaultAlignment = 64;

  /// A block of `bytes` (0 is allowed: a handle whose data() must not be read), aligned to
  /// `alignment`, a power of two up to 2 MiB. The contents are unspecified. Throws Error:
  /// out_of_memory (limit or device; says which), invalid_argument (alignment, unknown device).
  MemoryHandle allocate(std::size_t bytes, std::size_t alignment = kDefaultAlignment,
                        Device device = {});
  /// As allocate(), nullopt when out of memory.
  std::optional<MemoryHandle> try_allocate(std::size_t bytes,
                                           std::size_t alignment = kDefaultAlignment,
                                           Device device = {});
  /// Gives a block back now instead of at the handle's end. Throws Error{invalid_argument} for a
  /// handle that is empty, of another pool, stale or freed before.
  void deallocate(MemoryHandle&& handle);

  MemoryMetrics metrics() const;

 private:
  friend class MemoryHandle;
  bool release(MemoryHandle& handle) noexcept;
  struct State;
  std::unique_ptr<State> state_;
};

/// The pool of this process for callers that bring none. Never destroyed: tensors may outlive
/// main().
HybridMemoryPool& default_pool();

}  // namespace bitnet
