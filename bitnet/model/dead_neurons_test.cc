// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/dead_neurons.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "bitnet/model/decoder.h"
#include "bitnet/model/pack_weights.h"
#include "bitnet/model/random_model.h"
#include "bitnet/runtime/runtime.h"
#include "bitnet/ternary/absmean.h"
#include "bitnet/ternary/block128.h"

namespace bitnet {
namespace {

using Rng = std::mt19937;

ModelConfig tiny_config() {
  ModelConfig c = *model_shape("2b4t");
  c.hidden_size = 128;
  c.intermediate_size = 704;  // 5.5 blocks: rows with padding
  c.num_layers = 2;
  c.num_heads = 2;
  c.num_kv_heads = 1;
  c.head_dim = 64;
  c.vocab_size = 60;
  return c;
}

void zero_row(TernaryMatrix& m, std::int64_t row) {
  std::memset(m.codes.mutable_data() + row * m.codes.row_stride_bytes(), 0x55,
              static_cast<std::size_t>(m.codes.row_stride_bytes()));
}

// A value for each neuron: 1 without gate, 2 without up, 3 without both, 0 alive.
using Pattern = int (*)(Rng& rng, std::int64_t neuron);
struct NamedPattern {
  const char* name;
  Pattern dies;
};
constexpr NamedPattern kPatterns[] = {
    {"none", [](Rng&, std::int64_t) { return 0; }},
    {"gate rows", [](Rng& rng, std::int64_t) { return rng() % 3 == 0 ? 1 : 0; }},
    {"up rows", [](Rng& rng, std::int64_t) { return rng() % 3 == 0 ? 2 : 0; }},
    {"either or both", [](Rng& rng, std::int64_t) { return static_cast<int>(rng() % 4); }},
    {"most", [](Rng& rng, std::int64_t) { return rng() % 50 ? 1 : 0; }},
    {"all", [](Rng&, std::int64_t) { return 3; }},
    {"all but one", [](Rng&, std::int64_t i) { return i == 37 ? 0 : 1; }},
    {"those of one lane", [](Rng&, std::int64_t i) { return i % 16 == 5 ? 1 : 0; }},
    {"those of all lanes but one", [](Rng&, std::int64_t i) { return i % 16 == 5 ? 0 : 2; }},
    {"the first half", [](Rng&, std::int64_t i) { return i < 350 ? 2 : 0; }},
    {"the last but the very last", [](Rng&, std::int64_t i) { return i > 90 && i < 703 ? 1 : 0; }},
};

void kill(LoadedModel& model, Rng& rng, Pattern dies) {
  for (LayerWeights& layer : model.weights->layers)
    for (std::int64_t i = 0; i < model.config.intermediate_size; ++i) {
      const int how = dies(rng, i);
      if (how & 1) zero_row(layer.linear(Linear::gate), i);
      if (how & 2) zero_row(layer.linear(Linear::up), i);
    }
}

// Norms with different weights, so that a weight that moves to another neuron is seen.
void mix_norms(LoadedModel& model, Rng& rng) {
  std::uniform_real_distribution<float> uniform(-2.0f, 2.0f);
  const auto mix = [&](Tensor& t) {
    if (!t.defined()) return;
    t = Tensor::allocate(DType::f32, {t.rows() * t.cols()});
    for (std::int64_t i = 0; i < t.rows() * t.cols(); ++i) t.as_mutable<float>()[i] = uniform(rng);
  };
  for (LayerWeights& layer : model.weights->layers) {
    mix(layer.ffn_norm);
    mix(layer.ffn_sub_norm);
    for (Tensor& norm : layer.input_norms) mix(norm);
  }
}

// Tensors are shared: only what is replaced differs.
LoadedModel copy_of(const LoadedModel& model) {
  return {model.config, std::make_shared<Weights>(*model.weights), model.source, {}};
}

// All hidden states and logits, of a prompt and of tokens one by one.
class Bits final : public ForwardObserver {
 public:
  Bits(const LoadedModel& model, Runtime& runtime) {
    compute(model, runtime, this);
    compute(model, runtime, nullptr);
  }
  void on_hidden(std::int64_t, MatrixView<const float> hidden) override {
    add(hidden.data, static_cast<std::size_t>(hidden.rows * hidden.cols));
  }
  bool operator==(const Bits& other) const { return words_ == other.words_; }

