// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/profile/report.h"

namespace bitnet::profile {
namespace {

double ratio(double part, double whole) noexcept { return whole > 0 ? part / whole : 0.0; }

}  // namespace

double Totals::mean_seconds() const noexcept { return ratio(seconds, static_cast<double>(count)); }

double Totals::intensity() const noexcept {
  return ratio(static_cast<double>(work.ops()), static_cast<double>(work.bytes));
}

double Totals::bytes_per_second() const noexcept {
  return ratio(static_cast<double>(work.bytes), self_seconds);
}

double Totals::ops_per_second() const noexcept {
  return ratio(static_cast<double>(work.ops()), self_seconds);
}

double Report::self_seconds() const noexcept {
  double sum = 0.0;
  for (const Op& op : ops) sum += op.totals.self_seconds;
  return sum;
}

}  // namespace bitnet::profile
