// SPDX-License-Identifier: MIT OR Apache-2.0
// What a loop that waits for another thread does between two looks.
#pragma once

namespace bitnet {

/// Tells the core that this is a wait: it leaves its resources to the other thread of the core.
inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace bitnet
