// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/decoder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <string>

#include "bitnet/ops/attention.h"
#include "bitnet/ops/elementwise.h"
#include "bitnet/profile/profiler.h"

namespace bitnet {
namespace {

// For each part: work(part, its first row).
template <class Work>
void for_parts(std::span<const TextPart> parts, const Work& work) {
  std::int64_t row = 0;
  for (const TextPart& part : parts) {
    work(part, row);
    row += static_cast<std::int64_t>(part.ids.size());
  }
}

}  // namespace

// Room for up to `capacity` tokens; grown to the largest chunk seen.
struct Decoder::Workspace {
  std::int64_t capacity;
  Tensor hidden, normed, q, k, v, attended, gate, up, delta, cos, sin;
  Tensor linear_input;  // empty unless config.input_norms
  QuantizedRows quantized;
  LinearScratch scratch;

  Workspace(const ModelConfig& c, std::int64_t tokens, HybridMemoryPool& pool)
      : capacity(tokens),
        hidden(make(tokens, c.hidden_size, pool)),
        normed(make(tokens, widest_input(c), pool)),
        q(make(tokens, c.q_size(), pool)),
        k(make(tokens, c.kv_size(), pool)),
        v(make(tokens, c.kv_size(), pool)),
        attended(make(tokens, c.q_size(), pool)),
        gate(make(tokens, c.intermediate_size, pool)),
        up(make(tokens, c.intermediate_size, pool)),
        delta(make(tokens, c.hidden_size, pool)),
        cos(make(tokens, c.head_dim / 2, pool)),
        sin(make(tokens, c.head_dim / 2, pool)),
        linear_input(c.input_norms ? make(tokens, widest_input(c), pool) : Tensor()),
        quantized(tokens, widest_input(c), pool),
        scratch(tokens, std::max({c.hidden_size, c.q_size(), c.intermediate_size}), pool) {}

  static std::int64_t widest_input(const ModelConfig& c) {
    return std::max({c.hidden_size, c.q_size(), c.intermediate_size});
  }
  static Tensor make(std::int64_t tokens, std::int64_t cols, HybridMemoryPool& pool) {
    return Tensor::allocate(DType::f32, {tokens, cols}, pool);
  }
  static MatrixView<float> view(Tensor& t, std::int64_t tokens) {
    return {t.as_mutable<float>(), tokens, t.cols(), t.cols()};
  }
};

Decoder::Decoder(ModelConfig config, std::shared_ptr<const Weights> weights, OpContext context,
                 HybridMemoryPool& pool)
    : config_(std::move(config)),
      weights_(std::move(weights)),
      context_(context),
      pool_(&pool),
      rope_(config_.rope_theta, config_.head_dim) {}

Decoder::~Decoder() = default;
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;

// Makes room in caches and workspace; returns the number of tokens.
std::int64_t Decoder::prepare(std::span<const TextPart> parts) {
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto count = static_cast<std::int64_t>(parts[i].ids.size());
    require(count >= 1 && count <= kMaxChunk - tokens,
            "Decoder::forward: 1 to 512 tokens at once, at least one of each text");
    for (std::size_t j = 0; j < i; ++j)
      require(parts[j].cache != parts[i].cache, "Decoder::forward: two texts have one cache");
    tokens += count;
  }
  require(tokens >= 1, "Decoder::forward: 1 to 512 tokens at once");
  for (const TextPart& part : parts)
    part.cache->reserve(part.cache->size() + static_cast<std::int64_t>(part.ids.size()));
  if (!work_ || work_->capacity < tokens) {
    work_.reset();  // both at once would double the peak
    work_ = std::make_unique<Workspace>(config_, tokens, *pool_);
  }
  return tokens;
}

MatrixView<const float> Decoder::forward(std::span<const std::int32_t> ids, KvCache& cache,
                                         ForwardObserver* observer) {
  const TextPart part{ids, &cache};
  return forward({&part, 1}, observer);
}

