// SPDX-License-Identifier: MIT OR Apache-2.0
// tokenizer.json as the package `tokenizers` writes it (format version 1.0).
#include "bitnet/generate/tokenizer/tokenizer_json.h"

#include <algorithm>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

// Absent and null are the same everywhere in the format.
const Json* find(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value && !value->is_null() ? value : nullptr;
}

bool flag(const Json& object, std::string_view key, bool otherwise = false) {
  const Json* value = find(object, key);
  return value ? value->as_bool() : otherwise;
}

std::string text(const Json& object, std::string_view key, const char* otherwise = "") {
  const Json* value = find(object, key);
  return value ? value->as_string() : otherwise;
}

class Reader {
 public:
  Reader(const Json& document, const std::string& file) : document_(document) {
    vocab_.file = file;
  }

  Tokenizer read(TextEnds ends) {
    if (find(document_, "normalizer")) unsupported("normalizer", type_of("normalizer"), "null");
    if (type_of("decoder") != "ByteLevel") unsupported("decoder", type_of("decoder"), "ByteLevel");
    const Json& model = document_.at("model");
    read_model(model);
    read_vocab(model.at("vocab").as_object());
    for (const Json& merge : model.at("merges").as_array()) read_merge(merge);
    if (const Json* pre = find(document_, "pre_tokenizer"))
      read_pre_tokenizer(*pre);
    else
      unsupported("pre_tokenizer", "null", "ByteLevel or Split and ByteLevel");
    if (const Json* post = find(document_, "post_processor")) read_post_processor(*post);
    vocab_.bos = ends.bos >= 0 || vocab_.prefix_ids.empty() ? ends.bos : vocab_.prefix_ids.front();
    vocab_.eos = ends.eos >= 0 || vocab_.suffix_ids.empty() ? ends.eos : vocab_.suffix_ids.back();
    return tokenizer_from_vocab(vocab_);
  }

 private:
  [[noreturn]] void unsupported(const std::string& field, std::string_view value,
                                const std::string& limit) const {
    throw FileError(Errc::unsupported, {"E_VOCAB", vocab_.file, 0, field,
                                        '"' + printable(value, 400) + '"', "supported: " + limit});
  }
  [[noreturn]] void corrupt(const std::string& field, std::string_view value,
                            const std::string& limit) const {
    vocab_fault(vocab_.file, field, value, limit);
  }
  std::string type_of(std::string_view part) const {
    const Json* value = find(document_, part);
    return value ? text(*value, "type") : "null";
  }

  void read_model(const Json& model) {
    const std::string type = text(model, "type", "BPE");
    if (type != "BPE") unsupported("model type", type, "BPE");
    // Files of GPT-2 have "" for null. unk_token needs no look: every byte is a token, or encode()
    // says so.
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (!text(model, key).empty()) unsupported(key, text(model, key), "null");
    if (flag(model, "byte_fallback")) unsupported("byte_fallback", "true", "false");
    if (const Json* dropout = find(model, "dropout"); dropout && dropout->as_double() != 0)
      unsupported("dropout", std::to_string(dropout->as_double()), "null");
    vocab_.ignore_merges = flag(model, "ignore_merges");
  }

  void read_vocab(const Json::Object& entries) {
    const Json* added = find(document_, "added_tokens");
    const std::size_t added_count = added ? added->as_array().size() : 0;
    vocab_.tokens.resize(entries.size() + added_count);
    for (const auto& [token, id] : entries) {
      if (std::string_view& slot = vocab_.tokens[slot_of(token, id)]; slot.empty())
        slot = non_empty(token, id);
      else
        corrupt("token " + std::to_string(id.as_int()), token, "two tokens have this id");
    }
    vocab_.types.assign(vocab_.tokens.size(), TokenType::normal);
    if (added)
      for (const Json& token : added->as_array()) read_added(token);
    while (!vocab_.tokens.empty() && vocab_.tokens.back().empty()) vocab_.tokens.pop_back();
    vocab_.types.resize(vocab_.tokens.size());
    for (std::size_t i = 0; i < vocab_.tokens.size(); ++i)
      if (vocab_.tokens[i].empty())
        corrupt("token " + std::to_string(i), "", "the id has no token");
  }

  std::size_t slot_of(std::string_view token, const Json& id) const {
    const std::int64_t value = id.as_int();
    if (value < 0 || value >= static_cast<std::int64_t>(vocab_.tokens.size()))
      corrupt("token " + std::to_string(value), token,
              "ids must be 0 to the number of tokens, without holes");
    return static_cast<std::size_t>(value);
  }

  std::string_view non_empty(std::string_view token, const Json& id) const {
    if (token.empty()) corrupt("token " + std::to_string(id.as_int()), token, "must not be empty");
    return token;
  }

