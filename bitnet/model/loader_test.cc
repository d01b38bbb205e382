// SPDX-License-Identifier: MIT OR Apache-2.0
// What a loader says of tensors that do not fit the model: all of it, at once.
#include "bitnet/model/loader.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "bitnet/base/error.h"
#include "bitnet/io/gguf_writer.h"
#include "bitnet/io/safetensors_writer.h"
#include "bitnet/io/test_bytes.h"
#include "bitnet/model/gguf_names.h"
#include "bitnet/model/hf_names.h"

namespace bitnet {
namespace {

// vocab 20, hidden 256, FFN 512, 2 layers, 4 heads of 64 over 2.
ModelConfig small_config() {
  ModelConfig c;
  c.hidden_size = 256;
  c.intermediate_size = 512;
  c.num_layers = 2;
  c.num_heads = 4;
  c.num_kv_heads = 2;
  c.head_dim = 64;
  c.vocab_size = 20;
  return c;
}

template <class Type>
struct Spec {
  std::string name;
  Type type;
  std::vector<std::int64_t> shape;  // in the order of the format
};

template <class Type>
Spec<Type>& find(std::vector<Spec<Type>>& specs, const std::string& name) {
  for (auto& spec : specs)
    if (spec.name == name) return spec;
  throw std::logic_error("no tensor " + name);
}

template <class Type>
void remove(std::vector<Spec<Type>>& specs, const std::string& name) {
  std::erase_if(specs, [&](const Spec<Type>& spec) { return spec.name == name; });
}

void expect_words(const std::string& text, std::initializer_list<const char*> words) {
  for (const char* word : words)
    EXPECT_NE(text.find(word), std::string::npos) << "'" << word << "' is not in: " << text;
}

class LoaderTest : public ::testing::Test {
 protected:
  LoadedModel load(const std::string& path) {
    LoadOptions options;
    options.threads = &threads_;
    return load_model(path, options);
  }

  // The message of the E_TENSOR fault.
  std::string problems(const std::string& path) {
    try {
      load(path);
      ADD_FAILURE() << "loaded";
      return "";
    } catch (const FileError& e) {
      EXPECT_EQ(e.fault().kind, "E_TENSOR") << e.what();
      return e.what();
    }
  }

  // Every packed byte is four zero weights (0x55), every bf16 1.0, every other byte 0.
  std::span<const std::byte> fill(bool packed, bool bf16, std::int64_t count) {
    auto& bytes = content_.emplace_back(static_cast<std::size_t>(count),
                                        packed ? std::byte{0x55} : std::byte{0});
    if (bf16)
      for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
        bytes[i] = std::byte{0x80};
        bytes[i + 1] = std::byte{0x3f};
      }
    return bytes;
  }

  ThreadPool threads_{2};
  testing::TemporaryFolder folder_;
  std::vector<std::vector<std::byte>> content_;
};

class HfLoaderTest : public LoaderTest {
 protected:
  using Specs = std::vector<Spec<DType>>;

  static Specs specs() {
    const ModelConfig c = small_config();
    Specs out{{hf_names::kEmbedding, DType::bf16, {c.vocab_size, c.hidden_size}},
              {hf_names::kNorm, DType::bf16, {c.hidden_size}}};
    for (std::int64_t i = 0; i < c.num_layers; ++i) {
      const auto norm = [&](const char* name, std::int64_t size) {
        out.push_back({hf_names::in_layer(i, name), DType::bf16, {size}});
      };
      norm(hf_names::kAttentionNorm, c.hidden_size);
      norm(hf_names::kAttentionSubNorm, c.q_size());
      norm(hf_names::kFfnNorm, c.hidden_size);
      norm(hf_names::kFfnSubNorm, c.intermediate_size);
      for (const Linear which : kLinears) {
        const Shape shape = shape_of(which, c);
        out.push_back({hf_names::linear(i, which, ".weight"), DType::u8, {shape[0] / 4, shape[1]}});
        out.push_back({hf_names::linear(i, which, ".weight_scale"), DType::bf16, {1}});
      }
    }
    return out;
  }

