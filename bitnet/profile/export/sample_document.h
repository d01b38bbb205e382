// SPDX-License-Identifier: MIT OR Apache-2.0
// A small profile with everything in it, for the tests of the exports.
#pragma once

#include "bitnet/profile/export/document.h"

namespace bitnet::profile::testing {

inline constexpr const char* kHostileName = "</script><b>\"a\\b\"\n\x01,'\xff";

/// Two steps of 100 us: a product of 80 us (int8), a norm of 10 us (float) and a copy of 5 us in
/// each; one lane.
inline Document sample_document() {
  Document d;
  Report& r = d.report;
  const auto call = [&](const char* name, int parent, double us, double own_us, Work work) {
    r.calls.push_back({name, parent, {2, 2e-6 * us, 2e-6 * own_us, work}});
    r.ops.push_back({name, r.calls.back().totals});
  };
  call("step", -1, 100, 5, {});
  call("product", 0, 80, 80, {2'000'000, 1'000, 8'000'000});
  call(kHostileName, 0, 10, 10, {40'000, 20'000, 0});
  call("copy", 0, 5, 5, {8'000, 0, 0});
  std::swap(r.ops[0], r.ops[1]);  // by time of their own
  std::swap(r.ops[1], r.ops[2]);
  for (const double begin : {10e-6, 150e-6}) {
    r.events.push_back({0, 0, begin, 100e-6});
    r.events.push_back({1, 0, begin + 1e-6, 80e-6});
    r.events.push_back({2, 0, begin + 82e-6, 10e-6});
    r.events.push_back({3, 0, begin + 93e-6, 5e-6});
  }
  r.lanes = 1;
  r.lost_events = 3;
  r.seconds = 300e-6;
  d.roof = {20e9, 100e9, 800e9, "avx512", "avx512vnni"};
  d.hardware.unavailable = "not available: this is a sample";
  d.facts = {{"model", kHostileName}, {"threads", "2"}};
  return d;
}

}  // namespace bitnet::profile::testing
