// SPDX-License-Identifier: MIT OR Apache-2.0
// The front door of all tensor memory, on every device.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <span>

#include "bitnet/device/driver.h"
#include "bitnet/memory/cleanup/target.h"
#include "bitnet/memory/handle.h"
#include "bitnet/memory/metrics.h"
#include "bitnet/memory/pool_config.h"
#include "bitnet/memory/tracking/pressure.h"
#include "bitnet/memory/tracking/tracked_pool.h"

namespace bitnet {

namespace memory {
class HostPool;
}
class CleanupManager;
class Tracker;
struct DetailedMemoryMetrics;

/// Hands out blocks of the host and of the devices whose drivers it was given. Thread-safe.
///
/// Out of memory. Before an allocation on the host fails, the pool returns what is free (trim),
/// then moves blocks together (compact), then compresses those that nobody has pinned, then asks
/// the failure callback; metrics().pressure counts each step.
class HybridMemoryPool final : public CleanupTarget, private TrackedPool {
 public:
  /// Throws Error: invalid_argument (config), out_of_memory, unsupported (64 pools exist).
  explicit HybridMemoryPool(const MemoryPoolConfig& config = {});
  /// Every handle must be gone, and no thread in a call.
  ~HybridMemoryPool() override;
  HybridMemoryPool(const HybridMemoryPool&) = delete;
  HybridMemoryPool& operator=(const HybridMemoryPool&) = delete;

  /// Adds a device. Throws Error{invalid_argument} where it has a driver already.
  void add_driver(std::unique_ptr<Driver> driver);

  static constexpr std::size_t kDefaultAlignment = 64;

  /// A block of `bytes` (0 is allowed: a handle whose data() must not be read), aligned to
  /// `alignment`, a power of two up to 2 MiB; on a device for work of `stream`. The contents are
  /// unspecified. Throws Error: out_of_memory (limit or device; says which), invalid_argument
  /// (alignment, unknown device), device_lost.
  MemoryHandle allocate(std::size_t bytes, std::size_t alignment = kDefaultAlignment,
                        Device device = {}, Stream stream = {});
  /// As allocate(), nullopt when out of memory.
  std::optional<MemoryHandle> try_allocate(std::size_t bytes,
                                           std::size_t alignment = kDefaultAlignment,
                                           Device device = {}, Stream stream = {});
  /// Gives a block back now instead of at the handle's end. Throws Error{invalid_argument} for a
  /// handle that is empty, of another pool, stale or freed before.
  void deallocate(MemoryHandle&& handle);
  /// As above, of a device: work given to `stream` so far may still use the block.
  void deallocate(MemoryHandle&& handle, Stream stream);
  /// A device block is also used by work of `stream`: its free waits for that too.
  void use_on(const MemoryHandle& handle, Stream stream);

  /// Host bytes into the block, and back, behind all work given to `stream`; done on return. On the
  /// host plain copies. Throws Error: invalid_argument (no handle of this pool, or more bytes than
  /// the block has), device_lost.
  void upload(const MemoryHandle& to, std::span<const std::byte> from, Stream stream = {});
  void download(std::span<std::byte> to, const MemoryHandle& from, Stream stream = {});

  /// Takes over what MemoryHandle::release() gave up. Throws Error{invalid_argument} for a stale or
  /// foreign id.
  MemoryHandle adopt(HandleId id);
  void free_id(HandleId id);

  /// Host memory that compaction may move and compress() may pack while it is not pinned. Throws
  /// as allocate().
  MovableHandle allocate_movable(std::size_t bytes, std::size_t alignment = kDefaultAlignment);
  void deallocate(MovableHandle&& handle);

  /// The front door for inner loops: host memory without a handle. Throws Error{out_of_memory,
  /// invalid_argument}.
  void* allocate_raw(std::size_t bytes, std::size_t alignment = kDefaultAlignment);
  /// nullptr when out of memory, or where `alignment` is no power of two up to 2 MiB.
  void* try_allocate_raw(std::size_t bytes, std::size_t alignment = kDefaultAlignment) noexcept;
  /// `bytes` as they were asked for. Throws Error{invalid_argument} for a block that is not of this
  /// pool's raw front door; in the hardened mode for any misuse, Error{internal} where bytes behind
  /// the block's end were written.
  void deallocate_raw(void* block, std::size_t bytes);
  /// The raw front door for std::pmr containers; lives as long as the pool.
  std::pmr::memory_resource* resource() noexcept;

  MemoryMetrics metrics() const override;
  /// nullopt without enable_advanced_tracking.
  std::optional<DetailedMemoryMetrics> detailed_metrics();
  TrackingLevel tracking_level() const noexcept;
  /// Blocks that live already were not seen: their frees are counted all the same.
  void set_tracking_level(TrackingLevel level);
  /// nullptr without enable_advanced_tracking.
  Tracker* tracker() noexcept;

  /// Called outside of all locks while the registration lives; needs enable_advanced_tracking
  /// (throws Error{unsupported}).
  PressureRegistration register_pressure_callback(std::function<void(PressureLevel)> callback);
  /// Called with the bytes that could not be had; true: something was freed, try again (at most 8
  /// times an allocation).
  void set_failure_callback(std::function<bool(std::size_t bytes)> callback);

  /// Runs cleanup by strategy; its thread runs with enable_automatic_cleanup.
  CleanupManager& cleanup() noexcept;

  // What cleanup does, callable by hand. Each returns what the system or device really got back.
  CleanupFigures cleanup_figures(std::optional<Device> device = {}) const override;
  std::vector<Device> cleanup_devices() const override;
  CleanupResult trim(const TrimRequest& request = {}) override;
  CleanupResult compact(const CompactRequest& request = {}) override;
  CleanupResult compress(const CompressRequest& request = {}) override;
  /// Also checks, in the hardened mode, the bytes behind each live block of a handle.
  void validate() const override;

  /// Whether a live block begins at `block`.
  bool owns(const void* block) const noexcept;
  std::vector<FragmentationRange> fragmentation_map() const override;
  const MemoryPoolConfig& config() const noexcept;

 private:
  friend class MemoryHandle;
  friend class MovableHandle;
  friend class Pin;
  bool is_live(std::uint64_t address) const override;
  struct State;
  std::unique_ptr<State> state_;
  memory::HostPool* host_ = nullptr;  // of state_: the raw front door's first load
};

/// The pool of this process for callers that bring none, with the limits of the machine. Never
/// destroyed: tensors may outlive main().
HybridMemoryPool& default_pool();

}  // namespace bitnet
