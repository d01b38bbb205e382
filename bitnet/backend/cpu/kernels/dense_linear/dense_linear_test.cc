// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear.h"

#include "bitnet/backend/cpu/cpu_ops.h"
#include "bitnet/backend/cpu/kernels/kernel_testing.h"
#include "bitnet/base/half.h"
#include "bitnet/io/ggml_blocks.h"
#include "bitnet/tensor/dtype.h"

namespace bitnet::cpu {
namespace {

constexpr DType kTypes[] = {DType::f32,  DType::f16,  DType::bf16,
                            DType::q8_0, DType::q4_0, DType::q6_k};

std::int64_t bytes_of(DType type, std::int64_t cols) {
  return static_cast<std::int64_t>(row_bytes(type, cols).value());
}

// Rows of any bits, the block scales d kept to halves of ordinary size or denormal.
std::vector<std::uint8_t> random_rows(std::mt19937& rng, DType type, std::int64_t rows,
                                      std::int64_t cols) {
  std::vector<std::uint8_t> bytes(usize(rows * bytes_of(type, cols)));
  const auto put_half = [&](std::size_t at, std::uint16_t h) {
    bytes[at] = static_cast<std::uint8_t>(h);
    bytes[at + 1] = static_cast<std::uint8_t>(h >> 8);
  };
  if (type == DType::f32 || type == DType::f16 || type == DType::bf16) {
    const auto values = awkward_floats(rng, rows * cols);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (type == DType::f32)
        __builtin_memcpy(&bytes[i * 4], &values[i], 4);
      else
        put_half(i * 2, type == DType::f16 ? f32_to_f16(std::fmod(values[i], 60000.0f))
                                           : f32_to_bf16(values[i]));
    return bytes;
  }
  for (auto& b : bytes) b = static_cast<std::uint8_t>(rng());
  const auto block = usize(info(type).block_bytes);
  const std::size_t at = type == DType::q6_k ? 208 : 0;
  std::normal_distribution<float> normal;
  for (std::size_t b = 0; b < bytes.size(); b += block)
    put_half(b + at, rng() % 8 == 0 ? std::uint16_t{0x8003} : f32_to_f16(normal(rng)));
  return bytes;
}

std::vector<float> decoded(DType type, const std::vector<std::uint8_t>& rows, std::int64_t count,
                           std::int64_t cols) {
  std::vector<float> out(usize(count * cols));
  const auto bytes = usize(bytes_of(type, cols));
  for (std::size_t r = 0; r < usize(count); ++r)
    dequantize_row(type, std::as_bytes(std::span(rows)).subspan(r * bytes, bytes),
                   std::span(out).subspan(r * usize(cols), usize(cols)));
  return out;
}

// The definition, written down a second time.
float dot16(const float* a, const float* b, std::int64_t n) {
  float lane[16] = {};
  for (std::int64_t k = 0; k < (n + 15) / 16 * 16; ++k)
    lane[k % 16] = std::fma(k < n ? a[k] : 0.0f, k < n ? b[k] : 0.0f, lane[k % 16]);
  for (int width = 8; width > 0; width /= 2)
    for (int l = 0; l < width; ++l) lane[l] += lane[l + width];
  return lane[0];
}

struct Case {
  DType type;
  std::int64_t rows, cols, tokens;
  std::vector<std::uint8_t> weights;
  std::vector<float> x;

  Case(std::mt19937& rng, DType dtype, std::int64_t r, std::int64_t c, std::int64_t t)
      : type(dtype),
        rows(r),
        cols(c),
        tokens(t),
        weights(random_rows(rng, dtype, r, c)),
        x(awkward_floats(rng, t * c)) {}

  DenseLinearArgs args(const void* w, const float* in, float* out, float* scratch) const {
    return {w,
            bytes_of(type, cols),
            static_cast<std::uint8_t>(type),
            in,
            cols,
            out,
            rows,
            rows,
            cols,
            tokens,
            scratch};
  }
  std::vector<float> run(DenseLinearFn* kernel) const {
    Guarded<std::uint8_t> w(weights);
    Guarded<float> in(x), out(usize(tokens * rows));
    Guarded<float> scratch(usize(dense_linear_scratch_floats(cols)));
    kernel(args(w.data(), in.data(), out.data(), scratch.data()));
    return out.copy();
  }
  std::vector<float> expected() const {
    const auto w = decoded(type, weights, rows, cols);
    std::vector<float> out(usize(tokens * rows));
    for (std::int64_t t = 0; t < tokens; ++t)
      for (std::int64_t r = 0; r < rows; ++r)
        out[usize(t * rows + r)] = dot16(&w[usize(r * cols)], &x[usize(t * cols)], cols);
    return out;
  }
};

std::vector<std::int64_t> columns_for(DType type) {
  const std::int64_t block = info(type).block_elements;
  if (block > 1) return {block, 3 * block};
  return {1, 5, 15, 16, 17, 31, 32, 33, 100, 256};
}

class DenseLinear : public KernelTest<DenseLinearFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, DenseLinear, ::testing::ValuesIn(dense_linear_kernels()),
                         kernel_name<DenseLinearFn>);

TEST_P(DenseLinear, IsTheDefinitionBitForBit) {
  std::mt19937 rng(1);
  for (const DType type : kTypes)
    for (const std::int64_t cols : columns_for(type))
      for (const std::int64_t tokens : {1, 2, 3, 4, 9})
        for (const std::int64_t rows : {1, 7, 25, 61}) {
          const Case c(rng, type, rows, cols, tokens);
          ASSERT_TRUE(same_bits(c.run(GetParam().run), c.expected()))
              << info(type).name << " rows " << rows << " cols " << cols << " tokens " << tokens;
        }
}

TEST_P(DenseLinear, WeightsMayBeginAtAnyTwoBytes) {
  std::mt19937 rng(2);
  for (const DType type : kTypes) {
    const Case c(rng, type, 30, 256, 5);
    std::vector<float> out(usize(c.tokens * c.rows)),
        scratch(usize(dense_linear_scratch_floats(c.cols)));
    Guarded<std::uint8_t> room(c.weights.size() + 2);
    std::copy(c.weights.begin(), c.weights.end(), room.data());
    GetParam().run(c.args(room.data(), c.x.data(), out.data(), scratch.data()));
    EXPECT_TRUE(same_bits(out, c.expected())) << info(type).name;
  }
}

TEST_P(DenseLinear, InfinityAndNanComeThrough) {
  const std::vector<float> w{1, INFINITY, 1, NAN, 1, 2}, x{1, 1};
  std::vector<float> out(3);
  GetParam().run({w.data(), 8, static_cast<std::uint8_t>(DType::f32), x.data(), 2, out.data(), 3, 3,
                  2, 1, nullptr});
  EXPECT_TRUE(same_bits(out, std::vector<float>{INFINITY, NAN, 3}));
}

class Embed : public KernelTest<EmbedFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Embed, ::testing::ValuesIn(embed_kernels()),
                         kernel_name<EmbedFn>);

