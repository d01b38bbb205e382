// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/sketch/sketch.h"

#include <algorithm>

#include "bitnet/backend/cpu/kernels/kernel_testing.h"
#include "bitnet/base/half.h"
#include "bitnet/io/ggml_blocks.h"
#include "bitnet/ops/sketch.h"
#include "bitnet/ops/sketch_tiles.h"

namespace bitnet::cpu {
namespace {

using namespace sketch_tiles;

struct Result {
  std::vector<std::uint8_t> bytes, last;
  std::vector<float> squares;
};

// `stored`: rows of `dtype`.
Result run(SketchFn* kernel, DType dtype, const std::vector<std::uint8_t>& stored,
           std::int64_t rows, std::int64_t cols) {
  Guarded<std::uint8_t> in(stored);
  Guarded<std::uint8_t> out(std::vector<std::uint8_t>(usize(bytes(rows, cols)), 99));
  Guarded<std::uint8_t> last(std::vector<std::uint8_t>(usize(rows * last_row_bytes(cols)), 99));
  Guarded<float> squares(std::vector<float>(usize(SketchArgs::kSums * rows), 99.0f));
  kernel({in.data(), static_cast<std::int64_t>(stored.size()) / rows,
          static_cast<std::uint8_t>(dtype), out.data(), last.data(), squares.data(), rows, cols});
  return {out.copy(), last.copy(), squares.copy()};
}

std::vector<std::uint8_t> store(DType dtype, const std::vector<float>& values) {
  std::vector<std::uint8_t> bytes(values.size() * (dtype == DType::f32 ? 4 : 2));
  quantize_row(dtype, values, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

// What a sketch says of each weight, from the layout's description: [row][col] of the upper bits
// and of all.
struct Values {
  std::vector<double> upper, all;
};
Values values_of(const Result& made, std::int64_t rows, std::int64_t cols) {
  Values values{std::vector<double>(usize(rows * cols)), std::vector<double>(usize(rows * cols))};
  const std::vector<std::uint8_t>& sketch = made.bytes;
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < cols; ++c) {
      const std::uint8_t* tile =
          sketch.data() + r / kRows * strip_bytes(cols) + c / kPairColumns * kTileBytes;
      const std::int64_t block = c / kBlockColumns % 2, at = 32 * block + 2 * (r % kRows);
      const auto bits = static_cast<std::uint16_t>(tile[at] | tile[at + 1] << 8);
      const double d = static_cast<double>(f16_to_f32(bits));
      const int u = upper_at(tile + 64 + kBlockBytes * block, r % kRows, c % kBlockColumns);
      const std::uint8_t* last = made.last.data() + r * last_row_bytes(cols);
      values.upper[usize(r * cols + c)] = d * (2 * u - 31);
      values.all[usize(r * cols + c)] = d * (2 * u + (last[c / 8] >> c % 8 & 1) - 31.5);
      const std::uint8_t* again = last + 2 * pairs(cols) * kLastBitsBytes + c / kBlockColumns * 2;
      EXPECT_EQ(bits, again[0] | again[1] << 8) << "the half stands twice";
    }
  return values;
}

class Sketch : public KernelTest<SketchFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Sketch, ::testing::ValuesIn(sketch_kernels()),
                         kernel_name<SketchFn>);

TEST_P(Sketch, EqualsReference) {
  std::mt19937 rng(1);
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16})
    for (const std::int64_t cols : {32, 64, 96, 512, 2560})
      for (const float scale : {1e-6f, 0.02f, 1.0f, 30000.0f}) {
        const std::int64_t rows = cols == 96 ? 37 : 3;
        auto x = random_floats(rng, rows * cols);
        for (float& v : x) v *= scale;
        std::fill_n(x.begin() + cols, 32, 0.0f);
        const auto stored = store(dtype, x);
        const Result a = run(GetParam().run, dtype, stored, rows, cols);
        const Result b = run(sketch_reference, dtype, stored, rows, cols);
        ASSERT_EQ(a.bytes, b.bytes) << cols << " " << scale;
        ASSERT_EQ(a.last, b.last) << cols << " " << scale;
        ASSERT_TRUE(same_bits(a.squares, b.squares)) << cols << " " << scale;
      }
}

