// SPDX-License-Identifier: MIT OR Apache-2.0
// The trie of control and user-defined tokens.
#include "bitnet/generate/tokenizer/added_tokens.h"

#include <cstring>
#include <numeric>

namespace bitnet::tokenizer_detail {
namespace {

std::size_t total_bytes(const std::vector<AddedToken>& tokens) {
  return std::accumulate(tokens.begin(), tokens.end(), std::size_t{0},
                         [](std::size_t sum, const auto& t) { return sum + t.text.size(); });
}

}  // namespace

AddedTokenMatcher::AddedTokenMatcher(const std::vector<AddedToken>& tokens)
    : nodes_(1), edges_(total_bytes(tokens)) {
  for (const AddedToken& token : tokens) {
    std::uint32_t node = 0;
    for (const char c : token.text) {
      const auto byte = static_cast<std::uint8_t>(c);
      std::uint32_t child = edges_.find(node, byte).value;
      if (child == PairTable::kNone) {
        child = static_cast<std::uint32_t>(nodes_.size());
        nodes_.emplace_back();
        edges_.insert({node, byte, child, 0});
      }
      node = child;
    }
    nodes_[node] = {token.id, token.control, token.lstrip, token.rstrip};
    first_[static_cast<std::uint8_t>(token.text[0])] = true;
  }
  if (std::accumulate(first_.begin(), first_.end(), 0) == 1)
    single_first_ = static_cast<std::uint8_t>(tokens.front().text[0]);
}

std::optional<AddedTokenMatcher::Match> AddedTokenMatcher::match_at(std::string_view text,
                                                                    std::size_t at,
                                                                    bool with_control) const {
  std::optional<Match> longest;
  std::uint32_t node = 0;
  for (std::size_t end = at; end < text.size();) {
    node = edges_.find(node, static_cast<std::uint8_t>(text[end])).value;
    if (node == PairTable::kNone) break;
    ++end;
    const Node& here = nodes_[node];
    if (here.id >= 0 && (with_control || !here.control))
      longest = Match{at, end, here.id, here.lstrip, here.rstrip};
  }
  return longest;
}

std::optional<AddedTokenMatcher::Match> AddedTokenMatcher::find(std::string_view text,
                                                                std::size_t from,
                                                                bool with_control) const {
  if (nodes_.size() == 1) return std::nullopt;
  for (std::size_t at = from; at < text.size(); ++at) {
    if (single_first_ >= 0) {
      const void* hit = std::memchr(text.data() + at, single_first_, text.size() - at);
      if (!hit) return std::nullopt;
      at = static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
    }
    if (!first_[static_cast<std::uint8_t>(text[at])]) continue;
    if (const auto match = match_at(text, at, with_control)) return match;
  }
  return std::nullopt;
}

}  // namespace bitnet::tokenizer_detail
