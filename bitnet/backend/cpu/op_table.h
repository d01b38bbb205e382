// SPDX-License-Identifier: MIT OR Apache-2.0
// The CPU backend as the rest of the library sees it.
#pragma once

#include "bitnet/ops/op_table.h"

namespace bitnet::cpu {

/// All entries set; name "cpu/<isa>", the isa of isa::active(). Throws as isa::active() does.
const OpTable& op_table();

}  // namespace bitnet::cpu
