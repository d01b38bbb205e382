// SPDX-License-Identifier: MIT OR Apache-2.0
// The figures of other processes' pools as one page for a browser.
#pragma once

#include <string>
#include <vector>

#include "cli/memory_view.h"

namespace bitnet::cli {

/// One HTML document without outside resources or scripts; follows the reader's light or dark
/// setting. `when`: as people write dates.
std::string memory_html(const std::vector<WatchedProcess>& processes, const std::string& when);

}  // namespace bitnet::cli
