// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/runtime/device_capabilities.h"

#include <gtest/gtest.h>

#include "bitnet/base/error_testing.h"
#include "bitnet/base/isa.h"

namespace bitnet {
namespace {

TEST(DeviceCapabilities, TellAndMeasureTheCpu) {
  ThreadPool threads(1);
  const auto caps = DeviceCapabilities::for_device(auto_select_device(), threads);
  EXPECT_EQ(caps.device, Device{});
  EXPECT_EQ(caps.backend, "cpu/" + std::string(isa::name_of(isa::active())));
  EXPECT_GE(caps.cores, 1);
  EXPECT_GT(caps.memory_bytes, caps.available_bytes);
  EXPECT_FALSE(caps.supports_cuda);
  // Between a very slow machine and one that does not exist.
  EXPECT_GT(caps.memory_bandwidth_gbps, 0.01);
  EXPECT_LT(caps.memory_bandwidth_gbps, 10000);
  for (int level = 1; level < 3; ++level)
    if (caps.cache_bytes[level] > 0) {
      EXPECT_GE(caps.cache_bytes[level], caps.cache_bytes[level - 1]);
    }
  EXPECT_EQ(DeviceCapabilities::described({}).memory_bandwidth_gbps, 0);
}

TEST(DeviceCapabilities, ADeviceWithoutABackendIsAnError) {
  EXPECT_EQ(code_of([] {
              DeviceCapabilities::described({DeviceKind::metal, 0});
            }),
            Errc::unsupported);
}

}  // namespace
}  // namespace bitnet
