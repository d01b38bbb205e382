// SPDX-License-Identifier: MIT OR Apache-2.0
// Self tests of the families of ops on views.
#include <algorithm>
#include <cmath>

#include "bitnet/backend/cpu/kernels/flash_attention/flash_attention.h"
#include "bitnet/backend/cpu/kernels/matmul/matmul.h"
#include "bitnet/backend/cpu/kernels/matmul_i8/matmul_i8.h"
#include "bitnet/backend/cpu/kernels/pointwise/pointwise.h"
#include "bitnet/backend/cpu/kernels/quantizers/quantizers.h"
#include "bitnet/backend/cpu/kernels/reduce/reduce.h"
#include "bitnet/backend/cpu/kernels/rows/rows.h"
#include "bitnet/backend/cpu/matmul_pieces.h"
#include "bitnet/backend/cpu/self_test_checks.h"
#include "bitnet/base/half.h"

namespace bitnet::cpu::self_tests {
namespace {

// Odd, so that tails of vectors and of tiles occur.
constexpr std::int64_t kCount = 1037;

// Floats in (-2, 2), every sixteenth a zero, an infinity, a NaN, a denormal or far from 1.
std::vector<float> hard_floats(Random& random, std::int64_t count) {
  constexpr float odd[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-41f, 3e38f, -1e-30f, 70.0f};
  const Tensor plain = random_floats(random, count);
  std::vector<float> v(plain.as<float>(), plain.as<float>() + count);
  for (float& x : v)
    if (random() % 16 == 0) x = odd[random() % std::size(odd)];
  return v;
}

// c [m][n] by the definition of ops/matmul_args.h.
std::vector<float> product(const std::vector<float>& a, const std::vector<float>& b, std::int64_t m,
                           std::int64_t n, std::int64_t k) {
  std::vector<float> c(usize(m * n));
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j)
      for (std::int64_t begin = 0; begin < k; begin += kMatmulBlock) {
        float chain = 0.0f;
        for (std::int64_t t = begin; t < std::min(k, begin + kMatmulBlock); ++t)
          chain = std::fma(a[usize(i * k + t)], b[usize(t * n + j)], chain);
        float& sum = c[usize(i * n + j)];
        sum = begin == 0 ? chain : sum + chain;
      }
  return c;
}

}  // namespace

void check_pointwise(Checks& checks, Random& random) {
  const std::vector<float> x = hard_floats(random, kCount), y = hard_floats(random, kCount);
  std::vector<float> out(usize(kCount));
  std::vector<std::uint8_t> truth(usize(kCount));
  std::vector<std::uint16_t> halves(usize(kCount));
  check(checks, "pointwise", pointwise_kernels(), [&](PointwiseFn* table) {
    const PointwiseKernels run = table();
    Result result;
    for (int op = 0; op <= static_cast<int>(UnaryOp::clamp); ++op) {
      run.unary({x.data(), out.data(), kCount, static_cast<UnaryOp>(op), 0.1f, 0.7f});
      append_bits(result, out);
    }
    for (int op = 0; op <= static_cast<int>(BinaryOp::clamp_grad); ++op)
      for (const int step : {0, 1}) {
        run.binary({x.data(), y.data(), 1, step, out.data(), kCount, static_cast<BinaryOp>(op),
                    0.1f, 0.7f});
        append_bits(result, out);
      }
    for (int op = 0; op <= static_cast<int>(CompareOp::ge); ++op) {
      run.compare({x.data(), y.data(), 1, 1, truth.data(), kCount, static_cast<CompareOp>(op)});
      result.insert(result.end(), truth.begin(), truth.end());
    }
    run.where({truth.data(), x.data(), y.data(), 1, 1, out.data(), kCount});
    append_bits(result, out);
    for (const DType type : {DType::f16, DType::bf16}) {
      run.convert({x.data(), halves.data(), kCount, DType::f32, type});
      run.convert({halves.data(), out.data(), kCount, type, DType::f32});
      append_bits(result, out);
    }
    run.convert({truth.data(), out.data(), kCount, DType::i8, DType::f32});
    append_bits(result, out);
    return result;
  });
}

