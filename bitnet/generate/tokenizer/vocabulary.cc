// SPDX-License-Identifier: MIT OR Apache-2.0
// Building and checking a vocabulary.
#include "bitnet/generate/tokenizer/vocabulary.h"

#include <limits>
#include <random>

#include "bitnet/base/error.h"
#include "bitnet/generate/tokenizer/byte_alphabet.h"

namespace bitnet {

void vocab_fault(const std::string& file, const std::string& field, std::string_view value,
                 const std::string& limit) {
  throw FileError(Errc::corrupt_file,
                  {"E_VOCAB", file, 0, field, '"' + printable(value) + '"', limit});
}

std::pair<std::string_view, std::string_view> split_merge(std::string_view merge, std::size_t index,
                                                          const std::string& file) {
  const std::size_t space = merge.find(' ');
  if (space == merge.npos || space == 0 || space + 1 == merge.size() ||
      merge.find(' ', space + 1) != merge.npos)
    vocab_fault(file, "merge " + std::to_string(index), merge, "must be two tokens and a space");
  return {merge.substr(0, space), merge.substr(space + 1)};
}

namespace tokenizer_detail {
namespace {

constexpr std::size_t kMaxTokenBytes = 64 << 10;
// Bounds the time of AddedTokenMatcher::find() per byte of text.
constexpr std::size_t kMaxAddedBytes = 1 << 10;

bool is_added(TokenType type) noexcept {
  return type == TokenType::control || type == TokenType::user_defined;
}

// "<0x0A>" -> 10; nullopt for anything else.
std::optional<std::uint8_t> parse_byte_token(std::string_view text) {
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return std::nullopt;
  unsigned value = 0;
  for (const char c : text.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(c >= 'A' && c <= 'F')) return std::nullopt;
    value = value * 16 + static_cast<unsigned>(digit ? c - '0' : c - 'A' + 10);
  }
  return static_cast<std::uint8_t>(value);
}

}  // namespace

std::uint64_t table_seed() {
  static const std::uint64_t seed = [] {
    std::random_device device;
    return std::uint64_t{device()} << 32 | device();
  }();
  return seed;
}

Vocabulary::Vocabulary(const BpeVocab& vocab)
    : by_bytes_(vocab.tokens.size()),
      by_text_(vocab.tokens.size()),
      merge_table_(vocab.merges.size()) {
  const std::size_t count = vocab.tokens.size();
  constexpr std::size_t kMaxCount = std::numeric_limits<std::int32_t>::max();
  if (count == 0 || count > kMaxCount || vocab.merges.size() > kMaxCount)
    vocab_fault(vocab.file, "vocabulary", std::to_string(count), "must have 1 to 2^31-1 tokens");
  if (!vocab.types.empty() && vocab.types.size() != count)
    vocab_fault(vocab.file, "token types", std::to_string(vocab.types.size()),
                "must be as many as tokens, " + std::to_string(count));
  byte_ids_.fill(-1);
  offsets_.reserve(count + 1);
  offsets_.push_back(0);
  types_.reserve(count);
  in_alphabet_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) add_token(vocab, i);
  for (std::size_t i = 0; i < count; ++i) {
    const auto id = static_cast<std::int32_t>(i);
    if (in_alphabet_[i] || types_[i] == TokenType::byte) {
      const std::string_view own = bytes(id);
      std::int32_t& slot = byte_ids_[static_cast<std::uint8_t>(own[0])];
      if (own.size() == 1 && (slot < 0 || in_alphabet_[i])) slot = id;
    }
  }
  merges_.reserve(vocab.merges.size());
  for (std::size_t i = 0; i < vocab.merges.size(); ++i) add_merge(vocab, i);
}

