// SPDX-License-Identifier: MIT OR Apache-2.0
// The two ways to fetch that StreamFetch (ops/args.h) chooses between.
#pragma once

namespace bitnet::cpu {
namespace {

/// Asks for the line at p, which need not be readable: into the second cache and no further, or
/// past it into the first (prefetcht1, prefetchnta on x86-64).
template <bool kSecondCache>
inline void fetch_ahead(const void* p) noexcept {
  __builtin_prefetch(p, 0, kSecondCache ? 2 : 0);
}

}  // namespace
}  // namespace bitnet::cpu
