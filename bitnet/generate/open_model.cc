// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/generate/open_model.h"

#include <algorithm>

#include "bitnet/base/error.h"
#include "bitnet/base/os/file.h"
#include "bitnet/generate/layout_probe.h"
#include "bitnet/generate/tokenizer/gguf_vocab.h"
#include "bitnet/generate/tokenizer/tokenizer_json.h"
#include "bitnet/io/json.h"
#include "bitnet/model/dead_neurons.h"

namespace bitnet {
namespace {

constexpr std::uint64_t kMaxTokenizerBytes = 256u << 20;  // the largest published: 33 MB
constexpr std::uint64_t kMaxJsonBytes = 16u << 20;

std::string in_folder(const std::string& path, const char* name) { return path + "/" + name; }

Json read_json(const std::string& path, std::uint64_t max_bytes) {
  return parse_json(os::read_file(path, max_bytes), path);
}

void add_unique(std::vector<std::int32_t>& ids, std::int64_t id, const ModelConfig& config) {
  if (id < 0 || id >= config.vocab_size) return;
  const auto token = static_cast<std::int32_t>(id);
  if (std::find(ids.begin(), ids.end(), token) == ids.end()) ids.push_back(token);
}

// eos_token_id of generation_config.json, a number or a list.
void add_generation_config(const std::string& path, const ModelConfig& config,
                           std::vector<std::int32_t>& ids) {
  const std::string file = in_folder(path, "generation_config.json");
  if (!os::is_regular_file(file)) return;
  const Json document = read_json(file, kMaxJsonBytes);
  const Json* eos = document.find("eos_token_id");
  if (!eos) return;
  if (eos->is_integer()) add_unique(ids, eos->as_int(), config);
  if (eos->is_array())
    for (const Json& id : eos->as_array())
      if (id.is_integer()) add_unique(ids, id.as_int(), config);
}

// "chat_template" is a string, or a list of {name, template} of which "default" counts.
std::string template_of(const Json& config) {
  const Json* value = config.find("chat_template");
  if (!value) return "";
  if (value->is_string()) return value->as_string();
  if (!value->is_array()) return "";
  for (const Json& entry : value->as_array()) {
    const Json* name = entry.find("name");
    const Json* text = entry.find("template");
    if (name && text && name->is_string() && text->is_string() && name->as_string() == "default")
      return text->as_string();
  }
  return "";
}

bool has_i2_s(const GgufFile& file) {
  return std::any_of(file.tensors().begin(), file.tensors().end(),
                     [](const GgufTensor& t) { return t.type->type == GgmlType::i2_s; });
}

}  // namespace

bool has_tokenizer(const std::string& path) {
  if (detect_model_file(path) == ModelFileKind::hf_folder)
    return os::is_regular_file(in_folder(path, "tokenizer.json"));
  return GgufFile(path).find("tokenizer.ggml.tokens") != nullptr;
}

Tokenizer open_tokenizer(const std::string& path, const OpenOptions& options) {
  if (os::is_regular_file(path) && path.ends_with(".json"))
    return tokenizer_from_json(read_json(path, kMaxTokenizerBytes), path);
  if (detect_model_file(path) == ModelFileKind::hf_folder) {
    const std::string file = in_folder(path, "tokenizer.json");
    return tokenizer_from_json(read_json(file, kMaxTokenizerBytes), file);
  }
  return tokenizer_from_gguf(GgufFile(path), options.pre_tokenizer);
}

std::string read_chat_template(const std::string& path) {
  if (detect_model_file(path) == ModelFileKind::gguf) {
    const GgufFile file(path);
    return file.find("tokenizer.chat_template")
               ? std::string(file.get_string("tokenizer.chat_template"))
               : "";
  }
  if (const std::string file = in_folder(path, "chat_template.jinja"); os::is_regular_file(file))
    return os::read_file(file, kMaxJsonBytes);
  const std::string file = in_folder(path, "tokenizer_config.json");
  return os::is_regular_file(file) ? template_of(read_json(file, kMaxJsonBytes)) : "";
}

std::vector<std::int32_t> stop_tokens(const std::string& path, const ModelConfig& config,
                                      const Tokenizer* tokenizer) {
  std::vector<std::int32_t> ids = config.eos_tokens;
  if (detect_model_file(path) == ModelFileKind::hf_folder) add_generation_config(path, config, ids);
  if (!tokenizer) return ids;
  add_unique(ids, tokenizer->eos(), config);
  for (const char* name : {"<|eot_id|>", "<|im_end|>", "<|end_of_text|>", "<|endoftext|>"})
    if (const auto id = tokenizer->find_token(name); id && tokenizer->is_control(*id))
      add_unique(ids, *id, config);
  return ids;
}

LoadedModel open_model(const std::string& path, const OpenOptions& options, Runtime& runtime) {
  LoadOptions load;
  load.overrides = options.overrides;
  load.i2s_layout = options.i2s_layout.value_or(PackedFormat::i2_s_x86);
  load.pool = options.pool;
  load.threads = &runtime.threads();
  load.progress = options.progress;
  const bool probe = !options.i2s_layout && detect_model_file(path) == ModelFileKind::gguf &&
                     has_i2_s(GgufFile(path));
  LoadedModel model =
      probe ? load_with_layout_probe(path, load, options, runtime) : load_model(path, load);
  if (!options.keep_dead_neurons) remove_dead_neurons(model, runtime.context(), *options.pool);
  pack_weights(model, runtime.context(), options.packing, *options.pool);
  return model;
}

}  // namespace bitnet