MatrixView<const float> Decoder::forward(std::span<const TextPart> parts,
                                         ForwardObserver* observer) {
  const profile::Span span("forward");
  const std::int64_t tokens = prepare(parts);
  if (few_threads_ > 0) context_.threads->use(tokens <= kFewTokens ? few_threads_ : many_threads_);
  const MatrixView<float> hidden = Workspace::view(work_->hidden, tokens);
  const MatrixView<float> cos = Workspace::view(work_->cos, tokens);
  const MatrixView<float> sin = Workspace::view(work_->sin, tokens);
  for_parts(parts, [&](const TextPart& part, std::int64_t row) {
    const auto count = static_cast<std::int64_t>(part.ids.size());
    embed_tokens(part.ids, hidden.rows_from(row, count));
    rope_.fill(part.cache->size(), cos.rows_from(row, count), sin.rows_from(row, count));
  });
  if (observer) observer->on_hidden(-1, hidden);
  for (std::int64_t i = 0; i < config_.num_layers; ++i) {
    const profile::Span layer_span("layer");
    const LayerWeights& layer = weights_->layers[static_cast<std::size_t>(i)];
    attention_block(layer, i, parts, tokens, observer);
    ffn_block(layer, i, tokens, observer);
    if (observer) observer->on_hidden(i, hidden);
  }
  for (const TextPart& part : parts)
    part.cache->resize(part.cache->size() + static_cast<std::int64_t>(part.ids.size()));
  rms_norm(context_, hidden, weights_->norm, config_.rms_norm_eps, hidden);
  return hidden;
}

// Rows of a mapped table are read from its file one by one: a page fault would bring 64 KB of it.
void Decoder::embed_tokens(std::span<const std::int32_t> ids, MatrixView<float> out) {
  const Tensor& table = weights_->embedding;
  const auto in_table = [&](std::int32_t id) { return id >= 0 && id < table.rows(); };
  if (source_ && table.borrowed() && std::all_of(ids.begin(), ids.end(), in_table)) {
    Tensor rows = Tensor::allocate(table.dtype(),
                                   {static_cast<std::int64_t>(ids.size()), table.cols()}, *pool_);
    const auto row_bytes = static_cast<std::size_t>(rows.row_stride_bytes());
    std::vector<std::int32_t> places(ids.size());
    std::iota(places.begin(), places.end(), 0);
    const bool read = std::all_of(places.begin(), places.end(), [&](std::int32_t i) {
      const std::byte* row =
          table.data() + ids[static_cast<std::size_t>(i)] * table.row_stride_bytes();
      return source_->read({row, row_bytes},
                           rows.mutable_data() + static_cast<std::size_t>(i) * row_bytes);
    });
    if (read) return embed(context_, rows, places, out);
  }
  embed(context_, table, ids, out);
}

void Decoder::use_threads(int few, int many) {
  const int most = context_.threads->size();
  require(few >= 1 && few <= most && many >= 1 && many <= most,
          "Decoder::use_threads: 1 to as many threads as the pool has");
  few_threads_ = few;
  many_threads_ = many;
}

void Decoder::logits(MatrixView<const float> hidden, MatrixView<float> out) {
  const profile::Span span("head");
  dense_linear(context_, weights_->head, hidden, out);
}

void Decoder::screen_head(std::size_t min_bytes) {
  if (!screen_ && weights_->head.size_bytes() >= min_bytes && HeadScreen::suits(weights_->head))
    screen_ = std::make_unique<HeadScreen>(weights_->head, *pool_, source_);
}

void Decoder::top_logits(MatrixView<const float> hidden, std::int64_t k,
                         std::span<const std::int32_t> wanted, std::span<float> out) {
  const auto vocab = static_cast<std::int64_t>(out.size());
  const WantedLogits one{k, wanted};
  top_logits(hidden, {&one, 1}, {out.data(), 1, vocab, vocab});
}

void Decoder::top_logits(MatrixView<const float> hidden, std::span<const WantedLogits> wanted,
                         MatrixView<float> out) {
  if (!screen_) return logits(hidden, out);
  const profile::Span span("head");
  screen_->top_logits(context_, hidden, wanted, out);
  screen_->extend(context_, (weights_->head.rows() + kSketchCalls - 1) / kSketchCalls);
}

