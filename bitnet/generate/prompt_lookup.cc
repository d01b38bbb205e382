// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/generate/prompt_lookup.h"

#include <algorithm>

namespace bitnet {
namespace {

constexpr std::size_t kLongest = 4, kShortest = 2;

}  // namespace

std::vector<std::int32_t> draft_from(std::span<const std::int32_t> text, std::int64_t most) {
  std::vector<std::int32_t> draft;
  if (text.size() <= kShortest || most <= 0) return draft;
  const std::size_t last = text.size() - 1;
  std::size_t longest = kShortest - 1, from = 0;  // text[from] followed so many tokens
  for (std::size_t end = last; end >= kShortest && longest < kLongest; --end) {
    if (text[end - 1] != text[last]) continue;
    std::size_t same = 1;
    while (same < std::min(end, kLongest) && text[end - 1 - same] == text[last - same]) ++same;
    if (same <= longest) continue;
    longest = same;
    from = end;
  }
  if (from == 0) return draft;
  const std::size_t known = text.size() - from;
  for (std::size_t i = 0; i < static_cast<std::size_t>(most); ++i)
    draft.push_back(i < known ? text[from + i] : draft[i - known]);
  return draft;
}

}  // namespace bitnet
