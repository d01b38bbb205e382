// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/convert/convert.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "bitnet/base/error.h"
#include "bitnet/base/os/file.h"
#include "bitnet/convert/exports.h"
#include "bitnet/generate/layout_probe.h"
#include "bitnet/model/random_model.h"
#include "bitnet/ternary/block128.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = BITNET_SOURCE_DIR;

class ConvertTest : public ::testing::Test {
 protected:
  ConvertTest()
      : runtime_(2),
        folder_(fs::temp_directory_path() / ("bitnet_convert_" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~ConvertTest() override { fs::remove_all(folder_); }

  std::string at(const std::string& name) const { return (folder_ / name).string(); }

  ConvertReport run(const std::string& in, const std::string& out, ConvertTarget target) {
    ConvertOptions options;
    options.target = target;
    return convert(in, out, options, runtime_);
  }

  static std::string bytes(const fs::path& path) {
    return os::read_file(path.string(), std::uint64_t{1} << 30);
  }

  // Every file of the folder but those no converter needs to keep.
  static void expect_same_model(const fs::path& a, const fs::path& b) {
    for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) {
      ASSERT_EQ(fs::exists(a / name), fs::exists(b / name)) << name;
      if (!fs::exists(a / name)) continue;
      EXPECT_TRUE(bytes(a / name) == bytes(b / name)) << name;
    }
  }

  Runtime runtime_;
  fs::path folder_;
};

TEST_F(ConvertTest, FolderToGgufAndBackIsTheSameBytes) {
  for (const fs::path& model :
       {kSource / "models/wordbook-35m", kSource / "tests/models/tiny-bitnet-gqa",
        kSource / "tests/models/tiny-llama-bitlinear"}) {
    const std::string gguf = at(model.filename().string() + ".gguf");
    const std::string back = at(model.filename().string());
    EXPECT_TRUE(run(model.string(), gguf, ConvertTarget::gguf_i2_s).identical) << model;
    EXPECT_TRUE(run(gguf, back, ConvertTarget::hf_folder).identical) << model;
    expect_same_model(model, back);
  }
}

TEST_F(ConvertTest, BlockScaledTypesKeepEveryLogitToo) {
  const std::string model = (kSource / "models/wordbook-35m").string();
  for (const auto target : {ConvertTarget::gguf_tq1_0, ConvertTarget::gguf_tq2_0}) {
    const std::string gguf = at("w.gguf"), back = at("back");
    const ConvertReport report = run(model, gguf, target);
    EXPECT_TRUE(report.identical);
    EXPECT_NEAR(report.ternary_bits_per_weight,
                target == ConvertTarget::gguf_tq1_0 ? 1.6875 : 2.0625, 1e-9);
    EXPECT_TRUE(run(gguf, back, ConvertTarget::hf_folder).identical);
    expect_same_model(model, back);
    fs::remove_all(back);
  }
}

TEST_F(ConvertTest, ColumnsThatAreNoBlocksAreRefusedWithAWayOut) {
  const std::string model = (kSource / "tests/models/tiny-llama-bitlinear").string();
  try {
    run(model, at("x.gguf"), ConvertTarget::gguf_tq2_0);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Errc::unsupported);
    EXPECT_NE(std::string(e.what()).find("i2_s"), std::string::npos);
  }
  EXPECT_FALSE(fs::exists(at("x.gguf")));
}

TEST_F(ConvertTest, AGgufWithoutItsSourceBecomesAComposedFolder) {
  ModelConfig config = *model_shape("700m");
  config.num_layers = 1;
  config.hidden_size = 256;
  config.intermediate_size = 384;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 64;
  config.vocab_size = 300;
  config.bos_token = -1;
  config.eos_tokens.clear();
  export_gguf(at("m.gguf"), random_model(config, 1, runtime_.threads()), {.name = "m"},
              GgmlType::i2_s, {});
  EXPECT_TRUE(run(at("m.gguf"), at("hf"), ConvertTarget::hf_folder).identical);
  EXPECT_TRUE(run(at("hf"), at("again.gguf"), ConvertTarget::gguf_i2_s).identical);
}