// h += o(sub_norm(attention(rope(q), rope(k), v)))
void Decoder::attention_block(const LayerWeights& layer, std::int64_t index,
                              std::span<const TextPart> parts, std::int64_t tokens,
                              ForwardObserver* observer) {
  Workspace& w = *work_;
  const MatrixView<float> hidden = Workspace::view(w.hidden, tokens);
  const MatrixView<float> normed{w.normed.as_mutable<float>(), tokens, config_.hidden_size,
                                 config_.hidden_size};
  const MatrixView<float> q = Workspace::view(w.q, tokens), k = Workspace::view(w.k, tokens),
                          v = Workspace::view(w.v, tokens);
  rms_norm(context_, hidden, layer.attention_norm, config_.rms_norm_eps, normed);
  linear(layer, index, std::array{Linear::q, Linear::k, Linear::v}, normed, std::array{q, k, v},
         observer);

  const MatrixView<float> cos = Workspace::view(w.cos, tokens);
  const MatrixView<float> sin = Workspace::view(w.sin, tokens);
  rope(context_, q, config_.head_dim, cos, sin);
  rope(context_, k, config_.head_dim, cos, sin);
  const MatrixView<float> attended = Workspace::view(w.attended, tokens);
  const auto scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(config_.head_dim)));
  for_parts(parts, [&](const TextPart& part, std::int64_t row) {
    const auto count = static_cast<std::int64_t>(part.ids.size());
    const KvLayerView cache = part.cache->layer(index);
    const std::int64_t first = part.cache->size();
    kv_write(context_, k.rows_from(row, count), v.rows_from(row, count), cache, first);
    attention(context_, q.rows_from(row, count), cache, first, scale,
              attended.rows_from(row, count));
  });

  if (layer.attention_sub_norm.defined())
    rms_norm(context_, attended, layer.attention_sub_norm, config_.rms_norm_eps, attended);
  const MatrixView<float> delta = Workspace::view(w.delta, tokens);
  linear(layer, index, std::array{Linear::o}, attended, std::array{delta}, observer);
  add(context_, hidden, delta);
}

// h += down(sub_norm(act(gate(x)) * up(x)))
void Decoder::ffn_block(const LayerWeights& layer, std::int64_t index, std::int64_t tokens,
                        ForwardObserver* observer) {
  Workspace& w = *work_;
  const MatrixView<float> hidden = Workspace::view(w.hidden, tokens);
  const MatrixView<float> normed{w.normed.as_mutable<float>(), tokens, config_.hidden_size,
                                 config_.hidden_size};
  const std::int64_t width = layer.linear(Linear::gate).rows();  // dead_neurons.h may narrow it
  const MatrixView<float> gate{w.gate.as_mutable<float>(), tokens, width, width};
  const MatrixView<float> up{w.up.as_mutable<float>(), tokens, width, width};
  rms_norm(context_, hidden, layer.ffn_norm, config_.rms_norm_eps, normed);
  linear(layer, index, std::array{Linear::gate, Linear::up}, normed, std::array{gate, up},
         observer);
  gated_activation(context_, config_.activation, gate, up, gate);
  if (layer.ffn_sub_norm.defined())
    rms_norm(context_, gate, layer.ffn_sub_norm, config_.rms_norm_eps, gate,
             config_.intermediate_size);
  const MatrixView<float> delta = Workspace::view(w.delta, tokens);
  linear(layer, index, std::array{Linear::down}, gate, std::array{delta}, observer);
  add(context_, hidden, delta);
}

// Matrices that share an input share its integers; with input norms each matrix has an input of its
// own.
void Decoder::linear(const LayerWeights& layer, std::int64_t index, std::span<const Linear> which,
                     MatrixView<const float> x, std::span<const MatrixView<float>> out,
                     ForwardObserver* observer) {
  Workspace& w = *work_;
  if (!layer.input_norms[static_cast<std::size_t>(which[0])].defined()) {
    quantize(context_, x, w.quantized);
    if (observer) observer->on_quantized(index, which[0], x, w.quantized);
    std::array<const TernaryMatrix*, TernaryLookupArgs::kMaxParts> matrices{};
    for (std::size_t i = 0; i < which.size(); ++i) matrices[i] = &layer.linear(which[i]);
    return ternary_linears(context_, std::span(matrices).first(which.size()), w.quantized, out,
                           w.scratch);
  }
  for (std::size_t i = 0; i < which.size(); ++i) {
    const Tensor& norm = layer.input_norms[static_cast<std::size_t>(which[i])];
    const MatrixView<float> normed{w.linear_input.as_mutable<float>(), x.rows, x.cols, x.cols};
    rms_norm(context_, x, norm, config_.input_norm_eps, normed, shape_of(which[i], config_)[1]);
    quantize(context_, normed, w.quantized);
    if (observer) observer->on_quantized(index, which[i], normed, w.quantized);
    ternary_linear(context_, layer.linear(which[i]), w.quantized, out[i], w.scratch);
  }
}

}  // namespace bitnet
