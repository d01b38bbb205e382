// SPDX-License-Identifier: MIT OR Apache-2.0
// Rows of stored weights as vectors of floats: straight loads for f32, f16 and bf16, a decoder for
// each block format (formats: tensor/dtype.h; values as llama.cpp's dequantize_row_*).
#pragma once

#include <cstdint>

namespace bitnet::cpu {

namespace {  // no weak symbols in kernel files

/// `count` < 16 elements of `bytes` each, zeros behind them.
template <unsigned kBytes>
struct PaddedTail {
  std::uint8_t data[16u * kBytes] = {};
  PaddedTail(const std::uint8_t* p, std::int64_t count) {
    for (std::int64_t i = 0; i < count * std::int64_t{kBytes}; ++i) data[i] = p[i];
  }
};

}  // namespace

template <class V>
struct F32Row {
  static constexpr unsigned kBytes = 4;
  static V load(const std::uint8_t* p) { return V::load(p); }
};

template <class V>
struct F16Row {
  static constexpr unsigned kBytes = 2;
  static V load(const std::uint8_t* p) { return V::load_f16(p); }
};

template <class V>
struct Bf16Row {
  static constexpr unsigned kBytes = 2;
  static V load(const std::uint8_t* p) { return V::load_bf16(p); }
};

/// A block format gives the values of one block 16 at a time: use(i, values 16 * i to 16 * i + 15).
template <class V>
struct Q8_0 {
  static constexpr int kBlock = 32, kBlockBytes = 34;
  template <class Use>
  static void for_values(const std::uint8_t* p, const Use& use) {
    const V d = V::set1_f16(p);
    use(0, d * V::load_i8(p + 2));
    use(1, d * V::load_i8(p + 18));
  }
};

/// Low nibbles are values 0 to 15, high ones 16 to 31.
template <class V>
struct Q4_0 {
  static constexpr int kBlock = 32, kBlockBytes = 18;
  template <class Use>
  static void for_values(const std::uint8_t* p, const Use& use) {
    const V d = V::set1_f16(p), eight = V::set1(8.0f);
    use(0, d * (V::load_bits(p + 2, 0, 15) - eight));
    use(1, d * (V::load_bits(p + 2, 4, 15) - eight));
  }
};

/// ql[128], qh[64], int8 scales[16], d. Each half of 128 values: quarter g (32 values) takes its
/// low bits from ql[32 * (g % 2)] (nibble g / 2) and its high bits from qh (bits 2g, 2g + 1).
template <class V>
struct Q6K {
  static constexpr int kBlock = 256, kBlockBytes = 210;
  template <class Use>
  static void for_values(const std::uint8_t* p, const Use& use) {
    float scale[16];
    (V::set1_f16(p + 208) * V::load_i8(p + 192)).store(scale);  // 11 + 7 bits: exact
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      const int half = i / 8, quarter = i % 8 / 2, part = i % 2;
      const std::uint8_t* low = p + 64 * half + 32 * (quarter % 2) + 16 * part;
      const std::uint8_t* high = p + 128 + 32 * half + 16 * part;
      const V q = V::fma(V::load_bits(high, 2 * quarter, 3), V::set1(16.0f),
                         V::load_bits(low, quarter / 2 * 4, 15));
      use(i, V::set1(scale[i]) * (q - V::set1(32.0f)));
    }
  }
};

/// One row of whole blocks: cols is a multiple of kBlock.
template <class Format>
static inline void decode_row(const std::uint8_t* p, float* out, std::int64_t cols) {
  for (std::int64_t k = 0; k < cols; k += Format::kBlock, p += Format::kBlockBytes)
    Format::for_values(p, [&](int i, const auto& values) { values.store(out + k + 16 * i); });
}

template <class V, class Row>
static inline void convert_row(const std::uint8_t* p, float* out, std::int64_t cols) {
  std::int64_t k = 0;
  for (; k + 16 <= cols; k += 16) Row::load(p + k * std::int64_t{Row::kBytes}).store(out + k);
  if (k == cols) return;
  const PaddedTail<Row::kBytes> tail(p + k * std::int64_t{Row::kBytes}, cols - k);
  Row::load(tail.data).store_partial(out + k, static_cast<int>(cols - k));
}

}  // namespace bitnet::cpu