TEST_F(ConvertTest, ComposedTokenizerGivesTheSameIds) {
  const std::string model = (kSource / "models/wordbook-35m").string();
  const Tokenizer original = open_tokenizer(model);
  std::ofstream(at("tokenizer.json")) << compose_tokenizer_json(original);
  const Tokenizer composed = open_tokenizer(at("tokenizer.json"));
  const std::string text = bytes(kSource / "tests/models/wordbook-35m/val_docs.txt");
  EXPECT_EQ(original.encode(text), composed.encode(text));
}

TEST_F(ConvertTest, QuantizedTablesAreReportedNotHidden) {
  ConvertOptions options;
  options.table_type = GgmlType::q8_0;
  const ConvertReport report =
      convert((kSource / "models/wordbook-35m").string(), at("q8.gguf"), options, runtime_);
  EXPECT_FALSE(report.identical);
  EXPECT_GT(report.max_logit_difference, 0.0);
  EXPECT_LT(report.max_logit_difference, 1.0);
}

TEST_F(ConvertTest, TheSourceIsNeverOverwritten) {
  const std::string gguf = at("m.gguf");
  run((kSource / "tests/models/tiny-bitnet-gqa").string(), gguf, ConvertTarget::gguf_i2_s);
  EXPECT_THROW(run(gguf, gguf, ConvertTarget::gguf_i2_s), Error);
  fs::create_directories(at("full"));
  std::ofstream(at("full/file")) << "mine";
  EXPECT_THROW(run(gguf, at("full"), ConvertTarget::hf_folder), FileError);
  EXPECT_TRUE(fs::exists(at("full/file")));
}

// Repacks the I2_S tensors of a file in another layout, in place.
void repack(const std::string& path, PackedFormat layout) {
  std::string data = os::read_file(path, std::uint64_t{1} << 30);
  const GgufFile file(path);
  for (const GgufTensor& t : file.tensors()) {
    if (t.type->type != GgmlType::i2_s) continue;
    const auto* from = reinterpret_cast<const std::uint8_t*>(file.bytes(t).data());
    ASSERT_EQ(t.columns() % block128::kWeights, 0);  // x86's layout is then block128 itself
    from_block128(layout, from, t.rows(), t.columns(), nullptr,
                  reinterpret_cast<std::uint8_t*>(data.data() + t.offset));
  }
  std::ofstream(path, std::ios::binary | std::ios::trunc) << data;
}

TEST_F(ConvertTest, AWrongI2sLayoutIsCaughtAndNamed) {
  const std::string model = (kSource / "models/wordbook-35m").string();
  for (const auto layout : {PackedFormat::i2_s_arm, PackedFormat::i2_s_act_parallel}) {
    run(model, at("m.gguf"), ConvertTarget::gguf_i2_s);
    repack(at("m.gguf"), layout);
    const std::string flag = "--i2s-layout " + std::string(i2s_layout_name(layout));
    try {
      open_model(at("m.gguf"), {}, runtime_);
      FAIL() << flag;
    } catch (const FileError& e) {
      EXPECT_EQ(e.fault().kind, "E_LAYOUT");
      EXPECT_NE(std::string(e.what()).find(flag), std::string::npos) << e.what();
    }
    OpenOptions said;
    said.packing = TernaryPacking::block128;
    said.i2s_layout = layout;
    const LoadedModel right = open_model(at("m.gguf"), said, runtime_);
    OpenOptions plain;
    plain.packing = TernaryPacking::block128;
    const LoadedModel original = open_model(model, plain, runtime_);
    const Tensor &a = right.weights->layers[3].linear(Linear::down).codes,
                 &b = original.weights->layers[3].linear(Linear::down).codes;
    EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size_bytes()), 0);
  }
}

}  // namespace
}  // namespace bitnet
