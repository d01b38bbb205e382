// SPDX-License-Identifier: MIT OR Apache-2.0
// One thread's blocks of one size: a pair of allocation and free, and 1000 live blocks.
#include <string>

#include "bench/memory/adapter.h"
#include "bench/memory/cases.h"

namespace bitnet::bench {
namespace {

/// Nanoseconds of an allocation that is freed at once; the block is not written.
template <class Allocate>
double pair_ns(Allocate allocate, std::size_t bytes, double cell_ns) {
  const auto run = [&](std::size_t count) {
    const double begin = now_ns();
    for (std::size_t i = 0; i < count; ++i) {
      void* block = allocate(bytes);
      keep(block);
      Adapter::deallocate(block, bytes);
    }
    return now_ns() - begin;
  };
  run(4);
  // So many that a sample is a sixteenth of the time; at most 16 M pairs.
  std::size_t count = 1;
  while (run(count) < cell_ns / 16 && count < (1u << 24)) count *= 2;
  Samples samples;
  for (double used = 0; samples.size() < 7 || (used < cell_ns && samples.size() < 31);) {
    const double ns = run(count);
    used += ns;
    samples.add(ns / static_cast<double>(count));
    if (used > 4 * cell_ns && samples.size() >= 3) break;
  }
  return samples.median();
}

void pair(const Case& self, const Effort& effort) {
  const auto aligned = [](std::size_t bytes) { return Adapter::allocate(bytes); };
  const std::string name = self.name;
  emit(name + "/aligned", pair_ns(aligned, self.bytes, effort.cell_ns), "ns");
  if (self.bytes > 1024) return;
  const auto natural = [](std::size_t bytes) { return Adapter::allocate_natural(bytes); };
  emit(name + "/natural", pair_ns(natural, self.bytes, effort.cell_ns), "ns");
  emit(name + "/two_threads",
       on_two_threads([&](int) { return pair_ns(aligned, self.bytes, effort.cell_ns); }), "ns");
}

/// All blocks are allocated, then all freed: in the order of their allocation, in reverse, at
/// random.
void batch(const Case& self, const Effort& effort) {
  constexpr std::size_t kLive = 1000;
  enum Order { kFirst, kLast, kRandom, kOrders };
  Array<void*> blocks = make_array<void*>(kLive);
  Array<std::uint32_t> order[kOrders] = {make_array<std::uint32_t>(kLive),
                                         make_array<std::uint32_t>(kLive),
                                         make_array<std::uint32_t>(kLive)};
  for (std::uint32_t i = 0; i < kLive; ++i) {
    order[kFirst][i] = order[kRandom][i] = i;
    order[kLast][i] = kLive - 1 - i;
  }
  Random random(1);
  for (std::size_t i = kLive - 1; i > 0; --i)
    std::swap(order[kRandom][i], order[kRandom][random.next() % (i + 1)]);

  Samples allocation, free[kOrders];
  double used = 0;
  for (int round = 0; (round < 9 || used < effort.cell_ns) && round < 3000; ++round) {
    const int which = round % kOrders;
    const double begin = now_ns();
    for (void*& block : blocks) {
      block = Adapter::allocate(self.bytes);
      keep(block);
    }
    const double middle = now_ns();
    for (const std::uint32_t i : order[which]) Adapter::deallocate(blocks[i], self.bytes);
    const double end = now_ns();
    used += end - begin;
    if (round < kOrders) continue;  // the first of each warms up
    allocation.add((middle - begin) / kLive);
    free[which].add((end - middle) / kLive);
  }
  const std::string name = self.name;
  emit(name + "/allocate", allocation.median(), "ns");
  emit(name + "/free_first", free[kFirst].median(), "ns");
  emit(name + "/free_last", free[kLast].median(), "ns");
  emit(name + "/free_random", free[kRandom].median(), "ns");
}

/// A thread's own 1000 live blocks of 16 bytes to 1 KiB: one is freed, one of another size comes.
double replace_ns(std::uint64_t seed, double cell_ns) {
  constexpr std::size_t kLive = 1000, kSteps = 4096;
  struct Block {
    void* data;
    std::size_t bytes;
  };
  Array<Block> blocks = make_array<Block>(kLive);
  Random random(seed);
  const auto allocate = [&] {
    const std::uint64_t r = random.next();
    const std::size_t low = std::size_t{16} << (r % 6);  // 16 … 512
    const std::size_t bytes = low + (r >> 32) % low;
    return Block{Adapter::allocate(bytes), bytes};
  };
  for (Block& block : blocks) block = allocate();
  Samples samples;
  double used = 0;
  for (int round = 0; (round < 9 || used < cell_ns) && round < 2000; ++round) {
    const double begin = now_ns();
    for (std::size_t i = 0; i < kSteps; ++i) {
      Block& block = blocks[random.next() % kLive];
      Adapter::deallocate(block.data, block.bytes);
      block = allocate();
      touch_first(block.data);
    }
    const double ns = now_ns() - begin;
    used += ns;
    if (round > 1) samples.add(ns / kSteps);
  }
  for (const Block& block : blocks) Adapter::deallocate(block.data, block.bytes);
  return samples.median();
}

void replace(const Case& self, const Effort& effort) {
  const std::string name = self.name;
  emit(name + "/one_thread", replace_ns(1, 2 * effort.cell_ns), "ns");
  emit(name + "/two_threads", on_two_threads([&](int which) {
         return replace_ns(static_cast<std::uint64_t>(which) + 1, 2 * effort.cell_ns);
       }),
       "ns");
}

constexpr Case kCases[] = {{"pair/64", pair, 64},           {"pair/1K", pair, 1024},
                           {"pair/64K", pair, 64 << 10},    {"pair/1M", pair, 1 << 20},
                           {"pair/64M", pair, 64 << 20},    {"batch/1M", batch, 1 << 20},
                           {"replace/16-1K", replace, 1024}};

}  // namespace

std::span<const Case> block_cases() { return kCases; }

}  // namespace bitnet::bench
