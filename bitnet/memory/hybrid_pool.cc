// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/hybrid_pool.h"

#include <algorithm>
#include <bit>
#include <mutex>
#include <string>
#include <vector>

#include "bitnet/base/error.h"
#include "bitnet/memory/cpu_driver.h"

namespace bitnet {
namespace {

constexpr std::size_t kMaxAlignment = 2u << 20;

// One live or free block. The generation rises at each free, so that an old handle no longer
// matches.
struct Slot {
  void* memory = nullptr;
  std::size_t bytes = 0;
  std::size_t alignment = 0;
  Driver* driver = nullptr;
  std::uint32_t generation = 0;
};

// Bytes really asked of a driver: a block of 0 bytes has an address of its own too.
std::size_t storage_bytes(std::size_t bytes) noexcept { return bytes == 0 ? 1 : bytes; }

}  // namespace

struct HybridMemoryPool::State {
  PoolConfig config;
  mutable std::mutex mutex;
  std::vector<std::unique_ptr<Driver>> drivers;
  std::vector<Slot> slots;
  std::vector<std::uint32_t> free_slots;
  MemoryMetrics metrics;

  Driver* find(Device device) noexcept {
    for (const auto& driver : drivers)
      if (driver->device() == device) return driver.get();
    return nullptr;
  }

  bool over_limit(std::size_t bytes) const noexcept {
    return config.max_bytes != 0 &&
           (bytes > config.max_bytes || metrics.live_bytes > config.max_bytes - bytes);
  }

  std::uint32_t take_slot() {
    if (free_slots.empty()) {
      free_slots.reserve(slots.size() + 1);  // so that giving a slot back never allocates
      slots.emplace_back();
      return static_cast<std::uint32_t>(slots.size() - 1);
    }
    const std::uint32_t id = free_slots.back();
    free_slots.pop_back();
    return id;
  }
};

MemoryHandle::~MemoryHandle() {
  if (pool_) pool_->release(*this);
}

HybridMemoryPool::HybridMemoryPool(PoolConfig config) : state_(std::make_unique<State>()) {
  state_->config = config;
  add_driver(std::make_unique<CpuDriver>());
}

HybridMemoryPool::~HybridMemoryPool() = default;

void HybridMemoryPool::add_driver(std::unique_ptr<Driver> driver) {
  const std::lock_guard lock(state_->mutex);
  if (state_->find(driver->device()))
    fail(Errc::invalid_argument,
         "HybridMemoryPool: " + to_string(driver->device()) + " has a driver already");
  state_->drivers.push_back(std::move(driver));
}

std::optional<MemoryHandle> HybridMemoryPool::try_allocate(std::size_t bytes, std::size_t alignment,
                                                           Device device) {
  if (!std::has_single_bit(alignment) || alignment > kMaxAlignment)
    fail(Errc::invalid_argument, "HybridMemoryPool: alignment " + std::to_string(alignment) +
                                     " is not a power of two up to 2 MiB");
  const std::lock_guard lock(state_->mutex);
  State& s = *state_;
  Driver* driver = s.find(device);
  if (!driver) fail(Errc::invalid_argument, "HybridMemoryPool: no driver for " + to_string(device));
  const bool fits = !s.over_limit(bytes);
  const std::uint32_t id = s.take_slot();
  void* memory = fits ? driver->allocate(storage_bytes(bytes), alignment) : nullptr;
  if (!memory) {
    s.free_slots.push_back(id);
    ++s.metrics.failed_allocations;
    return std::nullopt;
  }
  Slot& slot = s.slots[id];
  slot = {memory, bytes, alignment, driver, slot.generation};
  s.metrics.live_bytes += bytes;
  s.metrics.peak_bytes = std::max(s.metrics.peak_bytes, s.metrics.live_bytes);
  ++s.metrics.live_blocks;
  ++s.metrics.total_allocations;

  MemoryHandle handle;
  handle.pool_ = this;
  handle.data_ = static_cast<std::byte*>(memory);
  handle.bytes_ = bytes;
  handle.device_ = device;
  handle.id_ = id;
  handle.generation_ = slot.generation;
  return handle;
}

MemoryHandle HybridMemoryPool::allocate(std::size_t bytes, std::size_t alignment, Device device) {
  if (auto handle = try_allocate(bytes, alignment, device)) return std::move(*handle);
  std::string message =
      "out of memory: " + std::to_string(bytes) + " bytes on " + to_string(device);
  if (const std::lock_guard lock(state_->mutex); state_->over_limit(bytes))
    message += "; the pool's limit is " + std::to_string(state_->config.max_bytes) +
               ", in use are " + std::to_string(state_->metrics.live_bytes);
  fail(Errc::out_of_memory, message);
}

bool HybridMemoryPool::release(MemoryHandle& handle) noexcept {
  const std::lock_guard lock(state_->mutex);
  State& s = *state_;
  if (handle.id_ >= s.slots.size()) return false;
  Slot& slot = s.slots[handle.id_];
  if (!slot.memory || slot.generation != handle.generation_) return false;
  slot.driver->deallocate(slot.memory, storage_bytes(slot.bytes), slot.alignment);
  s.metrics.live_bytes -= slot.bytes;
  --s.metrics.live_blocks;
  slot.memory = nullptr;
  ++slot.generation;
  s.free_slots.push_back(handle.id_);
  return true;
}

void HybridMemoryPool::deallocate(MemoryHandle&& handle) {
  require(static_cast<bool>(handle), "HybridMemoryPool::deallocate: the handle is empty");
  require(handle.pool_ == this, "HybridMemoryPool::deallocate: the handle is of another pool");
  MemoryHandle mine = std::move(handle);
  const bool released = release(mine);
  mine.pool_ = nullptr;
  require(released, "HybridMemoryPool::deallocate: the handle is stale");
}

MemoryMetrics HybridMemoryPool::metrics() const {
  const std::lock_guard lock(state_->mutex);
  return state_->metrics;
}

HybridMemoryPool& default_pool() {
  static auto* pool = new HybridMemoryPool;  // never destroyed: tensors may outlive main()
  return *pool;
}

}  // namespace bitnet
