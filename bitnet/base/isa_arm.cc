// SPDX-License-Identifier: MIT OR Apache-2.0
#include <asm/hwcap.h>
#include <sys/auxv.h>

#include "bitnet/base/isa.h"

namespace bitnet::isa {

Mask detect() noexcept {
  Mask mask = kNeon;  // part of Armv8-A's base
  if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) mask |= kNeonDotprod;
  if (getauxval(AT_HWCAP2) & HWCAP2_I8MM) mask |= kNeonI8mm;
  return mask;
}

}  // namespace bitnet::isa