void check_reduce(Checks& checks, Random& random) {
  constexpr PieceOp ops[] = {PieceOp::sum,          PieceOp::sum_abs, PieceOp::sum_squares,
                             PieceOp::sum_centered, PieceOp::prod,    PieceOp::max,
                             PieceOp::min};
  const Tensor x = random_floats(random, kLaneRows * kCount),
               center = random_floats(random, kCount);
  const std::vector<float> hard = hard_floats(random, kCount);
  std::vector<float> acc(usize(kCount));
  check(checks, "reduce", reduce_kernels(), [&](ReduceFn* table) {
    const ReduceKernels run = table();
    Result result;
    for (const PieceOp op : ops) {
      for (const float* from : {x.as<float>(), hard.data()}) {
        const float whole = run.piece({from, kCount, op, 0.3f});
        append_bits(result, {&whole, 1});
      }
      for (const std::int64_t rows : {std::int64_t{1}, kLaneRows}) {
        std::copy(hard.begin(), hard.end(), acc.begin());
        run.columns({x.as<float>(), center.as<float>(), acc.data(), kCount, op, rows, kCount, 0});
        append_bits(result, acc);
      }
    }
    return result;
  });
}

void check_row_ops(Checks& checks, Random& random) {
  constexpr std::int64_t rows = 5, cols = 307;
  const Tensor x = random_floats(random, rows * cols), g = random_floats(random, rows * cols),
               weight = random_floats(random, cols), bias = random_floats(random, cols);
  const std::int64_t targets[rows] = {0, 306, kIgnoredTarget, 17, 17};
  std::vector<float> out(usize(rows * cols)), extra(out.size());
  check(checks, "rows", rows_kernels(), [&](RowsFn* run) {
    Result result;
    for (int op = 0; op <= static_cast<int>(RowOp::cross_entropy_grad); ++op) {
      std::fill(out.begin(), out.end(), 0.0f);
      std::fill(extra.begin(), extra.end(), 0.0f);
      run({static_cast<RowOp>(op), x.as<float>(), cols, g.as<float>(), cols, weight.as<float>(),
           bias.as<float>(), targets, out.data(), cols, extra.data(), rows, cols, 1e-5f});
      append_bits(result, out);
      append_bits(result, extra);
    }
    return result;
  });
}

void check_quantizers(Checks& checks, Random& random) {
  const Tensor x = random_floats(random, kCount), g = random_floats(random, kCount);
  const std::vector<float> hard = hard_floats(random, kCount);
  std::vector<float> out(usize(kCount));
  std::vector<std::uint8_t> codes(usize(kCount));
  std::vector<std::int8_t> integers(usize(kCount));
  check(checks, "quantizers", quantizers_kernels(), [&](QuantizerFn* table) {
    const QuantizerKernels run = table();
    const auto sum = std::bit_cast<std::uint64_t>(run.abs_sum(x.as<float>(), kCount));
    Result result{static_cast<std::uint32_t>(sum), static_cast<std::uint32_t>(sum >> 32)};
    run.ternary(x.as<float>(), kCount, 1.3f, codes.data());
    result.insert(result.end(), codes.begin(), codes.end());
    const Extremes extremes = run.extremes(hard.data(), kCount);
    append_bits(result, {&extremes.least, 1});
    append_bits(result, {&extremes.most, 1});
    for (const bool by_chance : {false, true}) {
      run.to_i8({hard.data(), integers.data(), kCount, 60.0f, by_chance ? 0.0f : 3.0f, -128.0f,
                 by_chance, 99, 1u << 20});
      for (const std::int8_t code : integers) result.push_back(static_cast<std::uint8_t>(code));
    }
    for (const bool relu : {false, true})
      for (const float* gradient : {static_cast<const float*>(nullptr), g.as<float>()}) {
        run.dropout({x.as<float>(), gradient, out.data(), kCount, 7, 5, 1u << 30, 2.0f, relu});
        append_bits(result, out);
      }
    return result;
  });
}

