// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/config_gguf.h"

#include <array>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

// "bitnet-b1.58" and "bitnet-25" are Microsoft's 2B4T in two uploads: squared ReLU. "bitnet" is
// llama.cpp's own name; the models converted under it have SiLU (1bitLLM) or squared ReLU, and the
// file does not say which.
constexpr std::array kFamilies{
    GgufFamily{"bitnet-b1.58", "BitNetForCausalLM", true, false, GatedActivation::relu2},
    GgufFamily{"bitnet-25", "BitNetForCausalLM", true, false, GatedActivation::relu2},
    GgufFamily{"bitnet", "BitNetForCausalLM", true, false, std::nullopt},
    GgufFamily{"llama", "LlamaForCausalLM", false, true, GatedActivation::silu},
};

class Reader {
 public:
  Reader(const GgufFile& file, std::string_view prefix) : file_(file), prefix_(prefix) {}

  std::string key(const char* rest) const { return prefix_ + "." + rest; }
  bool has(const char* rest) const { return file_.find(key(rest)) != nullptr; }

  std::int64_t integer(const char* rest) const { return bounded(key(rest)); }
  std::int64_t integer(const char* rest, std::int64_t otherwise) const {
    return has(rest) ? bounded(key(rest)) : otherwise;
  }
  std::int32_t token(const char* name) const {
    const std::string full = std::string("tokenizer.ggml.") + name;
    if (!file_.find(full)) return -1;
    const std::int64_t id = bounded(full);
    if (id > INT32_MAX) refuse(full, std::to_string(id), "below vocab_size");
    return static_cast<std::int32_t>(id);
  }

  [[noreturn]] void refuse(const std::string& field, const std::string& value,
                           const std::string& limit, Errc code = Errc::corrupt_file,
                           const char* kind = "E_CONFIG") const {
    const GgufKeyValue* entry = file_.find(field);
    throw FileError(code, {kind, file_.path(), entry ? entry->offset : 0, field, value, limit});
  }

 private:
  std::int64_t bounded(const std::string& name) const {
    const std::uint64_t value = file_.get_u64(name);
    if (value > INT64_MAX) refuse(name, std::to_string(value), "at most 2^63 - 1");
    return static_cast<std::int64_t>(value);
  }

  const GgufFile& file_;
  std::string prefix_;
};

GatedActivation read_activation(const GgufFile& file, const Reader& in, const GgufFamily& family,
                                const ConfigOverrides& overrides) {
  if (overrides.activation) return *overrides.activation;
  if (file.find(kHiddenActKey)) {
    const std::string_view name = file.get_string(kHiddenActKey);
    if (const auto activation = activation_from_name(name)) return *activation;
    in.refuse(std::string(kHiddenActKey), printable(name), "known are relu2 and silu",
              Errc::unsupported, "E_ACT");
  }
  if (family.activation) return *family.activation;
  in.refuse("general.architecture", std::string(family.name),
            "files of this architecture exist with squared ReLU and with SiLU, and this one does "
            "not say which: --activation relu2 or --activation silu settles it",
            Errc::corrupt_file, "E_ACT");
}

std::int64_t read_vocab_size(const GgufFile& file, const Reader& in) {
  if (in.has("vocab_size")) return in.integer("vocab_size");
  if (const GgufTensor* embedding = file.find_tensor("token_embd.weight")) return embedding->rows();
  in.refuse(in.key("vocab_size"), "missing", "and there is no token_embd.weight");
}

void check_rope(const GgufFile& file, const Reader& in, const ModelConfig& c) {
  const std::int64_t rotated = in.integer("rope.dimension_count", c.head_dim);
  if (rotated != c.head_dim)
    in.refuse(in.key("rope.dimension_count"), std::to_string(rotated),
              "only whole heads are rotated: " + std::to_string(c.head_dim), Errc::unsupported);
  if (in.has("rope.scaling.type")) {
    const std::string_view type = file.get_string(in.key("rope.scaling.type"));
    if (type != "none")
      in.refuse(in.key("rope.scaling.type"), printable(type),
                "only unscaled rotary embeddings are computed", Errc::unsupported);
  }
}

}  // namespace

const GgufFamily& gguf_family(const GgufFile& file) {
  const std::string_view name = file.get_string("general.architecture");
  for (const GgufFamily& family : kFamilies)
    if (family.name == name) return family;
  throw FileError(
      Errc::unsupported,
      {"E_CONFIG", file.path(), file.find("general.architecture")->offset, "general.architecture",
       printable(name), "known are bitnet-b1.58, bitnet-25, bitnet, llama (with ternary weights)"});
}

const GgufFamily& gguf_family_for(const ModelConfig& config) {
  return config.sub_norms ? kFamilies[0] : kFamilies[3];
}

ModelConfig config_from_gguf(const GgufFile& file, const ConfigOverrides& overrides) {
  const GgufFamily& family = gguf_family(file);
  const Reader in(file, family.name);
  ModelConfig c;
  c.source = file.path();
  c.architecture = family.architecture;
  c.sub_norms = family.sub_norms;
  c.vocab_size = read_vocab_size(file, in);
  c.max_positions = in.integer("context_length");
  c.hidden_size = in.integer("embedding_length");
  c.num_layers = in.integer("block_count");
  c.intermediate_size = in.integer("feed_forward_length");
  c.num_heads = in.integer("attention.head_count");
  if (c.num_heads < 1)
    in.refuse(in.key("attention.head_count"), std::to_string(c.num_heads), "from 1");
  c.num_kv_heads = in.integer("attention.head_count_kv", c.num_heads);
  c.head_dim = in.integer("attention.key_length", c.hidden_size / c.num_heads);
  if (const std::int64_t v = in.integer("attention.value_length", c.head_dim); v != c.head_dim)
    in.refuse(in.key("attention.value_length"), std::to_string(v),
              "must equal attention.key_length " + std::to_string(c.head_dim), Errc::unsupported);
  c.rms_norm_eps = file.get_f32(in.key("attention.layer_norm_rms_epsilon"));
  c.rope_theta = in.has("rope.freq_base")
                     ? static_cast<double>(file.get_f32(in.key("rope.freq_base")))
                     : 10000.0;  // llama.cpp's default
  check_rope(file, in, c);
  c.tied_head = file.find_tensor("output.weight") == nullptr;
  c.input_norms = file.find_tensor("blk.0.attn_q_norm_in.weight") != nullptr;
  c.input_norm_eps = file.find(kInputNormEpsKey) ? file.get_f32(kInputNormEpsKey) : c.rms_norm_eps;
  c.activation = read_activation(file, in, family, overrides);
  c.bos_token = in.token("bos_token_id");
  if (const std::int32_t eos = in.token("eos_token_id"); eos >= 0) c.eos_tokens.push_back(eos);
  validate(c);
  return c;
}

}  // namespace bitnet