  void read_added(const Json& token) {
    const std::string& content = token.at("content").as_string();
    const Json& id = token.at("id");
    const std::size_t at = slot_of(content, id);
    std::string_view& slot = vocab_.tokens[at];
    if (slot.empty()) slot = non_empty(content, id);
    if (slot != content)
      corrupt("added token " + std::to_string(at), content,
              "the vocabulary has another token here");
    if (vocab_.types[at] != TokenType::normal)
      corrupt("added token " + std::to_string(at), content, "must not occur twice");
    if (flag(token, "single_word")) unsupported("added token " + content, "single_word", "false");
    const bool special = flag(token, "special");
    vocab_.types[at] = special ? TokenType::control : TokenType::user_defined;
    vocab_.added.push_back({static_cast<std::int32_t>(at), flag(token, "lstrip"),
                            flag(token, "rstrip"), flag(token, "normalized", !special)});
  }

  void read_merge(const Json& merge) {
    const std::size_t index = vocab_.merges.size();
    if (merge.is_string()) {
      vocab_.merges.push_back(split_merge(merge.as_string(), index, vocab_.file));
      return;
    }
    const Json::Array& parts = merge.as_array();
    if (parts.size() != 2)
      corrupt("merge " + std::to_string(index), std::to_string(parts.size()), "must have 2 parts");
    vocab_.merges.emplace_back(parts[0].as_string(), parts[1].as_string());
  }

  void read_pre_tokenizer(const Json& pre) {
    const std::string type = text(pre, "type");
    if (type == "ByteLevel") {
      vocab_.pre = flag(pre, "use_regex", true) ? PreTokenizer::gpt2 : PreTokenizer::whole;
      vocab_.add_prefix_space = flag(pre, "add_prefix_space", true);
      return;
    }
    if (type != "Sequence") unsupported("pre_tokenizer", type, "ByteLevel or Sequence");
    const Json::Array& parts = pre.at("pretokenizers").as_array();
    if (parts.size() == 1) return read_pre_tokenizer_part(parts[0]);
    if (parts.size() != 2 || text(parts[0], "type") != "Split" ||
        text(parts[1], "type") != "ByteLevel")
      unsupported("pre_tokenizer", "Sequence", "Split, then ByteLevel");
    read_split(parts[0]);
    // A second split, or a space before every piece, would need a scanner of its own.
    if (flag(parts[1], "use_regex", true)) unsupported("pre_tokenizer use_regex", "true", "false");
    if (flag(parts[1], "add_prefix_space", true))
      unsupported("pre_tokenizer add_prefix_space", "true", "false");
  }

  void read_pre_tokenizer_part(const Json& part) {
    if (text(part, "type") != "ByteLevel")
      unsupported("pre_tokenizer", text(part, "type"), "ByteLevel");
    read_pre_tokenizer(part);
  }

  void read_split(const Json& split) {
    const Json* regex = split.at("pattern").find("Regex");
    if (!regex) unsupported("pre_tokenizer pattern", "String", "Regex");
    const auto pre = pre_tokenizer_from_pattern(regex->as_string());
    if (!pre) {
      std::string known;
      for (const PreTokenizer each : kPreTokenizers)
        if (each != PreTokenizer::whole)
          known.append(known.empty() ? "" : ", ").append(name_of(each));
      unsupported("pre_tokenizer pattern", regex->as_string(), "the patterns of " + known);
    }
    // All text matches the patterns, so that keeping matches and removing the rest are one.
    const std::string behavior = text(split, "behavior");
    const bool invert = flag(split, "invert");
    if (behavior != (invert ? "Removed" : "Isolated"))
      unsupported("pre_tokenizer behavior", behavior, invert ? "Removed" : "Isolated");
    vocab_.pre = *pre;
  }

  void read_post_processor(const Json& post) {
    const std::string type = text(post, "type");
    if (type == "ByteLevel") return;  // changes offsets only
    if (type == "TemplateProcessing") return read_template(post);
    if (type != "Sequence")
      unsupported("post_processor", type, "ByteLevel, TemplateProcessing, Sequence");
    for (const Json& part : post.at("processors").as_array()) {
      if (text(part, "type") == "Sequence") unsupported("post_processor", type, "one Sequence");
      read_post_processor(part);
    }
  }

  void read_template(const Json& post) {
    if (!vocab_.prefix_ids.empty() || !vocab_.suffix_ids.empty())
      unsupported("post_processor", "TemplateProcessing", "at most once");
    bool after = false;
    for (const Json& item : post.at("single").as_array()) {
      if (item.find("Sequence")) {
        if (after) unsupported("post_processor", "Sequence", "the text once");
        after = true;
        continue;
      }
      const std::string& name = item.at("SpecialToken").at("id").as_string();
      auto& ids = after ? vocab_.suffix_ids : vocab_.prefix_ids;
      for (const Json& id : post.at("special_tokens").at(name).at("ids").as_array())
        ids.push_back(static_cast<std::int32_t>(slot_of(name, id)));
    }
    if (!after) unsupported("post_processor", "no Sequence", "the text once");
  }

  const Json& document_;
  BpeVocab vocab_;
};

}  // namespace

Tokenizer tokenizer_from_json(const Json& document, const std::string& file, TextEnds ends) {
  try {
    return Reader(document, file).read(ends);
  } catch (const FileError&) {
    throw;
  } catch (const Error& error) {  // a wrong type or an absent key
    if (error.code() != Errc::corrupt_file) throw;
    throw FileError(Errc::corrupt_file, {"E_VOCAB", file, 0, "tokenizer", error.what(), ""});
  }
}

}  // namespace bitnet
