// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/config_gguf.h"

#include <gtest/gtest.h>

#include <map>
#include <variant>

#include "bitnet/base/error.h"
#include "bitnet/io/gguf_writer.h"
#include "bitnet/io/test_bytes.h"

namespace bitnet {
namespace {

using Value = std::variant<std::uint32_t, std::uint64_t, std::int32_t, float, std::string>;

// A file with the keys of a model and an embedding of 512 rows, to be changed before it is read.
class Document {
 public:
  explicit Document(const std::string& architecture = "bitnet-b1.58") : name_(architecture) {
    all_["general.architecture"] = architecture;
    set("vocab_size", 512u).set("context_length", 1024u).set("embedding_length", 256u);
    set("block_count", 3u).set("feed_forward_length", 704u).set("attention.head_count", 4u);
    set("attention.head_count_kv", 2u).set("attention.layer_norm_rms_epsilon", 1e-5f);
    set("rope.freq_base", 500000.0f);
    all_["tokenizer.ggml.bos_token_id"] = 0u;
    all_["tokenizer.ggml.eos_token_id"] = 1u;
  }
  Document& set(const std::string& key, Value value) {
    all_[name_ + "." + key] = std::move(value);
    return *this;
  }
  Document& set_global(const std::string& key, Value value) {
    all_[key] = std::move(value);
    return *this;
  }
  Document& remove(const std::string& key) {
    all_.erase(name_ + "." + key);
    return *this;
  }
  Document& own_head() {
    own_head_ = true;
    return *this;
  }

  ModelConfig read(const ConfigOverrides& overrides = {}) const {
    GgufWriter writer;
    for (const auto& [key, value] : all_)
      std::visit([&, &k = key](const auto& v) { add(writer, k, v); }, value);
    const std::vector<std::uint16_t> bits(512 * 4);
    const std::int64_t dims[] = {4, 512};
    const auto bytes = std::as_bytes(std::span(bits));
    writer.add_tensor("token_embd.weight", GgmlType::f16, dims, bytes_in_memory(bytes));
    if (own_head_) writer.add_tensor("output.weight", GgmlType::f16, dims, bytes_in_memory(bytes));
    writer.write(folder_ / "m.gguf");
    return config_from_gguf(GgufFile(folder_ / "m.gguf"), overrides);
  }

 private:
  static void add(GgufWriter& w, const std::string& key, std::uint32_t v) { w.add_u32(key, v); }
  static void add(GgufWriter& w, const std::string& key, std::uint64_t v) { w.add_u64(key, v); }
  static void add(GgufWriter& w, const std::string& key, std::int32_t v) { w.add_i32(key, v); }
  static void add(GgufWriter& w, const std::string& key, float v) { w.add_f32(key, v); }
  static void add(GgufWriter& w, const std::string& key, const std::string& v) {
    w.add_string(key, v);
  }

