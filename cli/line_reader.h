// SPDX-License-Identifier: MIT OR Apache-2.0
// Lines that a user types: with editing and history at a terminal, plain otherwise.
#pragma once

#include <optional>
#include <string>

namespace bitnet::cli {

/// The next line without its end; nullopt at the end of input. The prompt is shown at a terminal
/// only. History lives as long as the process and is written nowhere.
std::optional<std::string> read_line(const char* prompt);

/// Whether this build edits lines (libedit).
bool has_line_editing() noexcept;

}  // namespace bitnet::cli
