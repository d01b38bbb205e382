// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/self_test.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <random>
#include <span>

#include "bitnet/backend/cpu/kernels/activation/activation.h"
#include "bitnet/backend/cpu/kernels/attention/attention.h"
#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear.h"
#include "bitnet/backend/cpu/kernels/flash_attention/flash_attention.h"
#include "bitnet/backend/cpu/kernels/norm/norm.h"
#include "bitnet/backend/cpu/kernels/quantize/quantize.h"
#include "bitnet/backend/cpu/kernels/rope/rope.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch.h"
#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/io/ggml_blocks.h"
#include "bitnet/ops/sketch.h"
#include "bitnet/ops/sketch_tiles.h"
#include "bitnet/tensor/tensor.h"
#include "bitnet/ternary/activations.h"
#include "bitnet/ternary/block128.h"

namespace bitnet::cpu {
namespace {

// Odd sizes: tails of vectors, of blocks and of groups of rows all occur.
constexpr std::int64_t kTokens = 5, kRows = 37, kCols = 1000, kBlocks = 8;

using Random = std::mt19937;

std::size_t usize(std::int64_t n) { return static_cast<std::size_t>(n); }

// 64-byte aligned floats in (-2, 2).
Tensor random_floats(Random& random, std::int64_t count) {
  Tensor t = Tensor::allocate(DType::f32, {count});
  float* values = t.as_mutable<float>();
  for (std::int64_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-30f;
  return t;
}

std::vector<std::uint32_t> bits_of(std::span<const float> values) {
  std::vector<std::uint32_t> bits;
  for (const float v : values) bits.push_back(std::bit_cast<std::uint32_t>(v));
  return bits;
}

using Result = std::vector<std::uint32_t>;

// Runs each row of a table that this CPU has and compares with `expected`.
template <class Fn, class Run>
void check(std::vector<KernelCheck>& checks, std::string_view family,
           std::span<const Kernel<Fn>> table, const Result& expected, const Run& run) {
  for (const Kernel<Fn>& kernel : table) {
    KernelCheck c{family,
                  kernel.name,
                  isa::has(isa::detect(), kernel.needs),
                  kernel.run == choose(table, isa::active()).run,
                  false,
                  ""};
    if (c.available) {
      const Result result = run(kernel.run);
      std::size_t wrong = 0, first = 0;
      for (std::size_t i = result.size(); i-- > 0;)
        if (result[i] != expected[i]) ++wrong, first = i;
      c.ok = wrong == 0;
      if (wrong > 0)
        c.detail = std::to_string(wrong) + " of " + std::to_string(result.size()) +
                   " results differ from the definition, the first at " + std::to_string(first);
    }
    checks.push_back(std::move(c));
  }
}

// The same, where the last row of the table is the definition.
template <class Fn, class Run>
void check(std::vector<KernelCheck>& checks, std::string_view family,
           std::span<const Kernel<Fn>> table, const Run& run) {
  check(checks, family, table, run(table.back().run), run);
}

// The reference is held against block128::dot_reference(), which knows neither pair order nor sums.
void check_ternary_linear(std::vector<KernelCheck>& checks, Random& random) {
  const std::int64_t row_bytes = kBlocks * block128::kBytes;
  const std::int64_t stride = pair_order_bytes(kCols);
  std::vector<std::uint8_t> weights(usize(kRows * row_bytes));
  Tensor q = Tensor::allocate(DType::i8, {kTokens, stride});
  std::vector<std::int32_t> sums(usize(kTokens));
  std::vector<float> scales(usize(kTokens)), out(usize(kTokens * kRows)), expected(out.size());
  std::vector<std::int8_t> row(usize(kCols));
  for (std::int64_t r = 0; r < kRows; ++r) {
    for (std::int8_t& w : row) w = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
    block128::pack_row(row.data(), kCols, weights.data() + r * row_bytes);
  }
  auto* stored = reinterpret_cast<std::int8_t*>(q.mutable_data());
  for (std::int64_t t = 0; t < kTokens; ++t) {
    for (std::int8_t& a : row) sums[usize(t)] += a = static_cast<std::int8_t>(random() & 0xffu);
    scales[usize(t)] = 0.01f * static_cast<float>(t + 1);
    arrange_pairs(row, {stored + t * stride, usize(stride)});
    for (std::int64_t r = 0; r < kRows; ++r)
      expected[usize(t * kRows + r)] = static_cast<float>(block128::dot_reference(
                                           weights.data() + r * row_bytes, row.data(), kCols)) *
                                       scales[usize(t)];
  }
  check(checks, "ternary_linear", ternary_linear_kernels(), bits_of(expected),
        [&](TernaryLinearFn* run) {
          run({weights.data(), row_bytes, stored, stride, sums.data(), scales.data(), out.data(),
               kRows, kRows, kBlocks, kTokens});
          return bits_of(out);
        });
}

void check_quantize(std::vector<KernelCheck>& checks, Random& random) {
  const Tensor x = random_floats(random, kTokens * kCols);
  const std::int64_t stride = pair_order_bytes(kCols);
  Tensor q = Tensor::allocate(DType::i8, {kTokens, stride});
  check(checks, "quantize", quantize_kernels(), [&](QuantizeFn* run) {
    std::vector<float> scales(usize(kTokens));
    std::vector<std::int32_t> sums(usize(kTokens));
    auto* stored = reinterpret_cast<std::int8_t*>(q.mutable_data());
    std::memset(stored, 0x55, q.size_bytes());
    run({x.as<float>(), kCols, stored, stride, scales.data(), sums.data(), kTokens, kCols});
    Result result = bits_of(scales);
    for (const std::int32_t sum : sums) result.push_back(static_cast<std::uint32_t>(sum));
    for (std::size_t i = 0; i < q.size_bytes(); ++i)
      result.push_back(static_cast<std::uint8_t>(stored[i]));
    return result;
  });
}

void check_sketch(std::vector<KernelCheck>& checks, Random& random) {
  constexpr std::int64_t kWhole = kCols / 32 * 32;
  const Tensor w = random_floats(random, kRows * kWhole), x = random_floats(random, kWhole);
  Tensor sketched = Tensor::allocate(DType::i8, {sketch_tiles::bytes(kRows, kWhole)});
  const std::span out(reinterpret_cast<std::uint8_t*>(sketched.mutable_data()),
                      sketched.size_bytes());
  std::vector<float> squares(usize(3 * kRows));
  check(checks, "sketch", sketch_kernels(), [&](SketchFn* run) {
    run({w.data(), kWhole * 4, static_cast<std::uint8_t>(DType::f32), out.data(), squares.data(),
         kRows, kWhole});
    Result result = bits_of(squares);
    result.insert(result.end(), out.begin(), out.end());
    return result;
  });
  const SketchInput input({x.as<float>(), usize(kWhole)});
  std::vector<float> products(usize(kRows));
  check(checks, "sketch_dot", sketch_dot_kernels(), [&](SketchDotFn* run) {
    run({out.data(), input.high(), input.low(), input.start(), input.scale(), products.data(),
         kRows, sketch_tiles::pairs(kWhole)});
    return bits_of(products);
  });
}

void check_rows(std::vector<KernelCheck>& checks, Random& random) {
  const Tensor x = random_floats(random, kTokens * kCols),
               y = random_floats(random, kTokens * kCols), weight = random_floats(random, kCols);
  const auto *a = x.as<float>(), *b = y.as<float>();
  std::vector<float> out(usize(kTokens * kCols));
  check(checks, "rms_norm", rms_norm_kernels(), [&](RmsNormFn* run) {
    run({a, kCols, weight.as<float>(), out.data(), kCols, kTokens, kCols, 1e-5f});
    return bits_of(out);
  });
  check(checks, "gated_activation", gated_activation_kernels(), [&](GatedActivationFn* run) {
    run({a, kCols, b, kCols, out.data(), kCols, kTokens, kCols, GatedActivation::silu});
    Result result = bits_of(out);
    run({a, kCols, b, kCols, out.data(), kCols, kTokens, kCols, GatedActivation::relu2});
    for (const std::uint32_t bits : bits_of(out)) result.push_back(bits);
    return result;
  });
  check(checks, "exp", exp_kernels(), [&](ExpFn* run) {
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = a[i] * 60;  // overflow and underflow too
    run({out.data(), out.data(), kTokens * kCols});
    return bits_of(out);
  });
  check(checks, "add", add_kernels(), [&](AddFn* run) {
    out.assign(a, a + out.size());
    run({out.data(), kCols, b, kCols, kTokens, kCols});
    return bits_of(out);
  });
}

void check_dense(std::vector<KernelCheck>& checks, Random& random) {
  constexpr std::int64_t cols = 768;  // whole blocks of every type
  const Tensor x = random_floats(random, kTokens * cols), w = random_floats(random, kRows * cols);
  Tensor scratch = Tensor::allocate(DType::f32, {dense_linear_scratch_floats(cols)});
  std::vector<std::vector<std::byte>> tables;
  constexpr DType types[] = {DType::f32,  DType::f16,  DType::bf16,
                             DType::q8_0, DType::q4_0, DType::q6_k};
  for (const DType type : types) {
    const auto bytes = static_cast<std::size_t>(*row_bytes(type, cols));
    auto& table = tables.emplace_back(usize(kRows) * bytes);
    for (std::int64_t r = 0; r < kRows; ++r)
      quantize_row(type, {w.as<float>() + r * cols, usize(cols)},
                   std::span(table).subspan(usize(r) * bytes, bytes));
  }
  const std::int32_t ids[kTokens] = {0, 36, 7, 7, 21};
  // All types in one result: a user asks which kernel is wrong, not which type.
  const auto for_types = [&](std::int64_t width, const auto& call) {
    Result result;
    std::vector<float> out(usize(kTokens * width));
    for (std::size_t i = 0; i < std::size(types); ++i) {
      call(tables[i].data(), static_cast<std::int64_t>(*row_bytes(types[i], cols)),
           static_cast<std::uint8_t>(types[i]), out.data());
      for (const std::uint32_t bits : bits_of(out)) result.push_back(bits);
    }
    return result;
  };
  check(checks, "dense_linear", dense_linear_kernels(), [&](DenseLinearFn* run) {
    return for_types(kRows,
                     [&](const void* table, std::int64_t bytes, std::uint8_t type, float* out) {
                       run({table, bytes, type, x.as<float>(), cols, out, kRows, kRows, cols,
                            kTokens, scratch.as_mutable<float>()});
                     });
  });
  check(checks, "embed", embed_kernels(), [&](EmbedFn* run) {
    return for_types(cols,
                     [&](const void* table, std::int64_t bytes, std::uint8_t type, float* out) {
                       run({table, bytes, type, ids, out, cols, cols, kTokens});
                     });
  });
}

void check_attention(std::vector<KernelCheck>& checks, Random& random) {
  constexpr std::int64_t heads = 4, kv_heads = 2, dim = 80, first = 30, capacity = 48;
  constexpr std::int64_t positions = first + kTokens;
  const Tensor q = random_floats(random, kTokens * heads * dim),
               k = random_floats(random, positions * kv_heads * dim),
               v = random_floats(random, positions * kv_heads * dim),
               angles = random_floats(random, kTokens * dim);
  std::vector<float> out(usize(kTokens * heads * dim));
  const std::int64_t stride = heads * dim;
  check(checks, "rope", rope_kernels(), [&](RopeFn* run) {
    out.assign(q.as<float>(), q.as<float>() + out.size());
    run({out.data(), stride, angles.as<float>(), angles.as<float>() + kTokens * dim / 2, kTokens,
         heads, dim});
    return bits_of(out);
  });
  Tensor keys = Tensor::allocate(DType::f32, {kv_heads * capacity * dim}),
         values = Tensor::allocate(DType::f32, {kv_heads * capacity * dim});
  const auto write = [&](KvWriteFn* run) {
    std::memset(keys.mutable_data(), 0, keys.size_bytes());
    std::memset(values.mutable_data(), 0, values.size_bytes());
    run({k.as<float>(), kv_heads * dim, v.as<float>(), kv_heads * dim, keys.as_mutable<float>(),
         values.as_mutable<float>(), capacity, 0, positions, kv_heads, dim});
    Result result = bits_of({keys.as<float>(), usize(keys.cols())});
    for (const std::uint32_t bits : bits_of({values.as<float>(), usize(values.cols())}))
      result.push_back(bits);
    return result;
  };
  check(checks, "kv_write", kv_write_kernels(), write);
  Tensor scratch = Tensor::allocate(DType::f32, {attention_scratch_floats(positions, dim)});
  const float scale = 1 / std::sqrt(static_cast<float>(dim));
  check(checks, "attention", attention_kernels(), [&](AttentionFn* run) {
    run({q.as<float>(), stride, keys.as<float>(), values.as<float>(), out.data(), stride, capacity,
         first, kTokens, heads, kv_heads, dim, scale, scratch.as_mutable<float>()});
    return bits_of(out);
  });
}

// One batch and kv head: 15 rows over 90 keys, the last 70 of what each may see.
void check_flash_attention(std::vector<KernelCheck>& checks, Random& random) {
  constexpr std::int64_t group = 3, rows = kTokens * group, keys = 90, dim = 40, value_dim = 24;
  const Tensor q = random_floats(random, rows * dim), k = random_floats(random, keys * dim),
               v = random_floats(random, keys * value_dim),
               dout = random_floats(random, rows * value_dim);
  std::vector<float> out(usize(rows * value_dim)), sums(usize(2 * kFlashRows)),
      dq(usize(rows * dim)), dk(usize(keys * dim)), dv(usize(keys * value_dim)), delta(usize(rows));
  std::vector<float> logsumexp(usize(rows), 4.0f);
  FlashAttentionArgs a{};
  a.batch = a.kv_heads = 1, a.heads = group, a.queries = kTokens, a.keys = keys;
  a.dim = dim, a.value_dim = value_dim, a.window = 70, a.causal = true, a.scale = 0.158f;
  a.q = {q.as<float>(), 0, kTokens * dim, dim}, a.k = {k.as<float>(), 0, 0, dim};
  a.v = {v.as<float>(), 0, 0, value_dim};
  a.out = {out.data(), 0, kTokens * value_dim, value_dim};
  a.logsumexp = {logsumexp.data(), 0, kTokens, 1};
  Tensor scratch =
      Tensor::allocate(DType::f32, {std::max(flash_forward_scratch_floats(rows, dim, value_dim),
                                             flash_backward_scratch_floats(dim, value_dim))});
  check(checks, "flash_attention", flash_forward_kernels(), [&](FlashForwardFn* run) {
    run({&a, 0, 0, 0, rows, FlashStep::whole, 0, nullptr, sums.data(),
         scratch.as_mutable<float>()});
    return bits_of(out);
  });
  const FlashAttentionBackwardArgs b{a,
                                     {dout.as<float>(), 0, kTokens * value_dim, value_dim},
                                     {dq.data(), 0, kTokens * dim, dim},
                                     {dk.data(), 0, 0, dim},
                                     {dv.data(), 0, 0, value_dim}};
  check(checks, "flash_attention_backward", flash_backward_kernels(), [&](FlashBackwardFn* run) {
    run({&b, 0, 0, false, 0, rows, delta.data(), scratch.as_mutable<float>()});
    run({&b, 0, 0, true, 0, keys, delta.data(), scratch.as_mutable<float>()});
    Result result;
    for (const auto* values : {&dq, &dk, &dv})
      for (const std::uint32_t bits : bits_of(*values)) result.push_back(bits);
    return result;
  });
}

}  // namespace

std::vector<KernelCheck> self_test() {
  Random random(1);
  std::vector<KernelCheck> checks;
  check_ternary_linear(checks, random);
  check_quantize(checks, random);
  check_sketch(checks, random);
  check_rows(checks, random);
  check_dense(checks, random);
  check_attention(checks, random);
  check_flash_attention(checks, random);
  return checks;
}

}  // namespace bitnet::cpu