  std::string write(const Specs& all) {
    std::ofstream(folder_ / "config.json") << R"({"architectures": ["BitNetForCausalLM"],
      "hidden_act": "relu2", "hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2,
      "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 20,
      "tie_word_embeddings": true, "quantization_config": {"quant_method": "bitnet",
      "linear_class": "autobitlinear", "quantization_mode": "offline"}})";
    content_.clear();
    content_.reserve(all.size());
    std::vector<SafetensorsItem> items;
    for (const auto& s : all) {
      std::int64_t bytes = info(s.type).block_bytes;
      for (const std::int64_t dim : s.shape) bytes *= dim;
      items.push_back({s.name, s.type, s.shape,
                       bytes_in_memory(fill(s.type == DType::u8, s.type == DType::bf16, bytes))});
    }
    write_safetensors(folder_ / "model.safetensors", items, {});
    return folder_.path();
  }
};

TEST_F(HfLoaderTest, TheWholeModelLoads) {
  const LoadedModel model = load(write(specs()));
  EXPECT_TRUE(model.warnings.empty());
  EXPECT_EQ(model.weights->layers.size(), 2u);
  EXPECT_EQ(model.weights->layers[1].linear(Linear::down).scale, 1.0f);
}

TEST_F(HfLoaderTest, EveryTensorIsNeeded) {
  for (const auto& spec : specs()) {
    Specs all = specs();
    remove(all, spec.name);
    expect_words(problems(write(all)), {"1 problem:", spec.name.c_str(), "missing"});
  }
}

TEST_F(HfLoaderTest, AllProblemsAreTold) {
  Specs all = specs();
  remove(all, "model.layers.1.mlp.up_proj.weight_scale");
  find(all, "model.embed_tokens.weight").shape = {21, 256};
  find(all, "model.layers.0.self_attn.k_proj.weight").shape = {32, 128};
  find(all, "model.layers.0.mlp.gate_proj.weight").type = DType::f32;
  find(all, "model.layers.1.self_attn.q_proj.weight_scale").shape = {2};
  all.push_back({"model.layers.2.input_layernorm.weight", DType::bf16, {256}});
  expect_words(problems(write(all)),
               {"6 problems:", "model.layers.1.mlp.up_proj.weight_scale: missing",
                "model.embed_tokens.weight: BF16 [21, 256], expected", "[20, 256]",
                "model.layers.0.self_attn.k_proj.weight: U8 [32, 128], expected U8 [32, 256]",
                "model.layers.0.mlp.gate_proj.weight: F32 [128, 256]",
                "model.layers.1.self_attn.q_proj.weight_scale: BF16 [2], expected one",
                "model.layers.2.input_layernorm.weight: BF16 [256], expected no tensor"});
}

TEST_F(HfLoaderTest, ManyProblemsAreCounted) {
  Specs all = specs();
  std::erase_if(all, [](const auto& s) { return s.name.find("_proj") != std::string::npos; });
  expect_words(problems(write(all)), {"28 problems:", "and 8 more"});
}

TEST_F(HfLoaderTest, WhatIsStoredButNotUsedIsAWarning) {
  Specs all = specs();
  all.push_back({"lm_head.weight", DType::bf16, {20, 256}});
  all.push_back({"model.layers.0.self_attn.rotary_emb.inv_freq", DType::f32, {32}});
  EXPECT_EQ(load(write(all)).warnings.size(), 2u);
}

class GgufLoaderTest : public LoaderTest {
 protected:
  using Specs = std::vector<Spec<GgmlType>>;

  static Specs specs() {
    const ModelConfig c = small_config();
    Specs out{{gguf_names::kEmbedding, GgmlType::f16, {c.hidden_size, c.vocab_size}},
              {gguf_names::kNorm, GgmlType::f32, {c.hidden_size}}};
    for (std::int64_t i = 0; i < c.num_layers; ++i) {
      const auto norm = [&](const char* name, std::int64_t size) {
        out.push_back({gguf_names::in_block(i, name), GgmlType::f32, {size}});
      };
      norm(gguf_names::kAttentionNorm, c.hidden_size);
      norm(gguf_names::kAttentionSubNorm, c.q_size());
      norm(gguf_names::kFfnNorm, c.hidden_size);
      norm(gguf_names::kFfnSubNorm, c.intermediate_size);
      for (const Linear which : kLinears) {
        const Shape shape = shape_of(which, c);
        out.push_back({gguf_names::in_block(i, gguf_names::base(which)) + ".weight",
                       GgmlType::i2_s,
                       {shape[1], shape[0]}});
      }
    }
    return out;
  }