// Tiles of packed panels, tiles that read b where it lies, and both streams, of bf16 numbers that
// are f32 for some; a chain of 256 is left and begun again.
void check_matmul(Checks& checks, Random& random) {
  constexpr std::int64_t m = 31, n = 75, k = 300, few = 3;
  std::vector<float> a(usize(m * k)), b(usize(k * n));
  std::vector<std::uint16_t> halves(b.size()), turned(b.size());
  for (float& v : a) v = *random_floats(random, 1).as<float>();
  for (std::int64_t t = 0; t < k; ++t)
    for (std::int64_t j = 0; j < n; ++j) {
      const std::uint16_t half = f32_to_bf16(*random_floats(random, 1).as<float>());
      halves[usize(t * n + j)] = turned[usize(j * k + t)] = half;
      b[usize(t * n + j)] = bf16_to_f32(half);
    }
  const std::vector<float> c = product(a, b, m, n, k);
  Result expected;
  append_bits(expected, c);
  append_bits(expected, c);
  const std::vector<float> part_of_b(b.begin(), b.begin() + kMatmulChain * n);
  std::vector<float> part_of_a;
  for (std::int64_t i = 0; i < few; ++i)
    part_of_a.insert(part_of_a.end(), a.begin() + i * k, a.begin() + i * k + kMatmulChain);
  const std::vector<float> chains = product(part_of_a, part_of_b, few, n, kMatmulChain);
  append_bits(expected, chains);
  append_bits(expected, chains);
  check(checks, "matmul", matmul_kernels(), expected, [&](MatmulFn* table) {
    const MatmulKernels run = table();
    const auto* bytes_a = reinterpret_cast<const unsigned char*>(a.data());
    Tensor of_a = Tensor::allocate(DType::f32, {round_up(m, run.rows) * k + 16}),
           of_b = Tensor::allocate(DType::f32, {round_up(n, run.columns) * k + 16});
    float *panels_a = of_a.as_mutable<float>(), *panels_b = of_b.as_mutable<float>();
    for (std::int64_t i = 0; i < m; i += run.rows) {
      const std::int64_t high = std::min(run.rows, m - i);
      run.pack({bytes_a + i * k * 4, DType::f32, k * 4, 4, high, k, high, panels_a + i * k});
    }
    run.pack({reinterpret_cast<const unsigned char*>(halves.data()), DType::bf16, 2, n * 2, n, k,
              run.columns, panels_b});
    std::vector<float> out(usize(m * n)), loose(usize(m * n));
    for_tiles(m, run.rows, n, run.columns, false, out.data(), n, true,
              [&](auto i, auto j, auto high, float* to, auto stride) {
                run.tile[high]({panels_a + i * k, panels_b + j * k, k, to, stride, true});
              });
    const std::int64_t whole = n / run.columns * run.columns;
    for_tiles(m, run.rows, whole, run.columns, false, loose.data(), n, true,
              [&](auto i, auto j, auto high, float* to, auto stride) {
                run.loose_tile[high]({panels_a + i * k, b.data() + j, k, to, stride, true, n, 0});
              });
    for (std::int64_t i = 0; i < m; ++i)  // columns beyond the last whole tile are always packed
      std::copy(&out[usize(i * n + whole)], &out[usize(i * n)] + n, &loose[usize(i * n + whole)]);
    Result result;
    append_bits(result, out);
    append_bits(result, loose);
    const std::int64_t wide = round_up(n, 16);
    std::vector<float> part(usize(few * wide));
    run.stream({part_of_a.data(), kMatmulChain, reinterpret_cast<const unsigned char*>(b.data()),
                DType::f32, n * 4, few, n, kMatmulChain, part.data(), wide});
    for (std::int64_t i = 0; i < few; ++i)
      append_bits(result, std::span(part).subspan(usize(i * wide), usize(n)));
    std::vector<float> by_columns(usize(few * n));
    for (std::int64_t j = 0; j < n; j += 16) {
      const std::int64_t columns = std::min<std::int64_t>(16, n - j);
      float sums[few * 16] = {};
      run.transposed_stream({part_of_a.data(), kMatmulChain,
                             reinterpret_cast<const unsigned char*>(&turned[usize(j * k)]),
                             DType::bf16, k * 2, few, columns, kMatmulChain, sums});
      for (std::int64_t i = 0; i < few; ++i)
        std::copy_n(sums + 16 * i, columns, &by_columns[usize(i * n + j)]);
    }
    append_bits(result, by_columns);
    return result;
  });
}

