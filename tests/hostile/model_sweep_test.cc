// SPDX-License-Identifier: MIT OR Apache-2.0
// Every prefix and every damaged byte of a tiny model in each format: an error that says what is
// wrong, or a model that computes; never a crash, never memory that the file's size does not
// justify. Meant to run under ASan and UBSan too.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "bitnet/base/error.h"
#include "bitnet/base/os/file.h"
#include "bitnet/convert/exports.h"
#include "bitnet/memory/poison.h"
#include "bitnet/model/decoder.h"
#include "bitnet/model/pack_weights.h"
#include "bitnet/model/random_model.h"
#include "bitnet/runtime/runtime.h"

namespace bitnet {
namespace {

namespace fs = std::filesystem;

// Small enough that every byte can be damaged: some 12 KB a file.
ModelConfig tiny_config(bool sub_norms) {
  ModelConfig c;
  c.architecture = sub_norms ? "BitNetForCausalLM" : "LlamaForCausalLM";
  c.source = "tiny";
  c.hidden_size = 32;
  c.intermediate_size = 64;
  c.num_layers = 1;
  c.num_heads = 4;
  c.num_kv_heads = 2;
  c.head_dim = 8;
  c.vocab_size = 20;
  c.max_positions = 64;
  c.rms_norm_eps = 1e-5f;
  c.rope_theta = 10000.0;
  c.activation = sub_norms ? GatedActivation::relu2 : GatedActivation::silu;
  c.sub_norms = sub_norms;
  c.tied_head = sub_norms;
  c.bos_token = 0;
  c.eos_tokens = {1};
  return c;
}

class ModelSweep : public ::testing::Test {
 protected:
  ModelSweep()
      : runtime_(1),
        folder_(fs::temp_directory_path() / ("bitnet_sweep_" + std::to_string(::getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~ModelSweep() override { fs::remove_all(folder_); }

  LoadedModel model(bool sub_norms) {
    return random_model(tiny_config(sub_norms), 7, runtime_.threads());
  }

  static std::string read(const fs::path& path) { return os::read_file(path.string(), 1u << 24); }
  static void write(const fs::path& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  // Loads and computes two tokens; true where that went well. Anything but a bitnet::Error fails
  // the test, and so does running into the memory limit: it is what this file may justify, 64 times
  // its size and a megabyte.
  bool loads(const fs::path& path, std::size_t file_bytes) {
    HybridMemoryPool pool({.max_bytes = 64 * file_bytes + (1u << 20)});
    try {
      LoadOptions options;
      options.pool = &pool;
      options.threads = &runtime_.threads();
      const LoadedModel loaded = load_model(path.string(), options);
      Decoder decoder(loaded.config, loaded.weights, runtime_.context(), pool);
      KvCache cache(loaded.config, 1, KvType::f32, pool);
      const std::int32_t ids[] = {0};
      const auto hidden = decoder.forward(ids, cache);
      std::vector<float> logits(static_cast<std::size_t>(loaded.config.vocab_size));
      const auto vocab = static_cast<std::int64_t>(logits.size());
      decoder.logits(hidden, {logits.data(), 1, vocab, vocab});
      return true;
    } catch (const Error& e) {
      EXPECT_NE(e.code(), Errc::out_of_memory) << e.what();
      EXPECT_NE(e.code(), Errc::internal) << e.what();
      return false;
    }
  }

  // `model_path` is what is loaded, `damaged` the file of it that is damaged, at every `step`
  // bytes.
  void sweep(const fs::path& model_path, const fs::path& damaged, std::size_t step = 1) {
    const std::string good = read(damaged);
    ASSERT_TRUE(loads(model_path, good.size()));
    for (std::size_t length = 0; length < good.size(); length += step) {
      write(damaged, std::string_view(good).substr(0, length));
      ASSERT_FALSE(loads(model_path, good.size())) << "prefix of " << length << " bytes";
    }
    std::size_t refused = 0;
    constexpr std::array kFlips{0x01, 0x80, 0xff};
    for (std::size_t at = 0; at < good.size(); at += step)
      for (std::size_t i = 0; i < kFlips.size(); ++i) {
        // AddressSanitizer takes eight times as long: each byte once there, in turns.
        if (memory::kPoisoning && at % kFlips.size() != i) continue;
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ kFlips[i]);
        write(damaged, bad);
        refused += !loads(model_path, good.size());
      }
    EXPECT_GT(refused, 0u);
    write(damaged, good);
    EXPECT_TRUE(loads(model_path, good.size()));
  }

  Runtime runtime_;
  fs::path folder_;
};

TEST_F(ModelSweep, GgufI2s) {
  export_gguf((folder_ / "m.gguf").string(), model(true), {.name = "tiny"}, GgmlType::i2_s, {});
  sweep(folder_ / "m.gguf", folder_ / "m.gguf");
}

// Three times the bytes of the others, most of them codes, of which lookup_tiles_test.cc turns all.
TEST_F(ModelSweep, GgufOfTiles) {
  LoadedModel tiles = model(false);
  pack_weights(tiles, runtime_.context(), TernaryPacking::lookup);
  export_gguf((folder_ / "m.gguf").string(), tiles, {.name = "tiny"}, GgmlType::lt1_6, {});
  sweep(folder_ / "m.gguf", folder_ / "m.gguf", 7);
}

TEST_F(ModelSweep, GgufOfTheLlamaFamily) {
  export_gguf((folder_ / "m.gguf").string(), model(false), {.name = "tiny"}, GgmlType::i2_s,
              GgmlType::q8_0);
  sweep(folder_ / "m.gguf", folder_ / "m.gguf");
}

TEST_F(ModelSweep, SafetensorsOfAFolder) {
  export_hf_folder((folder_ / "hf").string(), model(true), {});
  sweep(folder_ / "hf", folder_ / "hf" / "model.safetensors");
}

TEST_F(ModelSweep, ConfigOfAFolder) {
  export_hf_folder((folder_ / "hf").string(), model(false), {});
  const fs::path config = folder_ / "hf" / "config.json";
  const std::string good = read(config);
  for (std::size_t length = 0; length + 2 < good.size(); ++length) {  // without "}\n" at the least
    write(config, std::string_view(good).substr(0, length));
    ASSERT_FALSE(loads(folder_ / "hf", 1u << 16)) << "prefix of " << length << " bytes";
  }
  for (std::size_t at = 0; at < good.size(); ++at)
    for (const int flip : {0x01, 0x02, 0x04, 0x10, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      write(config, bad);
      loads(folder_ / "hf", 1u << 16);
    }
}

TEST_F(ModelSweep, AFileThatShrinksInUseIsAnErrorNotDeath) {
  const std::string path = (folder_ / "m.gguf").string();
  ModelConfig config = tiny_config(true);
  config.vocab_size = 4096;  // an embedding of many pages
  export_gguf(path, random_model(config, 7, runtime_.threads()), {.name = "tiny"}, GgmlType::i2_s,
              {});
  LoadOptions options;
  options.threads = &runtime_.threads();
  const LoadedModel loaded = load_model(path, options);
  ASSERT_EQ(::truncate(path.c_str(), 4096), 0);
  Decoder decoder(loaded.config, loaded.weights, runtime_.context());
  KvCache cache(loaded.config, 4);
  const std::int32_t ids[] = {4000};
  const auto hidden = decoder.forward(ids, cache);
  std::vector<float> logits(4096);
  decoder.logits(hidden, {logits.data(), 1, 4096, 4096});
  EXPECT_THROW(loaded.source->check_intact(), FileError);
}

}  // namespace
}  // namespace bitnet
