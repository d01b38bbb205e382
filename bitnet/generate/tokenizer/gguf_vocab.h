// SPDX-License-Identifier: MIT OR Apache-2.0
// The vocabulary in a GGUF file's key/values.
#pragma once

#include "bitnet/generate/tokenizer/tokenizer.h"
#include "bitnet/io/gguf.h"

namespace bitnet {

/// Builds the tokenizer of `file`. `pre_tokenizer` (a name of pre_tokenizer.h) settles what the
/// file leaves open, "" if the user says nothing. Throws FileError E_VOCAB: not byte-level BPE,
/// arrays of different lengths, a pre-tokenizer that is missing or unknown, and what
/// tokenizer_from_vocab() throws.
Tokenizer tokenizer_from_gguf(const GgufFile& file, std::string_view pre_tokenizer = "");

}  // namespace bitnet
