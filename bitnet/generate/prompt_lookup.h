// SPDX-License-Identifier: MIT OR Apache-2.0
// Drafts of the next tokens from the text itself: texts repeat names, phrases and lines of code.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace bitnet {

/// A guess at the tokens after `text`: where its last 4 tokens (3 or 2, if more never occurred
/// before) stood last, what followed them, up to `most` tokens. A place less than `most` tokens
/// from the end is read on into the guess itself, as if the text repeated itself. Empty where
/// nothing is repeated. Takes time linear in the text, some microseconds for 4096 tokens. (Prompt
/// lookup decoding: Saxena 2023; Yang et al., Inference with Reference, 2023.)
std::vector<std::int32_t> draft_from(std::span<const std::int32_t> text, std::int64_t most);

}  // namespace bitnet
