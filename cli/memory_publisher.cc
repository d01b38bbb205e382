// SPDX-License-Identifier: MIT OR Apache-2.0
#include "cli/memory_publisher.h"

#include <chrono>
#include <cstdlib>
#include <optional>
#include <string_view>
#include <system_error>

#include "bitnet/base/error.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/memory/hybrid_pool.h"
#include "bitnet/memory/tracking/pressure.h"

namespace bitnet::cli {
namespace {

constexpr std::chrono::milliseconds kBetween{250};

bool is_wanted() {
  const char* wish = std::getenv("BITNET_MEMORY_PAGE");
  return wish == nullptr || std::string_view(wish) != "0";
}

}  // namespace

MemoryPublisher::MemoryPublisher() {
  if (!is_wanted()) return;
  try {
    page_.emplace();
    thread_ = std::thread([this] { publish_until_stopped(); });
  } catch (const Error&) {              // no shared memory
  } catch (const std::system_error&) {  // no further thread
    page_.reset();
  }
}

MemoryPublisher::~MemoryPublisher() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void MemoryPublisher::publish_until_stopped() {
  PressureLevel level = PressureLevel::none;
  std::optional<os::MemoryEvents> events;
  std::unique_lock lock(mutex_);
  do {
    try {
      const MemoryMetrics metrics = default_pool().metrics();
      const PressureReading reading{os::read_memory_pressure(),
                                    metrics.small.live_bytes + metrics.large.live_bytes,
                                    metrics.small.limit_bytes + metrics.large.limit_bytes};
      level = pressure_level(reading, level, PressureThresholds{}, 1.0, events);
      events = reading.system.group_events;
      page_->publish(metrics, os::memory_info().resident_bytes, level);
    } catch (const std::exception&) {
      return;  // whoever works runs out of memory too, and says so
    }
  } while (!wake_.wait_for(lock, kBetween, [this] { return stop_; }));
}

}  // namespace bitnet::cli
