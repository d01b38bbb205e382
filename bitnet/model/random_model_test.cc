// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/random_model.h"

#include <gtest/gtest.h>

#include <cstring>

#include "bitnet/base/error.h"
#include "bitnet/model/decoder.h"
#include "bitnet/model/memory_plan.h"
#include "bitnet/model/pack_weights.h"
#include "bitnet/runtime/runtime.h"
#include "bitnet/ternary/block128.h"

namespace bitnet {
namespace {

ModelConfig small_config() {
  ModelConfig c = *model_shape("2b4t");
  c.hidden_size = 256;
  c.intermediate_size = 704;  // 5.5 blocks: rows with padding
  c.num_layers = 2;
  c.num_heads = 4;
  c.num_kv_heads = 2;
  c.head_dim = 64;
  c.vocab_size = 500;
  return c;
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.size_bytes() == b.size_bytes() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

TEST(RandomModel, EveryPublishedShapeIsValid) {
  for (const std::string_view name : model_shape_names()) {
    const auto config = model_shape(name);
    ASSERT_TRUE(config) << name;
    EXPECT_NO_THROW(validate(*config)) << name;
  }
  EXPECT_FALSE(model_shape("9t"));
  EXPECT_EQ(ternary_weights(*model_shape("2b4t")), 2'084'044'800);
}

TEST(RandomModel, DependsOnTheSeedAndNotOnThreads) {
  ThreadPool one(1), three(3);
  const LoadedModel a = random_model(small_config(), 7, one);
  const LoadedModel b = random_model(small_config(), 7, three);
  const LoadedModel other = random_model(small_config(), 8, one);
  EXPECT_TRUE(same_bytes(a.weights->embedding, b.weights->embedding));
  EXPECT_FALSE(same_bytes(a.weights->embedding, other.weights->embedding));
  for (const Linear which : kLinears) {
    const Tensor& codes = a.weights->layers[1].linear(which).codes;
    EXPECT_TRUE(same_bytes(codes, b.weights->layers[1].linear(which).codes));
    EXPECT_FALSE(same_bytes(codes, other.weights->layers[1].linear(which).codes));
    EXPECT_FALSE(same_bytes(codes, a.weights->layers[0].linear(which).codes));
  }
}

TEST(RandomModel, HasTheZeroFractionAndNoBadCode) {
  ThreadPool threads(2);
  const LoadedModel model = random_model(small_config(), 1, threads);
  for (const Linear which : kLinears) {
    const Tensor& codes = model.weights->layers[0].linear(which).codes;
    const auto* data = reinterpret_cast<const std::uint8_t*>(codes.data());
    EXPECT_FALSE(block128::find_bad_code(data, 0, codes.rows(), codes.cols()));
    const auto zeros = static_cast<double>(block128::count_zeros(data, codes.rows(), codes.cols()));
    EXPECT_NEAR(zeros / static_cast<double>(codes.rows() * codes.cols()), kRandomZeroFraction,
                0.01);
    for (std::int64_t k = codes.cols(); k < codes.row_stride_bytes() * 4; ++k)
      ASSERT_EQ(block128::code_at(data, k), 1u) << "padding " << k;
  }
}

TEST(MemoryPlan, IsWhatADecoderTakes) {
  Runtime runtime(2);
  const ModelConfig config = small_config();
  const LoadedModel model = random_model(config, 1, runtime.threads());
  HybridMemoryPool pool;
  Decoder decoder(config, model.weights, runtime.context(), pool);
  HybridMemoryPool cache_pool;
  KvCache cache(config, 64, KvType::f32, cache_pool);
  const std::vector<std::int32_t> ids(48, 5);
  decoder.forward(ids, cache);
  EXPECT_EQ(pool.metrics().live_bytes, workspace_bytes(config, 48));
  EXPECT_EQ(cache_pool.metrics().live_bytes, KvCache::byte_size(config, 64));
}

std::vector<float> logits_of(const LoadedModel& model, Runtime& runtime, int few = 0,
                             int many = 0) {
  Decoder decoder(model.config, model.weights, runtime.context());
  if (few > 0) decoder.use_threads(few, many);
  KvCache cache(model.config, 64);
  std::vector<std::int32_t> ids;
  for (std::int32_t i = 0; i < 45; ++i) ids.push_back(i * 7 % 50);
  std::vector<float> out(static_cast<std::size_t>(ids.size()) *
                         static_cast<std::size_t>(model.config.vocab_size));
  float* to = out.data();
  for (std::size_t at = 0; at < ids.size();) {
    const std::size_t count = at == 0 ? 40 : 1;  // a prompt, then token by token
    const auto rows = static_cast<std::int64_t>(count);
    decoder.logits(decoder.forward(std::span(ids).subspan(at, count), cache),
                   {to, rows, model.config.vocab_size, model.config.vocab_size});
    to += rows * model.config.vocab_size;
    at += count;
  }
  return out;
}

TEST(PackWeights, KeepsEveryBitOfTheLogits) {
  for (const int threads : {1, 2, 3}) {
    Runtime runtime(threads);
    LoadedModel model = random_model(small_config(), 3, runtime.threads());
    const std::uint64_t before = ternary_bytes(*model.weights);
    const std::vector<float> expected = logits_of(model, runtime);
    pack_weights(model, runtime.context(), TernaryPacking::lookup);
    EXPECT_EQ(logits_of(model, runtime), expected) << threads << " threads";
    EXPECT_NE(ternary_bytes(*model.weights), before);
    for (const LayerWeights& layer : model.weights->layers)
      for (const TernaryMatrix& matrix : layer.linears) EXPECT_FALSE(matrix.codes.defined());
  }
}

TEST(PackWeights, MovesBackToTheSameCodes) {
  Runtime runtime(2);
  LoadedModel model = random_model(small_config(), 3, runtime.threads());
  const LoadedModel before = random_model(small_config(), 3, runtime.threads());
  const std::vector<float> expected = logits_of(model, runtime);
  pack_weights(model, runtime.context(), TernaryPacking::lookup);
  pack_weights(model, runtime.context(), TernaryPacking::block128);
  EXPECT_EQ(logits_of(model, runtime), expected);
  for (std::size_t i = 0; i < model.weights->layers.size(); ++i)
    for (const Linear which : kLinears) {
      const TernaryMatrix& now = model.weights->layers[i].linear(which);
      const TernaryMatrix& then = before.weights->layers[i].linear(which);
      ASSERT_EQ(now.size_bytes(), then.size_bytes());
      EXPECT_EQ(std::memcmp(now.codes.data(), then.codes.data(), now.size_bytes()), 0);
    }
}

TEST(UseThreads, KeepsEveryBitOfTheLogits) {
  Runtime runtime(4);
  const LoadedModel model = random_model(small_config(), 3, runtime.threads());
  const std::vector<float> expected = logits_of(model, runtime);
  for (const auto& [few, many] : {std::pair{1, 4}, {4, 1}, {2, 3}}) {
    EXPECT_EQ(logits_of(model, runtime, few, many), expected) << few << " and " << many;
    int used = 0;
    runtime.threads().run([&](int worker, int count) {
      if (worker == 0) used = count;
    });
    EXPECT_EQ(used, few);  // the last step had one token
  }
  Decoder decoder(model.config, model.weights, runtime.context());
  EXPECT_THROW(decoder.use_threads(0, 1), Error);
  EXPECT_THROW(decoder.use_threads(1, 5), Error);
}

// Group scales need columns apart.
TEST(PackWeights, LeavesGroupScalesAlone) {
  Runtime runtime(1);
  LoadedModel model = random_model(small_config(), 3, runtime.threads());
  TernaryMatrix& matrix = model.weights->layers[0].linear(Linear::k);
  matrix.granularity = ScaleGranularity::group;
  pack_weights(model, runtime.context(), TernaryPacking::lookup);
  EXPECT_TRUE(matrix.codes.defined());
  EXPECT_FALSE(matrix.tiles.bytes.defined());
}

}  // namespace
}  // namespace bitnet
