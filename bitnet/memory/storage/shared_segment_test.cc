// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/storage/shared_segment.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "bitnet/base/error_testing.h"
#include "bitnet/base/os/fault.h"
#include "bitnet/memory/memory_testing.h"

namespace bitnet::storage {
namespace {

// Tests run side by side in processes of their own.
std::string unique_name(const char* what) {
  return std::string("bitnet-test-") + what + "-" + std::to_string(::getpid());
}

void fill(const SharedBlock& block, std::byte with) {
  std::fill(block.bytes().begin(), block.bytes().end(), with);
}
bool holds(const SharedBlock& block, std::byte what) {
  return std::all_of(block.bytes().begin(), block.bytes().end(),
                     [&](std::byte b) { return b == what; });
}

// A child that runs `body` and ends with its exit code, without this program's own ending.
::pid_t run_child(const std::function<int()>& body) {
  const ::pid_t pid = ::fork();
  if (pid != 0) return pid;
  int code = 99;
  try {
    code = body();
  } catch (...) {
  }
  ::_exit(code);
}
int wait_for(::pid_t pid) {
  int status = 0;
  ::waitpid(pid, &status, 0);
  return status;
}

TEST(SharedSegment, ABlockIsTheSameInAnotherProcessAtAnotherAddress) {
  BITNET_SKIP_UNLESS_FORKS_WORK();
  const std::string name = unique_name("two");
  SharedSegment segment(name, 1u << 20);
  const SharedBlock block = segment.allocate(10'000);
  fill(block, std::byte{7});
  const SharedId id = block.id();
  const auto* here = block.bytes().data();
  const int status = wait_for(run_child([&] {
    SharedSegment mine(name);
    const SharedBlock same = mine.open(id);
    if (same.bytes().size() != 10'000 || same.bytes().data() == here) return 1;
    if (!holds(same, std::byte{7})) return 2;
    fill(same, std::byte{9});
    ::_exit(mine.figures().peers == 2 && mine.figures().references == 2 ? 0 : 3);
  }));
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(holds(block, std::byte{9}));
  EXPECT_EQ(segment.figures().references, 2u) << "the child left without a word";
  EXPECT_EQ(segment.sweep(), 1u);
  EXPECT_EQ(segment.figures().references, 1u);
}

TEST(SharedSegment, ABlockLivesAsLongAsSomebodyRefersToIt) {
  const std::string name = unique_name("refs");
  SharedSegment first(name, 64 * 4096), second(name);
  SharedBlock block = first.allocate(4096 * 3 + 1);
  const SharedId id = block.id();
  EXPECT_EQ(first.figures().used_units, 4u);
  SharedBlock other = second.open(id), third = second.open(id);
  EXPECT_EQ(first.figures().references, 3u);
  block = {};
  other = {};
  EXPECT_EQ(first.figures().blocks, 1u);
  third = {};
  EXPECT_EQ(first.figures().blocks, 0u);
  EXPECT_EQ(code_of([&] { first.open(id); }), Errc::invalid_argument);
  // The same place, another block: the old id stays stale.
  block = first.allocate(1);
  EXPECT_EQ(block.id().unit, id.unit);
  EXPECT_EQ(code_of([&] { second.open(id); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { second.open({9999, 1}); }), Errc::invalid_argument);
}

TEST(SharedSegment, TheLastOneOutRemovesTheName) {
  const std::string name = unique_name("name");
  EXPECT_EQ(code_of([&] { SharedSegment none(name); }), Errc::invalid_argument);
  {
    SharedSegment first(name, 4096);
    { SharedSegment second(name, 4096); }
    EXPECT_EQ(os::SharedMemory::list(name), std::vector<std::string>{name});
  }
  EXPECT_TRUE(os::SharedMemory::list(name).empty());
}

TEST(SharedSegment, OneWhoseNameWasTakenAwayLeavesTheNextAlone) {
  const std::string name = unique_name("next");
  auto first = std::make_unique<SharedSegment>(name, 4096);
  os::SharedMemory::unlink(name);
  const SharedSegment next(name, 4096);
  first.reset();
  EXPECT_EQ(os::SharedMemory::list(name), std::vector<std::string>{name});
}

TEST(SharedSegment, SizesAndLimitsAreRefusedClearly) {
  const std::string name = unique_name("sizes");
  for (const auto& [heap, unit] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 4096}, {4096, 0}, {4096, 63}, {4096, 100}, {4096, 2ull << 30}, {UINT64_MAX, 64}})
    EXPECT_EQ(code_of([&] { SharedSegment bad(name, heap, unit); }), Errc::invalid_argument);
  SharedSegment segment(name, 8 * 64, 64);
  EXPECT_EQ(segment.figures().units, 8u);
  EXPECT_EQ(code_of([&] { segment.allocate(0); }), Errc::invalid_argument);
  EXPECT_EQ(code_of([&] { segment.allocate(8 * 64 + 1); }), Errc::out_of_memory);
  EXPECT_EQ(code_of([&] { segment.allocate(UINT64_MAX); }), Errc::out_of_memory);
  SharedBlock a = segment.allocate(192), b = segment.allocate(192), c = segment.allocate(128);
  EXPECT_EQ(code_of([&] { segment.allocate(1); }), Errc::out_of_memory);
  a = {};
  c = {};
  EXPECT_EQ(code_of([&] { segment.allocate(256); }), Errc::out_of_memory) << "not in one piece";
  EXPECT_EQ(segment.allocate(192).id().unit, 0u);
  segment.check();
}

TEST(SharedSegment, ManyPeersAndReferencesHaveALimit) {
  const std::string name = unique_name("peers");
  std::vector<std::unique_ptr<SharedSegment>> peers;
  for (std::size_t i = 0; i < SharedSegment::kMaxPeers; ++i)
    peers.push_back(std::make_unique<SharedSegment>(name, 4096));
  EXPECT_EQ(code_of([&] { SharedSegment more(name); }), Errc::out_of_memory);
  peers.pop_back();
  SharedSegment again(name);
  const SharedBlock block = again.allocate(1);
  std::vector<SharedBlock> references;
  for (int i = 1; i < 65'535; ++i) references.push_back(again.open(block.id()));
  EXPECT_EQ(code_of([&] { again.open(block.id()); }), Errc::out_of_memory);
  references.clear();
  EXPECT_EQ(again.figures().references, 1u);
}

// What each reference should find, against a plain list of live blocks.
TEST(SharedSegment, RandomUseByThreePeersAgreesWithAModel) {
  const std::string name = unique_name("model");
  constexpr std::uint64_t kUnits = 200;
  SharedSegment a(name, kUnits * 64, 64), b(name), c(name);
  SharedSegment* peers[] = {&a, &b, &c};
  struct Reference {
    SharedBlock block;
    std::byte pattern;
  };
  std::vector<Reference> live;
  std::mt19937 random(1);
  for (int step = 0; step < (memory::kSanitized ? 5'000 : 30'000); ++step) {
    SharedSegment& peer = *peers[random() % 3];
    const auto choice = random() % 5;
    if (choice < 2) {
      const std::uint64_t bytes = 1 + random() % 1500;
      try {
        live.push_back({peer.allocate(bytes), static_cast<std::byte>(random())});
        fill(live.back().block, live.back().pattern);
      } catch (const Error& error) {
        ASSERT_EQ(error.code(), Errc::out_of_memory);
      }
    } else if (choice == 2 && !live.empty()) {
      const Reference& from = live[random() % live.size()];
      live.push_back({peer.open(from.block.id()), from.pattern});
    } else if (!live.empty()) {
      std::swap(live[random() % live.size()], live.back());
      ASSERT_TRUE(holds(live.back().block, live.back().pattern)) << "blocks overlap";
      live.pop_back();
    }
    if (step % 50 == 0) {
      a.check();
      std::vector<std::uint32_t> units;
      for (const Reference& reference : live) units.push_back(reference.block.id().unit);
      std::sort(units.begin(), units.end());
      units.erase(std::unique(units.begin(), units.end()), units.end());
      ASSERT_EQ(a.figures().references, live.size());
      ASSERT_EQ(a.figures().blocks, units.size());
    }
  }
}

TEST(SharedSegment, AKilledPeerLeavesNothingBehind) {
  BITNET_SKIP_UNLESS_FORKS_WORK();
  const std::string name = unique_name("kill");
  constexpr std::uint64_t kUnits = 128;
  SharedSegment segment(name, kUnits * 4096);
  const SharedBlock ours = segment.allocate(5000);
  fill(ours, std::byte{0x5A});
  // Where the child is: it is killed while it works, not before it begins.
  auto* steps = static_cast<std::atomic<int>*>(
      ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  std::mt19937 random(2);
  for (int round = 0; round < (memory::kSanitized ? 30 : 150); ++round) {
    *steps = 0;
    const auto seed = static_cast<unsigned>(random());
    const ::pid_t child = run_child([&]() -> int {
      SharedSegment mine(name);
      std::mt19937 own(seed);
      std::vector<SharedBlock> live;
      for (;;) {
        if (own() % 2 == 0 && live.size() < 20)
          live.push_back(mine.allocate(1 + own() % 16'000));
        else if (own() % 4 == 0)
          live.push_back(mine.open(ours.id()));
        else if (!live.empty())
          live.erase(live.begin() + static_cast<long>(own() % live.size()));
        if (!live.empty() && live.back().id().unit != ours.id().unit)
          fill(live.back(), std::byte{1});
        ++*steps;
      }
    });
    const int enough = static_cast<int>(random() % 60);
    while (*steps < enough) ASSERT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << "it failed";
    for (auto spin = random() % 4000; spin > 0; --spin)
      std::atomic_signal_fence(std::memory_order_seq_cst);
    ::kill(child, SIGKILL);
    wait_for(child);
    // Whatever it was doing, also inside the lock: nothing of it is left.
    segment.sweep();
    segment.check();
    const SharedFigures figures = segment.figures();
    ASSERT_EQ(figures.peers, 1u) << round;
    ASSERT_EQ(figures.blocks, 1u) << round;
    ASSERT_EQ(figures.references, 1u) << round;
    ASSERT_TRUE(holds(ours, std::byte{0x5A})) << round;
  }
  const ::pid_t last = run_child([&] {
    SharedSegment mine(name);
    const SharedBlock most = mine.allocate((kUnits - 2) * 4096);
    ::_exit(most.id().unit == 2 ? 0 : 1);
    return 2;
  });
  EXPECT_EQ(wait_for(last), 0);
  EXPECT_EQ(segment.allocate((kUnits - 2) * 4096).id().unit, 2u) << "room of the dead is room";
  ::munmap(steps, 4096);
}

TEST(SharedLock, PassesOnFromAHolderThatDied) {
  BITNET_SKIP_UNLESS_FORKS_WORK();
  auto* lock =
      new (::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))
          os::SharedLock;
  const os::ProcessIdentity self = os::current_process();
  EXPECT_FALSE(lock->lock(self));
  EXPECT_EQ(code_of([&] { lock->lock(self, std::chrono::milliseconds(20)); }), Errc::io);
  lock->unlock(self);
  EXPECT_EQ(wait_for(run_child([&] { return lock->lock(os::current_process()) ? 1 : 0; })), 0);
  EXPECT_TRUE(lock->lock(self)) << "its holder is dead";
  lock->unlock(self);
  EXPECT_FALSE(lock->lock(self));
  ::munmap(lock, 4096);
}

TEST(SharedSegment, AForkedChildHasNoPartInIt) {
  BITNET_SKIP_UNLESS_FORKS_WORK();
  auto segment = std::make_unique<SharedSegment>(unique_name("fork"), 4096);
  SharedBlock block = segment->allocate(1);
  EXPECT_EQ(wait_for(run_child([&] {
              if (code_of([&] { segment->allocate(1); }) != Errc::unsupported) return 1;
              block = {};
              segment.reset();
              return 0;
            })),
            0);
  EXPECT_EQ(segment->figures().references, 1u);
}

TEST(SharedSegment, TheNamesOfTheDeadAreRemoved) {
  BITNET_SKIP_UNLESS_FORKS_WORK();
  const std::string prefix = unique_name("stale"), name = prefix + "-a", living = prefix + "-b";
  const SharedSegment keeps(living, 4096);
  wait_for(run_child([&] {
    new SharedSegment(name, 4096);
    return 0;
  }));
  ASSERT_EQ(os::SharedMemory::list(prefix).size(), 2u);
  EXPECT_EQ(SharedSegment::remove_stale(prefix), 1u);
  EXPECT_EQ(os::SharedMemory::list(prefix), std::vector<std::string>{living});
}

TEST(SharedSegment, ThreadsShareOne) {
  SharedSegment segment(unique_name("threads"), 256 * 4096);
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t)
    threads.emplace_back([&segment, t] {
      for (int i = 0; i < 500; ++i) {
        const SharedBlock block = segment.allocate(1 + static_cast<unsigned>(i) * 37 % 9000);
        fill(block, static_cast<std::byte>(t));
        const SharedBlock again = segment.open(block.id());
        ASSERT_TRUE(holds(again, static_cast<std::byte>(t)));
      }
    });
  for (std::thread& thread : threads) thread.join();
  segment.check();
  EXPECT_EQ(segment.figures().blocks, 0u);
}

TEST(SharedSegment, AnythingInItIsAnErrorAtWorst) {
  const std::string name = unique_name("hostile");
  std::mt19937 random(3);
  for (int round = 0; round < (memory::kSanitized ? 200 : 1000); ++round) {
    SharedSegment segment(name, 32 * 64, 64);
    const SharedBlock kept = segment.allocate(100);
    {
      const auto raw =
          os::SharedMemory::attach(name, os::SharedMemory::Access::read_write, 1, 1u << 20);
      // The counts and places of blocks; the lock stays free, as a held one only makes us wait.
      const std::span<std::byte> rows = raw->bytes().subspan(4096, 32 * 80);
      for (int i = 0; i < 8; ++i) rows[random() % rows.size()] = static_cast<std::byte>(random());
    }
    const std::byte* end = nullptr;
    {
      const auto raw =
          os::SharedMemory::attach(name, os::SharedMemory::Access::read_only, 1, 1u << 20);
      end = kept.bytes().data() + raw->bytes().size();
    }
    for (std::uint32_t i = 0; i < 34; ++i) {
      const std::optional<Errc> code = code_of([&] {
        const SharedBlock block = i < 2 ? segment.allocate(100) : segment.open({i - 2, 1});
        EXPECT_LE(block.bytes().data() + block.bytes().size(), end);
        fill(block, std::byte{1});
      });
      EXPECT_TRUE(code == std::nullopt || code == Errc::out_of_memory ||
                  code == Errc::corrupt_file || code == Errc::invalid_argument);
    }
    os::SharedMemory::unlink(name);
  }
  // Another header: refused before anything else is read.
  for (std::size_t at = 0; at < 24; ++at) {
    const SharedSegment segment(name, 32 * 64, 64);
    auto raw = os::SharedMemory::attach(name, os::SharedMemory::Access::read_write, 1, 1u << 20);
    raw->bytes()[at] ^= std::byte{0x40};
    EXPECT_EQ(code_of([&] { SharedSegment second(name); }), Errc::corrupt_file) << at;
    raw->bytes()[at] ^= std::byte{0x40};
  }
}

TEST(SharedSegment, ASegmentCutShortIsNoticed) {
  const std::string name = unique_name("cut");
  SharedSegment segment(name, 64 * 4096);
  const SharedBlock block = segment.allocate(60 * 4096);
  ASSERT_EQ(::truncate(("/dev/shm/" + name).c_str(), 3 * 4096), 0);
  fill(block, std::byte{3});  // no SIGBUS
  EXPECT_EQ(code_of([&] { segment.check(); }), Errc::corrupt_file);
}

TEST(SharedSegment, EachFailingCallIsAnErrorThatLeavesNothing) {
  const std::string name = unique_name("fail");
  for (const os::Call call : {os::Call::open_shared, os::Call::size_shared, os::Call::map_shared})
    for (int k = 1;; ++k) {
      os::fail_call(call, k);
      const std::optional<Errc> code = code_of([&] {
        SharedSegment segment(name, 4096);
        SharedSegment second(name);
      });
      const bool reached = os::calls_made(call) >= k;
      os::fail_call(call, 0);
      if (!reached) break;
      EXPECT_EQ(code, Errc::io) << static_cast<int>(call) << " " << k;
      EXPECT_TRUE(os::SharedMemory::list(name).empty()) << static_cast<int>(call) << " " << k;
    }
  SharedSegment segment(name, 4096);
  os::fail_call(os::Call::commit_memory, 1);
  EXPECT_EQ(code_of([&] { segment.allocate(1); }), Errc::out_of_memory);
  os::fail_call(os::Call::commit_memory, 0);
  EXPECT_EQ(segment.figures().blocks, 0u);
}

}  // namespace
}  // namespace bitnet::storage
