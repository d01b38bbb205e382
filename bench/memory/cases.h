// SPDX-License-Identifier: MIT OR Apache-2.0
// The cases by topic; main.cc runs those that were asked for.
#pragma once

#include <span>

#include "bench/memory/harness.h"

namespace bitnet::bench {

std::span<const Case> block_cases();     // one thread's blocks of one size
std::span<const Case> exchange_cases();  // blocks that another thread frees
std::span<const Case> trace_cases();     // a transformer server's blocks
std::span<const Case> resident_cases();  // resident bytes; each wants a process of its own
std::span<const Case> own_cases();       // what only our pool has; empty for the others

/// No overlap, alignment, contents survive, frees by other threads. False after printing what was
/// wrong to stderr.
bool check_blocks(const Effort& effort);

}  // namespace bitnet::bench
