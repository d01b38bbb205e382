// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/profile/roof.h"

namespace bitnet::profile {

double share_of_bandwidth(const Totals& totals, const Roof& roof) noexcept {
  return roof.read_bytes_per_second > 0 ? totals.bytes_per_second() / roof.read_bytes_per_second
                                        : 0.0;
}

double share_of_peak(const Totals& totals, const Roof& roof) noexcept {
  const Work& w = totals.work;
  if (totals.self_seconds <= 0 || (w.float_ops > 0 && roof.float_ops_per_second <= 0) ||
      (w.int8_ops > 0 && roof.int8_ops_per_second <= 0))
    return 0.0;
  double seconds = 0.0;
  if (w.float_ops > 0) seconds += static_cast<double>(w.float_ops) / roof.float_ops_per_second;
  if (w.int8_ops > 0) seconds += static_cast<double>(w.int8_ops) / roof.int8_ops_per_second;
  return seconds / totals.self_seconds;
}

}  // namespace bitnet::profile
