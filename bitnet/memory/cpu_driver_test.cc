// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/cpu_driver.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>

#include "bitnet/base/os/memory.h"

namespace bitnet {
namespace {

TEST(CpuDriver, BlocksOfEverySizeAreAlignedAndWritable) {
  CpuDriver driver;
  for (const std::size_t bytes :
       {std::size_t{1}, std::size_t{65535}, std::size_t{65536}, std::size_t{5} << 20})
    for (const std::size_t alignment : {std::size_t{64}, std::size_t{2} << 20}) {
      void* memory = driver.allocate(bytes, alignment);
      ASSERT_TRUE(memory);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory) % alignment, 0u);
      std::memset(memory, 1, bytes);
      driver.deallocate(memory, bytes, alignment);
    }
  EXPECT_FALSE(driver.allocate(SIZE_MAX / 2, 64)) << "out of memory is a value";
}

TEST(CpuDriver, CopiesAreDoneWhenTheCallReturns) {
  CpuDriver driver;
  char text[] = "abcdef";
  driver.copy(text + 1, text, 4, {});
  EXPECT_STREQ(text, "aabcdf");
  driver.copy(nullptr, nullptr, 0, {});
  EXPECT_TRUE(driver.is_done(driver.record({3})));
}

TEST(CpuDriver, MemoryIsTheMachines) {
  const DeviceMemory memory = CpuDriver().memory();
  EXPECT_EQ(memory.total_bytes, os::memory_info().total_bytes);
  EXPECT_GT(memory.free_bytes, 0u);
  EXPECT_LE(memory.free_bytes, memory.total_bytes);
}

}  // namespace
}  // namespace bitnet
