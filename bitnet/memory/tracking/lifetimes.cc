// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/lifetimes.h"

#include <algorithm>
#include <cmath>

namespace bitnet {

std::uint64_t LifetimeHistogram::quantile_ms(double p) const noexcept {
  const auto wanted = static_cast<std::uint64_t>(std::ceil(p * static_cast<double>(total)));
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    sum += counts[i];
    if (sum > 0 && sum >= wanted) return std::uint64_t{1} << i;
  }
  return 0;
}

void Lifetimes::add(std::uint16_t tag, std::uint64_t bytes, std::uint64_t life_ms) {
  all.add(life_ms);
  if (by_tag.size() <= tag) by_tag.resize(std::size_t{tag} + 1);
  by_tag[tag].add(life_ms);
  by_size[std::min(static_cast<std::size_t>(std::bit_width(bytes)), kSizeClasses - 1)].add(life_ms);
}

}  // namespace bitnet
