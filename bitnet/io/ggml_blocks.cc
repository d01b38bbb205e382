// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/ggml_blocks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "bitnet/base/error.h"
#include "bitnet/base/half.h"

namespace bitnet {
namespace {

using Byte = std::uint8_t;

std::uint16_t load_u16(const Byte* from) noexcept {
  std::uint16_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

void store_u16(Byte* to, std::uint16_t value) noexcept { std::memcpy(to, &value, sizeof value); }

/// The value of largest magnitude, the first of equals, with its sign.
float extreme(const float* x, int count) noexcept {
  float best = 0;
  for (int i = 0; i < count; ++i)
    if (std::fabs(x[i]) > std::fabs(best)) best = x[i];
  return best;
}

/// 1 / d; 0 where that is not a number to multiply with.
float inverse(float d) noexcept {
  const float result = 1.0f / d;
  return std::isfinite(result) ? result : 0.0f;
}

int clamp_round(float value, int low, int high) noexcept {
  return static_cast<int>(
      std::clamp(std::nearbyint(value), static_cast<float>(low), static_cast<float>(high)));
}

void dequantize_q8_0(const Byte* block, float* out) noexcept {
  const float d = f16_to_f32(load_u16(block));
  for (int i = 0; i < 32; ++i)
    out[i] = static_cast<float>(static_cast<std::int8_t>(block[2 + i])) * d;
}

void quantize_q8_0(const float* x, Byte* block) noexcept {
  const float d = std::fabs(extreme(x, 32)) / 127.0f;
  const float scale = inverse(d);
  store_u16(block, f32_to_f16(d));
  for (int i = 0; i < 32;
       ++i)  // |x * scale| <= 127 but for rounding of the quotient; halves go away from zero
    block[2 + i] = static_cast<Byte>(
        static_cast<std::int8_t>(std::clamp(std::round(x[i] * scale), -127.0f, 127.0f)));
}

void dequantize_q4_0(const Byte* block, float* out) noexcept {
  const float d = f16_to_f32(load_u16(block));
  for (int i = 0; i < 16; ++i) {
    out[i] = static_cast<float>((block[2 + i] & 15) - 8) * d;
    out[16 + i] = static_cast<float>((block[2 + i] >> 4) - 8) * d;
  }
}

void quantize_q4_0(const float* x, Byte* block) noexcept {
  const float d = extreme(x, 32) / -8.0f;
  const float scale = inverse(d);
  store_u16(block, f32_to_f16(d));
  const auto code = [&](float value) {
    return static_cast<unsigned>(std::clamp(value * scale + 8.5f, 0.0f, 15.0f));
  };
  for (int i = 0; i < 16; ++i)
    block[2 + i] = static_cast<Byte>(code(x[i]) | (code(x[16 + i]) << 4));
}

// block_q6_K: 128 bytes of low nibbles, 64 bytes of high pairs, 16 int8 scales, f16 d. In each half
// of 128 values, value 32k + l (k = 0..3, l < 32): low nibble in byte 32 (k % 2) + l, half k / 2;
// high pair in byte l, bits 2k+1:2k.
constexpr int kQ6High = 128, kQ6Scales = 192, kQ6D = 208;

void dequantize_q6_k(const Byte* block, float* out) noexcept {
  const float d = f16_to_f32(load_u16(block + kQ6D));
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, k = i % 128 / 32, l = i % 32;
    const int low = (block[64 * half + 32 * (k % 2) + l] >> (4 * (k / 2))) & 15;
    const int high = (block[kQ6High + 32 * half + l] >> (2 * k)) & 3;
    const auto scale = static_cast<std::int8_t>(block[kQ6Scales + i / 16]);
    out[i] = d * static_cast<float>(scale) * static_cast<float>((low | (high << 4)) - 32);
  }
}

void quantize_q6_k(const float* x, Byte* block) noexcept {
  float scales[16];
  for (int s = 0; s < 16; ++s) scales[s] = extreme(x + 16 * s, 16) / -32.0f;
  const std::uint16_t d_bits = f32_to_f16(extreme(scales, 16) / -128.0f);
  const float d = f16_to_f32(d_bits);
  std::memset(block, 0, kQ6D);
  store_u16(block + kQ6D, d_bits);
  for (int i = 0; i < 256; ++i) {
    const int half = i / 128, k = i % 128 / 32, l = i % 32;
    const int scale = clamp_round(scales[i / 16] * inverse(d), -128, 127);
    block[kQ6Scales + i / 16] = static_cast<Byte>(static_cast<std::int8_t>(scale));
    const int q = clamp_round(x[i] * inverse(d * static_cast<float>(scale)), -32, 31) + 32;
    Byte& low = block[64 * half + 32 * (k % 2) + l];
    Byte& high = block[kQ6High + 32 * half + l];
    low = static_cast<Byte>(low | ((q & 15) << (4 * (k / 2))));
    high = static_cast<Byte>(high | ((q >> 4) << (2 * k)));
  }
}

void check(const char* what, DType type, std::size_t columns, std::size_t bytes) {
  const auto needed = row_bytes(type, static_cast<std::int64_t>(columns));
  if (!needed || *needed != bytes)
    fail(Errc::invalid_argument, std::string(what) + ": " + std::to_string(columns) +
                                     " values of " + std::string(info(type).name) +
                                     " do not fill " + std::to_string(bytes) + " bytes");
}

/// Block types scale by a half: values beyond its range, NaN included, have no code.
void check_range(DType type, std::span<const float> values) {
  constexpr float kMaxHalf = 65504.0f;
  if (info(type).block_elements == 1) return;
  const bool fits = std::all_of(values.begin(), values.end(),
                                [](float value) { return std::fabs(value) <= kMaxHalf; });
  if (!fits)
    fail(Errc::invalid_argument,
         "quantize_row: " + std::string(info(type).name) + " needs finite values of at most 65504");
}

[[noreturn]] void fail_type(const char* what, DType type) {
  fail(Errc::invalid_argument,
       std::string(what) + ": type " + std::string(info(type).name) + " is not a real number's");
}

}  // namespace

void dequantize_row(DType type, std::span<const std::byte> row, std::span<float> out) {
  check("dequantize_row", type, out.size(), row.size());
  const auto* from = reinterpret_cast<const Byte*>(row.data());
  const auto blocks = [&](auto function) {
    const auto elements = static_cast<std::size_t>(info(type).block_elements);
    for (std::size_t c = 0; c < out.size(); c += elements, from += info(type).block_bytes)
      function(from, out.data() + c);
  };
  switch (type) {
    case DType::f32:
      std::copy(row.begin(), row.end(), std::as_writable_bytes(out).begin());
      break;
    case DType::f16:
      blocks([](const Byte* x, float* y) { *y = f16_to_f32(load_u16(x)); });
      break;
    case DType::bf16:
      blocks([](const Byte* x, float* y) { *y = bf16_to_f32(load_u16(x)); });
      break;
    case DType::q8_0:
      blocks(dequantize_q8_0);
      break;
    case DType::q4_0:
      blocks(dequantize_q4_0);
      break;
    case DType::q6_k:
      blocks(dequantize_q6_k);
      break;
    default:
      fail_type("dequantize_row", type);
  }
}

void quantize_row(DType type, std::span<const float> values, std::span<std::byte> row) {
  check("quantize_row", type, values.size(), row.size());
  check_range(type, values);
  auto* to = reinterpret_cast<Byte*>(row.data());
  const auto blocks = [&](auto function) {
    const auto elements = static_cast<std::size_t>(info(type).block_elements);
    for (std::size_t c = 0; c < values.size(); c += elements, to += info(type).block_bytes)
      function(values.data() + c, to);
  };
  switch (type) {
    case DType::f32:
      std::ranges::copy(std::as_bytes(values), row.begin());
      break;
    case DType::f16:
      blocks([](const float* x, Byte* y) { store_u16(y, f32_to_f16(*x)); });
      break;
    case DType::bf16:
      blocks([](const float* x, Byte* y) { store_u16(y, f32_to_bf16(*x)); });
      break;
    case DType::q8_0:
      blocks(quantize_q8_0);
      break;
    case DType::q4_0:
      blocks(quantize_q4_0);
      break;
    case DType::q6_k:
      blocks(quantize_q6_k);
      break;
    default:
      fail_type("quantize_row", type);
  }
}

}  // namespace bitnet
