// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/tick_clock.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace bitnet {

bool ticks_are_steady() noexcept {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  constexpr unsigned kPowerManagement = 0x80000007, kInvariantTsc = 1u << 8;
  return __get_cpuid(kPowerManagement, &eax, &ebx, &ecx, &edx) != 0 && (edx & kInvariantTsc) != 0;
#elif defined(__aarch64__)
  return true;
#else
  return false;
#endif
}

}  // namespace bitnet
