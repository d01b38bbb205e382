// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace bitnet {
namespace {

constexpr std::int64_t kFirstCapacity = 256;

}  // namespace

KvCache::KvCache(const ModelConfig& config, std::int64_t max_positions, HybridMemoryPool& pool)
    : kv_heads_(config.num_kv_heads),
      dim_(config.head_dim),
      max_positions_(max_positions),
      pool_(&pool),
      layers_(static_cast<std::size_t>(config.num_layers)) {
  if (max_positions < 1 || max_positions > config.max_positions)
    fail(Errc::invalid_argument, "context of " + std::to_string(max_positions) +
                                     " positions asked for; the model has 1 to " +
                                     std::to_string(config.max_positions));
}

// A head's positions are contiguous in both layouts, so growing copies one run a head.
KvCache::Layer KvCache::grown(const Layer& old, std::int64_t capacity) const {
  Layer next{Tensor::allocate(DType::f32, {kv_heads_, capacity * dim_}, *pool_),
             Tensor::allocate(DType::f32, {kv_heads_, capacity * dim_}, *pool_)};
  if (size_ == 0) return next;
  const auto bytes = static_cast<std::size_t>(round_up(size_, 16) * dim_) * sizeof(float);
  for (std::int64_t h = 0; h < kv_heads_; ++h) {
    std::memcpy(next.keys.as_mutable<float>() + h * capacity * dim_,
                old.keys.as<float>() + h * capacity_ * dim_, bytes);
    std::memcpy(next.values.as_mutable<float>() + h * capacity * dim_,
                old.values.as<float>() + h * capacity_ * dim_, bytes);
  }
  return next;
}

void KvCache::reserve(std::int64_t positions) {
  if (positions > max_positions_)
    fail(Errc::invalid_argument, "the context is full: " + std::to_string(positions) +
                                     " positions needed, " + std::to_string(max_positions_) +
                                     " available");
  if (positions <= capacity_) return;
  std::int64_t capacity = std::max(kFirstCapacity, capacity_);
  while (capacity < positions) capacity *= 2;
  capacity = std::min(capacity, round_up(max_positions_, 16));
  // Layer by layer into a second list: an exception leaves the cache as it was.
  std::vector<Layer> next;
  next.reserve(layers_.size());
  for (const Layer& layer : layers_) next.push_back(grown(layer, capacity));
  layers_ = std::move(next);
  capacity_ = capacity;
}

void KvCache::resize(std::int64_t positions) {
  require(positions >= 0 && positions <= capacity_, "KvCache::resize: more than reserved");
  size_ = positions;
}

KvLayerView KvCache::layer(std::int64_t index) {
  Layer& l = layers_[static_cast<std::size_t>(index)];
  return {l.keys.as_mutable<float>(), l.values.as_mutable<float>(), capacity_, kv_heads_, dim_};
}

KvCache KvCache::clone() const {
  ModelConfig shape;
  shape.num_kv_heads = kv_heads_;
  shape.head_dim = dim_;
  shape.max_positions = max_positions_;
  shape.num_layers = static_cast<std::int64_t>(layers_.size());
  KvCache copy(shape, max_positions_, *pool_);
  for (std::size_t i = 0; i < layers_.size(); ++i)
    if (capacity_ > 0) copy.layers_[i] = grown(layers_[i], capacity_);
  copy.capacity_ = capacity_;
  copy.size_ = size_;
  return copy;
}

std::uint64_t KvCache::byte_size(const ModelConfig& config, std::int64_t positions) {
  return static_cast<std::uint64_t>(config.num_layers * config.kv_size()) * 2 * sizeof(float) *
         static_cast<std::uint64_t>(round_up(positions, 16));
}

}  // namespace bitnet
