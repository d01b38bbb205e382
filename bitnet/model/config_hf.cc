// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/config_hf.h"

#include <array>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

struct Family {
  std::string_view architecture;
  bool sub_norms;
};
constexpr std::array kFamilies{
    Family{"BitNetForCausalLM", true},  // bitnet-b1.58-2B-4T
    Family{"BitnetForCausalLM", true},  // the same, as its first upload spelled it
    Family{"LlamaForCausalLM", false},  // Falcon3-*-1.58bit, Llama3-8B-1.58
};

class Reader {
 public:
  Reader(const Json& document, const std::string& file) : document_(document), file_(file) {}

  [[noreturn]] void refuse(const std::string& field, const std::string& value,
                           const std::string& limit, Errc code = Errc::corrupt_file,
                           const char* kind = "E_CONFIG") const {
    throw FileError(code, {kind, file_, 0, field, value, limit});
  }

  // nullptr where the key is absent or null.
  const Json* find(const char* key) const { return find_in(document_, key); }
  static const Json* find_in(const Json& object, const char* key) {
    const Json* value = object.find(key);
    return value && !value->is_null() ? value : nullptr;
  }

  std::int64_t integer(const char* key) const {
    const Json* value = find(key);
    if (!value) refuse(key, "missing", "an integer is needed");
    return integer(key, *value);
  }
  std::int64_t integer(const char* key, std::int64_t otherwise) const {
    const Json* value = find(key);
    return value ? integer(key, *value) : otherwise;
  }
  std::int64_t integer(const char* key, const Json& value) const {
    if (!value.is_integer()) refuse(key, std::string(value.kind()), "an integer is needed");
    return value.as_int();
  }
  double number(const char* key, const Json& value) const {
    if (!value.is_number()) refuse(key, std::string(value.kind()), "a number is needed");
    return value.as_double();
  }
  bool flag(const char* key, const Json& object, bool otherwise) const {
    const Json* value = find_in(object, key);
    if (!value) return otherwise;
    if (!value->is_bool()) refuse(key, std::string(value->kind()), "true or false is needed");
    return value->as_bool();
  }
  std::string text(const char* key, const Json& object) const {
    const Json* value = find_in(object, key);
    if (!value) return "";
    if (!value->is_string()) refuse(key, std::string(value->kind()), "a string is needed");
    return value->as_string();
  }
  const Json& document() const { return document_; }

 private:
  const Json& document_;
  const std::string& file_;
};

std::string read_architecture(const Reader& in) {
  const Json* list = in.find("architectures");
  if (!list || !list->is_array() || list->as_array().size() != 1 ||
      !list->as_array()[0].is_string())
    in.refuse("architectures", "missing or not a list of one name",
              "[\"BitNetForCausalLM\"] or [\"LlamaForCausalLM\"] is needed");
  return list->as_array()[0].as_string();
}

const Family& family_of(const Reader& in, const std::string& architecture) {
  for (const Family& family : kFamilies)
    if (family.architecture == architecture) return family;
  in.refuse("architectures", printable(architecture),
            "known are BitNetForCausalLM and LlamaForCausalLM", Errc::unsupported);
}

std::int32_t token_id(const Reader& in, const char* key, const Json& value) {
  const std::int64_t id = in.integer(key, value);
  if (id < 0 || id > INT32_MAX) in.refuse(key, std::to_string(id), "below vocab_size");
  return static_cast<std::int32_t>(id);
}

void read_tokens(const Reader& in, ModelConfig& c) {
  if (const Json* bos = in.find("bos_token_id")) c.bos_token = token_id(in, "bos_token_id", *bos);
  const Json* eos = in.find("eos_token_id");
  if (!eos) return;
  if (eos->is_array()) {
    for (const Json& id : eos->as_array()) c.eos_tokens.push_back(token_id(in, "eos_token_id", id));
  } else {
    c.eos_tokens.push_back(token_id(in, "eos_token_id", *eos));
  }
}

// theta stands at the top, or in rope_parameters in newer files; scaled variants are other
// functions of the position.
double read_rope_theta(const Reader& in) {
  const auto check_default = [&](const Json& object, const char* name) {
    std::string type = in.text("rope_type", object);
    if (type.empty()) type = in.text("type", object);
    if (!type.empty() && type != "default")
      in.refuse(name, printable(type), "only unscaled rotary embeddings are computed",
                Errc::unsupported);
  };
  if (const Json* scaling = in.find("rope_scaling")) check_default(*scaling, "rope_scaling");
  const Json* theta = in.find("rope_theta");
  if (const Json* parameters = in.find("rope_parameters")) {
    check_default(*parameters, "rope_parameters");
    if (const Json* inner = Reader::find_in(*parameters, "rope_theta")) theta = inner;
  }
  return theta ? in.number("rope_theta", *theta) : 10000.0;  // transformers' default
}

