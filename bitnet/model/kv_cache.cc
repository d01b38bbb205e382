// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/model/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace bitnet {
namespace {

constexpr std::int64_t kFirstCapacity = 256;
constexpr std::int64_t kGroupBytes = std::int64_t{8} << 20;  // of kFirstCapacity positions

}  // namespace

KvCache::KvCache(const ModelConfig& config, std::int64_t max_positions, KvType type,
                 HybridMemoryPool& pool)
    : type_(type),
      kv_heads_(config.num_kv_heads),
      dim_(config.head_dim),
      max_positions_(max_positions),
      num_layers_(config.num_layers),
      pool_(&pool) {
  const std::int64_t layer_bytes = 2 * kv_heads_ * head_bytes(kFirstCapacity);
  group_layers_ = std::clamp(kGroupBytes / layer_bytes, std::int64_t{1}, num_layers_);
  groups_.resize(static_cast<std::size_t>((num_layers_ + group_layers_ - 1) / group_layers_));
  if (max_positions < 1 || max_positions > config.max_positions)
    fail(Errc::invalid_argument, "context of " + std::to_string(max_positions) +
                                     " positions asked for; the model has 1 to " +
                                     std::to_string(config.max_positions));
}

std::int64_t KvCache::layers_of(std::size_t group) const noexcept {
  return std::min(group_layers_, num_layers_ - static_cast<std::int64_t>(group) * group_layers_);
}

// A head's positions are contiguous in both layouts, so growing copies one run of numbers a head,
// of int8 one of scales too.
KvCache::Group KvCache::grown(const Group& old, std::int64_t layers, std::int64_t capacity) const {
  const std::int64_t runs = 2 * layers * kv_heads_;
  Group next{Tensor::allocate(DType::u8, {runs, head_bytes(capacity)}, *pool_), capacity};
  const std::int64_t scale_bytes = type_ == KvType::int8 ? sizeof(float) : 0;
  const std::int64_t number_bytes = head_bytes(1) - scale_bytes, held = round_up(size_, 16);
  const auto copy = [&](std::int64_t run, std::int64_t bytes, std::int64_t behind) {
    std::memcpy(next.memory.mutable_data() + run * head_bytes(capacity) + behind * capacity,
                old.memory.data() + run * head_bytes(old.capacity) + behind * old.capacity,
                static_cast<std::size_t>(held * bytes));
  };
  for (std::int64_t run = 0; held > 0 && run < runs; ++run) {
    copy(run, number_bytes, 0);
    copy(run, scale_bytes, number_bytes);
  }
  return next;
}

void KvCache::reserve(std::int64_t positions) {
  if (positions > max_positions_)
    fail(Errc::invalid_argument, "the context is full: " + std::to_string(positions) +
                                     " positions needed, " + std::to_string(max_positions_) +
                                     " available");
  if (positions <= capacity_) return;
  const std::int64_t capacity =
      std::min(round_up(std::max({kFirstCapacity, positions, capacity_ + capacity_ / 4}), 16),
               round_up(max_positions_, 16));
  // Group by group, so that one group's memory is there twice, not all of it. An exception leaves
  // some groups with more room than they need, and all positions where they were.
  for (std::size_t i = 0; i < groups_.size(); ++i)
    if (groups_[i].capacity < capacity) groups_[i] = grown(groups_[i], layers_of(i), capacity);
  capacity_ = capacity;
}

void KvCache::resize(std::int64_t positions) {
  require(positions >= 0 && positions <= capacity_, "KvCache::resize: more than reserved");
  size_ = positions;
}

KvLayerView KvCache::layer(std::int64_t index) {
  Group& group = groups_[static_cast<std::size_t>(index / group_layers_)];
  const std::int64_t half = kv_heads_ * head_bytes(group.capacity);
  std::byte* const keys = group.memory.mutable_data() + index % group_layers_ * 2 * half;
  return {keys, keys + half, group.capacity, kv_heads_, dim_, type_};
}

KvCache KvCache::clone() const {
  ModelConfig shape;
  shape.num_kv_heads = kv_heads_;
  shape.head_dim = dim_;
  shape.max_positions = max_positions_;
  shape.num_layers = num_layers_;
  KvCache copy(shape, max_positions_, type_, *pool_);
  copy.size_ = size_;
  for (std::size_t i = 0; i < groups_.size(); ++i)
    if (groups_[i].capacity > 0)
      copy.groups_[i] = grown(groups_[i], layers_of(i), groups_[i].capacity);
  copy.capacity_ = capacity_;
  return copy;
}

std::uint64_t KvCache::byte_size(const ModelConfig& config, std::int64_t positions, KvType type) {
  return static_cast<std::uint64_t>(config.num_layers * config.num_kv_heads) * 2 *
         static_cast<std::uint64_t>(kv_head_bytes(type, round_up(positions, 16), config.head_dim));
}

std::string_view to_string(KvType type) noexcept {
  switch (type) {
    case KvType::f32:
      return "f32";
    case KvType::bf16:
      return "bf16";
    case KvType::int8:
      break;
  }
  return "int8";
}

std::optional<KvType> kv_type_from_name(std::string_view name) noexcept {
  for (const KvType type : {KvType::f32, KvType::bf16, KvType::int8})
    if (to_string(type) == name) return type;
  return std::nullopt;
}

}  // namespace bitnet
