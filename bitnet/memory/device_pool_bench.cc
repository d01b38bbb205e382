// SPDX-License-Identifier: MIT OR Apache-2.0
// The host's time for a pair of allocate and free of device memory. The driver holds address space
// alone, and its events pass at once. PyTorch's caching allocator takes 770 ns for a pair.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <latch>
#include <memory>
#include <thread>
#include <vector>

#include "bitnet/base/os/memory.h"
#include "bitnet/memory/device_pool.h"

namespace bitnet::memory {
namespace {

class AddressSpaceDriver final : public Driver {
 public:
  Device device() const noexcept override { return {DeviceKind::cuda, 0}; }
  void* allocate(std::size_t bytes, std::size_t alignment) noexcept override {
    return os::reserve_pages(bytes, std::max(alignment, os::kPageBytes));
  }
  void deallocate(void* memory, std::size_t bytes, std::size_t) noexcept override {
    os::unmap_pages(memory, bytes);
  }
  void copy(void*, const void*, std::size_t, Stream) override {}
};

// A process of one thread locks without atomics; no real one has one thread.
class IdleThread {
 public:
  ~IdleThread() { end_.count_down(); }

 private:
  std::latch end_{1};
  std::jthread thread_{[this] { end_.wait(); }};
};

void pair(benchmark::State& state) {
  const IdleThread idle;
  DevicePool pool(std::make_unique<AddressSpaceDriver>(), 0);
  const auto bytes = static_cast<std::size_t>(state.range(0));
  for (auto _ : state) {
    void* block = pool.allocate(bytes, 512, Stream{1});
    benchmark::DoNotOptimize(block);
    pool.free(block, Stream{1});
  }
}
BENCHMARK(pair)->RangeMultiplier(8)->Range(512, 64 << 20);

// Blocks of a decoder's step: 64 sizes, live for different times.
void mixed(benchmark::State& state) {
  const IdleThread idle;
  DevicePool pool(std::make_unique<AddressSpaceDriver>(), 0);
  std::vector<void*> live(64, nullptr);
  std::uint32_t random = 1;
  for (auto _ : state) {
    random = random * 1664525u + 1013904223u;
    void*& block = live[random >> 26];
    if (block) pool.free(block, Stream{1});
    block = pool.allocate(std::size_t{512} << ((random >> 20) % 15), 512, Stream{1});
    benchmark::DoNotOptimize(block);
  }
}
BENCHMARK(mixed);

}  // namespace
}  // namespace bitnet::memory
