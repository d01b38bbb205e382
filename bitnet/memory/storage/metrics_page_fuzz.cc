// SPDX-License-Identifier: MIT OR Apache-2.0
// Fuzz harness: any bytes as a page of memory figures, behind a head that is right.
#include <algorithm>
#include <array>
#include <cstring>

#include "bitnet/memory/storage/metrics_page.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bitnet::storage;
  static const std::uint64_t head[] = {0x4547415054494E42, 2, sizeof(PublishedMetrics)};
  alignas(8) std::array<std::byte, kMetricsPageBytes> page{};
  std::memcpy(page.data(), head, sizeof head);
  const std::size_t from = size > 0 && data[0] % 2 ? 0 : sizeof head;
  if (size > 0) std::memcpy(page.data() + from, data, std::min(size, page.size() - from));
  if (const auto reading = read_metrics_page(page))
    if (reading->metrics.num_classes > PublishedMetrics::kMaxClasses ||
        reading->metrics.num_devices > PublishedMetrics::kMaxDevices ||
        reading->metrics.num_samples > PublishedMetrics::kMaxSamples)
      __builtin_trap();
  return 0;
}
