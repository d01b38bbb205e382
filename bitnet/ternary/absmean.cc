// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ternary/absmean.h"

#include <algorithm>
#include <cmath>

#include "bitnet/base/half.h"
#include "bitnet/ternary/block128.h"

namespace bitnet::absmean {
namespace {

float value_of(float value) noexcept { return value; }
float value_of(std::uint16_t bits) noexcept { return bf16_to_f32(bits); }

template <class T>
double sum_row(std::span<const T> row) noexcept {
  constexpr std::size_t kLanes = 16;
  double lanes[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= row.size(); i += kLanes)
    for (std::size_t j = 0; j < kLanes; ++j)
      lanes[j] += static_cast<double>(std::fabs(value_of(row[i + j])));
  for (std::size_t j = 0; i + j < row.size(); ++j)
    lanes[j] += static_cast<double>(std::fabs(value_of(row[i + j])));
  for (std::size_t half = kLanes / 2; half > 0; half /= 2)
    for (std::size_t j = 0; j < half; ++j) lanes[j] += lanes[j + half];
  return lanes[0];
}

template <class T>
void quantize(std::span<const T> row, float gamma, std::uint8_t* block128) noexcept {
  const float inverse = 1.0f / gamma;
  constexpr auto kWeights = static_cast<std::size_t>(block128::kWeights);
  std::uint8_t codes[kWeights];
  for (std::size_t c = 0; c < row.size(); c += kWeights, block128 += block128::kBytes) {
    const std::size_t count = std::min(kWeights, row.size() - c);
    for (std::size_t i = 0; i < count; ++i) {
      // clip(rint(v), -1, 1) for every v: halves round to the even 0, beyond them the nearest is at
      // least 1.
      const float v = value_of(row[c + i]) * inverse;
      codes[i] = static_cast<std::uint8_t>(1 + (v > 0.5f) - (v < -0.5f));
    }
    block128::pack_codes(codes, static_cast<std::int64_t>(count), block128);
  }
}

}  // namespace

double row_sum(std::span<const float> row) noexcept { return sum_row(row); }
double row_sum(std::span<const std::uint16_t> bf16_row) noexcept { return sum_row(bf16_row); }

std::optional<float> scale(double sum, std::int64_t count) noexcept {
  const auto mean = static_cast<float>(sum / static_cast<double>(count));
  if (!std::isfinite(mean)) return std::nullopt;
  return std::max(mean, 1e-5f);
}

void quantize_row(std::span<const float> row, float gamma, std::uint8_t* block128) noexcept {
  quantize(row, gamma, block128);
}
void quantize_row(std::span<const std::uint16_t> bf16_row, float gamma,
                  std::uint8_t* block128) noexcept {
  quantize(bf16_row, gamma, block128);
}

}  // namespace bitnet::absmean
