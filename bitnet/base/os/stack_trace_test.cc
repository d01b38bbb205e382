// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/os/stack_trace.h"

#include <gtest/gtest.h>

#include <array>
#include <fstream>

#include "bitnet/base/os/linux/elf_symbols.h"
#include "bitnet/base/os/threads.h"

namespace bitnet::os {
namespace {

[[gnu::noinline]] std::size_t innermost(std::span<std::uintptr_t> frames, std::size_t skip) {
  const std::size_t count = capture_stack(frames, skip);
  asm volatile("" ::: "memory");  // no tail call
  return count;
}
[[gnu::noinline]] std::size_t middle(std::span<std::uintptr_t> frames, std::size_t skip) {
  const std::size_t count = innermost(frames, skip);
  asm volatile("" ::: "memory");
  return count;
}

TEST(StackTrace, NamesTheCallersInnermostFirst) {
  std::array<std::uintptr_t, 32> frames{};
  const std::size_t count = middle(frames, 0);
  ASSERT_GE(count, 3u);
  EXPECT_NE(describe_frame(frames[0]).find("innermost"), std::string::npos)
      << describe_frame(frames[0]);
  EXPECT_NE(describe_frame(frames[1]).find("bitnet::os::(anonymous namespace)::middle"),
            std::string::npos)
      << describe_frame(frames[1]);
}

TEST(StackTrace, SkipsAndStopsAtTheRoomGiven) {
  std::array<std::uintptr_t, 1> frames{};
  ASSERT_EQ(middle(frames, 1), 1u);
  EXPECT_NE(describe_frame(frames[0]).find("middle"), std::string::npos);
  EXPECT_EQ(capture_stack({}, 0), 0u);
}

TEST(StackTrace, AnAddressOfNoFileIsANumber) { EXPECT_EQ(describe_frame(0x10), "0x10"); }

TEST(StackTrace, FilesThatAreNoElfHaveNoNames) {
  EXPECT_EQ(elf_symbol("/nonexistent", 0), "");
  EXPECT_EQ(elf_symbol("/proc/self/status", 0), "");
}

/// Every byte of the headers of this program changed in turn: no name or some name, no crash.
TEST(StackTrace, DamagedFilesAreReadSafely) {
  std::ifstream self("/proc/self/exe", std::ios::binary);
  std::string header(64, '\0');
  self.read(header.data(), 64);
  for (std::size_t at = 0; at < header.size(); ++at) {
    const std::string path = ::testing::TempDir() + "bitnet_elf_" + std::to_string(process_id()) +
                             "_" + std::to_string(at);
    std::string damaged = header;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x5a);
    std::ofstream(path, std::ios::binary) << damaged << std::string(4096, '\xff');
    EXPECT_EQ(elf_symbol(path, 16), "") << at;
    std::remove(path.c_str());
  }
}

}  // namespace
}  // namespace bitnet::os
