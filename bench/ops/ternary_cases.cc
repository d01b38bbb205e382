// SPDX-License-Identifier: MIT OR Apache-2.0
// Ternary products against the machine's limits, the quantizer against reading twice.
#include <cstring>

#include "bench/ops/harness.h"
#include "bitnet/backend/cpu/cpu_limits.h"
#include "bitnet/ops/bit_linear.h"
#include "bitnet/ops/quantizers.h"

namespace bench {
namespace {

using namespace bitnet;

// Weights of random ternary codes, activations quantized beforehand.
struct Layer {
  TernaryMatrix weight;
  QuantizedRows x;
  LinearScratch scratch;
  Tensor out;

  Layer(OpContext c, std::int64_t rows, std::int64_t cols, std::int64_t tokens)
      : x(tokens, cols, default_pool()),
        scratch(tokens, rows, default_pool()),
        out(Tensor::allocate(DType::f32, {tokens, rows})) {
    weight.codes = Tensor::allocate(DType::ternary2, {rows, cols});
    // Bytes of codes 0 to 2: a pattern without 3 in any pair of bits.
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < weight.codes.size_bytes(); ++i) {
      unsigned byte = 0;
      for (int k = 0; k < 4; ++k) {
        state = state * 1664525u + 1013904223u;
        byte = byte * 4 + (state >> 16) % 3;
      }
      weight.codes.mutable_data()[i] = static_cast<std::byte>(byte);
    }
    const Tensor floats = random_tensor(DType::f32, {tokens, cols}, 3);
    quantize(c, {floats.as<float>(), tokens, cols, cols}, x);
  }
  void run(OpContext c) {
    ternary_linear(c, weight, x, {out.as_mutable<float>(), out.rows(), out.cols(), out.cols()},
                   scratch);
  }
};

void gemm_case(Harness& h, std::int64_t tokens, std::int64_t rows, std::int64_t cols) {
  const std::string name = "ternary matmul " + std::to_string(tokens) + " x " +
                           std::to_string(cols) + " x " + std::to_string(rows);
  if (!h.wants(name)) return;
  const auto c = h.runtime.context();
  Layer layer(c, rows, cols, tokens);
  h.run(
      name, [&] { layer.run(c); }, {}, {"limit", 0.6},
      2.0 * double(tokens) * double(rows) * double(cols) / h.int8_rate());
}

// One token. In the cache: 512 KB for each thread against 70 GB/s of packed weights; from memory:
// several layers in turn, so that none is left in a cache, against reading.
void gemv_cases(Harness& h) {
  const auto c = h.runtime.context();
  const std::int64_t cols = 2560, per_row = cols / 4;
  if (const std::string name = "ternary GEMV, 512 KB a thread in L2"; h.wants(name)) {
    const std::int64_t rows = h.threads() * (512 * 1024 / per_row) / 16 * 16;
    Layer layer(c, rows, cols, 1);
    h.run(
        name, [&] { layer.run(c); }, {}, {"limit", 1.0},
        double(rows * per_row) / (70e9 * h.threads()));
  }
  if (const std::string name = "ternary GEMV, 192 MB from memory"; h.wants(name)) {
    const std::int64_t rows = (h.quick() ? 1 : 192) * 1024 * 1024 / per_row / 16 * 16;
    Layer layer(c, rows, cols, 1);
    h.run(
        name, [&] { layer.run(c); }, {}, {"limit", 0.85},
        double(rows * per_row) / h.read_bandwidth());
  }
}

void bit_linear_case(Harness& h, std::int64_t tokens, double most_ms) {
  const std::string name = "BitLinear " + std::to_string(tokens) + " x 2560 x 6912";
  if (!h.wants(name)) return;
  const auto c = h.runtime.context();
  const std::int64_t rows = h.quick() ? 128 : 6912;
  const auto layer = ops::BitLinear::from_master(c, random_tensor(DType::f32, {rows, 2560}, 4));
  const Tensor x = random_tensor(DType::f32, {tokens, 2560}, 5);
  h.run(name, [&] { ops::bit_linear(c, layer, x); }, {}, {"ms", most_ms});
}

void quantizer_case(Harness& h) {
  const std::string name = "1.58-bit quantization of 4096 x 4096";
  if (!h.wants(name)) return;
  const auto c = h.runtime.context();
  const std::int64_t n = h.quick() ? 256 : 4096;
  const Tensor master = random_tensor(DType::f32, {n, n}, 6);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(master.data());
  const auto read_twice = [&] {
    for (int pass = 0; pass < 2; ++pass)
      h.runtime.threads().for_slices(
          std::int64_t(master.size_bytes()), 64, [&](std::int64_t begin, std::int64_t end) {
            volatile std::uint64_t sink = cpu::read_once(bytes + begin, end - begin);
            (void)sink;
          });
  };
  h.run(name,
        [&] { ops::quantize(c, Quantizer::absmean_ternary, master, {ScaleGranularity::tensor}); },
        {{"read twice", read_twice}}, {"read twice", 1 / 1.15});
}

}  // namespace

void ternary_cases(Harness& h) {
  const std::int64_t small = h.quick() ? 16 : 1;
  for (const std::int64_t tokens : {128, 512}) {
    gemm_case(h, tokens, 6912 / small, 2560 / small);
    gemm_case(h, tokens, 2560 / small, 6912 / small / 128 * 128 + (small == 1 ? 0 : 128));
  }
  gemv_cases(h);
  bit_linear_case(h, 1, 0.15);
  bit_linear_case(h, 128, 6.0);
  quantizer_case(h);
}

}  // namespace bench
