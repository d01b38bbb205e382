// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/sketch/sketch.h"

#include "bitnet/backend/cpu/kernels/kernel_testing.h"
#include "bitnet/io/ggml_blocks.h"

namespace bitnet::cpu {
namespace {

struct Result {
  std::vector<std::uint8_t> bytes;
  std::vector<float> squares;
};

// `stored`: rows of `dtype`.
Result run(SketchFn* kernel, DType dtype, const std::vector<std::uint8_t>& stored,
           std::int64_t rows, std::int64_t cols) {
  const std::int64_t out_bytes = cols / 32 * 34;
  Guarded<std::uint8_t> in(stored);
  Guarded<std::uint8_t> out(std::vector<std::uint8_t>(usize(rows * out_bytes), 99));
  Guarded<float> squares(std::vector<float>(usize(3 * rows), 99.0f));
  kernel({in.data(), static_cast<std::int64_t>(stored.size()) / rows,
          static_cast<std::uint8_t>(dtype), out.data(), out_bytes, squares.data(), rows, cols});
  return {out.copy(), squares.copy()};
}

std::vector<std::uint8_t> store(DType dtype, const std::vector<float>& values) {
  std::vector<std::uint8_t> bytes(values.size() * (dtype == DType::f32 ? 4 : 2));
  quantize_row(dtype, values, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

class Sketch : public KernelTest<SketchFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Sketch, ::testing::ValuesIn(sketch_kernels()),
                         kernel_name<SketchFn>);

TEST_P(Sketch, EqualsReference) {
  std::mt19937 rng(1);
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16})
    for (const std::int64_t cols : {32, 64, 96, 512, 2560})
      for (const float scale : {1e-6f, 0.02f, 1.0f, 30000.0f}) {
        auto x = random_floats(rng, 3 * cols);
        for (float& v : x) v *= scale;
        std::fill_n(x.begin() + cols, 32, 0.0f);
        const auto stored = store(dtype, x);
        const Result a = run(GetParam().run, dtype, stored, 3, cols);
        const Result b = run(sketch_reference, dtype, stored, 3, cols);
        ASSERT_EQ(a.bytes, b.bytes) << cols << " " << scale;
        ASSERT_TRUE(same_bits(a.squares, b.squares)) << cols << " " << scale;
      }
}

// Whatever is in the bytes: the sums are those of these bytes, read by the format's definition.
TEST(SketchReference, SumsAreThoseOfWhatWasWritten) {
  std::mt19937 rng(2);
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16})
    for (const float scale : {1e-7f, 1e-3f, 1.0f, 1000.0f}) {
      const std::int64_t cols = 640;
      auto x = random_floats(rng, cols);
      for (float& v : x) v *= scale;
      const auto stored = store(dtype, x);
      std::vector<float> w(x.size()), s(x.size());
      dequantize_row(dtype, std::as_bytes(std::span(stored)), w);
      const Result r = run(sketch_reference, dtype, stored, 1, cols);
      dequantize_row(DType::q8_0, std::as_bytes(std::span(r.bytes)), s);
      double own = 0, sketch = 0, error = 0;
      for (std::size_t i = 0; i < w.size(); ++i) {
        const double a = static_cast<double>(w[i]), b = static_cast<double>(s[i]);
        own += a * a;
        sketch += b * b;
        error += (a - b) * (a - b);
      }
      EXPECT_NEAR(r.squares[0], own, 1e-5 * own + 1e-36);
      EXPECT_NEAR(r.squares[1], sketch, 1e-5 * sketch + 1e-36);
      EXPECT_NEAR(r.squares[2], error, 1e-5 * error + 1e-36);
      if (scale >= 0.1f) {
        EXPECT_LT(error, 1e-4 * own) << "8 bits a weight";
      }
    }
}

TEST(SketchReference, WhatIsNoNumberIsSeenInTheSums) {
  for (const float bad : {INFINITY, -INFINITY, NAN}) {
    std::vector<float> x(64, 1.0f);
    x[40] = bad;
    const Result r = run(sketch_reference, DType::f32, store(DType::f32, x), 1, 64);
    EXPECT_FALSE(std::isfinite(r.squares[0]));
  }
}

}  // namespace
}  // namespace bitnet::cpu
