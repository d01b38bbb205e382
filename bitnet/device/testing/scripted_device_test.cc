// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/device/testing/scripted_device.h"

#include <gtest/gtest.h>

#include <cstring>

#include "bitnet/base/error.h"

namespace bitnet::testing {
namespace {

TEST(ScriptedDriver, WorkIsDoneWhenTheTestSaysAndInOrder) {
  ScriptedDevice device({.readable = true, .latency = std::chrono::microseconds(5)});
  ScriptedDriver driver(device);
  auto* memory = static_cast<char*>(driver.allocate(8, 64));
  char text[8] = "before";
  driver.copy(memory, text, 8, {1});
  const Event copied = driver.record({1});
  driver.wait({2}, copied);
  char back[8] = "";
  driver.copy(back, memory, 8, {2});
  EXPECT_FALSE(driver.is_done(copied));
  EXPECT_STREQ(memory, "");
  std::strcpy(text, "later");
  device.complete({2});
  EXPECT_TRUE(driver.is_done(copied)) << "stream 2 waits for it";
  EXPECT_STREQ(back, "later");
  const Event last = driver.record({2});
  driver.synchronize(last);
  EXPECT_TRUE(driver.is_done(last));
  EXPECT_EQ(device.elapsed(), std::chrono::microseconds(5));
  driver.release(copied);
  driver.release(last);
  EXPECT_EQ(device.live_events(), 0u);
  driver.deallocate(memory, 8, 64);
  EXPECT_EQ(device.held_bytes(), 0u);
  EXPECT_EQ(device.misuse(), "");
}

TEST(ScriptedDriver, FailsTheCallItIsToldTo) {
  ScriptedDevice device;
  ScriptedDriver driver(device);
  device.fail_call(2);
  void* memory = driver.allocate(8, 64);
  EXPECT_TRUE(memory);
  EXPECT_FALSE(driver.allocate(8, 64));
  device.fail_call(1);
  EXPECT_THROW(driver.record({}), Error);
  EXPECT_THROW(driver.copy(memory, memory, 8, {}), Error) << "lost devices stay lost";
  driver.deallocate(memory, 8, 64);
}

TEST(ScriptedDriver, SaysWhatBrokeTheContract) {
  ScriptedDevice device;
  ScriptedDriver driver(device);
  driver.release({7});
  EXPECT_NE(device.misuse().find("release"), std::string::npos);
  EXPECT_EQ(driver.memory().free_bytes, driver.memory().total_bytes);
}

}  // namespace
}  // namespace bitnet::testing