void check_matmul_i8(Checks& checks, Random& random) {
  constexpr std::int64_t m = 37, n = 75, k = 301;
  std::vector<std::int8_t> a(usize(m * k)), b(usize(k * n));
  for (std::int8_t& v : a) v = static_cast<std::int8_t>(random() & 0xffu);
  for (std::int8_t& v : b) v = static_cast<std::int8_t>(random() & 0xffu);
  Result expected;
  for (std::int64_t i = 0; i < m; ++i)
    for (std::int64_t j = 0; j < n; ++j) {
      std::int32_t sum = 0;
      for (std::int64_t t = 0; t < k; ++t) sum += a[usize(i * k + t)] * b[usize(t * n + j)];
      expected.push_back(static_cast<std::uint32_t>(sum));
    }
  check(checks, "matmul_i8", matmul_i8_kernels(), expected, [&](MatmulI8Fn* table) {
    const MatmulI8Kernels run = table();
    const std::int64_t deep = round_up(k, run.group);
    Tensor of_a = Tensor::allocate(DType::i8, {round_up(m, run.rows) * deep * run.element}),
           of_b = Tensor::allocate(DType::i8, {round_up(n, run.columns) * deep * run.element}),
           corrections = Tensor::allocate(DType::i32, {round_up(n, run.columns)});
    auto *panels_a = of_a.as_mutable<std::int8_t>(), *panels_b = of_b.as_mutable<std::int8_t>();
    auto* const correction = corrections.as_mutable<std::int32_t>();
    for (std::int64_t i = 0; i < m; i += run.rows)
      run.pack_a({&a[usize(i * k)], k, 1, std::min(run.rows, m - i), k, run.rows,
                  panels_a + i * deep * run.element, nullptr});
    for (std::int64_t j = 0; j < n; j += run.columns)
      run.pack_b({&b[usize(j)], 1, n, std::min(run.columns, n - j), k, run.columns,
                  panels_b + j * deep * run.element, correction + j});
    std::vector<std::int32_t> out(usize(m * n));
    for_tiles(m, run.rows, n, run.columns, true, out.data(), n, true,
              [&](auto i, auto j, auto, std::int32_t* to, auto stride) {
                run.tile({panels_a + i * deep * run.element, panels_b + j * deep * run.element,
                          deep, correction + j, to, stride, true});
              });
    return Result(out.begin(), out.end());
  });
}

// One batch and kv head: 15 rows over 90 keys, the last 70 of what each may see.
void check_flash_attention(Checks& checks, Random& random) {
  constexpr std::int64_t group = 3, queries = 5, rows = queries * group, keys = 90, dim = 40,
                         value_dim = 24;
  const Tensor q = random_floats(random, rows * dim), k = random_floats(random, keys * dim),
               v = random_floats(random, keys * value_dim),
               dout = random_floats(random, rows * value_dim);
  std::vector<float> out(usize(rows * value_dim)), sums(usize(2 * kFlashRows)),
      dq(usize(rows * dim)), dk(usize(keys * dim)), dv(usize(keys * value_dim)), delta(usize(rows));
  std::vector<float> logsumexp(usize(rows), 4.0f);
  FlashAttentionArgs a{};
  a.batch = a.kv_heads = 1, a.heads = group, a.queries = queries, a.keys = keys;
  a.dim = dim, a.value_dim = value_dim, a.window = 70, a.causal = true, a.scale = 0.158f;
  a.q = {q.as<float>(), 0, queries * dim, dim}, a.k = {k.as<float>(), 0, 0, dim};
  a.v = {v.as<float>(), 0, 0, value_dim};
  a.out = {out.data(), 0, queries * value_dim, value_dim};
  a.logsumexp = {logsumexp.data(), 0, queries, 1};
  Tensor scratch =
      Tensor::allocate(DType::f32, {std::max(flash_forward_scratch_floats(rows, dim, value_dim),
                                             flash_backward_scratch_floats(dim, value_dim))});
  check(checks, "flash_attention", flash_forward_kernels(), [&](FlashForwardFn* run) {
    run({&a, 0, 0, 0, rows, FlashStep::whole, 0, nullptr, sums.data(),
         scratch.as_mutable<float>()});
    return bits_of(out);
  });
  const FlashAttentionBackwardArgs b{a,
                                     {dout.as<float>(), 0, queries * value_dim, value_dim},
                                     {dq.data(), 0, queries * dim, dim},
                                     {dk.data(), 0, 0, dim},
                                     {dv.data(), 0, 0, value_dim}};
  check(checks, "flash_attention_backward", flash_backward_kernels(), [&](FlashBackwardFn* run) {
    run({&b, 0, 0, false, 0, rows, delta.data(), scratch.as_mutable<float>()});
    run({&b, 0, 0, true, 0, keys, delta.data(), scratch.as_mutable<float>()});
    Result result;
    for (const auto* values : {&dq, &dk, &dv}) append_bits(result, *values);
    return result;
  });
}

}  // namespace bitnet::cpu::self_tests
