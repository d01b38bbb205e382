// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/kernels/quantizers/quantizers.h"

#include "bitnet/backend/cpu/kernels/kernel_testing.h"
#include "bitnet/base/philox.h"
#include "bitnet/ternary/absmean.h"
#include "bitnet/ternary/block128.h"

namespace bitnet::cpu {
namespace {

class QuantizerKernel : public KernelTest<QuantizerFn> {
 protected:
  QuantizerKernels kernels_ = GetParam().run();
  std::mt19937 rng_{1};
};
INSTANTIATE_TEST_SUITE_P(Kernels, QuantizerKernel, ::testing::ValuesIn(quantizers_kernels()),
                         kernel_name<QuantizerFn>);

constexpr std::int64_t kCounts[] = {1, 7, 15, 16, 17, 33, 100, 1000};

TEST_P(QuantizerKernel, SumsAndCodesAreThoseOfAbsmean) {
  for (const std::int64_t count : kCounts) {
    std::vector<float> values = random_floats(rng_, count);
    for (float& v : values)
      if (rng_() % 4 == 0) v = float(int(rng_() % 9) - 4) * 0.5f;  // halves are ties
    Guarded<float> x(values);
    EXPECT_EQ(kernels_.abs_sum(x.data(), count), absmean::row_sum(values));
    for (const float gamma : {1.0f, 0.7f, 1e-5f}) {
      Guarded<std::uint8_t> codes(usize(count));
      kernels_.ternary(x.data(), count, 1.0f / gamma, codes.data());
      std::vector<std::uint8_t> packed(usize(block128::row_bytes(count))), expected(usize(count));
      absmean::quantize_row(values, gamma, packed.data());
      block128::unpack_codes(packed.data(), count, expected.data());
      ASSERT_EQ(codes.copy(), expected) << count;
    }
  }
}

TEST_P(QuantizerKernel, ExtremesLeaveNaNOut) {
  for (const std::int64_t count : kCounts) {
    std::vector<float> values = awkward_floats(rng_, count);
    values[rng_() % values.size()] = NAN;
    float low = 0, high = 0;
    bool any = false;
    for (const float v : values) {
      if (std::isnan(v)) continue;
      low = any ? std::min(low, v) : v;
      high = any ? std::max(high, v) : v;
      any = true;
    }
    Guarded<float> x(values);
    const Extremes got = kernels_.extremes(x.data(), count);
    EXPECT_EQ(got.least, low);
    EXPECT_EQ(got.most, high);
  }
}

TEST_P(QuantizerKernel, IntegersAreRoundedAsTheFormulaSays) {
  for (const std::int64_t count : kCounts)
    for (const bool random : {false, true}) {
      std::vector<float> values = awkward_floats(rng_, count);
      for (float& v : values)
        if (rng_() % 9 == 0) v = float(int(rng_() % 300) - 150) * 0.5f;
      values[rng_() % values.size()] = NAN;
      Guarded<float> x(values);
      Guarded<std::int8_t> codes(usize(count));
      const std::uint64_t first = rng_();
      kernels_.to_i8(
          {x.data(), codes.data(), count, 1.0f, random ? 0.0f : 3.0f, -128.0f, random, 99, first});
      for (std::int64_t i = 0; i < count; ++i) {
        float y = std::isnan(values[usize(i)]) ? 0.0f : values[usize(i)];
        if (random)
          y = std::floor(y + float(philox_at(99, first + std::uint64_t(i)) >> 8) * 0x1p-24f);
        else
          y = std::nearbyint(y) + 3.0f;
        ASSERT_EQ(codes.data()[i], std::int8_t(std::clamp(y, -128.0f, 127.0f))) << values[usize(i)];
      }
    }
}

TEST_P(QuantizerKernel, DropoutTakesTheNumbersOfItsElements) {
  for (const std::int64_t count : kCounts)
    for (const bool relu : {false, true})
      for (const bool backward : {false, true}) {
        Guarded<float> x(random_floats(rng_, count)), g(random_floats(rng_, count)),
            out(usize(count));
        const std::uint64_t first = (std::uint64_t{rng_()} << 20) + rng_();  // counters beyond 2^32
        const std::uint32_t threshold = 1u << 30;
        kernels_.dropout({x.data(), backward ? g.data() : nullptr, out.data(), count, 7, first,
                          threshold, 2.0f, relu});
        for (std::int64_t i = 0; i < count; ++i) {
          const float value = x.data()[i];
          float y = relu ? std::max(value, 0.0f) : value;
          if (backward) y = relu && value <= 0 ? 0.0f : g.data()[i];
          const bool kept = philox_at(7, first + std::uint64_t(i)) >= threshold;
          ASSERT_EQ(out.data()[i], kept ? y * 2.0f : 0.0f);
        }
      }
}

}  // namespace
}  // namespace bitnet::cpu
