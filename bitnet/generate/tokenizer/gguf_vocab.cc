// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/generate/tokenizer/gguf_vocab.h"

#include <string>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

constexpr std::size_t kLlama3Vocab = 128256;

[[noreturn]] void refuse(const GgufFile& file, const char* key, std::string value,
                         std::string limit) {
  const GgufKeyValue* entry = file.find(key);
  throw FileError(Errc::corrupt_file, {"E_VOCAB", file.path(), entry ? entry->offset : 0, key,
                                       std::move(value), std::move(limit)});
}

PreTokenizerName by_name(const GgufFile& file, std::string_view name) {
  if (const auto known = find_pre_tokenizer(name)) return *known;
  std::string names;
  for (const PreTokenizerName& p : kPreTokenizerNames) names += " " + std::string(p.name);
  refuse(file, "tokenizer.ggml.pre", printable(name),
         "known are" + names + "; --pre-tokenizer NAME settles it");
}

// The user's word, the file's word, or Llama-3's for its own vocabulary: the official 2B4T file
// lacks the key.
PreTokenizerName choose_pre(const GgufFile& file, std::string_view wanted, std::size_t vocab) {
  if (!wanted.empty()) return by_name(file, wanted);
  if (file.find("tokenizer.ggml.pre")) return by_name(file, file.get_string("tokenizer.ggml.pre"));
  if (vocab == kLlama3Vocab) return by_name(file, "llama-bpe");
  refuse(file, "tokenizer.ggml.pre", "missing",
         "how text is split before BPE cannot be guessed: --pre-tokenizer NAME settles it");
}

std::int32_t token_id(const GgufFile& file, const char* key) {
  if (!file.find(key)) return -1;
  const std::uint32_t id = file.get_u32(key);
  if (id > INT32_MAX) refuse(file, key, std::to_string(id), "below the number of tokens");
  return static_cast<std::int32_t>(id);
}

bool flag(const GgufFile& file, const char* key, bool otherwise) {
  return file.find(key) ? file.get_bool(key) : otherwise;
}

std::vector<TokenType> token_types(const GgufFile& file, std::size_t count) {
  constexpr const char* kKey = "tokenizer.ggml.token_type";
  if (!file.find(kKey)) return {};
  const std::vector<std::int64_t> raw = file.get_int_array(kKey);
  if (raw.size() != count)
    refuse(file, kKey, std::to_string(raw.size()) + " types",
           "as many as tokens: " + std::to_string(count));
  std::vector<TokenType> types;
  types.reserve(count);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] < 1 || raw[i] > 6)
      refuse(file, kKey, "type " + std::to_string(raw[i]) + " of token " + std::to_string(i),
             "1 to 6");
    types.push_back(static_cast<TokenType>(raw[i]));
  }
  return types;
}

}  // namespace

Tokenizer tokenizer_from_gguf(const GgufFile& file, std::string_view pre_tokenizer) {
  const std::string_view model = file.get_string("tokenizer.ggml.model");
  if (model != "gpt2")
    refuse(file, "tokenizer.ggml.model", printable(model), "only byte-level BPE (gpt2) is read");
  const auto& tokens = file.get_strings("tokenizer.ggml.tokens");
  const auto& merges = file.get_strings("tokenizer.ggml.merges");
  const PreTokenizerName pre = choose_pre(file, pre_tokenizer, tokens.size());

  BpeVocab vocab;
  vocab.file = file.path();
  vocab.tokens = tokens;
  vocab.types = token_types(file, tokens.size());
  vocab.merges.reserve(merges.size());
  for (std::size_t i = 0; i < merges.size(); ++i)
    vocab.merges.push_back(split_merge(merges[i], i, vocab.file));
  vocab.pre = pre.pre;
  vocab.ignore_merges = pre.ignore_merges;
  vocab.add_prefix_space = flag(file, "tokenizer.ggml.add_space_prefix", false);
  vocab.bos = token_id(file, "tokenizer.ggml.bos_token_id");
  vocab.eos = token_id(file, "tokenizer.ggml.eos_token_id");
  // llama.cpp puts the begin-of-text token before Llama-3 text unless the file says otherwise.
  if (flag(file, "tokenizer.ggml.add_bos_token", pre.pre == PreTokenizer::llama3) && vocab.bos >= 0)
    vocab.prefix_ids.push_back(vocab.bos);
  if (flag(file, "tokenizer.ggml.add_eos_token", false) && vocab.eos >= 0)
    vocab.suffix_ids.push_back(vocab.eos);
  return tokenizer_from_vocab(vocab);
}

}  // namespace bitnet
