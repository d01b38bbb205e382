// SPDX-License-Identifier: MIT OR Apache-2.0
// While a command works, what its memory pool counts is shown to `bitnet memory`.
#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "bitnet/memory/storage/metrics_page.h"

namespace bitnet::cli {

/// Publishes default_pool() four times a second while it lives. Publishes nothing, silently, where
/// BITNET_MEMORY_PAGE=0, or where the system has no shared memory.
class MemoryPublisher {
 public:
  MemoryPublisher();
  ~MemoryPublisher();
  MemoryPublisher(const MemoryPublisher&) = delete;
  MemoryPublisher& operator=(const MemoryPublisher&) = delete;

 private:
  void publish_until_stopped();
  std::optional<storage::MetricsPage> page_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace bitnet::cli
