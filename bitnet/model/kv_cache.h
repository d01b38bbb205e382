// SPDX-License-Identifier: MIT OR Apache-2.0
// Keys and values of the positions computed so far.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "bitnet/model/config.h"
#include "bitnet/ops/attention.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// Numbers of one type, a pair of tensors a layer, grown by quarters up to max_positions: memory
/// follows use. float32 is what the model was trained for; the others take a half and a quarter of
/// its bytes and change the results (ops/args.h, KvType). Whatever the type, a position is rounded
/// by itself: results do not depend on how a text is cut, and going back leaves no trace.
/// Copying a cache is spelled clone(). Thread-compatible.
class KvCache {
 public:
  /// max_positions in [1, config.max_positions]; throws Error{invalid_argument} otherwise.
  KvCache(const ModelConfig& config, std::int64_t max_positions, KvType type = KvType::f32,
          HybridMemoryPool& pool = default_pool());
  KvCache(KvCache&&) noexcept = default;
  KvCache& operator=(KvCache&&) noexcept = default;

  /// Positions held, and how many may be.
  std::int64_t size() const noexcept { return size_; }
  std::int64_t max_positions() const noexcept { return max_positions_; }
  KvType type() const noexcept { return type_; }

  /// Makes room for `positions` in all; throws Error{invalid_argument} beyond max_positions,
  /// {out_of_memory}; in both cases the cache is as before.
  void reserve(std::int64_t positions);
  /// Declares the first `positions` valid: after a step, or fewer to go back.
  void resize(std::int64_t positions);
  void clear() noexcept { size_ = 0; }

  KvLayerView layer(std::int64_t index);

  KvCache clone() const;

  /// Bytes of a full cache of `positions` positions.
  static std::uint64_t byte_size(const ModelConfig& config, std::int64_t positions,
                                 KvType type = KvType::f32);

 private:
  // Several layers in one block: blocks of 1 to 3 MB, rounded to huge pages, take a third more.
  struct Group {
    Tensor memory;  // [2 * layers * kv_heads][kv_head_bytes()]: for each layer keys, then values
    std::int64_t capacity = 0;
  };
  Group grown(const Group& old, std::int64_t layers, std::int64_t capacity) const;
  std::int64_t layers_of(std::size_t group) const noexcept;
  std::int64_t head_bytes(std::int64_t capacity) const noexcept {
    return kv_head_bytes(type_, capacity, dim_);
  }

  KvType type_;
  std::int64_t kv_heads_, dim_, max_positions_;
  std::int64_t size_ = 0;
  std::int64_t capacity_ = 0;  // every group has at least this
  std::int64_t num_layers_, group_layers_;
  HybridMemoryPool* pool_;
  std::vector<Group> groups_;
};

/// "f32", "bf16", "int8", and back.
std::string_view to_string(KvType type) noexcept;
std::optional<KvType> kv_type_from_name(std::string_view name) noexcept;

}  // namespace bitnet
