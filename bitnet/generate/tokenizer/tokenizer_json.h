// SPDX-License-Identifier: MIT OR Apache-2.0
// Tokenizers from Hugging Face's tokenizer.json.
#pragma once

#include <string>

#include "bitnet/generate/tokenizer/tokenizer.h"
#include "bitnet/io/json.h"

namespace bitnet {

/// bos_token_id and eos_token_id of config.json; -1: not known.
struct TextEnds {
  std::int32_t bos = -1, eos = -1;
};

/// Reads a byte-level BPE tokenizer. Where `ends` is -1, the first token that the post-processor
/// puts before a text is bos, the last one after it eos. "truncation" and "padding" are left to the
/// caller. Throws FileError with kind E_VOCAB: corrupt_file as tokenizer_from_vocab() and for wrong
/// types, ids twice or with holes, added tokens that contradict the vocabulary; unsupported for
/// another model than BPE, a normalizer, single_word, an unknown pattern (printed), any unknown
/// part.
Tokenizer tokenizer_from_json(const Json& document, const std::string& file, TextEnds ends = {});

}  // namespace bitnet
