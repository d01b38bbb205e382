// SPDX-License-Identifier: MIT OR Apache-2.0
// Runs a parsed template.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "bitnet/generate/chat/ast.h"

namespace bitnet::chat {

/// The text of `body` with these global names. Throws Fault; stays within ChatLimits.
std::string interpret(const Body& body, std::vector<std::pair<std::string, Value>> globals);

}  // namespace bitnet::chat
