// SPDX-License-Identifier: MIT OR Apache-2.0
// Encoding and decoding.
#include "bitnet/generate/tokenizer/tokenizer.h"

#include <algorithm>
#include <atomic>

#include "bitnet/base/error.h"
#include "bitnet/generate/tokenizer/unicode.h"
#include "bitnet/generate/tokenizer/vocabulary.h"

namespace bitnet {

using tokenizer_detail::AddedTokenMatcher;
using tokenizer_detail::Vocabulary;

struct Tokenizer::Impl {
  explicit Impl(const BpeVocab& source);

  void encode_marked(std::string_view text, bool normalized, bool with_control,
                     std::vector<std::int32_t>& ids) const;
  void encode_plain(std::string_view text, std::vector<std::int32_t>& ids) const;
  void encode_piece(std::string_view piece, std::vector<std::int32_t>& ids) const;
  void merge_piece(std::string_view piece, std::vector<std::int32_t>& ids) const;
  bool merges_to_itself(std::int32_t id) const;
  void check_id(std::int32_t id) const;

  Vocabulary vocabulary;
  AddedTokenMatcher first_pass, second_pass;
  PreTokenizer pre;
  bool ignore_merges, add_prefix_space;
  std::int32_t bos, eos;
  std::vector<std::int32_t> prefix_ids, suffix_ids;

  // Whether merging a token's bytes gives that token: found out when first asked for, the same for
  // all threads, so relaxed atomics do. Saves the merging of most words where ignore_merges is
  // false.
  enum Whole : std::uint8_t { not_known, yes, no };
  mutable std::vector<std::atomic<std::uint8_t>> whole;
};

Tokenizer::Impl::Impl(const BpeVocab& source)
    : vocabulary(source),
      first_pass(vocabulary.added_tokens(source, false)),
      second_pass(vocabulary.added_tokens(source, true)),
      pre(source.pre),
      ignore_merges(source.ignore_merges),
      add_prefix_space(source.add_prefix_space),
      bos(source.bos),
      eos(source.eos),
      prefix_ids(source.prefix_ids),
      suffix_ids(source.suffix_ids),
      whole(source.tokens.size()) {
  const auto check = [&](const char* field, std::int32_t id, std::int32_t lowest) {
    if (id < lowest || id >= vocabulary.size())
      vocab_fault(source.file, field, std::to_string(id),
                  "must be below the vocabulary's size, " + std::to_string(vocabulary.size()));
  };
  check("bos token", bos, -1);
  check("eos token", eos, -1);
  for (const std::int32_t id : prefix_ids) check("token before a text", id, 0);
  for (const std::int32_t id : suffix_ids) check("token after a text", id, 0);
}

namespace {

// White space that ends at `end`, not before `from`.
std::size_t space_before(std::string_view text, std::size_t from, std::size_t end) {
  while (end > from) {
    std::size_t start = end - 1;
    while (start > from && (static_cast<std::uint8_t>(text[start]) & 0xC0) == 0x80) --start;
    const CodePoint point = decode_code_point(text, start);
    if (start + point.size != end || code_class(point.value) != CodeClass::space) break;
    end = start;
  }
  return end;
}

std::size_t space_after(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const CodePoint point = decode_code_point(text, at);
    if (code_class(point.value) != CodeClass::space) break;
    at += point.size;
  }
  return at;
}

}  // namespace

void Tokenizer::Impl::encode_marked(std::string_view text, bool normalized, bool with_control,
                                    std::vector<std::int32_t>& ids) const {
  const auto between = [&](std::string_view part) {
    if (part.empty()) return;
    if (normalized) return encode_plain(part, ids);
    encode_marked(part, true, with_control, ids);
  };
  const AddedTokenMatcher& matcher = normalized ? second_pass : first_pass;
  std::size_t done = 0, from = 0;
  while (const auto match = matcher.find(text, from, with_control)) {
    const std::size_t begin = match->lstrip
                                  ? space_before(text, std::min(done, match->begin), match->begin)
                                  : match->begin;
    if (begin > done) between(text.substr(done, begin - done));
    ids.push_back(match->id);
    from = match->end;
    done = std::max(done, match->rstrip ? space_after(text, match->end) : match->end);
  }
  between(text.substr(done));
}

void Tokenizer::Impl::encode_plain(std::string_view text, std::vector<std::int32_t>& ids) const {
  std::string prefixed;
  if (add_prefix_space && text[0] != ' ') text = prefixed = std::string(" ").append(text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = next_piece(pre, text, at);
    encode_piece(text.substr(at, end - at), ids);
    at = end;
  }
}

