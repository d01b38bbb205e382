// SPDX-License-Identifier: MIT OR Apache-2.0
// Random allocations and frees by three threads, every block's bytes checked before its free.
#include <cstdio>
#include <cstring>

#include "bench/memory/adapter.h"
#include "bench/memory/cases.h"

namespace bitnet::bench {
namespace {

/// A live block; its first and last bytes (up to kEdge of each) hold `mark`.
struct Marked {
  static constexpr std::size_t kEdge = 512;
  unsigned char* data;
  std::size_t bytes;
  unsigned char mark;

  std::size_t edge() const { return std::min(bytes, kEdge); }
  void write() const {
    std::memset(data, mark, edge());
    std::memset(data + bytes - edge(), mark, edge());
  }
  bool intact() const {
    for (std::size_t i = 0; i < edge(); ++i)
      if (data[i] != mark || data[bytes - 1 - i] != mark) return false;
    return true;
  }
};

/// Blocks on their way to another thread; each begins with its size.
class Mailbox {
 public:
  std::atomic<void*>& place(std::uint64_t random) { return places_[random % places_.size()]; }
  static void free(void* block) {
    std::size_t bytes;
    std::memcpy(&bytes, block, sizeof bytes);
    Adapter::deallocate(block, bytes);
  }
  ~Mailbox() {
    for (std::atomic<void*>& place : places_)
      if (void* block = place.load()) free(block);
  }

 private:
  Array<std::atomic<void*>> places_ = make_array<std::atomic<void*>>(256);
};

class Worker {
 public:
  Worker(int which, Mailbox& mailbox, std::atomic<bool>& good)
      : random_(static_cast<std::uint64_t>(which) + 1), mailbox_(mailbox), good_(good) {}

  void run(int steps) {
    for (int i = 0; i < steps && good_; ++i) {
      Marked& block = blocks_[random_.next() % blocks_.size()];
      release(block);
      acquire(block);
    }
    for (Marked& block : blocks_) release(block);
  }

 private:
  void acquire(Marked& block) {
    const std::uint64_t r = random_.next();
    // 1 byte to 2 MiB, every binary order as often.
    const std::size_t bytes = 1 + (r >> 20) % (std::size_t{16} << (r % 18));
    block = {static_cast<unsigned char*>(Adapter::allocate(bytes)), bytes,
             static_cast<unsigned char>(random_.next())};
    if (block.data == nullptr) return wrong("no memory", bytes);
    if (reinterpret_cast<std::uintptr_t>(block.data) % 64 != 0) wrong("misaligned", bytes);
    block.write();
  }
  void release(Marked& block) {
    if (block.data == nullptr) return;
    if (!block.intact()) wrong("contents changed", block.bytes);
    const std::uint64_t r = random_.next();
    if (block.bytes < 64 || r % 8 != 0) {
      Adapter::deallocate(block.data, block.bytes);
    } else {
      std::memcpy(block.data, &block.bytes, sizeof block.bytes);
      if (void* other = mailbox_.place(r >> 8).exchange(block.data)) Mailbox::free(other);
    }
    block.data = nullptr;
  }
  void wrong(const char* what, std::size_t bytes) {
    if (good_.exchange(false))
      std::fprintf(stderr, "check: a block of %zu bytes: %s\n", bytes, what);
  }

  Random random_;
  Mailbox& mailbox_;
  std::atomic<bool>& good_;
  Array<Marked> blocks_ = make_array<Marked>(512);
};

}  // namespace

bool check_blocks(const Effort& effort) {
  std::atomic<bool> good{true};
  Mailbox mailbox;
  const auto work = [&](int which) { Worker(which, mailbox, good).run(effort.check_steps); };
  std::thread first(work, 1), second(work, 2);
  work(0);
  first.join();
  second.join();
  return good;
}

}  // namespace bitnet::bench