  testing::TemporaryFolder folder_;
  std::string name_;
  std::map<std::string, Value> all_;
  bool own_head_ = false;
};

void expect_fault(const Document& document, const std::string& kind, Errc code,
                  const std::string& field) {
  try {
    document.read();
    ADD_FAILURE() << "accepted, expected a fault of " << field;
  } catch (const FileError& e) {
    EXPECT_EQ(e.fault().kind, kind) << e.what();
    EXPECT_EQ(e.code(), code) << e.what();
    EXPECT_EQ(e.fault().field, field) << e.what();
  }
}

TEST(ConfigGguf, EveryKeyIsRead) {
  const ModelConfig c = Document().set("attention.key_length", 32u).read();
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
  EXPECT_EQ(c.bos_token, 0);
  EXPECT_EQ(c.eos_tokens, (std::vector<std::int32_t>{1}));
  EXPECT_TRUE(c.tied_head);
  EXPECT_FALSE(Document().own_head().read().tied_head);
}

TEST(ConfigGguf, TheArchitectureSaysWhatTheKeysDoNot) {
  for (const char* name : {"bitnet-b1.58", "bitnet-25"}) {
    const ModelConfig c = Document(name).read();
    EXPECT_TRUE(c.sub_norms) << name;
    EXPECT_EQ(c.activation, GatedActivation::relu2) << name;
  }
  const ModelConfig llama = Document("llama").read();
  EXPECT_FALSE(llama.sub_norms);
  EXPECT_EQ(llama.activation, GatedActivation::silu);
}

// llama.cpp's "bitnet" exists with SiLU and with squared ReLU: never a silent SiLU.
TEST(ConfigGguf, AnOpenActivationIsNeverGuessed) {
  expect_fault(Document("bitnet"), "E_ACT", Errc::corrupt_file, "general.architecture");
  for (const auto activation : {GatedActivation::relu2, GatedActivation::silu})
    EXPECT_EQ(Document("bitnet").read({.activation = activation, .scale_meaning = {}}).activation,
              activation);
  const std::string key(kHiddenActKey);
  EXPECT_EQ(Document("bitnet").set_global(key, "relu2").read().activation, GatedActivation::relu2);
  expect_fault(Document().set_global(key, "gelu"), "E_ACT", Errc::unsupported, key);
}

TEST(ConfigGguf, DefaultsFollowTheFormat) {
  Document d;
  d.remove("vocab_size").remove("attention.head_count_kv").remove("rope.freq_base");
  const ModelConfig c = d.read();
  EXPECT_EQ(c.vocab_size, 512);  // rows of the embedding
  EXPECT_EQ(c.num_kv_heads, 4);
  EXPECT_EQ(c.head_dim, 64);
  EXPECT_EQ(c.rope_theta, 10000.0);
}

TEST(ConfigGguf, WhatIsWrongIsNamed) {
  struct Case {
    const char* key;
    Value value;
    std::string field;
    Errc code = Errc::corrupt_file;
  };
  const std::string prefix = "bitnet-b1.58.";
  const std::uint64_t huge = std::uint64_t{1} << 63;
  for (const Case& c : {
           Case{"embedding_length", 0u, "hidden_size"},
           Case{"embedding_length", huge, prefix + "embedding_length"},
           Case{"block_count", 0u, "num_hidden_layers"},
           Case{"block_count", 1000000u, "num_hidden_layers"},
           Case{"feed_forward_length", 0u, "intermediate_size"},
           Case{"attention.head_count", 0u, prefix + "attention.head_count"},
           Case{"attention.head_count_kv", 0u, "num_key_value_heads"},
           Case{"attention.head_count_kv", 3u, "num_key_value_heads"},
           Case{"attention.value_length", 32u, prefix + "attention.value_length",
                Errc::unsupported},
           Case{"vocab_size", 0u, "vocab_size"},
           Case{"context_length", 0u, "max_position_embeddings"},
           Case{"attention.layer_norm_rms_epsilon", -1.0f, "rms_norm_eps"},
           Case{"rope.freq_base", 0.5f, "rope_theta"},
           Case{"rope.dimension_count", 32u, prefix + "rope.dimension_count", Errc::unsupported},
           Case{"rope.scaling.type", "yarn", prefix + "rope.scaling.type", Errc::unsupported},
       })
    expect_fault(Document().set(c.key, c.value), "E_CONFIG", c.code, c.field);
  Document odd;
  odd.set("attention.key_length", 33u).set("attention.value_length", 33u);
  expect_fault(odd, "E_CONFIG", Errc::corrupt_file, "head_dim");
  expect_fault(Document().set_global("tokenizer.ggml.bos_token_id", 512u), "E_CONFIG",
               Errc::corrupt_file, "bos_token_id");
  expect_fault(Document().set_global("tokenizer.ggml.eos_token_id", 4000000000u), "E_CONFIG",
               Errc::corrupt_file, "tokenizer.ggml.eos_token_id");
  expect_fault(Document("qwen3"), "E_CONFIG", Errc::unsupported, "general.architecture");
  EXPECT_NO_THROW(Document().set("rope.scaling.type", "none").read());
}

std::string key_field(const std::string& key) { return "key \"bitnet-b1.58." + key + "\""; }

TEST(ConfigGguf, MissingKeysAndWrongTypesAreNamed) {
  for (const char* key :
       {"context_length", "embedding_length", "block_count", "feed_forward_length",
        "attention.head_count", "attention.layer_norm_rms_epsilon"})
    expect_fault(Document().remove(key), "E_KEY", Errc::corrupt_file, key_field(key));
  expect_fault(Document().set("block_count", -3), "E_KEYTYPE", Errc::corrupt_file,
               key_field("block_count"));
  expect_fault(Document().set("block_count", "three"), "E_KEYTYPE", Errc::corrupt_file,
               key_field("block_count"));
}

}  // namespace
}  // namespace bitnet
