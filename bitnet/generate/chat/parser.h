// SPDX-License-Identifier: MIT OR Apache-2.0
// Tokens to tree.
#pragma once

#include <string_view>

#include "bitnet/generate/chat/ast.h"

namespace bitnet::chat {

/// Parses a normalized source. Throws Fault: corrupt_file for syntax and depth, unsupported for
/// statements that are not known. Nesting and height are limited (ChatLimits), so later walks
/// cannot overflow the stack.
Body parse(std::string_view source);

}  // namespace bitnet::chat