void Vocabulary::add_token(const BpeVocab& vocab, std::size_t index) {
  const auto name = [index] { return "token " + std::to_string(index); };
  const std::string_view text = vocab.tokens[index];
  const TokenType type = vocab.types.empty() ? TokenType::normal : vocab.types[index];
  if (type < TokenType::normal || type > TokenType::byte)
    vocab_fault(vocab.file, name() + " type", std::to_string(static_cast<std::int32_t>(type)),
                "must be 1 to 6");
  const std::size_t limit = is_added(type) ? kMaxAddedBytes : kMaxTokenBytes;
  if (text.empty() || text.size() > limit)
    vocab_fault(vocab.file, name(), text, "must have 1 to " + std::to_string(limit) + " bytes");
  const auto id = static_cast<std::int32_t>(index);
  bool in_alphabet = false;
  if (type == TokenType::byte) {
    const auto byte = parse_byte_token(text);
    if (!byte) vocab_fault(vocab.file, name(), text, "must be a byte, <0x00> to <0xFF>");
    arena_ += static_cast<char>(*byte);
  } else if (type == TokenType::normal && append_alphabet_bytes(arena_, text)) {
    in_alphabet = true;
  } else {
    arena_ += text;
  }
  if (arena_.size() > std::numeric_limits<std::uint32_t>::max())
    vocab_fault(vocab.file, name(), text, "all tokens together must have less than 4 GiB");
  offsets_.push_back(static_cast<std::uint32_t>(arena_.size()));
  types_.push_back(type);
  in_alphabet_.push_back(in_alphabet);
  // A text of plain ASCII is the same in the alphabet and outside it.
  const bool is_new =
      in_alphabet ? !find_other(text) &&
                        by_bytes_.insert(bytes(id), id, [this](std::int32_t i) { return bytes(i); })
                  : !find_text(text) &&
                        by_text_.insert(text, id, [this](std::int32_t i) { return raw_text(i); });
  if (!is_new) vocab_fault(vocab.file, name(), text, "must not occur twice");
}

// Byte tokens are kept as their byte; their text is made anew from a static table.
std::string_view Vocabulary::raw_text(std::int32_t id) const noexcept {
  if (type(id) != TokenType::byte) return bytes(id);
  static const std::string names = [] {
    constexpr char kHex[] = "0123456789ABCDEF";
    std::string all;
    for (std::size_t b = 0; b < 256; ++b)
      all += std::string("<0x") + kHex[b >> 4] + kHex[b & 15] + '>';
    return all;
  }();
  return std::string_view(names).substr(6u * static_cast<std::uint8_t>(bytes(id)[0]), 6);
}

std::string Vocabulary::text(std::int32_t id) const {
  return in_alphabet_[static_cast<std::size_t>(id)] ? bytes_to_alphabet(bytes(id))
                                                    : std::string(raw_text(id));
}

std::optional<std::int32_t> Vocabulary::find_text(std::string_view text) const {
  if (const auto bytes = alphabet_to_bytes(text))
    if (const auto id = find_bytes(*bytes)) return id;
  return find_other(text);
}

void Vocabulary::add_merge(const BpeVocab& vocab, std::size_t rank) {
  const auto& [left_text, right_text] = vocab.merges[rank];
  const auto refuse = [&](std::string_view value, const char* why) {
    vocab_fault(vocab.file, "merge " + std::to_string(rank), value, why);
  };
  const auto left = find_text(left_text);
  const auto right = find_text(right_text);
  if (!left) refuse(left_text, "must be a token");
  if (!right) refuse(right_text, "must be a token");
  const std::string both = std::string(left_text).append(right_text);
  const auto result = find_text(both);
  if (!result) refuse(both, "the merged text must be a token");
  const bool is_new =
      merge_table_.insert({static_cast<std::uint32_t>(*left), static_cast<std::uint32_t>(*right),
                           static_cast<std::uint32_t>(rank), static_cast<std::uint32_t>(*result)});
  if (!is_new) refuse(both, "must not occur twice");
  merges_.emplace_back(*left, *right);
}

std::vector<AddedToken> Vocabulary::added_tokens(const BpeVocab& vocab, bool normalized) const {
  std::vector<AddedTokenRule> rules(types_.size());
  for (std::size_t i = 0; i < types_.size(); ++i)
    rules[i].normalized = types_[i] == TokenType::user_defined;
  for (const AddedTokenRule& rule : vocab.added) {
    if (rule.id < 0 || rule.id >= size() || !is_added(type(rule.id)))
      vocab_fault(vocab.file, "added token", std::to_string(rule.id),
                  "must be the id of a control or user-defined token");
    rules[static_cast<std::size_t>(rule.id)] = rule;
  }
  std::vector<AddedToken> tokens;
  for (std::int32_t id = 0; id < size(); ++id) {
    const AddedTokenRule& rule = rules[static_cast<std::size_t>(id)];
    if (is_added(type(id)) && rule.normalized == normalized)
      tokens.push_back({id, bytes(id), type(id) == TokenType::control, rule.lstrip, rule.rstrip});
  }
  return tokens;
}

}  // namespace tokenizer_detail
}  // namespace bitnet
