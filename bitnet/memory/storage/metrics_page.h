// SPDX-License-Identifier: MIT OR Apache-2.0
// A page of shared memory on which a process shows the figures of its pool to others of its user.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bitnet/base/os/shared_memory.h"
#include "bitnet/memory/metrics.h"
#include "bitnet/memory/tracking/pressure.h"

namespace bitnet::storage {

struct PublishedPart {
  std::uint64_t live_bytes, committed_bytes, peak_committed_bytes, free_bytes, largest_free_bytes,
      limit_bytes;
};
struct PublishedClass {
  std::uint64_t block_bytes, live_blocks, allocations;
};
struct PublishedDevice {
  std::uint64_t kind, index;  // Device
  std::uint64_t live_blocks, live_bytes, peak_bytes, failed_allocations, committed_bytes,
      limit_bytes;
};
struct PublishedSample {
  std::uint64_t live_bytes, committed_bytes;
};

inline Device device_of(const PublishedDevice& device) noexcept {
  return {static_cast<DeviceKind>(device.kind), static_cast<int>(device.index)};
}

/// Fields as in MemoryMetrics; words of 8 bytes throughout, in the machine's order: both sides are
/// on one machine.
struct PublishedMetrics {
  static constexpr std::size_t kMaxClasses = 32, kMaxDevices = 16, kMaxSamples = 240;

  std::uint64_t live_bytes, peak_bytes, live_blocks, total_allocations, total_bytes,
      failed_allocations, waste_bytes, metadata_bytes, resident_bytes;
  PublishedPart small, large;
  std::uint64_t trims, trimmed_bytes, compactions, moved_blocks, compressions, compressed_blocks,
      callbacks, failures;
  std::uint64_t packed_blocks, packed_bytes_before, packed_bytes_after, compress_ns, decompress_ns;
  std::uint64_t pressure_level;  // PressureLevel of the machine and the pool
  std::uint64_t num_devices;     // the host first
  PublishedDevice devices[kMaxDevices];
  std::uint64_t num_classes;  // those with the most live bytes
  PublishedClass classes[kMaxClasses];
  std::uint64_t num_samples;  // oldest first
  PublishedSample samples[kMaxSamples];
};

/// The page of this process, "bitnet-memory-<pid>"; gone when the object ends. One thread uses it.
class MetricsPage {
 public:
  /// Also removes pages whose process has died. Throws Error{io} where there is no shared memory.
  MetricsPage();
  ~MetricsPage();
  MetricsPage(const MetricsPage&) = delete;
  MetricsPage& operator=(const MetricsPage&) = delete;

  /// Shows these, and adds a sample to the history.
  void publish(const MemoryMetrics& metrics, std::uint64_t resident_bytes,
               PressureLevel pressure) noexcept;

 private:
  os::SharedMemory memory_;
  std::unique_ptr<PublishedMetrics> now_;
};

/// What a reader found.
struct PageReading {
  os::ProcessIdentity process;
  bool alive = false;
  PublishedMetrics metrics;
};

/// nullopt where the process shows none, or what is there is no page: another process wrote it, so
/// nothing of it is trusted. A reading is of one publish().
std::optional<PageReading> read_metrics_page(std::int64_t pid);
/// The same from bytes.
std::optional<PageReading> read_metrics_page(std::span<const std::byte> page);
/// Processes of this user that show a page and live, sorted; pages of dead ones are removed.
std::vector<std::int64_t> list_metrics_pages();

inline constexpr std::size_t kMetricsPageBytes = 8192;

}  // namespace bitnet::storage
