// SPDX-License-Identifier: MIT OR Apache-2.0
// What a machine can do at best, and how near to it something is.
#pragma once

#include <string>

#include "bitnet/profile/report.h"

namespace bitnet::profile {

/// Of all threads that compute. 0: not known.
struct Roof {
  double read_bytes_per_second = 0.0;     // memory, far beyond the caches
  double float_ops_per_second = 0.0;      // a fused multiply-add is two
  double int8_ops_per_second = 0.0;       // a product and an addition are two
  std::string float_kernel, int8_kernel;  // whose instructions: "avx512", "avx512vnni"
};

/// Bytes a second as a part of the roof. Above 1: the bytes came from caches. 0: not known.
double share_of_bandwidth(const Totals& totals, const Roof& roof) noexcept;

/// Time that the operations need at the peaks, float and int8 one after the other, as a part of the
/// time of its own. 0: no operations, or a peak that they need is not known.
double share_of_peak(const Totals& totals, const Roof& roof) noexcept;

}  // namespace bitnet::profile
