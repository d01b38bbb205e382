// SPDX-License-Identifier: MIT OR Apache-2.0
// The page's fixed parts.
#pragma once

namespace bitnet {

extern const char kPageStyle[];
extern const char kPageBody[];
extern const char kPageCharts[];  // JavaScript: timeline, flame view, map
extern const char kPageTables[];  // JavaScript: figures, tables, and the start

}  // namespace bitnet
