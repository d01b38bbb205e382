// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/config_hf.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

// Keys and values as they stand in the file; a key set to "" is left out.
class Document {
 public:
  Document& set(const std::string& key, const std::string& value) {
    for (auto& [name, text] : fields_)
      if (name == key) {
        text = value;
        return *this;
      }
    fields_.emplace_back(key, value);
    return *this;
  }
  std::string text() const {
    std::string out = "{";
    for (const auto& [name, value] : fields_) {
      if (value.empty()) continue;
      out += (out.size() > 1 ? ", \"" : "\"") + name + "\": " + value;
    }
    return out + "}";
  }
  ModelConfig read(const ConfigOverrides& overrides = {}) const {
    return config_from_hf(parse_json(text(), "config.json"), "config.json", overrides);
  }

 private:
  std::vector<std::pair<std::string, std::string>> fields_{
      {"architectures", R"(["BitNetForCausalLM"])"},
      {"hidden_act", R"("relu2")"},
      {"hidden_size", "256"},
      {"intermediate_size", "704"},
      {"num_hidden_layers", "3"},
      {"num_attention_heads", "4"},
      {"num_key_value_heads", "2"},
      {"vocab_size", "512"},
      {"max_position_embeddings", "1024"},
      {"rms_norm_eps", "1e-05"},
      {"rope_theta", "500000.0"},
      {"tie_word_embeddings", "true"},
      {"bos_token_id", "0"},
      {"eos_token_id", "[1, 2]"},
      {"quantization_config",
       R"({"quant_method": "bitnet", "linear_class": "autobitlinear",
           "quantization_mode": "offline"})"},
  };
};

std::string quantization(const std::string& rest) {
  return R"({"quant_method": "bitnet")" + (rest.empty() ? "" : ", " + rest) + "}";
}

void expect_fault(const Document& document, const std::string& kind, Errc code,
                  const std::string& field) {
  try {
    document.read();
    ADD_FAILURE() << "accepted: " << document.text();
  } catch (const FileError& e) {
    EXPECT_EQ(e.fault().kind, kind) << e.what();
    EXPECT_EQ(e.code(), code) << e.what();
    EXPECT_EQ(e.fault().field, field) << e.what();
    EXPECT_EQ(e.fault().file, "config.json");
    EXPECT_FALSE(e.fault().value.empty()) << e.what();
  }
}

TEST(ConfigHf, EveryFieldIsRead) {
  const ModelConfig c = Document().set("head_dim", "32").read();
  EXPECT_EQ(c.architecture, "BitNetForCausalLM");
  EXPECT_EQ(c.hidden_size, 256);
  EXPECT_EQ(c.intermediate_size, 704);
  EXPECT_EQ(c.num_layers, 3);
  EXPECT_EQ(c.num_heads, 4);
  EXPECT_EQ(c.num_kv_heads, 2);
  EXPECT_EQ(c.head_dim, 32);
  EXPECT_EQ(c.vocab_size, 512);
  EXPECT_EQ(c.max_positions, 1024);
  EXPECT_EQ(c.rms_norm_eps, 1e-5f);
  EXPECT_EQ(c.rope_theta, 500000.0);
  EXPECT_EQ(c.activation, GatedActivation::relu2);
  EXPECT_TRUE(c.sub_norms);
  EXPECT_TRUE(c.tied_head);
  EXPECT_FALSE(c.online);
  EXPECT_FALSE(c.input_norms);
  EXPECT_EQ(c.scale_meaning, ScaleMeaning::multiply);
  EXPECT_EQ(c.bos_token, 0);
  EXPECT_EQ(c.eos_tokens, (std::vector<std::int32_t>{1, 2}));
}

