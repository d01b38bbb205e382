// SPDX-License-Identifier: MIT OR Apache-2.0
// Which of the two layouts of ternary weights this machine computes faster.
#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <vector>

#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/backend/cpu/kernels/ternary_lookup/ternary_lookup.h"
#include "bitnet/backend/cpu/ternary_linear_op.h"
#include "bitnet/backend/cpu/ternary_lookup_op.h"

namespace bitnet::cpu {
namespace {

constexpr std::int64_t kRows = 512, kCols = 2560;  // 262 and 328 KB: L2
constexpr int kRepeats = 15;
constexpr double kMostSeconds = 5e-3;  // for the plain definition, which takes that long once

struct Free {
  void operator()(void* p) const noexcept { std::free(p); }
};
using Bytes = std::unique_ptr<std::uint8_t[], Free>;

Bytes bytes_of(std::int64_t count) {
  const auto size = (static_cast<std::size_t>(count) + 63) / 64 * 64;
  auto* p = static_cast<std::uint8_t*>(std::aligned_alloc(64, size));
  if (!p) throw std::bad_alloc();
  std::fill_n(p, size, std::uint8_t{0x55});  // of codes: weights 0, which cost as much as others
  return Bytes(p);
}

// Products a second in the fastest of some runs, the others having been disturbed.
double rate_of(const std::function<void()>& run) {
  double fastest = std::numeric_limits<double>::infinity(), all = 0;
  for (int i = 0; i < kRepeats && all < kMostSeconds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    fastest = std::min(fastest, took.count());
    all += took.count();
  }
  return static_cast<double>(kRows * kCols) / fastest;
}

TernaryRates measure() {
  ThreadPool alone(1);
  const Bytes weights = bytes_of(kRows * kCols / 4), q = bytes_of(kCols);
  const Bytes tiles = bytes_of(lookup_tiles::bytes(kRows, kCols)), out = bytes_of(kRows * 4);
  const std::int32_t sum = 0;
  const float scale = 1;
  auto* const activations = reinterpret_cast<std::int8_t*>(q.get());
  auto* const results = reinterpret_cast<float*>(out.get());
  pack_lookup({weights.get(), kCols / 4, tiles.get(), kRows, kCols}, alone);
  TernaryLookupArgs lookup{};
  lookup.parts[0] = {tiles.get(), &scale, results, kRows, kRows};
  lookup.num_parts = 1, lookup.activations = activations, lookup.activation_stride = kCols;
  lookup.tokens = 1, lookup.cols = kCols;
  const TernaryLinearArgs linear{weights.get(), kCols / 4, activations, kCols,       &sum, &scale,
                                 results,       kRows,     kRows,       kCols / 128, 1};
  return {rate_of([&] { ternary_linear(linear, alone); }),
          rate_of([&] { ternary_lookup(lookup, alone); })};
}

}  // namespace

const TernaryRates& ternary_rates() {
  static const TernaryRates rates = measure();
  return rates;
}

bool has_lookup_kernels() {
  return choose(ternary_lookup_kernels(), isa::active()).name != "reference";
}

// Tiles are four fifths of the bytes, so where memory is the limit they win anyway; a seventh
// slower in the caches is taken for that (a Zen 5 server: 0.94 there, 1.1 times the tokens a
// second).
bool lookup_is_faster() { return ternary_rates().lookup >= 0.86 * ternary_rates().linear; }

}  // namespace bitnet::cpu