TEST_P(Embed, IsTheRowConvertedAsIoDefines) {
  std::mt19937 rng(3);
  for (const DType type : kTypes)
    for (const std::int64_t cols : columns_for(type)) {
      const std::vector<std::int32_t> ids{4, 0, 4, 2};
      const auto rows = random_rows(rng, type, 5, cols);
      const auto all = decoded(type, rows, 5, cols);
      Guarded<std::uint8_t> w(rows);
      Guarded<float> out(ids.size() * usize(cols));
      GetParam().run({w.data(), bytes_of(type, cols), static_cast<std::uint8_t>(type), ids.data(),
                      out.data(), cols, cols, 4});
      for (std::size_t t = 0; t < ids.size(); ++t)
        ASSERT_TRUE(same_bits(std::span<const float>(out.data() + t * usize(cols), usize(cols)),
                              std::span(all).subspan(usize(ids[t]) * usize(cols), usize(cols))))
            << info(type).name << " " << cols;
    }
}

TEST(DenseLinearReference, IsNearTheSumInDouble) {
  std::mt19937 rng(4);
  for (const DType type : kTypes) {
    Case c(rng, type, 11, 2560, 2);
    c.x = random_floats(rng, c.tokens * c.cols);
    const auto w = decoded(type, c.weights, c.rows, c.cols);
    const auto out = c.run(dense_linear_reference);
    for (std::int64_t t = 0; t < c.tokens; ++t)
      for (std::int64_t r = 0; r < c.rows; ++r) {
        double sum = 0, magnitude = 0;
        for (std::int64_t k = 0; k < c.cols; ++k) {
          const double term = double{w[usize(r * c.cols + k)]} * c.x[usize(t * c.cols + k)];
          sum += term;
          magnitude += std::abs(term);
        }
        // A term passes through at most 2560 / 16 + 4 roundings.
        EXPECT_NEAR(out[usize(t * c.rows + r)], sum, 164 * 0x1p-24 * magnitude) << info(type).name;
      }
  }
}

TEST(DenseLinearOps, DoNotDependOnThreadsNorOnBatching) {
  std::mt19937 rng(5);
  for (const DType type : kTypes) {
    const Case c(rng, type, 205, 768, 13);
    const auto expected = c.expected();
    for (const int threads : {1, 2, 3, 7}) {
      ThreadPool pool(threads);
      std::vector<float> out(expected.size());
      const DenseLinearArgs all = c.args(c.weights.data(), c.x.data(), out.data(), nullptr);
      dense_linear(all, pool);
      EXPECT_TRUE(same_bits(out, expected)) << threads;
      std::fill(out.begin(), out.end(), 0.0f);
      for (std::int64_t t = 0; t < c.tokens; ++t) {
        DenseLinearArgs one = all;
        one.x += t * c.cols;
        one.out += t * c.rows;
        one.tokens = 1;
        dense_linear(one, pool);
      }
      EXPECT_TRUE(same_bits(out, expected)) << threads;
    }
  }
}

TEST(EmbedOp, DoesNotDependOnThreads) {
  std::mt19937 rng(6);
  const auto rows = random_rows(rng, DType::q6_k, 9, 1024);
  const auto all = decoded(DType::q6_k, rows, 9, 1024);
  std::vector<std::int32_t> ids(60);
  for (auto& id : ids) id = static_cast<std::int32_t>(rng() % 9);
  for (const int threads : {1, 2, 3, 7}) {
    ThreadPool pool(threads);
    std::vector<float> out(ids.size() * 1024);
    embed({rows.data(), bytes_of(DType::q6_k, 1024), static_cast<std::uint8_t>(DType::q6_k),
           ids.data(), out.data(), 1024, 1024, 60},
          pool);
    for (std::size_t t = 0; t < ids.size(); ++t)
      ASSERT_TRUE(same_bits(std::span(out).subspan(t * 1024, 1024),
                            std::span(all).subspan(usize(ids[t]) * 1024, 1024)));
  }
}

}  // namespace
}  // namespace bitnet::cpu
