// SPDX-License-Identifier: MIT OR Apache-2.0
// Whole models give the same bits on every ISA, with any number of threads, however a text is cut.
// Run again under each BITNET_ISA, and under qemu for Arm: all must give the stored hashes.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "bitnet/generate/session.h"
#include "bitnet/model/loader.h"
#include "bitnet/model/pack_weights.h"
#include "bitnet/runtime/runtime.h"

namespace bitnet {
namespace {

struct Case {
  const char* folder;
  std::int64_t tokens;
  std::uint64_t hash;  // of all logits of the text, equal on x86-64 and AArch64
  KvType kv = KvType::f32;
};

// The hashes change only with the numerics of the engine (docs/ARCHITECTURE.md), which golden_test
// proves; a kernel that changes one is wrong.
constexpr std::array kCases{
    Case{"tests/models/tiny-bitnet-gqa", 48, 0x4687357f365cb193u},
    Case{"tests/models/tiny-llama-bitlinear", 48, 0x8e056141f0b3270au},
    Case{"models/wordbook-35m", 12, 0x6a137ae34bbe7771u},
    Case{"tests/models/tiny-bitnet-gqa", 48, 0x4c0b37c7d1d7e3adu, KvType::bf16},
    Case{"tests/models/tiny-llama-bitlinear", 48, 0xebcfa489e3086a1au, KvType::bf16},
    Case{"models/wordbook-35m", 12, 0xfe2b1efcb9ceb7b3u, KvType::bf16},
    Case{"tests/models/tiny-bitnet-gqa", 48, 0x7d45a85e6f68750au, KvType::int8},
    Case{"tests/models/tiny-llama-bitlinear", 48, 0xd17f7f168786fcb5u, KvType::int8},
    Case{"models/wordbook-35m", 12, 0xeeda89f88907823fu, KvType::int8},
};

// FNV-1a, 64 bits.
std::uint64_t hash_of(std::span<const float> values) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const float value : values) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int shift = 0; shift < 32; shift += 8)
      hash = (hash ^ ((bits >> shift) & 0xff)) * 0x100000001b3u;
  }
  return hash;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// A text without meaning: ids spread over the vocabulary.
std::vector<std::int32_t> text(std::int64_t count, std::int64_t vocab) {
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < count; ++i)
    ids.push_back(static_cast<std::int32_t>((i * i * 7919 + i * 104729 + 17) % vocab));
  return ids;
}

constexpr KvType kKvTypes[] = {KvType::f32, KvType::bf16, KvType::int8};

// A loaded model, one number of threads, one type of cache.
class Engine {
 public:
  Engine(const std::string& folder, int threads, KvType kv = KvType::f32,
         TernaryPacking packing = TernaryPacking::block128)
      : runtime_(threads), model_(load(folder)), kv_(kv) {
    pack_weights(model_, runtime_.context(), packing);
  }
  Engine(const Case& tested, int threads, TernaryPacking packing = TernaryPacking::block128)
      : Engine(tested.folder, threads, tested.kv, packing) {}

  const ModelConfig& config() const { return model_.config; }
  Decoder decoder() { return Decoder(model_.config, model_.weights, runtime_.context()); }

  // Logits of every token, computed in parts of these sizes, the last one repeated.
  std::vector<float> logits(std::span<const std::int32_t> ids,
                            std::span<const std::int64_t> parts) {
    Decoder decoder = this->decoder();
    KvCache cache(config(), static_cast<std::int64_t>(ids.size()), kv_);
    const auto vocab = static_cast<std::size_t>(config().vocab_size);
    std::vector<float> out(ids.size() * vocab);
    std::size_t at = 0;
    for (std::size_t part = 0; at < ids.size(); part = std::min(part + 1, parts.size() - 1)) {
      const std::size_t count = std::min(static_cast<std::size_t>(parts[part]), ids.size() - at);
      const auto hidden = decoder.forward(ids.subspan(at, count), cache);
      const auto stride = static_cast<std::int64_t>(vocab);
      decoder.logits(hidden, {out.data() + at * vocab, hidden.rows, stride, stride});
      at += count;
    }
    return out;
  }
  std::vector<float> logits(std::span<const std::int32_t> ids) {
    return logits(ids, std::array{static_cast<std::int64_t>(ids.size())});
  }

 private:
  LoadedModel load(const std::string& folder) {
    LoadOptions options;
    options.threads = &runtime_.threads();
    return load_model(std::string(BITNET_SOURCE_DIR) + "/" + folder, options);
  }

  Runtime runtime_;
  LoadedModel model_;
  KvType kv_;
};

class ModelIdentity : public ::testing::TestWithParam<Case> {};

TEST_P(ModelIdentity, LogitsHaveTheStoredHash) {
  Engine engine(GetParam(), 2);
  const std::uint64_t hash =
      hash_of(engine.logits(text(GetParam().tokens, engine.config().vocab_size)));
  EXPECT_EQ(hash, GetParam().hash) << std::hex << "0x" << hash << "u";
}

