// SPDX-License-Identifier: MIT OR Apache-2.0
// Merging against the definition: the pair of lowest rank, the leftmost of several.
#include "bitnet/generate/tokenizer/bpe.h"

#include <gtest/gtest.h>

#include <random>

namespace bitnet::tokenizer_detail {
namespace {

using Symbols = std::vector<std::int32_t>;

Symbols merge_by_definition(const MergeTable& merges, Symbols symbols) {
  for (;;) {
    std::size_t best = 0;
    MergeTable::Entry lowest;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto& entry = merges.find(static_cast<std::uint32_t>(symbols[i]),
                                      static_cast<std::uint32_t>(symbols[i + 1]));
      if (entry.value < lowest.value) {
        lowest = entry;
        best = i;
      }
    }
    if (lowest.value == MergeTable::kNone) return symbols;
    symbols[best] = static_cast<std::int32_t>(lowest.extra);
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

// Random merges of two letters and of what they make; every result has one text, as in a
// vocabulary.
TEST(MergeSymbols, EqualsTheDefinitionForAllSizes) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> texts{"a", "b"};
    MergeTable merges(40);
    for (std::uint32_t rank = 0; rank < 40; ++rank) {
      const auto left = static_cast<std::uint32_t>(random() % texts.size());
      const auto right = static_cast<std::uint32_t>(random() % texts.size());
      const std::string both = texts[left] + texts[right];
      const auto known = std::find(texts.begin(), texts.end(), both);
      const auto id = static_cast<std::uint32_t>(known - texts.begin());
      if (!merges.insert({left, right, rank, id})) continue;
      if (known == texts.end()) texts.push_back(both);
    }
    for (const std::size_t size : {0u, 1u, 2u, 7u, 47u, 48u, 49u, 60u, 200u}) {
      Symbols symbols(size);
      for (auto& symbol : symbols) symbol = static_cast<std::int32_t>(random() % 2);
      const Symbols expected = merge_by_definition(merges, symbols);
      symbols.resize(merge_symbols(merges, symbols.data(), symbols.size()));
      ASSERT_EQ(symbols, expected) << "size " << size;
    }
  }
}

}  // namespace
}  // namespace bitnet::tokenizer_detail