  std::string write(const Specs& all, std::uint32_t vocab = 20) {
    GgufWriter writer;
    writer.add_string("general.architecture", "bitnet-b1.58");
    const std::pair<const char*, std::uint32_t> sizes[] = {
        {"vocab_size", vocab},         {"context_length", 64},
        {"embedding_length", 256},     {"block_count", 2},
        {"feed_forward_length", 512},  {"attention.head_count", 4},
        {"attention.head_count_kv", 2}};
    for (const auto& [key, value] : sizes)
      writer.add_u32(std::string("bitnet-b1.58.") + key, value);
    writer.add_f32("bitnet-b1.58.attention.layer_norm_rms_epsilon", 1e-5f);
    content_.clear();
    content_.reserve(all.size());
    for (const auto& s : all) {
      const GgmlTypeInfo& type = info(s.type);
      std::int64_t elements = 1;
      for (const std::int64_t dim : s.shape) elements *= dim;
      const std::uint64_t bytes =
          static_cast<std::uint64_t>(elements) / type.block_elements * type.block_bytes +
          type.trailer_bytes;
      // The scale of I2_S is then 0x55555555, 1.5e13: a number above 0.
      writer.add_tensor(
          s.name, s.type, s.shape,
          bytes_in_memory(fill(type.packed.has_value(), false, static_cast<std::int64_t>(bytes))));
    }
    writer.write(folder_ / "m.gguf");
    return folder_ / "m.gguf";
  }
};

TEST_F(GgufLoaderTest, TheWholeModelLoads) {
  const LoadedModel model = load(write(specs()));
  EXPECT_EQ(model.weights->layers.size(), 2u);
  EXPECT_TRUE(model.weights->layers[0].linear(Linear::q).codes.borrowed());
}

TEST_F(GgufLoaderTest, EveryTensorIsNeeded) {
  for (const auto& spec : specs()) {
    Specs all = specs();
    remove(all, spec.name);
    expect_words(problems(write(all)), {"1 problem:", spec.name.c_str(), "missing"});
  }
}

TEST_F(GgufLoaderTest, AllProblemsAreTold) {
  Specs all = specs();
  remove(all, "blk.1.ffn_up.weight");
  find(all, "blk.0.attn_k.weight").shape = {256, 64};
  find(all, "blk.0.attn_v.weight").type = GgmlType::f16;
  find(all, "blk.1.ffn_sub_norm.weight").shape = {256};
  all.push_back({"blk.2.attn_norm.weight", GgmlType::f32, {256}});
  all.push_back({"blk.0.attn_q.bias", GgmlType::f32, {256}});
  expect_words(problems(write(all)),
               {"6 problems:", "blk.1.ffn_up.weight: missing", "expected I2_S",
                "blk.0.attn_k.weight: I2_S [256, 64]", "[256, 128]", "blk.0.attn_v.weight: F16",
                "blk.1.ffn_sub_norm.weight: F32 [256], expected", "[512]",
                "blk.2.attn_norm.weight: F32 [256], expected no tensor",
                "blk.0.attn_q.bias: F32 [256], expected no tensor"});
}

TEST_F(GgufLoaderTest, AVocabularyUnlikeTheEmbeddingIsRefused) {
  expect_words(problems(write(specs(), 21)),
               {"1 problem:", "token_embd.weight: F16 [256, 20]", "[256, 21]"});
}

TEST_F(LoaderTest, WhatIsNoModelIsSaid) {
  EXPECT_THROW(load(folder_ / "absent"), FileError);
  std::ofstream(folder_ / "text.txt") << "Call me Ishmael.";
  try {
    load(folder_ / "text.txt");
    ADD_FAILURE();
  } catch (const FileError& e) {
    EXPECT_EQ(e.fault().kind, "E_MAGIC");
  }
  EXPECT_THROW(load(folder_.path()), FileError);  // a folder without config.json
  LoadOptions no_threads;
  EXPECT_THROW(load_model(folder_.path(), no_threads), Error);
}

}  // namespace
}  // namespace bitnet