GatedActivation read_activation(const Reader& in, const ConfigOverrides& overrides) {
  if (overrides.activation) return *overrides.activation;
  const std::string name = in.text("hidden_act", in.document());
  if (name.empty())
    in.refuse("hidden_act", "missing", "say --activation relu2 or --activation silu",
              Errc::corrupt_file, "E_ACT");
  const auto activation = activation_from_name(name);
  if (!activation)
    in.refuse("hidden_act", printable(name), "known are relu2 and silu", Errc::unsupported,
              "E_ACT");
  return *activation;
}

void read_quantization(const Reader& in, const ConfigOverrides& overrides, ModelConfig& c) {
  const Json* quantization = in.find("quantization_config");
  if (!quantization)
    in.refuse("quantization_config", "missing",
              "this folder does not say that it holds a ternary (BitNet) model");
  if (!quantization->is_object()) in.refuse("quantization_config", "not an object", "");
  const std::string method = in.text("quant_method", *quantization);
  if (method != "bitnet")
    in.refuse("quantization_config.quant_method", printable(method), "only bitnet is read",
              Errc::unsupported);

  const std::string mode = in.text("quantization_mode", *quantization);
  if (!mode.empty() && mode != "offline" && mode != "online")
    in.refuse("quantization_config.quantization_mode", printable(mode), "offline or online");
  c.online = mode == "online";

  // transformers' BitNetQuantConfig defaults to "bitlinear", but files that leave the class out
  // exist in both kinds.
  const std::string linear = in.text("linear_class", *quantization);
  if (overrides.scale_meaning) {
    c.scale_meaning = *overrides.scale_meaning;
  } else if (linear == "autobitlinear") {
    c.scale_meaning = ScaleMeaning::multiply;
  } else if (linear == "bitlinear") {
    c.scale_meaning = ScaleMeaning::divide;
  } else if (linear.empty() && !c.online) {
    // The Llama family was published before linear_class existed, with 1 / gamma; for the rest
    // nothing can be assumed.
    if (c.architecture != "LlamaForCausalLM")
      in.refuse(
          "quantization_config.linear_class", "missing",
          "say --scale-meaning multiply (autobitlinear) or --scale-meaning divide (bitlinear)",
          Errc::corrupt_file, "E_SCALE");
    c.scale_meaning = ScaleMeaning::divide;
  } else if (!linear.empty()) {
    in.refuse("quantization_config.linear_class", printable(linear), "bitlinear or autobitlinear",
              Errc::unsupported);
  }
  c.input_norms = in.flag("use_rms_norm", *quantization, false);
  if (const Json* eps = Reader::find_in(*quantization, "rms_norm_eps"))
    c.input_norm_eps = static_cast<float>(in.number("quantization_config.rms_norm_eps", *eps));
  else
    c.input_norm_eps = 1e-6f;  // BitNetQuantConfig's default
}

}  // namespace

ModelConfig config_from_hf(const Json& document, const std::string& file,
                           const ConfigOverrides& overrides) {
  const Reader in(document, file);
  if (!document.is_object()) in.refuse("config.json", std::string(document.kind()), "an object");
  ModelConfig c;
  c.source = file;
  c.architecture = read_architecture(in);
  const Family& family = family_of(in, c.architecture);
  c.sub_norms = family.sub_norms;
  c.hidden_size = in.integer("hidden_size");
  c.intermediate_size = in.integer("intermediate_size");
  c.num_layers = in.integer("num_hidden_layers");
  c.num_heads = in.integer("num_attention_heads");
  c.num_kv_heads = in.integer("num_key_value_heads", c.num_heads);
  c.vocab_size = in.integer("vocab_size");
  c.max_positions = in.integer("max_position_embeddings", 2048);
  if (c.num_heads < 1) in.refuse("num_attention_heads", std::to_string(c.num_heads), "from 1");
  c.head_dim = in.integer("head_dim", c.hidden_size / c.num_heads);
  const Json* eps = in.find("rms_norm_eps");
  c.rms_norm_eps = eps ? static_cast<float>(in.number("rms_norm_eps", *eps)) : 1e-6f;
  c.rope_theta = read_rope_theta(in);
  c.tied_head = in.flag("tie_word_embeddings", document, false);
  for (const char* key : {"attention_bias", "mlp_bias"})
    if (in.flag(key, document, false))
      in.refuse(key, "true", "layers with biases are not computed", Errc::unsupported);
  c.activation = read_activation(in, overrides);
  read_tokens(in, c);
  read_quantization(in, overrides, c);
  validate(c);
  return c;
}

}  // namespace bitnet
