// SPDX-License-Identifier: MIT OR Apache-2.0
// The forward pass of a decoder with BitLinear layers.
#pragma once

#include <memory>
#include <span>

#include "bitnet/model/config.h"
#include "bitnet/model/head_screen.h"
#include "bitnet/model/kv_cache.h"
#include "bitnet/model/rope_table.h"
#include "bitnet/model/weights.h"
#include "bitnet/ops/context.h"
#include "bitnet/ops/linear.h"

namespace bitnet {

/// Lets a test or a profiler look into a step. Defaults do nothing.
class ForwardObserver {
 public:
  virtual ~ForwardObserver() = default;
  /// The residual stream: after the embedding (layer -1) and after each layer; [tokens, hidden].
  virtual void on_hidden(std::int64_t /*layer*/, MatrixView<const float> /*hidden*/) {}
  /// The input x of a quantization and the integers made of it, which may be changed. `first` is
  /// the first of the matrices that read them.
  virtual void on_quantized(std::int64_t /*layer*/, Linear /*first*/, MatrixView<const float> /*x*/,
                            QuantizedRows& /*q*/) {}
};

/// The next tokens of one text, and what was computed of it before.
struct TextPart {
  std::span<const std::int32_t> ids;
  KvCache* cache;
};

/// Runs one model. The weights are shared and never written; working memory is the decoder's own,
/// so that several decoders may run the same weights, each on one thread at a time.
class Decoder {
 public:
  /// At most this many tokens are computed at once.
  static constexpr std::int64_t kMaxChunk = 512;
  /// So many tokens of a prompt at once are as fast as more, in a quarter of the working memory.
  static constexpr std::int64_t kPromptChunk = 128;

  Decoder(ModelConfig config, std::shared_ptr<const Weights> weights, OpContext context,
          HybridMemoryPool& pool = default_pool());
  ~Decoder();
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;

  const ModelConfig& config() const noexcept { return config_; }
  const Weights& weights() const noexcept { return *weights_; }

  /// Appends 1 to kMaxChunk tokens to `cache` and returns the normalized last hidden state of each
  /// [tokens, hidden], valid until the next call. The result of a token does not depend on how
  /// tokens were grouped into calls. Throws Error{invalid_argument} for ids outside the vocabulary,
  /// a full context; the cache is as before then.
  MatrixView<const float> forward(std::span<const std::int32_t> ids, KvCache& cache,
                                  ForwardObserver* observer = nullptr);
  /// The same for several texts, which read the weights once: at most kMaxChunk tokens in all, one
  /// or more of each text, rows in the order of the parts. Each row has the bits that it has alone.
  /// Throws also where two parts have one cache.
  MatrixView<const float> forward(std::span<const TextPart> parts,
                                  ForwardObserver* observer = nullptr);

  /// Logits of rows that forward() returned: out [rows, vocab].
  void logits(MatrixView<const float> hidden, MatrixView<float> out);

  /// From now on a step of at most kFewTokens tokens, which memory bounds, uses `few` workers of
  /// the context's pool, and a larger one `many` (ThreadPool::use). No bit depends on it. Throws
  /// Error{invalid_argument} where the pool has not so many.
  static constexpr std::int64_t kFewTokens = 8;
  void use_threads(int few, int many);

  /// The file in which the weights lie mapped: from now on single rows of the embedding, and of a
  /// head that is screened later, are read from it, so that they do not stay in memory with the
  /// pages around them.
  void read_rows_from(std::shared_ptr<const ModelSource> source) { source_ = std::move(source); }

  /// From now on top_logits() reads a sketch of the head instead of all of it, where the head suits
  /// (head_screen.h) and has `min_bytes`: a smaller one stays in the caches, where reading costs
  /// less than screening (8 MB: 12 % of the time of a token lost). The sketch takes two fifths of a
  /// 16-bit head's memory beside it. Throws Error{out_of_memory}.
  void screen_head(std::size_t min_bytes = kScreenedHeadBytes);
  static constexpr std::size_t kScreenedHeadBytes = std::size_t{64} << 20;
  const HeadScreen* head_screen() const noexcept { return screen_.get(); }
  /// out[t][id] exactly as logits() gives it for what wanted[t] names, -infinity or exact for the
  /// others. `hidden` [tokens, hidden], wanted [tokens], out [tokens, vocab]. The sketch is made
  /// part by part by the first kSketchCalls calls; it is read once for every 8 tokens.
  static constexpr std::int64_t kSketchCalls = 8;
  void top_logits(MatrixView<const float> hidden, std::span<const WantedLogits> wanted,
                  MatrixView<float> out);
  /// The same for one token: `hidden` has one row, out [vocab].
  void top_logits(MatrixView<const float> hidden, std::int64_t k,
                  std::span<const std::int32_t> wanted, std::span<float> out);

 private:
  struct Workspace;
  void embed_tokens(std::span<const std::int32_t> ids, MatrixView<float> out);
  std::int64_t prepare(std::span<const TextPart> parts);
  void attention_block(const LayerWeights& layer, std::int64_t index,
                       std::span<const TextPart> parts, std::int64_t tokens,
                       ForwardObserver* observer);
  void ffn_block(const LayerWeights& layer, std::int64_t index, std::int64_t tokens,
                 ForwardObserver* observer);
  void linear(const LayerWeights& layer, std::int64_t index, std::span<const Linear> which,
              MatrixView<const float> x, std::span<const MatrixView<float>> out,
              ForwardObserver* observer);

  ModelConfig config_;
  std::shared_ptr<const Weights> weights_;
  OpContext context_;
  HybridMemoryPool* pool_;
  RopeTable rope_;
  std::unique_ptr<Workspace> work_;
  std::unique_ptr<HeadScreen> screen_;
  std::shared_ptr<const ModelSource> source_;
  int few_threads_ = 0, many_threads_ = 0;  // 0: whatever the pool uses
};

}  // namespace bitnet