// At once, in parts of few tokens and token by token: ways that kernels tell apart.
TEST_P(ModelIdentity, AtFewerBitsAWeightTheHashIsTheSame) {
  Engine engine(GetParam(), 2, TernaryPacking::lookup);
  const auto ids = text(GetParam().tokens, engine.config().vocab_size);
  using Parts = std::vector<std::int64_t>;
  for (const Parts& parts : {Parts{1000}, Parts{1, 2, 3, 4}, Parts{7}})
    EXPECT_EQ(hash_of(engine.logits(ids, parts)), GetParam().hash) << "parts of " << parts[0];
}

TEST_P(ModelIdentity, TheNumberOfThreadsDoesNotMatter) {
  Engine one(GetParam(), 1);
  const auto ids = text(GetParam().tokens, one.config().vocab_size);
  const auto expected = one.logits(ids);
  for (const int threads : {2, 3, 7})
    EXPECT_TRUE(same_bits(Engine(GetParam(), threads).logits(ids), expected)) << threads;
}

TEST_P(ModelIdentity, HowATextIsCutDoesNotMatter) {
  Engine engine(GetParam(), 3);
  const auto ids = text(GetParam().tokens, engine.config().vocab_size);
  const auto expected = engine.logits(ids);
  using Parts = std::vector<std::int64_t>;
  for (const Parts& parts : {Parts{1}, Parts{3}, Parts{5, 1, 2, 4}, Parts{1, 1000}})
    EXPECT_TRUE(same_bits(engine.logits(ids, parts), expected)) << "parts of " << parts[0];
}

INSTANTIATE_TEST_SUITE_P(Models, ModelIdentity, ::testing::ValuesIn(kCases),
                         [](const auto& tested) {
                           std::string name(tested.param.folder);
                           name = name.substr(name.rfind('/') + 1);
                           for (char& c : name)
                             if (c == '-') c = '_';
                           return name + "_" + std::string(to_string(tested.param.kv));
                         });

constexpr const char* kTiny = "tests/models/tiny-bitnet-gqa";

// Of each type of cache.
class CacheGrowth : public ::testing::TestWithParam<KvType> {};
class SessionIdentity : public ::testing::TestWithParam<KvType> {};
constexpr auto kTypeName = [](const auto& tested) { return std::string(to_string(tested.param)); };
INSTANTIATE_TEST_SUITE_P(Types, CacheGrowth, ::testing::ValuesIn(kKvTypes), kTypeName);
INSTANTIATE_TEST_SUITE_P(Types, SessionIdentity, ::testing::ValuesIn(kKvTypes), kTypeName);

TEST_P(CacheGrowth, CrossingTheFirstCapacityChangesNoBit) {
  Engine engine(kTiny, 2, GetParam());
  const auto ids = text(300, engine.config().vocab_size);  // the first capacity is 256
  const auto expected = engine.logits(ids);
  using Parts = std::vector<std::int64_t>;
  for (const Parts& parts : {Parts{250, 50}, Parts{255, 1, 1, 43}, Parts{256, 44}, Parts{37}})
    EXPECT_TRUE(same_bits(engine.logits(ids, parts), expected)) << "parts of " << parts[0];
}

TEST_P(CacheGrowth, AClonedCacheGoesOnAlikeAndApart) {
  Engine engine(kTiny, 2);
  Decoder decoder = engine.decoder();
  const auto ids = text(260, engine.config().vocab_size);
  const auto last = [&](KvCache& cache, std::span<const std::int32_t> more) {
    const auto hidden = decoder.forward(more, cache);
    return std::vector<float>(hidden.row(hidden.rows - 1),
                              hidden.row(hidden.rows - 1) + hidden.cols);
  };
  KvCache cache(engine.config(), 300, GetParam());
  last(cache, std::span(ids).first(250));
  KvCache copy = cache.clone();
  const std::int32_t other[] = {3, 1, 4, 1, 5};
  last(copy, other);  // must not reach the first cache
  copy = cache.clone();
  const auto expected = last(cache, std::span(ids).subspan(250));
  EXPECT_TRUE(same_bits(last(copy, std::span(ids).subspan(250)), expected));
}