 private:
  void compute(const LoadedModel& model, Runtime& runtime, ForwardObserver* observer) {
    Decoder decoder(model.config, model.weights, runtime.context());
    KvCache cache(model.config, 64);
    std::vector<std::int32_t> ids;
    for (std::int32_t i = 0; i < 35; ++i) ids.push_back(i * 7 % 50);
    for (std::size_t at = 0; at < ids.size();) {
      const std::size_t count = at == 0 ? 29 : at == 29 ? 4 : 1;
      const auto rows = static_cast<std::int64_t>(count);
      std::vector<float> out(count * static_cast<std::size_t>(model.config.vocab_size));
      decoder.logits(decoder.forward(std::span(ids).subspan(at, count), cache, observer),
                     {out.data(), rows, model.config.vocab_size, model.config.vocab_size});
      add(out.data(), out.size());
      at += count;
    }
  }
  void add(const float* from, std::size_t count) {
    const std::size_t at = words_.size();
    words_.resize(at + count);
    std::memcpy(&words_[at], from, count * sizeof(float));
  }
  std::vector<std::uint32_t> words_;
};

std::int64_t width(const LoadedModel& model, std::size_t layer) {
  return model.weights->layers[layer].linear(Linear::gate).rows();
}

// The same bits with any number of threads and in both layouts, and fewer bytes of each layer that
// became narrower.
void expect_equal(const LoadedModel& whole, const std::string& what) {
  for (const int threads : {1, 2, 3}) {
    Runtime runtime(threads);
    const Bits expected(whole, runtime);
    LoadedModel narrow = copy_of(whole);
    remove_dead_neurons(narrow, runtime.context());
    ASSERT_TRUE(Bits(narrow, runtime) == expected) << what << ", " << threads << " threads";
    for (std::size_t i = 0; i < narrow.weights->layers.size(); ++i) {
      if (width(narrow, i) == whole.config.intermediate_size) continue;
      for (const Linear which : {Linear::gate, Linear::up, Linear::down})
        EXPECT_LE(narrow.weights->layers[i].linear(which).size_bytes(),
                  whole.weights->layers[i].linear(which).size_bytes());
    }
    EXPECT_LE(ternary_bytes(*narrow.weights), ternary_bytes(*whole.weights));
    pack_weights(narrow, runtime.context(), TernaryPacking::lookup);
    ASSERT_TRUE(Bits(narrow, runtime) == expected) << what << ", tiles, " << threads << " threads";
  }
}

TEST(DeadNeurons, KeepEveryBitWhicheverTheyAre) {
  Runtime runtime(2);
  Rng rng(1);
  for (const auto& [name, dies] : kPatterns)
    for (const bool sub_norms : {true, false})
      for (const std::int64_t neurons : {704, 1000, 150}) {  // 150: not whole lanes
        ModelConfig config = tiny_config();
        config.sub_norms = sub_norms;
        config.intermediate_size = neurons;
        config.activation = rng() % 2 ? GatedActivation::relu2 : GatedActivation::silu;
        LoadedModel model = random_model(config, rng(), runtime.threads());
        mix_norms(model, rng);
        kill(model, rng, dies);
        expect_equal(model, std::string(name) + (sub_norms ? ", norms, " : ", ") +
                                std::to_string(neurons) + " neurons");
      }
}

TEST(DeadNeurons, KeepEveryBitWithNormsBeforeEachMatrix) {
  Runtime runtime(2);
  Rng rng(2);
  ModelConfig config = tiny_config();
  config.input_norms = true;
  config.input_norm_eps = 1e-6f;
  for (const bool sub_norms : {true, false}) {
    config.sub_norms = sub_norms;
    LoadedModel model = random_model(config, 3, runtime.threads());
    mix_norms(model, rng);
    kill(model, rng, kPatterns[3].dies);
    expect_equal(model, "input norms");
    remove_dead_neurons(model, runtime.context());
    EXPECT_LT(width(model, 0), 704);
  }
}

TEST(DeadNeurons, KeepEveryBitWithScalesOfRowsAndGroups) {
  Runtime runtime(2);
  Rng rng(3);
  ModelConfig config = tiny_config();
  config.hidden_size = 512;
  config.num_heads = 8;
  std::uniform_real_distribution<float> uniform(0.01f, 0.1f);
  for (const auto granularity : {ScaleGranularity::row, ScaleGranularity::group}) {
    LoadedModel model = random_model(config, 4, runtime.threads());
    kill(model, rng, kPatterns[3].dies);
    for (LayerWeights& layer : model.weights->layers)
      for (const Linear which : {Linear::gate, Linear::up, Linear::down}) {
        if (which == Linear::down && granularity == ScaleGranularity::group) continue;
        TernaryMatrix& m = layer.linear(which);
        m.granularity = granularity;
        m.group_cols = 256;
        m.scales.resize(
            static_cast<std::size_t>(m.rows() * (granularity == ScaleGranularity::row ? 1 : 2)));
        for (float& scale : m.scales) scale = uniform(rng);
      }
    expect_equal(model, granularity == ScaleGranularity::row ? "row scales" : "group scales");
    remove_dead_neurons(model, runtime.context());
    EXPECT_LT(width(model, 1), 704);
  }
}

// Rows of master weights as weight decay leaves them are rows of zeros once they are ternary.
TEST(DeadNeurons, AreWhatTinyMasterWeightsBecome) {
  Runtime runtime(2);
  Rng rng(5);
  LoadedModel model = random_model(tiny_config(), 5, runtime.threads());
  TernaryMatrix& gate = model.weights->layers[0].linear(Linear::gate);
  std::normal_distribution<float> normal(0.0f, 0.02f);
  std::int64_t tiny = 0;
  for (std::int64_t r = 0; r < gate.rows(); ++r) {
    const bool dies = rng() % 4 == 0;
    tiny += dies;
    std::vector<float> masters(static_cast<std::size_t>(gate.cols()));
    for (float& w : masters) w = dies ? normal(rng) * 5e-33f : normal(rng);
    absmean::quantize_row(masters, 0.016f,
                          reinterpret_cast<std::uint8_t*>(gate.codes.mutable_data()) +
                              r * gate.codes.row_stride_bytes());
  }
  EXPECT_EQ(count_dead_neurons(model.weights->layers[0]).dead, tiny);
  expect_equal(model, "tiny masters");
  remove_dead_neurons(model, runtime.context());
  EXPECT_LT(width(model, 0), 704);
  EXPECT_EQ(width(model, 1), 704);
}

TEST(DeadNeurons, AreCounted) {
  Runtime runtime(1);
  LoadedModel model = random_model(tiny_config(), 6, runtime.threads());
  LayerWeights& layer = model.weights->layers[0];
  for (const std::int64_t i : {0, 5, 703}) zero_row(layer.linear(Linear::gate), i);
  for (const std::int64_t i : {5, 100}) zero_row(layer.linear(Linear::up), i);
  TernaryMatrix& down = layer.linear(Linear::down);
  std::vector<std::uint8_t> codes(704);
  for (std::int64_t r = 0; r < down.rows(); ++r) {
    auto* row = reinterpret_cast<std::uint8_t*>(down.codes.mutable_data()) +
                r * down.codes.row_stride_bytes();
    block128::unpack_codes(row, 704, codes.data());
    for (const std::size_t i : {3u, 300u, 702u, 703u}) codes[i] = 1;
    block128::pack_codes(codes.data(), 704, row);
  }
  DeadNeurons count = count_dead_neurons(layer);
  EXPECT_EQ(count.neurons, 704);
  EXPECT_EQ(count.zero_gate_rows, 3);
  EXPECT_EQ(count.zero_up_rows, 2);
  EXPECT_EQ(count.dead, 4);
  EXPECT_EQ(count.zero_down_columns, 4);
  count += count_dead_neurons(model.weights->layers[1]);
  EXPECT_EQ(count.neurons, 1408);
  EXPECT_EQ(count.dead, 4);
  pack_weights(model, runtime.context(), TernaryPacking::lookup);
  EXPECT_THROW(count_dead_neurons(layer), Error);
}

class RecordingSource final : public ModelSource {
 public:
  void check_intact() const override {}
  void release(std::span<const std::byte> bytes) const noexcept override {
    released += bytes.size();
  }
  bool read(std::span<const std::byte>, std::byte*) const noexcept override { return false; }
  mutable std::size_t released = 0;
};

TEST(DeadNeurons, GiveTheirMemoryBack) {
  Runtime runtime(2);
  Rng rng(7);
  HybridMemoryPool pool;
  LoadedModel model = random_model(tiny_config(), 7, runtime.threads(), pool);
  kill(model, rng, kPatterns[8].dies);
  const auto source = std::make_shared<RecordingSource>();
  model.source = source;
  const auto before = pool.metrics().live_bytes;
  std::size_t ffn = 0;
  for (const LayerWeights& layer : model.weights->layers)
    for (const Linear which : {Linear::gate, Linear::up, Linear::down})
      ffn += layer.linear(which).size_bytes();
  remove_dead_neurons(model, runtime.context(), pool);
  EXPECT_EQ(width(model, 0), 704);  // one lane lives whole: as many rows as before are needed
  EXPECT_EQ(pool.metrics().live_bytes, before);

  kill(model, rng, kPatterns[9].dies);
  kill(model, rng, kPatterns[1].dies);
  remove_dead_neurons(model, runtime.context(), pool);
  EXPECT_LT(width(model, 0), 400);
  EXPECT_LT(pool.metrics().live_bytes, before - ffn / 3);
  EXPECT_EQ(source->released, 0u);  // no byte was of a file
  EXPECT_EQ(removed_neurons(model.config, *model.weights),
            1408 - width(model, 0) - width(model, 1));
}

// Matrices that lie in the file: their pages go.
TEST(DeadNeurons, ReleaseThePagesOfTheFile) {
  Runtime runtime(2);
  Rng rng(8);
  LoadedModel model = random_model(tiny_config(), 8, runtime.threads());
  kill(model, rng, kPatterns[1].dies);
  const auto source = std::make_shared<RecordingSource>();
  model.source = source;
  std::size_t ffn = 0;
  for (LayerWeights& layer : model.weights->layers)
    for (const Linear which : {Linear::gate, Linear::up, Linear::down}) {
      Tensor& codes = layer.linear(which).codes;
      const auto owner = std::make_shared<Tensor>(codes);
      codes = Tensor::borrow(DType::ternary2, {codes.rows(), codes.cols()}, owner->data(), owner);
      ffn += codes.size_bytes();
    }
  remove_dead_neurons(model, runtime.context());
  EXPECT_EQ(source->released, ffn);
}

TEST(DeadNeurons, StayWhereLittleWouldGoAway) {
  Runtime runtime(1);
  LoadedModel model = random_model(tiny_config(), 9, runtime.threads());
  for (std::int64_t i = 0; i < 16; ++i)
    zero_row(model.weights->layers[0].linear(Linear::gate), 20 + i);
  remove_dead_neurons(model, runtime.context());
  EXPECT_EQ(width(model, 0), 704);
}

// What a model without dead neurons would compute is another thing where a product overflows.
TEST(DeadNeurons, StayWhereTheyMightNotBeZero) {
  Runtime runtime(2);
  Rng rng(10);
  const auto stays = [&](const char* what, const auto& change) {
    LoadedModel model = random_model(tiny_config(), 10, runtime.threads());
    kill(model, rng, [](Rng& r, std::int64_t) { return r() % 2 ? 2 : 0; });
    change(model, model.weights->layers[0]);
    expect_equal(model, what);
    remove_dead_neurons(model, runtime.context());
    EXPECT_EQ(width(model, 0), 704) << what;
  };
  const auto scale_of = [](LayerWeights& l, float scale) { l.linear(Linear::gate).scale = scale; };
  stays("gate^2 overflows", [&](LoadedModel&, LayerWeights& l) { scale_of(l, 1e19f); });
  stays("infinite scale", [&](LoadedModel&, LayerWeights& l) { scale_of(l, INFINITY); });
  stays("scale that is no number", [&](LoadedModel&, LayerWeights& l) { scale_of(l, NAN); });
  const auto set = [](Tensor& norm, std::int64_t at, float value) {
    norm = Tensor::allocate(DType::f32, {norm.rows() * norm.cols()});
    std::fill_n(norm.as_mutable<float>(), norm.cols() * norm.rows(), 1.0f);
    norm.as_mutable<float>()[at] = value;
  };
  stays("large norm", [&](LoadedModel&, LayerWeights& l) { set(l.ffn_norm, 3, 1e19f); });
  stays("norm NaN", [&](LoadedModel&, LayerWeights& l) { set(l.ffn_norm, 3, NAN); });
  stays("sub-norm NaN", [&](LoadedModel&, LayerWeights& l) { set(l.ffn_sub_norm, 3, NAN); });
  stays("sub-norm infinite",
        [&](LoadedModel&, LayerWeights& l) { set(l.ffn_sub_norm, 700, INFINITY); });
  stays("no epsilon", [](LoadedModel& m, LayerWeights&) { m.config.rms_norm_eps = 0.0f; });
  stays("group scales of down", [](LoadedModel&, LayerWeights& l) {
    TernaryMatrix& down = l.linear(Linear::down);
    down.granularity = ScaleGranularity::group;
    down.group_cols = 256;
    down.scales.assign(static_cast<std::size_t>(3 * down.rows()), 0.5f);
  });
  stays("tiles", [&](LoadedModel& m, LayerWeights&) {
    pack_weights(m, runtime.context(), TernaryPacking::lookup);
  });
}

}  // namespace
}  // namespace bitnet
