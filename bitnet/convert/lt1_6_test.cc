// SPDX-License-Identifier: MIT OR Apache-2.0
// Model files whose matrices lie in tiles of ternary/lookup_tiles.h: read in place, the same model,
// and nothing hostile gets to a kernel.
#include <gtest/gtest.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>

#include "bitnet/base/error.h"
#include "bitnet/base/os/file.h"
#include "bitnet/convert/convert.h"
#include "bitnet/convert/exports.h"
#include "bitnet/io/gguf_writer.h"
#include "bitnet/model/random_model.h"
#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

const fs::path kSource = BITNET_SOURCE_DIR;

// Norms of 160 bytes, so that the tensors behind them lie anywhere that is a multiple of 32.
ModelConfig small_config() {
  ModelConfig c = *model_shape("700m");
  c.num_layers = 2;
  c.hidden_size = 40;
  c.intermediate_size = 72;
  c.num_heads = 4;
  c.num_kv_heads = 2;
  c.head_dim = 10;
  c.vocab_size = 50;
  c.bos_token = -1;
  c.eos_tokens.clear();
  return c;
}

class Lt16Test : public ::testing::Test {
 protected:
  Lt16Test()
      : runtime_(2),
        folder_(fs::temp_directory_path() / ("bitnet_lt1_6_" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "again");
  }
  ~Lt16Test() override { fs::remove_all(folder_); }

  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  static std::string bytes(const fs::path& path) {
    return os::read_file(path.string(), std::uint64_t{1} << 30);
  }
  ConvertReport run(const std::string& in, const std::string& out, ConvertTarget target) {
    ConvertOptions options;
    options.target = target;
    return convert(in, out, options, runtime_);
  }
  LoadedModel open(const std::string& path, TernaryPacking packing) {
    OpenOptions options;
    options.packing = packing;
    return open_model(path, options, runtime_);
  }
  std::vector<float> logits_of(const LoadedModel& model) {
    Decoder decoder(model.config, model.weights, runtime_.context());
    KvCache cache(model.config, 8);
    const std::int32_t ids[] = {1, 2, 3};
    const auto hidden = decoder.forward(ids, cache);
    const std::int64_t vocab = model.config.vocab_size;
    std::vector<float> logits(static_cast<std::size_t>(3 * vocab));
    decoder.logits(hidden, {logits.data(), 3, vocab, vocab});
    return logits;
  }
  // A random model's file, and its logits before.
  std::string write_small(std::vector<float>* logits = nullptr) {
    LoadedModel model = random_model(small_config(), 5, runtime_.threads());
    if (logits) *logits = logits_of(model);
    pack_weights(model, runtime_.context(), TernaryPacking::lookup);
    export_gguf(at("s.gguf"), model, {.name = "s"}, GgmlType::lt1_6, {});
    return at("s.gguf");
  }
  // The kind of error that a file with changed bytes of one tensor gets.
  std::string kind_with(const std::function<void(char* tensor, std::size_t size)>& change) {
    std::string data = bytes(at("s.gguf"));
    {
      const GgufFile file(at("s.gguf"));
      const GgufTensor& t = *file.find_tensor("blk.1.ffn_down.weight");
      change(data.data() + t.offset, t.size_bytes);
    }
    std::ofstream(at("bad.gguf"), std::ios::binary | std::ios::trunc) << data;
    try {
      open(at("bad.gguf"), TernaryPacking::lookup);
    } catch (const FileError& e) {
      EXPECT_NE(std::string(e.what()).find("blk.1.ffn_down.weight"), std::string::npos) << e.what();
      return e.fault().kind;
    }
    return "";
  }

  Runtime runtime_;
  fs::path folder_;
};

TEST_F(Lt16Test, FolderToTilesAndBackIsTheSameBytes) {
  for (const fs::path& model :
       {kSource / "models/wordbook-35m", kSource / "tests/models/tiny-bitnet-gqa",
        kSource / "tests/models/tiny-llama-bitlinear"}) {
    const std::string name = model.filename().string(), tiles = at(name + ".gguf");
    const ConvertReport report = run(model.string(), tiles, ConvertTarget::gguf_lt1_6);
    EXPECT_TRUE(report.identical) << model;
    EXPECT_LT(report.ternary_bits_per_weight, name == "wordbook-35m" ? 1.7 : 2.2);
    EXPECT_TRUE(run(tiles, at("back"), ConvertTarget::hf_folder).identical) << model;
    EXPECT_TRUE(bytes(at("back/model.safetensors")) == bytes(model / "model.safetensors"));
    fs::remove_all(at("back"));
    run(model.string(), at(name + ".i2_s"), ConvertTarget::gguf_i2_s);
    run(tiles, at("again/" + name + ".gguf"), ConvertTarget::gguf_i2_s);
    EXPECT_TRUE(bytes(at("again/" + name + ".gguf")) == bytes(at(name + ".i2_s"))) << model;
    run(at("again/" + name + ".gguf"), at(name + ".again"), ConvertTarget::gguf_lt1_6);
    EXPECT_TRUE(bytes(at(name + ".again")) == bytes(tiles)) << model;
  }
}