void Tokenizer::Impl::encode_piece(std::string_view piece, std::vector<std::int32_t>& ids) const {
  const auto id = vocabulary.find_bytes(piece);
  if (id && (ignore_merges || merges_to_itself(*id))) return ids.push_back(*id);
  merge_piece(piece, ids);
}

void Tokenizer::Impl::merge_piece(std::string_view piece, std::vector<std::int32_t>& ids) const {
  const std::size_t start = ids.size();
  ids.resize(start + piece.size());
  for (std::size_t i = 0; i < piece.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(piece[i]);
    ids[start + i] = vocabulary.byte_id(byte);
    if (ids[start + i] < 0)
      fail(Errc::invalid_argument,
           "encode: the vocabulary has no token for byte " + std::to_string(byte));
  }
  ids.resize(start + tokenizer_detail::merge_symbols(vocabulary.merge_table(), ids.data() + start,
                                                     piece.size()));
}

bool Tokenizer::Impl::merges_to_itself(std::int32_t id) const {
  std::atomic<std::uint8_t>& state = whole[static_cast<std::size_t>(id)];
  if (const auto known = state.load(std::memory_order_relaxed); known != not_known)
    return known == yes;
  std::vector<std::int32_t> merged;
  merge_piece(vocabulary.bytes(id), merged);
  const bool same = merged.size() == 1 && merged[0] == id;
  state.store(same ? yes : no, std::memory_order_relaxed);
  return same;
}

void Tokenizer::Impl::check_id(std::int32_t id) const {
  if (id < 0 || id >= vocabulary.size())
    fail(Errc::invalid_argument, "token id " + std::to_string(id) +
                                     " is outside the vocabulary of " +
                                     std::to_string(vocabulary.size()));
}

Tokenizer tokenizer_from_vocab(const BpeVocab& vocab) {
  return Tokenizer(std::make_shared<const Tokenizer::Impl>(vocab));
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text,
                                            const EncodeOptions& options) const {
  std::vector<std::int32_t> ids;
  ids.reserve(text.size() / 3 + 8);  // English has about four bytes a token
  if (options.add_special) ids = impl_->prefix_ids;
  if (!text.empty()) impl_->encode_marked(text, false, options.parse_special, ids);
  if (options.add_special)
    ids.insert(ids.end(), impl_->suffix_ids.begin(), impl_->suffix_ids.end());
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, SpecialTokens control) const {
  std::string bytes;
  for (const std::int32_t id : ids) {
    impl_->check_id(id);
    if (control == SpecialTokens::keep || !is_control(id)) bytes += impl_->vocabulary.bytes(id);
  }
  return bytes;
}

std::string_view Tokenizer::token_bytes(std::int32_t id) const {
  impl_->check_id(id);
  return impl_->vocabulary.bytes(id);
}

std::string Tokenizer::token_text(std::int32_t id) const {
  impl_->check_id(id);
  return impl_->vocabulary.text(id);
}

TokenType Tokenizer::token_type(std::int32_t id) const {
  impl_->check_id(id);
  return impl_->vocabulary.type(id);
}

std::optional<std::int32_t> Tokenizer::find_token(std::string_view text) const {
  return impl_->vocabulary.find_text(text);
}

std::int32_t Tokenizer::size() const noexcept { return impl_->vocabulary.size(); }
std::int32_t Tokenizer::bos() const noexcept { return impl_->bos; }
std::int32_t Tokenizer::eos() const noexcept { return impl_->eos; }

bool Tokenizer::is_control(std::int32_t id) const { return token_type(id) == TokenType::control; }

std::vector<std::int32_t> Tokenizer::control_tokens() const {
  std::vector<std::int32_t> ids;
  for (std::int32_t id = 0; id < size(); ++id)
    if (is_control(id)) ids.push_back(id);
  return ids;
}

std::span<const std::int32_t> Tokenizer::prefix_ids() const noexcept { return impl_->prefix_ids; }
std::span<const std::int32_t> Tokenizer::suffix_ids() const noexcept { return impl_->suffix_ids; }
PreTokenizer Tokenizer::pre_tokenizer() const noexcept { return impl_->pre; }
bool Tokenizer::ignore_merges() const noexcept { return impl_->ignore_merges; }
bool Tokenizer::add_prefix_space() const noexcept { return impl_->add_prefix_space; }

std::int64_t Tokenizer::merge_count() const noexcept {
  return static_cast<std::int64_t>(impl_->vocabulary.merges().size());
}

std::string Tokenizer::merge_text(std::int64_t rank) const {
  require(rank >= 0 && rank < merge_count(), "merge_text: rank is outside the list of merges");
  const auto& [left, right] = impl_->vocabulary.merges()[static_cast<std::size_t>(rank)];
  return token_text(left) + ' ' + token_text(right);
}

}  // namespace bitnet