TEST(ConfigHf, WhatIsLeftOutHasTransformersDefaults) {
  Document d;
  for (const char* key : {"num_key_value_heads", "max_position_embeddings", "rms_norm_eps",
                          "rope_theta", "tie_word_embeddings", "bos_token_id", "eos_token_id"})
    d.set(key, "");
  const ModelConfig c = d.read();
  EXPECT_EQ(c.num_kv_heads, 4);
  EXPECT_EQ(c.head_dim, 64);
  EXPECT_EQ(c.max_positions, 2048);
  EXPECT_EQ(c.rms_norm_eps, 1e-6f);
  EXPECT_EQ(c.rope_theta, 10000.0);
  EXPECT_FALSE(c.tied_head);
  EXPECT_EQ(c.bos_token, -1);
  EXPECT_TRUE(c.eos_tokens.empty());
}

TEST(ConfigHf, TheRotationMayStandInRopeParameters) {
  Document d;
  d.set("rope_theta", "").set("rope_parameters", R"({"rope_theta": 7e5, "rope_type": "default"})");
  EXPECT_EQ(d.read().rope_theta, 7e5);
  EXPECT_EQ(Document().set("rope_scaling", "null").read().rope_theta, 500000.0);
}

TEST(ConfigHf, TheQuantizationIsRead) {
  const auto with = [](const std::string& rest) {
    return Document().set("quantization_config", quantization(rest)).read();
  };
  EXPECT_EQ(with(R"("linear_class": "bitlinear")").scale_meaning, ScaleMeaning::divide);
  EXPECT_TRUE(with(R"("quantization_mode": "online")").online);
  const ModelConfig normed =
      with(R"("linear_class": "bitlinear", "use_rms_norm": true, "rms_norm_eps": 1e-3)");
  EXPECT_TRUE(normed.input_norms);
  EXPECT_EQ(normed.input_norm_eps, 1e-3f);
  EXPECT_EQ(with(R"("linear_class": "bitlinear", "use_rms_norm": true)").input_norm_eps, 1e-6f);
}

// Files of the Llama family came before linear_class, with 1 / gamma; BitNet files exist in both
// kinds.
TEST(ConfigHf, AMissingLinearClassIsSettledByTheFamilyOrTheUser) {
  Document d;
  d.set("quantization_config", quantization(""));
  expect_fault(d, "E_SCALE", Errc::corrupt_file, "quantization_config.linear_class");
  EXPECT_EQ(d.read({.activation = {}, .scale_meaning = ScaleMeaning::divide}).scale_meaning,
            ScaleMeaning::divide);
  d.set("architectures", R"(["LlamaForCausalLM"])").set("hidden_act", R"("silu")");
  const ModelConfig llama = d.read();
  EXPECT_EQ(llama.scale_meaning, ScaleMeaning::divide);
  EXPECT_EQ(llama.activation, GatedActivation::silu);
  EXPECT_FALSE(llama.sub_norms);
}

TEST(ConfigHf, AnOpenActivationIsNeverGuessed) {
  Document d;
  d.set("hidden_act", "");
  expect_fault(d, "E_ACT", Errc::corrupt_file, "hidden_act");
  EXPECT_EQ(d.read({.activation = GatedActivation::silu, .scale_meaning = {}}).activation,
            GatedActivation::silu);
  d.set("hidden_act", R"("gelu")");
  expect_fault(d, "E_ACT", Errc::unsupported, "hidden_act");
}

