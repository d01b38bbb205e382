// SPDX-License-Identifier: MIT OR Apache-2.0
// The other allocators have no cases of their own.
#include "bench/memory/cases.h"

namespace bitnet::bench {

std::span<const Case> own_cases() { return {}; }

}  // namespace bitnet::bench
