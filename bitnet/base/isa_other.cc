// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/isa.h"

namespace bitnet::isa {

Mask detect() noexcept { return kNone; }

}  // namespace bitnet::isa
