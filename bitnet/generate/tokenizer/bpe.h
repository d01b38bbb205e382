// SPDX-License-Identifier: MIT OR Apache-2.0
// The merging of byte-pair encoding: the pair of lowest rank first, of equal ranks the leftmost.
#pragma once

#include <cstdint>
#include <vector>

#include "bitnet/generate/tokenizer/flat_table.h"

namespace bitnet::tokenizer_detail {

/// (left id, right id) -> value: rank, extra: id of the merged token.
using MergeTable = PairTable;

/// Merges symbols[0, size) in place until no pair is in the table; returns the new size. Same
/// result as the package `tokenizers`. Up to 48 symbols O(n^2), above O(n log n) time and about 50
/// n bytes.
std::size_t merge_symbols(const MergeTable& merges, std::int32_t* symbols, std::size_t size);

}  // namespace bitnet::tokenizer_detail
