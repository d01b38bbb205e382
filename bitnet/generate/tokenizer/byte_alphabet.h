// SPDX-License-Identifier: MIT OR Apache-2.0
// The printable stand-ins that byte-level BPE writes for bytes (GPT-2's bytes_to_unicode).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bitnet {

/// "Ġthe" for " the": bytes 0x21..0x7E, 0xA1..0xAC, 0xAE..0xFF stand for themselves as code points,
/// the 68 others for U+0100.. in order.
std::string bytes_to_alphabet(std::string_view bytes);

/// The way back; nullopt if a character is outside the alphabet.
std::optional<std::string> alphabet_to_bytes(std::string_view text);

/// As above, appended to `out`; false (and `out` as it was) if a character is outside the alphabet.
bool append_alphabet_bytes(std::string& out, std::string_view text);

}  // namespace bitnet
