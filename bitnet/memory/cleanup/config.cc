// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/cleanup/config.h"

#include <string>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

using Milliseconds = CleanupConfig::Milliseconds;

template <class T>
void check(const char* field, T value, T least, T most, const char* unit = "") {
  if (value >= least && value <= most) return;
  fail(Errc::invalid_argument, std::string("CleanupConfig: ") + field + " is " +
                                   std::to_string(value) + unit + ", allowed are " +
                                   std::to_string(least) + " to " + std::to_string(most) + unit);
}

void check(const char* field, Milliseconds value, Milliseconds least) {
  check<std::int64_t>(field, value.count(), least.count(), 86'400'000, " ms");
}

void check_rising(const char* fields, double a, double b, double c) {
  if (!(a >= 0.0 && a <= b && b <= c && c <= 1.0))
    fail(Errc::invalid_argument, std::string("CleanupConfig: ") + fields +
                                     " must rise from 0 to 1, but are " + std::to_string(a) + ", " +
                                     std::to_string(b) + ", " + std::to_string(c));
}

}  // namespace

CleanupConfig CleanupConfig::minimal() {
  CleanupConfig c;
  c.max_cleanup_time = Milliseconds(10);
  c.policy.max_blocks = 100;
  c.policy.incremental = false;
  c.policy.batch_blocks = 50;
  c.policy.cooperative = false;
  c.features.periodic = c.features.device = c.features.generational = false;
  c.features.metrics = false;
  c.safety = {.validate = false, .rollback = false, .audit = false, .max_retries = 1};
  return c;
}

CleanupConfig CleanupConfig::aggressive() {
  CleanupConfig c;
  c.max_cleanup_time = Milliseconds(500);
  c.policy.default_strategy = CleanupKind::pressure;
  c.policy.max_blocks = 5000;
  c.policy.batch_blocks = 500;
  c.features.smart = true;
  c.thresholds.pressure = {0.6, 0.75, 0.9, Milliseconds(500)};
  c.thresholds.idle = {Milliseconds(50), Milliseconds(500), Milliseconds(2000), Milliseconds(200)};
  return c;
}

CleanupConfig CleanupConfig::debug() {
  CleanupConfig c;
  c.safety = {.validate = true, .rollback = true, .audit = true, .max_retries = 5};
  return c;
}

void CleanupConfig::validate() const {
  check("idle_cleanup_interval", idle_cleanup_interval, Milliseconds(1));
  check("pressure_cleanup_threshold", pressure_cleanup_threshold, 0.0, 1.0);
  check("max_cleanup_time", max_cleanup_time, Milliseconds(1));
  check("policy.default_strategy", static_cast<int>(policy.default_strategy), 0, kCleanupKinds - 1);
  check<std::uint64_t>("policy.max_blocks", policy.max_blocks, 1, UINT64_MAX);
  check<std::uint64_t>("policy.batch_blocks", policy.batch_blocks, 1, UINT64_MAX);
  const Thresholds& t = thresholds;
  check_rising("thresholds.pressure light, aggressive, emergency", t.pressure.light,
               t.pressure.aggressive, t.pressure.emergency);
  check("thresholds.pressure.min_interval", t.pressure.min_interval, Milliseconds(0));
  check("thresholds.idle.min", t.idle.min, Milliseconds(0));
  check("thresholds.idle.light", t.idle.light, t.idle.min);
  check("thresholds.idle.aggressive", t.idle.aggressive, t.idle.light);
  check("thresholds.idle.max_duration", t.idle.max_duration, Milliseconds(1));
  check("thresholds.age.min_age", t.age.min_age, Milliseconds(0));
  check("thresholds.age.young", t.age.young, t.age.min_age);
  check("thresholds.age.old", t.age.old, t.age.young);
  check("thresholds.age.ancient", t.age.ancient, t.age.old);
  check("thresholds.size.utilization", t.size.utilization, 0.0, 1.0);
  check_rising("thresholds.fragmentation defragment, compact, emergency",
               t.fragmentation.defragment, t.fragmentation.compact, t.fragmentation.emergency);
  check("scheduler.interval", scheduler.interval, Milliseconds(1));
  check("scheduler.device_interval", scheduler.device_interval, Milliseconds(1));
}

}  // namespace bitnet