TEST(ConfigHf, WhatIsWrongIsNamed) {
  struct Case {
    const char *key, *value, *field;
    Errc code = Errc::corrupt_file;
  };
  constexpr Errc kUnsupported = Errc::unsupported;
  for (const Case& c : {
           Case{"architectures", "", "architectures"},
           Case{"architectures", "[]", "architectures"},
           Case{"architectures", "[7]", "architectures"},
           Case{"architectures", R"(["A", "B"])", "architectures"},
           Case{"architectures", R"(["Qwen3ForCausalLM"])", "architectures", kUnsupported},
           Case{"hidden_size", "", "hidden_size"},
           Case{"hidden_size", "256.0", "hidden_size"},
           Case{"hidden_size", R"("256")", "hidden_size"},
           Case{"hidden_size", "0", "hidden_size"},
           Case{"hidden_size", "-256", "hidden_size"},
           Case{"hidden_size", "9223372036854775807", "hidden_size"},
           Case{"intermediate_size", "0", "intermediate_size"},
           Case{"num_hidden_layers", "0", "num_hidden_layers"},
           Case{"num_hidden_layers", "1000000", "num_hidden_layers"},
           Case{"num_attention_heads", "0", "num_attention_heads"},
           Case{"num_attention_heads", "-4", "num_attention_heads"},
           Case{"num_key_value_heads", "0", "num_key_value_heads"},
           Case{"num_key_value_heads", "3", "num_key_value_heads"},
           Case{"num_key_value_heads", "8", "num_key_value_heads"},
           Case{"head_dim", "0", "head_dim"},
           Case{"head_dim", "63", "head_dim"},
           Case{"head_dim", "1024", "head_dim"},
           Case{"vocab_size", "0", "vocab_size"},
           Case{"vocab_size", "100000000", "vocab_size"},
           Case{"max_position_embeddings", "0", "max_position_embeddings"},
           Case{"rms_norm_eps", "-1e-5", "rms_norm_eps"},
           Case{"rms_norm_eps", "1e300", "rms_norm_eps"},
           Case{"rms_norm_eps", R"("small")", "rms_norm_eps"},
           Case{"rope_theta", "0", "rope_theta"},
           Case{"rope_theta", "[1]", "rope_theta"},
           Case{"rope_scaling", R"({"rope_type": "yarn", "factor": 4})", "rope_scaling",
                kUnsupported},
           Case{"rope_scaling", R"({"type": "linear"})", "rope_scaling", kUnsupported},
           Case{"rope_parameters", R"({"rope_type": "llama3"})", "rope_parameters", kUnsupported},
           Case{"tie_word_embeddings", "1", "tie_word_embeddings"},
           Case{"attention_bias", "true", "attention_bias", kUnsupported},
           Case{"mlp_bias", "true", "mlp_bias", kUnsupported},
           Case{"bos_token_id", "512", "bos_token_id"},
           Case{"bos_token_id", "-1", "bos_token_id"},
           Case{"eos_token_id", "512", "eos_token_id"},
           Case{"eos_token_id", "[1, 4294967296]", "eos_token_id"},
           Case{"eos_token_id", R"("</s>")", "eos_token_id"},
           Case{"quantization_config", "", "quantization_config"},
           Case{"quantization_config", "[]", "quantization_config"},
           Case{"quantization_config", R"({"quant_method": "gptq"})",
                "quantization_config.quant_method", kUnsupported},
       })
    expect_fault(Document().set(c.key, c.value), "E_CONFIG", c.code, c.field);
}

TEST(ConfigHf, WhatIsWrongInTheQuantizationIsNamed) {
  struct Case {
    const char *rest, *field;
    Errc code = Errc::corrupt_file;
  };
  for (const Case& c : {
           Case{R"("linear_class": "bitlinear158")", "quantization_config.linear_class",
                Errc::unsupported},
           Case{R"("linear_class": "autobitlinear", "quantization_mode": "sometimes")",
                "quantization_config.quantization_mode"},
           Case{R"("linear_class": "bitlinear", "use_rms_norm": true, "rms_norm_eps": -1)",
                "quantization_config.rms_norm_eps"},
           Case{R"("linear_class": "bitlinear", "use_rms_norm": true, "rms_norm_eps": 1e300)",
                "quantization_config.rms_norm_eps"},
       })
    expect_fault(Document().set("quantization_config", quantization(c.rest)), "E_CONFIG", c.code,
                 c.field);
}

TEST(ConfigHf, ADocumentThatIsNoObjectIsRefused) {
  EXPECT_THROW(config_from_hf(parse_json("[1]", "c"), "c", {}), FileError);
}

}  // namespace
}  // namespace bitnet
