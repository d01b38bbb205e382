// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/pool_config.h"

#include <algorithm>
#include <string>

#include "bitnet/base/error.h"
#include "bitnet/base/os/memory.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kLeastSmall = 1u << 20;  // a few spans
constexpr std::uint64_t kMost = std::uint64_t{1} << 46;

void check_range(const char* field, std::uint64_t value, std::uint64_t least, std::uint64_t most) {
  if (value < least || value > most)
    fail(Errc::invalid_argument, std::string("MemoryPoolConfig: ") + field + " is " +
                                     std::to_string(value) + ", allowed are " +
                                     std::to_string(least) + " to " + std::to_string(most));
}

}  // namespace

MemoryPoolConfig MemoryPoolConfig::machine() {
  MemoryPoolConfig config;
  const std::uint64_t total = std::max<std::uint64_t>(os::memory_info().total_bytes, 4ull << 30);
  config.max_small_bytes = total;
  config.max_large_bytes = total;
  return config;
}

void MemoryPoolConfig::validate() const {
  check_range("max_small_bytes", max_small_bytes, kLeastSmall, kMost);
  check_range("max_large_bytes", max_large_bytes, 0, kMost);
  check_range("initial_small_bytes", initial_small_bytes, 0, max_small_bytes);
  check_range("initial_large_bytes", initial_large_bytes, 0, max_large_bytes);
  if (numa_node) check_range("numa_node", static_cast<std::uint64_t>(*numa_node), 0, 1023);
  if (tracking_config) tracking_config->validate();
  if (cleanup_config) cleanup_config->validate();
}

}  // namespace bitnet
