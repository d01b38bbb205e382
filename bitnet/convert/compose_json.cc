// SPDX-License-Identifier: MIT OR Apache-2.0
// Documents of a Hugging Face folder for a model that came without them.
#include <charconv>

#include "bitnet/convert/exports.h"
#include "bitnet/generate/tokenizer/pre_tokenizer.h"
#include "bitnet/io/json.h"

namespace bitnet {
namespace {

// Shortest text that reads back as the same number.
template <class T>
std::string number(T value) {
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

std::string ids(std::span<const std::int32_t> tokens) {
  if (tokens.size() == 1) return number(tokens[0]);
  std::string text = "[";
  for (std::size_t i = 0; i < tokens.size(); ++i) text += (i ? ", " : "") + number(tokens[i]);
  return text + "]";
}

// Template pieces that put `tokens` before or after a text.
std::string template_pieces(const Tokenizer& t) {
  const auto special = [&](std::int32_t id) {
    return "{\"SpecialToken\": {\"id\": " + json_quote(t.token_text(id)) + ", \"type_id\": 0}}, ";
  };
  std::string text;
  for (const std::int32_t id : t.prefix_ids()) text += special(id);
  text += "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}, ";
  for (const std::int32_t id : t.suffix_ids()) text += special(id);
  return text.substr(0, text.size() - 2);
}

std::string post_processor(const Tokenizer& t) {
  if (t.prefix_ids().empty() && t.suffix_ids().empty()) return "null";
  std::string specials;
  const auto add = [&](std::int32_t id) {
    const std::string name = json_quote(t.token_text(id));
    if (specials.find(name + ": ") != std::string::npos) return;
    specials += (specials.empty() ? "" : ", ") + name + ": {\"id\": " + name + ", \"ids\": [" +
                number(id) + "], \"tokens\": [" + name + "]}";
  };
  for (const std::int32_t id : t.prefix_ids()) add(id);
  for (const std::int32_t id : t.suffix_ids()) add(id);
  return "{\"type\": \"TemplateProcessing\", \"single\": [" + template_pieces(t) +
         "], \"pair\": [" + template_pieces(t) +
         ", {\"Sequence\": {\"id\": \"B\", \"type_id\": 1}}], \"special_tokens\": {" + specials +
         "}}";
}

std::string byte_level(bool add_prefix_space) {
  return std::string("{\"type\": \"ByteLevel\", \"add_prefix_space\": ") +
         (add_prefix_space ? "true" : "false") + ", \"trim_offsets\": true, \"use_regex\": false}";
}

std::string pre_tokenizer(const Tokenizer& t) {
  const std::string_view pattern = pattern_of(t.pre_tokenizer());
  if (pattern.empty()) return byte_level(t.add_prefix_space());
  return "{\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", \"pattern\": "
         "{\"Regex\": " +
         json_quote(pattern) + "}, \"behavior\": \"Isolated\", \"invert\": false}, " +
         byte_level(t.add_prefix_space()) + "]}";
}

std::string added_tokens(const Tokenizer& t) {
  std::string text;
  for (std::int32_t id = 0; id < t.size(); ++id) {
    const TokenType type = t.token_type(id);
    if (type != TokenType::control && type != TokenType::user_defined) continue;
    text +=
        (text.empty() ? "" : ",") + std::string("\n    {\"id\": ") + number(id) +
        ", \"content\": " + json_quote(t.token_text(id)) +
        ", \"single_word\": false, \"lstrip\": false, \"rstrip\": false, \"normalized\": false, "
        "\"special\": " +
        (type == TokenType::control ? "true" : "false") + "}";
  }
  return text;
}

}  // namespace

std::string compose_config_json(const ModelConfig& c) {
  std::string text = "{\n";
  const auto add = [&](const char* key, const std::string& value) {
    text += "  " + json_quote(key) + ": " + value + ",\n";
  };
  add("architectures", "[" + json_quote(c.architecture) + "]");
  add("model_type", c.sub_norms ? "\"bitnet\"" : "\"llama\"");
  add("attention_bias", "false");
  if (c.bos_token >= 0) add("bos_token_id", number(c.bos_token));
  if (!c.eos_tokens.empty()) add("eos_token_id", ids(c.eos_tokens));
  add("head_dim", number(c.head_dim));
  add("hidden_act", json_quote(to_string(c.activation)));
  add("hidden_size", number(c.hidden_size));
  add("intermediate_size", number(c.intermediate_size));
  add("max_position_embeddings", number(c.max_positions));
  add("mlp_bias", "false");
  add("num_attention_heads", number(c.num_heads));
  add("num_hidden_layers", number(c.num_layers));
  add("num_key_value_heads", number(c.num_kv_heads));
  add("rms_norm_eps", number(c.rms_norm_eps));
  add("rope_theta", number(c.rope_theta));
  add("tie_word_embeddings", c.tied_head ? "true" : "false");
  add("torch_dtype", "\"bfloat16\"");
  add("vocab_size", number(c.vocab_size));
  text +=
      "  \"quantization_config\": {\n    \"quant_method\": \"bitnet\",\n"
      "    \"linear_class\": \"autobitlinear\",\n    \"quantization_mode\": \"offline\"";
  if (c.input_norms)
    text += ",\n    \"use_rms_norm\": true,\n    \"rms_norm_eps\": " + number(c.input_norm_eps);
  return text + "\n  }\n}\n";
}

std::string compose_tokenizer_json(const Tokenizer& t) {
  std::string text = "{\n  \"version\": \"1.0\",\n  \"truncation\": null,\n  \"padding\": null,\n";
  text += "  \"added_tokens\": [" + added_tokens(t) + "\n  ],\n  \"normalizer\": null,\n";
  text += "  \"pre_tokenizer\": " + pre_tokenizer(t) + ",\n";
  text += "  \"post_processor\": " + post_processor(t) + ",\n";
  text +=
      "  \"decoder\": {\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": "
      "true, "
      "\"use_regex\": true},\n";
  text +=
      "  \"model\": {\n    \"type\": \"BPE\",\n    \"dropout\": null,\n    \"unk_token\": null,\n"
      "    \"continuing_subword_prefix\": null,\n    \"end_of_word_suffix\": null,\n"
      "    \"fuse_unk\": false,\n    \"byte_fallback\": false,\n    \"ignore_merges\": ";
  text += t.ignore_merges() ? "true" : "false";
  text += ",\n    \"vocab\": {";
  bool first = true;
  for (std::int32_t id = 0; id < t.size(); ++id) {
    const TokenType type = t.token_type(id);
    if (type == TokenType::control || type == TokenType::user_defined) continue;
    text += std::string(first ? "\n" : ",\n") + "      " + json_quote(t.token_text(id)) + ": " +
            number(id);
    first = false;
  }
  text += "\n    },\n    \"merges\": [";
  for (std::int64_t rank = 0; rank < t.merge_count(); ++rank)
    text += std::string(rank ? ",\n" : "\n") + "      " + json_quote(t.merge_text(rank));
  return text + "\n    ]\n  }\n}\n";
}

}  // namespace bitnet
