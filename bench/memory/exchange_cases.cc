// SPDX-License-Identifier: MIT OR Apache-2.0
// Blocks that one thread allocates and another frees.
#include <string>

#include "bench/memory/adapter.h"
#include "bench/memory/cases.h"

namespace bitnet::bench {
namespace {

/// A ring between one producer and one consumer; an empty place is a null pointer.
class Ring {
 public:
  void push(std::size_t at, void* block) {
    std::atomic<void*>& place = places_[at % kPlaces];
    for (Wait wait; place.load(std::memory_order_acquire) != nullptr;) wait.once();
    place.store(block, std::memory_order_release);
  }
  void* try_pop(std::size_t at) {
    std::atomic<void*>& place = places_[at % kPlaces];
    void* block = place.load(std::memory_order_acquire);
    if (block != nullptr) place.store(nullptr, std::memory_order_release);
    return block;
  }

 private:
  static constexpr std::size_t kPlaces = 1024;
  Array<std::atomic<void*>> places_ = make_array<std::atomic<void*>>(kPlaces);
};

/// Nanoseconds between blocks: one thread allocates and writes a byte, the other frees.
void producer(const Case& self, const Effort& effort) {
  const std::size_t count = self.bytes <= 64 << 10 ? 20'000 : 2000;
  Ring ring;
  std::atomic<bool> stop{false};
  std::thread consumer([&] {
    Wait wait;
    for (std::size_t at = 0;;) {
      const bool last = stop.load(std::memory_order_acquire);
      if (void* block = ring.try_pop(at)) {
        Adapter::deallocate(block, self.bytes);
        ++at;
      } else if (last) {
        return;
      } else {
        wait.once();
      }
    }
  });
  Samples samples;
  std::size_t at = 0;
  double used = 0;
  for (int round = 0; (round < 7 || used < 2 * effort.cell_ns) && round < 200; ++round) {
    const double begin = now_ns();
    for (std::size_t i = 0; i < count; ++i) {
      void* block = Adapter::allocate(self.bytes);
      touch_first(block);
      ring.push(at++, block);
    }
    const double ns = now_ns() - begin;
    used += ns;
    if (round > 0) samples.add(ns / static_cast<double>(count));
  }
  stop.store(true, std::memory_order_release);
  consumer.join();
  emit(self.name, samples.median(), "ns");
}

/// Both threads put new blocks of 16 bytes to 1 KiB into shared places and free what they find
/// there: half of it is the other thread's. A block begins with its size.
void exchange(const Case& self, const Effort& effort) {
  constexpr std::size_t kPlaces = 4096, kSteps = 4096;
  auto places = make_array<std::atomic<void*>>(kPlaces);
  const auto free = [](void* block) {
    if (block != nullptr) Adapter::deallocate(block, *static_cast<std::size_t*>(block));
  };
  const double ns = on_two_threads([&](int which) {
    Random random(static_cast<std::uint64_t>(which) + 1);
    Samples samples;
    double used = 0;
    for (int round = 0; (round < 9 || used < 2 * effort.cell_ns) && round < 2000; ++round) {
      const double begin = now_ns();
      for (std::size_t i = 0; i < kSteps; ++i) {
        const std::size_t bytes = 16 + random.next() % (self.bytes - 16);
        void* block = Adapter::allocate(bytes);
        *static_cast<volatile std::size_t*>(block) = bytes;
        free(places[random.next() % kPlaces].exchange(block, std::memory_order_acq_rel));
      }
      const double spent = now_ns() - begin;
      used += spent;
      if (round > 1) samples.add(spent / kSteps);
    }
    return samples.median();
  });
  for (std::atomic<void*>& place : places) free(place.load());
  emit(self.name, ns, "ns");
}

constexpr Case kCases[] = {{"producer/64", producer, 64},
                           {"producer/1K", producer, 1024},
                           {"producer/64K", producer, 64 << 10},
                           {"producer/1M", producer, 1 << 20},
                           {"exchange/16-1K", exchange, 1024}};

}  // namespace

std::span<const Case> exchange_cases() { return kCases; }

}  // namespace bitnet::bench