// Three texts of different lengths, some read in parts, some written token by token.
TEST_P(ModelIdentity, TextsTogetherEqualEachAlone) {
  Engine engine(GetParam(), 3);
  Decoder decoder = engine.decoder();
  constexpr std::array<std::array<std::size_t, 3>, 3> kCounts{{{1, 7, 1}, {4, 1, 1}, {2, 3, 2}}};
  std::vector<std::vector<std::int32_t>> texts;
  std::vector<std::vector<float>> got(3);
  std::vector<KvCache> caches;
  for (std::size_t i = 0; i < 3; ++i) {
    const std::vector<std::int32_t> ids = text(20, engine.config().vocab_size);
    texts.emplace_back(ids.begin() + static_cast<std::ptrdiff_t>(3 * i),
                       ids.begin() + static_cast<std::ptrdiff_t>(3 * i + 9));
    caches.emplace_back(engine.config(), 9, GetParam().kv);
  }
  std::array<std::size_t, 3> at{};
  for (const auto& counts : kCounts) {
    std::vector<TextPart> parts;
    for (std::size_t i = 0; i < 3; ++i) {
      const std::size_t count = std::min(counts[i], texts[i].size() - at[i]);
      if (count > 0) parts.push_back({std::span(texts[i]).subspan(at[i], count), &caches[i]});
    }
    const auto hidden = decoder.forward(parts);
    std::int64_t row = 0;
    for (const TextPart& part : parts) {
      const auto i = static_cast<std::size_t>(part.cache - caches.data());
      for (std::size_t n = 0; n < part.ids.size(); ++n, ++row)
        got[i].insert(got[i].end(), hidden.row(row), hidden.row(row) + hidden.cols);
      at[i] += part.ids.size();
    }
    EXPECT_EQ(row, hidden.rows);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    KvCache cache(engine.config(), 9, GetParam().kv);
    const auto alone = decoder.forward(std::span(texts[i]).first(at[i]), cache);
    EXPECT_TRUE(same_bits(got[i], {alone.data, got[i].size()})) << "text " << i;
    EXPECT_EQ(caches[i].size(), cache.size());
  }
}

TEST_P(SessionIdentity, GoingBackEqualsNeverHavingBeenThere) {
  Engine engine(kTiny, 2);
  Decoder decoder = engine.decoder();
  const auto ids = text(40, engine.config().vocab_size);
  Session straight(decoder, 300, GetParam());
  straight.append(ids);
  const std::vector<float> expected(straight.logits().begin(), straight.logits().end());

  Session back(decoder, 300, GetParam());
  back.append(std::span(ids).first(30));
  back.append(text(250, 97));
  back.truncate(30);
  back.append(std::span(ids).subspan(30));
  EXPECT_TRUE(same_bits(back.logits(), expected));
  EXPECT_TRUE(std::equal(ids.begin(), ids.end(), back.tokens().begin(), back.tokens().end()));
}

TEST_P(SessionIdentity, TheSameSeedWritesTheSameTokens) {
  const auto write = [](int threads, std::uint64_t seed) {
    Engine engine("models/wordbook-35m", threads);
    Decoder decoder = engine.decoder();
    Session session(decoder, 200, GetParam());
    session.append(text(10, engine.config().vocab_size));
    GenerateOptions options;
    options.sampling = {.temperature = 1.5f, .top_k = 0, .top_p = 1.0f, .min_p = 0.0f};
    options.sampling.seed = seed;
    options.max_tokens = 50;
    std::vector<std::int32_t> out;
    EXPECT_EQ(session.generate(options,
                               [&](std::int32_t token) {
                                 out.push_back(token);
                                 return true;
                               }),
              StopReason::max_tokens);
    return out;
  };
  const auto expected = write(1, 7);
  EXPECT_EQ(expected.size(), 50u);
  EXPECT_EQ(write(1, 7), expected);
  EXPECT_EQ(write(3, 7), expected);
  EXPECT_NE(write(1, 8), expected);
}

TEST_P(SessionIdentity, DraftsWriteTheSameTokens) {
  for (const char* folder : {kTiny, "tests/models/tiny-llama-bitlinear"}) {
    Engine engine(folder, 2);
    Decoder decoder = engine.decoder();
    GenerateOptions options;
    options.max_tokens = 24;
    std::int64_t accepted = 0;
    const auto write = [&](std::int64_t draft) {
      Session session(decoder, 64, GetParam());
      std::vector<std::int32_t> ids = text(4, engine.config().vocab_size);
      for (std::size_t i = 0; i < 12; ++i) ids.push_back(ids[i]);
      session.append(ids);
      options.max_draft = draft;
      session.generate(options, [](std::int32_t) { return true; });
      accepted += session.draft_counts().accepted;
      return std::vector<std::int32_t>(session.tokens().begin(), session.tokens().end());
    };
    for (const float temperature : {0.0f, 0.7f}) {
      options.sampling.temperature = temperature;
      // Tokens that were written are written again: so that drafts are right.
      options.sampling.repeat_penalty = 0.6f;
      const auto expected = write(0);
      EXPECT_EQ(expected.size(), 16u + 23u);
      for (const std::int64_t draft : {1, 5, 11}) EXPECT_EQ(write(draft), expected) << draft;
    }
    EXPECT_GT(accepted, 20) << folder;
  }
}

}  // namespace
}  // namespace bitnet
