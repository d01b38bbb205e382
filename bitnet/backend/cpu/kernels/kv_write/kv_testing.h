// SPDX-License-Identifier: MIT OR Apache-2.0
// A KV cache as tests see it: ops/args.h (KvType, KvWriteArgs) once more, number by number.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <vector>

#include "bitnet/backend/cpu/kernels/kernel_testing.h"
#include "bitnet/base/half.h"
#include "bitnet/ops/args.h"

namespace bitnet::cpu {

constexpr KvType kKvTypes[] = {KvType::f32, KvType::bf16, KvType::int8};

/// A position of one head as a cache holds it: x[k] ~ scale * numbers[k].
struct KvPosition {
  std::vector<float> numbers;
  float scale = 1;

  KvPosition(KvType type, const float* x, std::int64_t dim) : numbers(x, x + dim) {
    if (type == KvType::bf16)
      for (float& n : numbers) n = bf16_to_f32(f32_to_bf16(n));
    if (type != KvType::int8) return;
    float a = 1e-30f;
    for (const float n : numbers)
      if (std::isnan(n) || std::fabs(n) > a) a = std::isnan(a) ? a : std::fabs(n);
    scale = a / 127;
    const float factor = 127 / a;
    for (float& n : numbers) {
      n = std::nearbyint(n * factor);
      if (std::isnan(n)) n = 0;
    }
  }
};

/// Keys, or values, of all heads. NaN (of int8: -1 with a scale of NaN) where nothing was written.
class KvHalf {
 public:
  KvHalf(KvType type, bool keys, std::int64_t heads, std::int64_t capacity, std::int64_t dim)
      : type_(type),
        keys_(keys),
        capacity_(capacity),
        dim_(dim),
        bytes_(usize(heads * kv_head_bytes(type, capacity, dim)), std::byte{0xff}) {}

  std::vector<std::byte>& bytes() { return bytes_; }
  const std::vector<std::byte>& bytes() const { return bytes_; }

  void put(std::int64_t head, std::int64_t p, const KvPosition& position) {
    for (std::int64_t k = 0; k < dim_; ++k) {
      const float n = position.numbers[usize(k)];
      if (type_ == KvType::f32) store(number_at(head, p, k), n);
      if (type_ == KvType::bf16) store(number_at(head, p, k), f32_to_bf16(n));
      if (type_ == KvType::int8) store(number_at(head, p, k), static_cast<std::int8_t>(n));
    }
    if (type_ == KvType::int8) store(scale_at(head, p), position.scale);
  }
  float number(std::int64_t head, std::int64_t p, std::int64_t k) const {
    const std::size_t at = number_at(head, p, k);
    if (type_ == KvType::f32) return load<float>(at);
    if (type_ == KvType::bf16) return bf16_to_f32(load<std::uint16_t>(at));
    return load<std::int8_t>(at);
  }
  float scale(std::int64_t head, std::int64_t p) const {
    return type_ == KvType::int8 ? load<float>(scale_at(head, p)) : 1;
  }

 private:
  std::int64_t number_bytes() const {
    return type_ == KvType::f32 ? 4 : type_ == KvType::bf16 ? 2 : 1;
  }
  std::size_t number_at(std::int64_t head, std::int64_t p, std::int64_t k) const {
    const std::int64_t index = keys_ ? (p / 16 * dim_ + k) * 16 + p % 16 : p * dim_ + k;
    return usize(head * kv_head_bytes(type_, capacity_, dim_) + index * number_bytes());
  }
  std::size_t scale_at(std::int64_t head, std::int64_t p) const {
    return usize(head * kv_head_bytes(type_, capacity_, dim_) + capacity_ * dim_ + 4 * p);
  }
  template <class T>
  void store(std::size_t at, T value) {
    std::memcpy(&bytes_[at], &value, sizeof value);
  }
  template <class T>
  T load(std::size_t at) const {
    T value;
    std::memcpy(&value, &bytes_[at], sizeof value);
    return value;
  }

  KvType type_;
  bool keys_;
  std::int64_t capacity_, dim_;
  std::vector<std::byte> bytes_;
};

}  // namespace bitnet::cpu
