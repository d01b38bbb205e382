// SPDX-License-Identifier: MIT OR Apache-2.0
// A profile as a table for a terminal.
#pragma once

#include <string>

#include "bitnet/profile/export/document.h"

namespace bitnet::profile {

/// Facts, then a line for each op, most time of its own first, then what is missing.
std::string to_text(const Document& document);

}  // namespace bitnet::profile
