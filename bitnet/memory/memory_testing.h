// SPDX-License-Identifier: MIT OR Apache-2.0
// What tests of memory need to know about how they are built.
#pragma once

#include "bitnet/memory/poison.h"

namespace bitnet::memory {

#if defined(__SANITIZE_THREAD__)
inline constexpr bool kThreadSanitizer = true;
#else
inline constexpr bool kThreadSanitizer = false;
#endif
/// Sanitizers find what they find in a fraction of the steps.
inline constexpr bool kSanitized = kThreadSanitizer || kPoisoning;

}  // namespace bitnet::memory

/// Sanitizers' own records of each byte come and go with the memory that a test looks at.
#define BITNET_SKIP_UNLESS_RESIDENT_IS_EXACT() \
  if (bitnet::memory::kSanitized) GTEST_SKIP() << "resident memory says nothing under a sanitizer"
/// ThreadSanitizer neither follows forks of threaded programs nor the end of a process by a fault.
#define BITNET_SKIP_UNLESS_FORKS_WORK() \
  if (bitnet::memory::kThreadSanitizer) \
  GTEST_SKIP() << "ThreadSanitizer does not follow forks of threaded programs"