// Whatever is in the bytes: the sums are those of these bytes, read as the layout says.
TEST(SketchReference, SumsAreThoseOfWhatWasWritten) {
  std::mt19937 rng(2);
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16})
    for (const float scale : {1e-7f, 1e-3f, 1.0f, 1000.0f}) {
      const std::int64_t rows = 19, cols = 224;
      auto x = random_floats(rng, rows * cols);
      for (float& v : x) v *= scale;
      const auto stored = store(dtype, x);
      std::vector<float> w(x.size());
      dequantize_row(dtype, std::as_bytes(std::span(stored)), w);
      const Result r = run(sketch_reference, dtype, stored, rows, cols);
      const Values s = values_of(r, rows, cols);
      for (std::int64_t row = 0; row < rows; ++row) {
        double own = 0, sketch = 0, error = 0, last = 0;
        for (std::int64_t c = 0; c < cols; ++c) {
          const auto at = usize(row * cols + c);
          const double a = static_cast<double>(w[at]), b = s.upper[at], f = s.all[at];
          own += a * a;
          sketch += b * b;
          error += (a - b) * (a - b);
          last += (a - f) * (a - f);
        }
        const float* found = r.squares.data() + SketchArgs::kSums * row;
        EXPECT_NEAR(found[0], own, 1e-5 * own + 1e-36);
        EXPECT_NEAR(found[1], sketch, 1e-5 * sketch + 1e-36);
        EXPECT_NEAR(found[2], error, 1e-5 * error + 1e-36);
        EXPECT_NEAR(found[3], last, 1e-5 * last + 1e-36);
        if (scale >= 0.1f) {
          EXPECT_LT(error, 5e-3 * own) << "5 bits a weight";
          EXPECT_LT(last, 1.25e-3 * own) << "6 bits a weight";
        }
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

class SketchDot : public KernelTest<SketchDotFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, SketchDot, ::testing::ValuesIn(sketch_dot_kernels()),
                         kernel_name<SketchDotFn>);

// [tokens][rows]
std::vector<float> dots(SketchDotFn* kernel, const std::vector<std::uint8_t>& sketch,
                        const SketchInputs& x, std::int64_t rows) {
  std::vector<std::uint8_t> storage(sketch.size() + 64);
  std::uint8_t* aligned =
      storage.data() + (64 - reinterpret_cast<std::uintptr_t>(storage.data()) % 64) % 64;
  std::copy(sketch.begin(), sketch.end(), aligned);
  Guarded<float> out(std::vector<float>(usize(x.rows() * rows), 99.0f));
  kernel({aligned, x.values(), x.start(), x.scale(), out.data(), rows, rows, pairs(x.cols()),
          x.rows()});
  return out.copy();
}

// Within the bound that screening rests on, and the same bits as the definition.
TEST_P(SketchDot, IsTheDefinitionAndWithinItsBound) {
  std::mt19937 rng(3);
  for (const std::int64_t cols : {32, 64, 96, 640, 2560})
    for (const std::int64_t rows : {1, 16, 17, 50}) {
      const auto w = random_floats(rng, rows * cols);
      auto x = awkward_floats(rng, cols);
      for (float& v : x) v = std::fabs(v) > 100 ? 100.0f : v;
      const Result made = run(sketch_reference, DType::f32, store(DType::f32, w), rows, cols);
      const SketchInputs input({x.data(), 1, cols, cols});
      const auto found = dots(GetParam().run, made.bytes, input, rows);
      ASSERT_TRUE(same_bits(found, dots(sketch_dot_reference, made.bytes, input, rows)));
      const std::vector<double> s = values_of(made, rows, cols).upper;
      EXPECT_LT(input.error(0), 0.01 * input.length(0));
      for (std::int64_t r = 0; r < rows; ++r) {
        double exact = 0, length = 0;
        for (std::int64_t c = 0; c < cols; ++c) {
          const double v = s[usize(r * cols + c)];
          exact += v * static_cast<double>(x[usize(c)]);
          length += v * v;
        }
        const double bound = std::sqrt(length) * (input.error(0) * 1.001 + input.length(0) * 1e-5);
        EXPECT_NEAR(found[usize(r)], exact, bound) << rows << " x " << cols;
      }
    }
}

// Each token of several has the bits that it has alone, whatever the others are.
TEST_P(SketchDot, TokensSideBySideAreThoseAlone) {
  std::mt19937 rng(4);
  for (const std::int64_t cols : {32, 96, 640})
    for (std::int64_t tokens = 1; tokens <= SketchInputs::kMaxRows; ++tokens) {
      const std::int64_t rows = 16 * tokens + 5;
      const auto w = random_floats(rng, rows * cols);
      const Result made = run(sketch_reference, DType::f32, store(DType::f32, w), rows, cols);
      auto x = random_floats(rng, tokens * cols);
      for (std::int64_t t = 0; t < tokens; ++t)
        for (std::int64_t c = 0; c < cols; ++c) x[usize(t * cols + c)] *= 1.0f + 3.0f * float(t);
      x[usize((tokens / 2) * cols)] = INFINITY;  // of this token nothing is asked
      const auto together =
          dots(GetParam().run, made.bytes, SketchInputs({x.data(), tokens, cols, cols}), rows);
      for (std::int64_t t = 0; t < tokens; ++t) {
        if (t == tokens / 2) continue;
        const SketchInputs one({x.data() + t * cols, 1, cols, cols});
        const auto alone = dots(sketch_dot_reference, made.bytes, one, rows);
        ASSERT_TRUE(same_bits(std::span(together).subspan(usize(t * rows), usize(rows)), alone))
            << cols << " columns, token " << t << " of " << tokens;
      }
    }
}

// The largest sums there are: int32 and float hold them exactly.
TEST_P(SketchDot, Extremes) {
  for (const float sign : {-1.0f, 1.0f}) {
    const std::int64_t rows = 16, cols = 128;
    const std::vector<float> w(usize(rows * cols), 31.5f * sign), x(usize(3 * cols), 1.0f);
    const Result made = run(sketch_reference, DType::f32, store(DType::f32, w), rows, cols);
    for (const float y :
         dots(GetParam().run, made.bytes, SketchInputs({x.data(), 3, cols, cols}), rows))
      EXPECT_NEAR(y, 31.0f * sign * static_cast<float>(cols), 0.01f);
  }
}

class SketchRefine : public KernelTest<SketchRefineFn> {};
INSTANTIATE_TEST_SUITE_P(Kernels, SketchRefine, ::testing::ValuesIn(sketch_refine_kernels()),
                         kernel_name<SketchRefineFn>);

// The products of all bits, and the definition's bits; what is not named stays.
TEST_P(SketchRefine, MakesProductsThoseOfAllBits) {
  std::mt19937 rng(5);
  for (const std::int64_t cols : {32, 64, 96, 640, 2560})
    for (const std::int64_t rows : {1, 17, 50}) {
      constexpr std::int64_t kTokens = 3;
      const auto w = random_floats(rng, rows * cols), x = random_floats(rng, kTokens * cols);
      const Result made = run(sketch_reference, DType::f32, store(DType::f32, w), rows, cols);
      const SketchInputs input({x.data(), kTokens, cols, cols});
      const auto before = dots(sketch_dot_reference, made.bytes, input, rows);
      std::vector<SketchRefineArgs::Place> places;
      for (std::int32_t r = 0; r < rows; ++r)
        for (std::int32_t t = 0; t < kTokens; ++t)
          if (rng() % 3) places.push_back({r, t});
      const auto refined = [&](SketchRefineFn* kernel) {
        Guarded<float> out(before);
        Guarded<std::uint8_t> last(made.last);
        kernel({last.data(), places.data(), input.floats(), input.scale(), out.data(), rows,
                static_cast<std::int64_t>(places.size()), pairs(cols)});
        return out.copy();
      };
      const auto found = refined(GetParam().run);
      ASSERT_TRUE(same_bits(found, refined(sketch_refine_reference))) << rows << " x " << cols;
      const std::vector<double> f = values_of(made, rows, cols).all;
      for (std::int32_t r = 0; r < rows; ++r)
        for (std::int32_t t = 0; t < kTokens; ++t) {
          const auto at = usize(t * rows + r);
          if (std::find(places.begin(), places.end(), SketchRefineArgs::Place{r, t}) ==
              places.end()) {
            EXPECT_EQ(found[at], before[at]);
            continue;
          }
          double exact = 0, length = 0;
          for (std::int64_t c = 0; c < cols; ++c) {
            const double v = f[usize(r * cols + c)];
            exact += v * static_cast<double>(x[usize(t * cols + c)]);
            length += v * v;
          }
          const double bound =
              std::sqrt(length) * (input.error(t) * 1.001 + input.length(t) * 1e-5);
          EXPECT_NEAR(found[at], exact, bound) << rows << " x " << cols;
        }
    }
}

}  // namespace
}  // namespace bitnet::cpu
