// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/runtime/machine_limits.h"

#include "bitnet/backend/cpu/measured_limits.h"

namespace bitnet {

profile::Roof measure_machine_limits(ThreadPool& threads) { return cpu::measure_roof(threads); }

}  // namespace bitnet
