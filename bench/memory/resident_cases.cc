// SPDX-License-Identifier: MIT OR Apache-2.0
// Resident bytes for each live byte. Every byte of a block is written, so that what is resident is
// what the allocator costs. Each case wants a process of its own.
#include <cstring>
#include <string>

#include "bench/memory/cases.h"
#include "bench/memory/replay.h"

namespace bitnet::bench {
namespace {

void fill(void* data, std::size_t bytes) { std::memset(data, 0x5a, bytes); }

double share(std::size_t resident, std::size_t base, std::uint64_t live) {
  return (static_cast<double>(resident) - static_cast<double>(base)) / static_cast<double>(live);
}

/// Makes the allocator set up what it keeps whatever is asked.
void warm_up() {
  void* block = Adapter::allocate(64);
  fill(block, 64);
  Adapter::deallocate(block, 64);
}

/// Highest resident over highest live bytes of the server's trace.
void peak(const Case& self, const Effort& effort) {
  Replay replay(effort.requests);
  warm_up();
  const std::size_t base = resident_bytes();
  std::size_t highest = base;
  int since = 0;
  replay.run([&](void* data, std::size_t bytes) {
    fill(data, bytes);
    // Blocks of 1 MiB move the peak; small ones are sampled.
    if (bytes < 1 << 20 && ++since < 64) return;
    since = 0;
    highest = std::max(highest, resident_bytes());
  });
  emit(self.name, share(highest, base, replay.trace.peak_live_bytes), "ratio");
}

/// Blocks of 64 bytes to 256 KiB, as many bytes of each binary order, of which a random 80 % are
/// freed; then trim().
void drop(const Case& self, const Effort& effort) {
  const std::size_t most = 400'000, wanted = 2 * effort.fill_bytes;
  auto blocks = make_array<LiveBlock>();
  blocks.reserve(most);
  warm_up();
  const std::size_t base = resident_bytes();
  Random random(12345);
  std::uint64_t live = 0;
  while (live < wanted && blocks.size() < most) {
    const std::size_t low = std::size_t{64} << random.below(12);
    const std::size_t bytes = low + random.below(low);
    blocks.push_back({Adapter::allocate(bytes), static_cast<std::uint32_t>(bytes)});
    fill(blocks.back().data, bytes);
    live += bytes;
  }
  const std::string name = self.name;
  emit(name + "/full", share(resident_bytes(), base, live), "ratio");
  for (LiveBlock& block : blocks) {
    if (random.below(5) == 0) continue;
    Adapter::deallocate(block.data, block.bytes);
    live -= block.bytes;
    block.data = nullptr;
  }
  emit(name + "/freed", share(resident_bytes(), base, live), "ratio");
  Adapter::trim();
  emit(name + "/trimmed", share(resident_bytes(), base, live), "ratio");
  for (const LiveBlock& block : blocks)
    if (block.data != nullptr) Adapter::deallocate(block.data, block.bytes);
}

/// Resident bytes beyond those asked for, per cent, of many live blocks of one size.
void metadata(const Case& self, const Effort& effort) {
  const std::size_t count = effort.fill_bytes / self.bytes;
  auto blocks = make_array<void*>(count);
  warm_up();
  const std::size_t base = resident_bytes();
  for (void*& block : blocks) {
    block = Adapter::allocate(self.bytes);
    fill(block, self.bytes);
  }
  emit(self.name, 100 * (share(resident_bytes(), base, count * self.bytes) - 1), "%");
  for (void* block : blocks) Adapter::deallocate(block, self.bytes);
}

constexpr Case kCases[] = {{"resident/peak", peak},
                           {"resident/drop", drop},
                           {"metadata/64", metadata, 64},
                           {"metadata/1K", metadata, 1024},
                           {"metadata/64K", metadata, 64 << 10},
                           {"metadata/1M", metadata, 1 << 20}};

}  // namespace

std::span<const Case> resident_cases() { return kCases; }

}  // namespace bitnet::bench
