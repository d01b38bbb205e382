// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/os/fault.h"

#include <array>
#include <atomic>

namespace bitnet::os {
namespace {

struct Counter {
  std::atomic<int> made{0};
  std::atomic<int> fail_at{0};
};
std::array<Counter, kCalls> counters;

Counter& counter(Call call) noexcept { return counters[static_cast<std::size_t>(call)]; }

}  // namespace

void fail_call(Call call, int k) noexcept {
  counter(call).made.store(0);
  counter(call).fail_at.store(k);
}

int calls_made(Call call) noexcept { return counter(call).made.load(); }

bool must_fail(Call call) noexcept {
  Counter& c = counter(call);
  return c.made.fetch_add(1) + 1 == c.fail_at.load();
}

}  // namespace bitnet::os
