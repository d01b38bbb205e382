// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/thread_registry.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "bitnet/base/error.h"
#include "bitnet/base/os/threads.h"
#include "bitnet/memory/host_pool.h"

namespace bitnet::memory {

thread_local constinit ThreadHeaps thread_heaps;

namespace {

// Never destroyed: threads and pools may outlive main().
struct Registry {
  std::mutex mutex;
  std::array<HostPool*, kMaxHostPools> pools{};
  ThreadHeaps* threads = nullptr;
};

Registry& registry() {
  static auto* instance = new Registry;
  return *instance;
}

void close_thread() {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  for (std::size_t i = 0; i < kMaxHostPools; ++i)
    if (ThreadHeap* heap = std::exchange(thread_heaps.heaps[i], nullptr))
      r.pools[i]->close_heap(heap);
  for (ThreadHeaps** at = &r.threads; *at; at = &(*at)->next)
    if (*at == &thread_heaps) {
      *at = thread_heaps.next;
      break;
    }
  thread_heaps.registered = false;
}

void before_fork() {
  Registry& r = registry();
  r.mutex.lock();
  for (HostPool* pool : r.pools)
    if (pool) pool->lock_all();
}

void after_fork_in_parent() {
  Registry& r = registry();
  for (HostPool* pool : r.pools)
    if (pool) pool->unlock_all();
  r.mutex.unlock();
}

void after_fork_in_child() {
  after_fork_in_parent();
  Registry& r = registry();
  r.threads = thread_heaps.registered ? &thread_heaps : nullptr;
  thread_heaps.next = nullptr;
  for (HostPool* pool : r.pools)
    if (pool) pool->adopt_orphans();
}

}  // namespace

std::size_t register_pool(HostPool& pool) {
  static std::once_flag once;
  std::call_once(once,
                 [] { os::call_at_fork(before_fork, after_fork_in_parent, after_fork_in_child); });
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  const auto free = std::find(r.pools.begin(), r.pools.end(), nullptr);
  if (free == r.pools.end())
    fail(Errc::unsupported, "memory pool: " + std::to_string(kMaxHostPools) +
                                " pools exist already, which is the most at a time");
  *free = &pool;
  return static_cast<std::size_t>(free - r.pools.begin());
}

void unregister_pool(std::size_t index) noexcept {
  Registry& r = registry();
  const std::lock_guard lock(r.mutex);
  for (ThreadHeaps* at = r.threads; at; at = at->next) at->heaps[index] = nullptr;
  r.pools[index] = nullptr;
}

void register_thread() noexcept {
  Registry& r = registry();
  os::call_at_thread_exit(close_thread);
  const std::lock_guard lock(r.mutex);
  if (std::exchange(thread_heaps.registered, true)) return;
  thread_heaps.next = r.threads;
  r.threads = &thread_heaps;
}

}  // namespace bitnet::memory
