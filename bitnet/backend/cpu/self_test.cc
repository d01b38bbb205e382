// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/self_test.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "bitnet/backend/cpu/kernels/activation/activation.h"
#include "bitnet/backend/cpu/kernels/attention/attention.h"
#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear.h"
#include "bitnet/backend/cpu/kernels/kv_write/kv_write.h"
#include "bitnet/backend/cpu/kernels/norm/norm.h"
#include "bitnet/backend/cpu/kernels/quantize/quantize.h"
#include "bitnet/backend/cpu/kernels/rope/rope.h"
#include "bitnet/backend/cpu/kernels/sketch/sketch.h"
#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/backend/cpu/kernels/ternary_lookup/ternary_lookup.h"
#include "bitnet/backend/cpu/self_test_checks.h"
#include "bitnet/io/ggml_blocks.h"
#include "bitnet/ops/sketch.h"
#include "bitnet/ops/sketch_tiles.h"
#include "bitnet/ternary/activations.h"
#include "bitnet/ternary/block128.h"

namespace bitnet::cpu {
namespace {

// Odd sizes: tails of vectors, of blocks and of groups of rows all occur.
constexpr std::int64_t kTokens = 5, kRows = 37, kCols = 1000, kBlocks = 8;

using namespace self_tests;

// The reference is held against block128::dot_reference(), which knows neither pair order nor sums.
void check_ternary_linear(Checks& checks, Random& random) {
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

// Tiles, sums by way of tables, sums of many tokens; with plain integers as the definition.
void check_ternary_lookup(Checks& checks, Random& random) {
  using namespace lookup_tiles;
  constexpr std::int64_t rows = 70, cols = 700, tokens = 3;  // all five weights of bytes
  const std::int64_t all = groups(cols), places = pair_order_bytes(cols), stride = 5 * all + 7,
                     row_bytes = block128::row_bytes(cols), filled = strips(rows) * kStripRows;
  std::vector<std::uint8_t> weights(usize(rows * row_bytes));
  std::vector<std::int8_t> w(usize(rows * cols)), q(usize(tokens * cols)),
      stored(usize(tokens * stride));
  for (std::int8_t& v : w) v = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
  for (std::int8_t& v : q) v = static_cast<std::int8_t>(random() & 0xffu);
  for (std::int64_t r = 0; r < rows; ++r)
    block128::pack_row(&w[usize(r * cols)], cols, &weights[usize(r * row_bytes)]);
  for (std::int64_t t = 0; t < tokens; ++t)
    arrange_pairs({&q[usize(t * cols)], usize(cols)}, {&stored[usize(t * stride)], usize(places)});
  Tensor tiles = Tensor::allocate(DType::u8, {bytes(rows, cols)}),
         tables = Tensor::allocate(DType::u8, {tokens * all * 256}),
         sums = Tensor::allocate(DType::i32, {tokens * filled}),
         scratch =
             Tensor::allocate(DType::u8, {std::max(kLookupGemmScratch, lookup_pack_scratch(cols))});
  auto* const packed = tiles.as_mutable<std::uint8_t>();
  auto* const out = sums.as_mutable<std::int32_t>();
  // What the format leaves to the sums: rows' negatives, and, of many tokens, the activations.
  pack(weights.data(), row_bytes, rows, cols, 0, strips(rows), packed);
  const auto* negatives = reinterpret_cast<const std::int32_t*>(packed + code_bytes(rows, cols));
  Result expected(packed, packed + bytes(rows, cols));
  for (const bool many : {false, true})
    for (std::int64_t t = 0; t < tokens; ++t)
      for (std::int64_t r = 0; r < filled; ++r) {
        std::int32_t sum = many ? 0 : -negatives[r];
        for (std::int64_t c = 0; c < cols; ++c) {
          const int weight = r < rows ? w[usize(r * cols + c)] : 0;
          sum += (weight + many) * q[usize(t * cols + c)];
        }
        expected.push_back(static_cast<std::uint32_t>(sum));
      }
  check(checks, "ternary_lookup", ternary_lookup_kernels(), expected,
        [&](const TernaryLookupFns* run) {
          std::memset(packed, 0x55, tiles.size_bytes());
          run->pack({weights.data(), row_bytes, rows, cols, 0, strips(rows), packed,
                     scratch.as_mutable<std::uint8_t>()});
          Result result(packed, packed + bytes(rows, cols));
          auto* const table = tables.as_mutable<std::uint8_t>();
          // Kernels without tables are tried by gemm() alone.
          const TernaryLookupFns* const by_tables = run->sums ? run : &reference::ternary_lookup;
          for (std::int64_t t = 0; t < tokens; ++t)
            by_tables->tables(
                {&stored[usize(t * stride)], places, all, 0, all, table + 256 * all * t, packed});
          const StripPlace first = place(0, rows, all);
          by_tables->sums(
              {packed, first.stride, strips(rows), all, tokens, table, out, filled, false, packed});
          if (run->one)
            run->one({stored.data(), places, all, packed, first.stride, strips(rows), out, packed});
          result.insert(result.end(), out, out + tokens * filled);
          std::vector<std::uint32_t> many(usize(tokens * filled));
          for (std::int64_t s = 0; s < strips(rows); ++s) {
            const StripPlace at = place(s, rows, all);
            run->gemm({packed + at.offset, at.stride, all, stored.data(), stride, tokens, out,
                       scratch.as_mutable<std::uint8_t>()});
            for (std::int64_t t = 0; t < tokens; ++t)
              for (std::int64_t i = 0; i < kStripRows; ++i)
                many[usize(t * filled + s * kStripRows + i)] =
                    static_cast<std::uint32_t>(out[t * kStripRows + i]);
          }
          result.insert(result.end(), many.begin(), many.end());
          return result;
        });
}

void check_quantize(Checks& checks, Random& random) {
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

void check_sketch(Checks& checks, Random& random) {
  constexpr std::int64_t kWhole = kCols / 32 * 32;
  const Tensor w = random_floats(random, kRows * kWhole),
               x = random_floats(random, kTokens * kWhole);
  Tensor sketched = Tensor::allocate(DType::i8, {sketch_tiles::bytes(kRows, kWhole)});
  const std::span out(reinterpret_cast<std::uint8_t*>(sketched.mutable_data()),
                      sketched.size_bytes());
  std::vector<std::uint8_t> last(usize(kRows * sketch_tiles::last_row_bytes(kWhole)));
  std::vector<float> squares(usize(SketchArgs::kSums * kRows));
  check(checks, "sketch", sketch_kernels(), [&](SketchFn* run) {
    run({w.data(), kWhole * 4, static_cast<std::uint8_t>(DType::f32), out.data(), last.data(),
         squares.data(), kRows, kWhole});
    Result result = bits_of(squares);
    result.insert(result.end(), out.begin(), out.end());
    result.insert(result.end(), last.begin(), last.end());
    return result;
  });
  const SketchInputs inputs({x.as<float>(), kTokens, kWhole, kWhole});
  std::vector<float> products(usize(kTokens * kRows));
  check(checks, "sketch_dot", sketch_dot_kernels(), [&](SketchDotFn* run) {
    run({out.data(), inputs.values(), inputs.start(), inputs.scale(), products.data(), kRows, kRows,
         sketch_tiles::pairs(kWhole), kTokens});
    return bits_of(products);
  });
  std::vector<SketchRefineArgs::Place> places;
  for (std::int32_t row = 0; row < kRows; ++row)
    places.push_back({row, static_cast<std::int32_t>(row % kTokens)});
  check(checks, "sketch_refine", sketch_refine_kernels(), [&](SketchRefineFn* run) {
    std::vector<float> refined = products;
    run({last.data(), places.data(), inputs.floats(), inputs.scale(), refined.data(), kRows,
         static_cast<std::int64_t>(places.size()), sketch_tiles::pairs(kWhole)});
    return bits_of(refined);
  });
}

void check_rows(Checks& checks, Random& random) {
  const Tensor x = random_floats(random, kTokens * kCols),
               y = random_floats(random, kTokens * kCols), weight = random_floats(random, kCols);
  const auto *a = x.as<float>(), *b = y.as<float>();
  std::vector<float> out(usize(kTokens * kCols));
  check(checks, "rms_norm", rms_norm_kernels(), [&](RmsNormFn* run) {
    run({a, kCols, weight.as<float>(), out.data(), kCols, kTokens, kCols, 1e-5f, kCols});
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

void check_dense(Checks& checks, Random& random) {
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

void check_attention(Checks& checks, Random& random) {
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
  struct Cache {
    KvType type;
    std::vector<std::byte> keys, values;
  };
  std::vector<Cache> caches;
  for (const KvType type : {KvType::f32, KvType::bf16, KvType::int8}) {
    const std::vector<std::byte> half(usize(kv_heads * kv_head_bytes(type, capacity, dim)));
    caches.push_back({type, half, half});
  }
  // All types in one result. The definition runs last and leaves its caches for attention.
  check(checks, "kv_write", kv_write_kernels(), [&](KvWriteFn* run) {
    Result result;
    for (Cache& c : caches) {
      run({k.as<float>(), kv_heads * dim, v.as<float>(), kv_heads * dim, c.keys.data(),
           c.values.data(), capacity, 0, positions, kv_heads, dim, c.type});
      for (const auto* half : {&c.keys, &c.values})
        for (const std::byte byte : *half) result.push_back(std::to_integer<std::uint32_t>(byte));
    }
    return result;
  });
  const float scale = 1 / std::sqrt(static_cast<float>(dim));
  check(checks, "attention", attention_kernels(), [&](AttentionFn* run) {
    Result result;
    for (const Cache& c : caches) {
      AttentionArgs args{q.as<float>(), stride,   c.keys.data(), c.values.data(), out.data(),
                         stride,        capacity, first,         kTokens,         heads,
                         kv_heads,      dim,      scale,         nullptr,         c.type};
      Tensor scratch = Tensor::allocate(DType::f32, {attention_scratch_floats(args)});
      args.scratch = scratch.as_mutable<float>();
      run(args);
      append_bits(result, out);
    }
    return result;
  });
}

}  // namespace

std::vector<KernelCheck> self_test() {
  Random random(1);
  Checks checks;
  check_ternary_linear(checks, random);
  check_ternary_lookup(checks, random);
  check_quantize(checks, random);
  check_sketch(checks, random);
  check_rows(checks, random);
  check_dense(checks, random);
  check_attention(checks, random);
  check_pointwise(checks, random);
  check_reduce(checks, random);
  check_row_ops(checks, random);
  check_quantizers(checks, random);
  check_matmul(checks, random);
  check_matmul_i8(checks, random);
  check_flash_attention(checks, random);
  return checks;
}

}  // namespace bitnet::cpu
