// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/matmul/matmul.h"

#include <cstring>

#include "bitnet/backend/cpu/kernels/kernel_testing.h"
#include "bitnet/base/half.h"

namespace bitnet::cpu {
namespace {

class Matmul : public KernelTest<MatmulFn> {
 protected:
  MatmulKernels kernels_ = GetParam().run();
  std::mt19937 rng_{1};
};
INSTANTIATE_TEST_SUITE_P(Kernels, Matmul, ::testing::ValuesIn(matmul_kernels()),
                         kernel_name<MatmulFn>);

// Both orders of storage, every type, memory that ends where the last element does.
TEST_P(Matmul, PanelsHoldTheElementsAndZeros) {
  for (const DType dtype : {DType::f32, DType::bf16, DType::f16})
    for (const bool across : {false, true})
      for (const std::int64_t width : {kernels_.rows, kernels_.columns})
        for (std::int64_t count = 1; count <= width; count += 3)
          for (const std::int64_t depth : {1, 15, 16, 17, 40}) {
            const std::int64_t size = dtype == DType::f32 ? 4 : 2;
            const std::int64_t step = across ? (depth + 3) * size : size;
            const std::int64_t depth_step = across ? size : (count + 5) * size;
            const std::int64_t bytes = (count - 1) * step + (depth - 1) * depth_step + size;
            Guarded<unsigned char> from(usize(bytes));
            for (std::int64_t i = 0; i < bytes; ++i) from.data()[i] = (unsigned char)(rng_() % 60);
            const std::int64_t panels = (count + width - 1) / width;
            std::vector<float> panel(usize(panels * depth * width + 16), -1.0f);
            kernels_.pack(
                {from.data(), dtype, step, depth_step, count, depth, width, panel.data()});
            for (std::int64_t k = 0; k < depth; ++k)
              for (std::int64_t i = 0; i < panels * width; ++i) {
                const unsigned char* at = from.data() + i * step + k * depth_step;
                float expected = 0.0f;
                std::uint16_t half = 0;
                if (i < count && size == 4) std::memcpy(&expected, at, 4);
                if (i < count && size == 2) {
                  std::memcpy(&half, at, 2);
                  expected = dtype == DType::f16 ? f16_to_f32(half) : bf16_to_f32(half);
                }
                ASSERT_EQ(panel[usize(i / width * depth * width + k * width + i % width)], expected)
                    << across << count << " " << depth;
              }
          }
}

TEST_P(Matmul, TilesAreChainsOf256WhoseSumsAreAdded) {
  const std::int64_t columns = kernels_.columns;
  for (std::int64_t rows = 1; rows <= kernels_.rows; ++rows)
    for (const std::int64_t depth : {1, 2, 255, 256, 257, 512, 700})
      for (const bool first : {true, false}) {
        const auto a = random_floats(rng_, depth * rows), b = random_floats(rng_, depth * columns);
        const auto before = random_floats(rng_, rows * columns);
        Guarded<float> out(before), other(before);
        kernels_.tile[rows]({a.data(), b.data(), depth, out.data(), columns, first});
        // The same where it lies: rows of b with a gap, what is read ahead beyond the end.
        const std::int64_t step = columns + 5;
        Guarded<float> loose(usize((depth - 1) * step + columns));
        for (std::int64_t k = 0; k < depth; ++k)
          std::copy_n(&b[usize(k * columns)], columns, loose.data() + k * step);
        kernels_.loose_tile[rows](
            {a.data(), loose.data(), depth, other.data(), columns, first, step, columns});
        ASSERT_TRUE(same_bits(out.copy(), other.copy())) << rows << " " << depth;
        for (std::int64_t r = 0; r < rows; ++r)
          for (std::int64_t c = 0; c < columns; ++c) {
            float total = before[usize(r * columns + c)];
            bool nothing = first;
            for (std::int64_t k = 0; k < depth; k += 256) {
              float sum = 0.0f;
              for (std::int64_t t = k; t < std::min(depth, k + 256); ++t)
                sum = std::fma(a[usize(t * rows + r)], b[usize(t * columns + c)], sum);
              total = nothing ? sum : total + sum;
              nothing = false;
            }
            ASSERT_EQ(out.data()[r * columns + c], total) << depth;
          }
      }
}

TEST_P(Matmul, StreamsAreTheSameChains) {
  for (const DType dtype : {DType::f32, DType::bf16})
    for (std::int64_t rows = 1; rows <= 4; ++rows)
      for (const std::int64_t columns : {1, 15, 16, 17, 50})
        for (const std::int64_t depth : {1, 7, 16, 31, 256}) {
          const std::int64_t size = dtype == DType::f32 ? 4 : 2;
          const auto a = random_floats(rng_, rows * depth);
          const auto value = [&](std::int64_t k, std::int64_t j) {
            return bf16_to_f32(f32_to_bf16(std::sin(float(k * 131 + j * 17))));
          };
          const auto put = [&](unsigned char* at, float v) {
            const std::uint16_t half = f32_to_bf16(v);
            if (size == 4)
              std::memcpy(at, &v, 4);
            else
              std::memcpy(at, &half, 2);
          };
          Guarded<unsigned char> plain(usize(depth * columns * size)),
              turned(usize(depth * columns * size));
          for (std::int64_t k = 0; k < depth; ++k)
            for (std::int64_t j = 0; j < columns; ++j) {
              put(plain.data() + (k * columns + j) * size, value(k, j));
              put(turned.data() + (j * depth + k) * size, value(k, j));
            }
          const std::int64_t wide = (columns + 15) / 16 * 16;
          const auto before = random_floats(rng_, rows * wide);
          auto part = before;
          kernels_.stream({a.data(), depth, plain.data(), dtype, columns * size, rows, columns,
                           depth, part.data(), wide});
          std::vector<float> other(usize(rows * 16));
          for (std::int64_t j = 0; j < columns; j += 16) {
            for (std::int64_t r = 0; r < rows; ++r)
              std::copy_n(&before[usize(r * wide + j)], 16, &other[usize(16 * r)]);
            kernels_.transposed_stream({a.data(), depth, turned.data() + j * depth * size, dtype,
                                        depth * size, rows, std::min<std::int64_t>(16, columns - j),
                                        depth, other.data()});
            for (std::int64_t r = 0; r < rows; ++r)
              for (std::int64_t c = j; c < std::min(columns, j + 16); ++c) {
                float sum = before[usize(r * wide + c)];
                for (std::int64_t k = 0; k < depth; ++k)
                  sum = std::fma(a[usize(r * depth + k)], value(k, c), sum);
                ASSERT_EQ(part[usize(r * wide + c)], sum);
                ASSERT_EQ(other[usize(16 * r + c - j)], sum);
              }
          }
        }
}

}  // namespace
}  // namespace bitnet::cpu
