// SPDX-License-Identifier: MIT OR Apache-2.0
// The parts of a HybridMemoryPool; for its own source files alone.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "bitnet/base/os/memory.h"
#include "bitnet/memory/cleanup/manager.h"
#include "bitnet/memory/device_pools.h"
#include "bitnet/memory/handle_table.h"
#include "bitnet/memory/host_pool.h"
#include "bitnet/memory/hybrid_pool.h"
#include "bitnet/memory/storage/inactive_store.h"
#include "bitnet/memory/tracking/tracker.h"

namespace bitnet {

/// Pool memory for std::pmr containers.
class PoolResource final : public std::pmr::memory_resource {
 public:
  explicit PoolResource(HybridMemoryPool& pool) : pool_(pool) {}

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override;
  void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override;
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
    return this == &other;
  }
  HybridMemoryPool& pool_;
};

struct HybridMemoryPool::State final {
  /// Of the failure callback for one allocation: it may free little at a time, or say so only.
  static constexpr int kMaxFailureCalls = 8;
  /// All pools of the process, for its forks.
  class LivePools;
  static constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 46;

  struct Wanted {
    std::size_t bytes, alignment;
    Device device;
    Stream stream;
    bool movable;
  };
  /// Live bytes of handles of one device.
  struct alignas(64) DeviceCounts {
    std::atomic<std::int64_t> live{0}, peak{0}, blocks{0};
    std::atomic<std::uint64_t> failed{0};
    void add(std::int64_t bytes) noexcept;
  };

  State(HybridMemoryPool& pool, const MemoryPoolConfig& config);
  /// What needs the whole pool: threads.
  void begin(HybridMemoryPool& pool);
  void end() noexcept;
  /// Between these no memory is moved or packed, by whom ever.
  void pause();
  void resume(bool in_child);

  std::optional<HandleId> make_handle(const Wanted& wanted);
  bool reserve_bytes(std::size_t bytes) noexcept;
  std::nullopt_t failed(std::uint16_t device) noexcept;
  [[noreturn]] void fail_out_of_memory(std::size_t bytes, Device device) const;
  /// False for an id that names no live block.
  bool free_slot(HandleId id, const Stream* stream) noexcept;
  MemoryHandle handle(HybridMemoryPool& pool, HandleId id, Device device) noexcept;
  /// One side lies on `device`, the other there or in host memory.
  void copy(Device device, void* to, const void* from, std::size_t bytes, Stream stream);

  std::byte* pin(HandleId id);
  void unpin(HandleId id) noexcept;
  /// Frees what a movable block holds besides its memory; nobody has it pinned.
  void release_movable(memory::HandleSlot& slot) noexcept;
  /// Takes a movable block that nobody has pinned out of everyone's reach, or not.
  /// False when out of memory. Throws Error{corrupt_file} where the packed bytes are damaged.
  bool unpark(memory::HandleSlot& slot);
  static bool make_busy(memory::HandleSlot& slot) noexcept;
  static void make_idle(memory::HandleSlot& slot) noexcept;

  /// Trim, compact, compress, callback: the block, or nullptr after all of it.
  void* allocate_after_steps(std::size_t bytes, std::size_t alignment,
                             memory::HostPool::Door door) noexcept;
  bool call_failure_callback(std::size_t bytes) noexcept;

  CleanupResult trim(const TrimRequest& request);
  CleanupResult compact(const CompactRequest& request);
  CleanupResult compress(const CompressRequest& request);
  bool move_small(memory::HandleSlot& slot, bool validate, CleanupResult& result) noexcept;

  const MemoryPoolConfig config;
  const std::uint32_t pool_number;  // HandleId::pool
  PoolResource resource;
  memory::HostPool host;
  memory::HandleTable handles;
  memory::DevicePools devices;
  std::array<DeviceCounts, memory::DevicePools::kMaxDevices + 1> device_counts;  // [0]: the host
  storage::InactiveStore inactive;
  std::atomic<TrackingLevel> level{TrackingLevel::none};
  std::unique_ptr<Tracker> tracker;
  std::unique_ptr<CleanupManager> cleanup;
  PressureRegistration cleanup_pressure;
  std::atomic<std::uint64_t> failures{0};
  std::mutex failure_mutex;
  std::shared_ptr<std::function<bool(std::size_t)>> failure_callback;
  std::shared_mutex unpark_gate;  // shared by those who unpack, before compact_mutex
  std::mutex compact_mutex;  // one compaction or packing at a time, and none while a process forks
  mutable std::mutex steps_mutex;
  PressureSteps steps;
};

}  // namespace bitnet