TEST_F(Lt16Test, IsReadInPlaceOrUnpackedAndComputesTheSame) {
  std::vector<float> expected;
  const std::string path = write_small(&expected);
  const LoadedModel tiles = open(path, TernaryPacking::lookup);
  const LoadedModel codes = open(path, TernaryPacking::block128);
  for (std::size_t i = 0; i < tiles.weights->layers.size(); ++i)
    for (const Linear which : kLinears) {
      const TernaryMatrix& m = tiles.weights->layers[i].linear(which);
      EXPECT_FALSE(m.codes.defined());
      EXPECT_TRUE(m.tiles.bytes.borrowed());
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(m.tiles.bytes.data()) % 64, 0u);
      const TernaryMatrix& n = codes.weights->layers[i].linear(which);
      EXPECT_TRUE(n.codes.defined());
      EXPECT_FALSE(n.tiles.bytes.defined());
    }
  EXPECT_EQ(logits_of(tiles), expected);
  EXPECT_EQ(logits_of(codes), expected);
  EXPECT_EQ(logits_of(open(path, TernaryPacking::automatic)), expected);
}

// Files that were written again with another alignment, and a header of two lengths.
TEST_F(Lt16Test, TilesThatLieAnywhereAreCopied) {
  std::vector<float> expected;
  write_small(&expected);
  const GgufFile file(at("s.gguf"));
  EXPECT_EQ(file.alignment(), 64u);
  int copied = 0;
  for (const std::size_t more : {1u, 33u}) {
    GgufWriter writer;
    writer.add_string("general.note", std::string(more, 'x'));
    for (const GgufKeyValue& entry : file.key_values())
      if (entry.key != "general.alignment") writer.add_copy(entry);
    for (const GgufTensor& t : file.tensors())
      writer.add_tensor(t.name, t.type->type, std::span(t.dims).first(t.num_dims),
                        bytes_in_memory(file.bytes(t)));
    writer.write(at("32.gguf"));
    const LoadedModel model = open(at("32.gguf"), TernaryPacking::lookup);
    for (const LayerWeights& layer : model.weights->layers)
      for (const TernaryMatrix& m : layer.linears) {
        copied += !m.tiles.bytes.borrowed();
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(m.tiles.bytes.data()) % 64, 0u);
      }
    EXPECT_EQ(logits_of(model), expected);
  }
  EXPECT_GT(copied, 0);
}

TEST_F(Lt16Test, EveryDamageIsNamed) {
  write_small();
  const std::int64_t rows = 40, cols = 72;
  const auto codes = static_cast<std::size_t>(lookup_tiles::code_bytes(rows, cols));
  const auto set = [](std::size_t place, int value) {
    return [=](char* t, std::size_t) { t[place] = static_cast<char>(value); };
  };
  EXPECT_EQ(kind_with([](char*, std::size_t) {}), "");
  EXPECT_EQ(kind_with(set(0, 0x7f)), "E_CODE");
  EXPECT_EQ(kind_with(set(63, lookup_tiles::byte_of(1))), "E_CODE");  // row 63 of 40
  EXPECT_EQ(kind_with(set(codes + 3, 1)), "E_BLOCK");
  EXPECT_EQ(kind_with([](char* t, std::size_t size) { t[size - 1] = 1; }), "E_PADDING");
  for (const std::uint32_t scale : {0u, 0x7fc00000u, 0x7f800000u, 0xbf800000u})
    EXPECT_EQ(kind_with([scale](char* t, std::size_t size) {
                std::memcpy(t + size - 64, &scale, sizeof scale);
              }),
              "E_SCALE");
}

// Rows or columns that the bytes do not suffice for, and products that wrap.
TEST_F(Lt16Test, AShapeNeedsItsBytes) {
  write_small();
  const std::string good = bytes(at("s.gguf"));
  const std::string name = "blk.1.ffn_down.weight";
  const std::size_t dims = good.find(name) + name.size() + 4;
  for (const std::int64_t length :
       {std::int64_t{1} << 20, std::int64_t{1} << 40, std::int64_t{1} << 57, INT64_MAX})
    for (const std::size_t axis : {0u, 1u}) {
      std::string bad = good;
      std::memcpy(bad.data() + dims + 8 * axis, &length, sizeof length);
      std::ofstream(at("bad.gguf"), std::ios::binary | std::ios::trunc) << bad;
      EXPECT_THROW(open(at("bad.gguf"), TernaryPacking::lookup), FileError) << length;
    }
}

TEST_F(Lt16Test, MatricesWithMoreScalesAreRefused) {
  LoadedModel model = random_model(small_config(), 5, runtime_.threads());
  pack_weights(model, runtime_.context(), TernaryPacking::lookup);
  model.weights->layers[0].linear(Linear::k).granularity = ScaleGranularity::row;
  EXPECT_THROW(export_gguf(at("x.gguf"), model, {.name = "x"}, GgmlType::lt1_6, {}), Error);
  EXPECT_FALSE(fs::exists(at("x.gguf")));
}

}  // namespace
}  // namespace bitnet
