// SPDX-License-Identifier: MIT OR Apache-2.0
// The beginning and the end of a HybridMemoryPool, its raw resource, its tracking.
#include "bitnet/memory/hybrid_pool_state.h"

#include <bit>
#include <mutex>
#include <vector>

#include "bitnet/base/error.h"
#include "bitnet/base/os/threads.h"

namespace bitnet {
namespace {

memory::HostPoolConfig host_config(const MemoryPoolConfig& config) {
  memory::HostPoolConfig host;
  host.initial_small_bytes = config.initial_small_bytes;
  host.max_small_bytes = config.max_small_bytes;
  host.initial_large_bytes = config.initial_large_bytes;
  host.max_large_bytes = config.max_large_bytes;
  host.pages = {config.huge_pages, config.lock_memory, config.numa_node};
  host.hardened = config.hardened;
  host.guard_interval = config.hardened ? config.guard_interval : 0;
  return host;
}

std::uint32_t watch_bits(TrackingLevel level) noexcept {
  switch (level) {
    case TrackingLevel::none:
      return 0;
    case TrackingLevel::basic:
      return memory::kWatchCounts;
    case TrackingLevel::standard:
      return memory::kWatchCounts | memory::kWatchClasses;
    case TrackingLevel::detailed:
      return memory::kWatchCounts | memory::kWatchClasses | memory::kWatchEvents;
  }
  return 0;
}

std::uint32_t next_pool_number() noexcept {
  static std::atomic<std::uint32_t> last{0};
  return ++last;
}

}  // namespace

// A child of a fork has one thread: blocks that another was moving would wait for ever.
class HybridMemoryPool::State::LivePools {
 public:
  /// Never destroyed: pools may outlive main().
  static LivePools& all() {
    static auto* pools = new LivePools;
    return *pools;
  }
  void add(State* pool) {
    static std::once_flag once;
    // After the host pools' own handlers, so that these, which wait for longer, come first.
    std::call_once(once, [] { os::call_at_fork(pause, resume<false>, resume<true>); });
    const std::lock_guard lock(mutex_);
    pools_.push_back(pool);
  }
  void remove(State* pool) noexcept {
    const std::lock_guard lock(mutex_);
    std::erase(pools_, pool);
  }

 private:
  static void pause() {
    all().mutex_.lock();
    for (State* pool : all().pools_) pool->pause();
  }
  template <bool kInChild>
  static void resume() {
    for (State* pool : all().pools_) pool->resume(kInChild);
    all().mutex_.unlock();
  }
  std::mutex mutex_;
  std::vector<State*> pools_;
};

void* PoolResource::do_allocate(std::size_t bytes, std::size_t alignment) {
  return pool_.allocate_raw(bytes, alignment);
}

void PoolResource::do_deallocate(void* block, std::size_t bytes, std::size_t) {
  pool_.deallocate_raw(block, bytes);
}

void HybridMemoryPool::State::DeviceCounts::add(std::int64_t bytes) noexcept {
  const std::int64_t now = live.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  blocks.fetch_add(bytes >= 0 ? 1 : -1, std::memory_order_relaxed);
  std::int64_t before = peak.load(std::memory_order_relaxed);
  while (now > before && !peak.compare_exchange_weak(before, now, std::memory_order_relaxed)) {
  }
}

HybridMemoryPool::State::State(HybridMemoryPool& pool, const MemoryPoolConfig& pool_config)
    : config(pool_config),
      pool_number(next_pool_number()),
      resource(pool),
      host(host_config(pool_config)) {
  host.set_last_resort(
      [](void* state, std::size_t bytes, std::size_t alignment, memory::HostPool::Door door) {
        return static_cast<State*>(state)->allocate_after_steps(bytes, alignment, door);
      },
      this);
  host.set_retire([this](memory::ThreadHeap& heap) { handles.retire(heap); });
}

void HybridMemoryPool::State::begin(HybridMemoryPool& pool) {
  const CleanupConfig cleanup_config = config.cleanup_config.value_or(CleanupConfig{});
  cleanup = std::make_unique<CleanupManager>(cleanup_config, pool);
  level = TrackingLevel::basic;
  if (config.enable_advanced_tracking) {
    const TrackingConfig tracking = config.tracking_config.value_or(TrackingConfig{});
    tracker = std::make_unique<Tracker>(tracking, static_cast<const TrackedPool*>(&pool));
    level = tracking.level;
    cleanup_pressure = tracker->register_pressure_callback([this](PressureLevel pressure) {
      // Levels are shares of what is there: none 0, low .7, medium .8, high .9, critical 1.
      constexpr double kRatios[] = {0.0, 0.7, 0.8, 0.9, 1.0};
      cleanup->on_pressure(kRatios[static_cast<int>(pressure)]);
    });
    tracker->start();
  }
  host.set_watch(watch_bits(level), tracker.get());
  LivePools::all().add(this);
  if (config.enable_automatic_cleanup) cleanup->start();
}

void HybridMemoryPool::State::pause() {
  cleanup->pause();
  unpark_gate.lock();
  compact_mutex.lock();
}

void HybridMemoryPool::State::resume(bool in_child) {
  compact_mutex.unlock();
  // In the child it still counts readers that waited for it in the parent: begun anew.
  if (in_child)
    std::construct_at(&unpark_gate);
  else
    unpark_gate.unlock();
  cleanup->resume();
}

void HybridMemoryPool::State::end() noexcept {
  LivePools::all().remove(this);
  cleanup_pressure.reset();
  if (cleanup) cleanup->stop();
  if (tracker) tracker->stop();
  host.close();  // while the tracker and the handles are there
}

TrackingLevel HybridMemoryPool::tracking_level() const noexcept { return state_->level.load(); }

void HybridMemoryPool::set_tracking_level(TrackingLevel level) {
  if (level == TrackingLevel::detailed && !state_->tracker)
    fail(Errc::unsupported,
         "HybridMemoryPool: events need a pool made with enable_advanced_tracking");
  state_->level = level;
  if (state_->tracker) state_->tracker->set_level(level);
  state_->host.set_watch(watch_bits(level), state_->tracker.get());
}

Tracker* HybridMemoryPool::tracker() noexcept { return state_->tracker.get(); }
CleanupManager& HybridMemoryPool::cleanup() noexcept { return *state_->cleanup; }

PressureRegistration HybridMemoryPool::register_pressure_callback(
    std::function<void(PressureLevel)> callback) {
  if (!state_->tracker)
    fail(Errc::unsupported,
         "HybridMemoryPool: pressure callbacks need a pool made with enable_advanced_tracking");
  return state_->tracker->register_pressure_callback(std::move(callback));
}

}  // namespace bitnet
