// SPDX-License-Identifier: MIT OR Apache-2.0
// What the self tests of all families share: random numbers, results as bits, the comparison.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/backend/cpu/self_test.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet::cpu::self_tests {

using Checks = std::vector<KernelCheck>;
using Random = std::mt19937;
using Result = std::vector<std::uint32_t>;

inline std::size_t usize(std::int64_t n) { return static_cast<std::size_t>(n); }

/// 64-byte aligned floats in (-2, 2).
inline Tensor random_floats(Random& random, std::int64_t count) {
  Tensor t = Tensor::allocate(DType::f32, {count});
  float* values = t.as_mutable<float>();
  for (std::int64_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(static_cast<std::int32_t>(random())) * 0x1p-30f;
  return t;
}

/// All NaN are one: IEEE 754 leaves sign and payload open.
inline void append_bits(Result& result, std::span<const float> values) {
  for (const float v : values)
    result.push_back(std::isnan(v) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(v));
}

inline Result bits_of(std::span<const float> values) {
  Result bits;
  append_bits(bits, values);
  return bits;
}

/// Runs each row of a table that this CPU has and compares with `expected`.
template <class Fn, class Run>
void check(Checks& checks, std::string_view family, std::span<const Kernel<Fn>> table,
           const Result& expected, const Run& run) {
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

/// The same, where the last row of the table is the definition.
template <class Fn, class Run>
void check(Checks& checks, std::string_view family, std::span<const Kernel<Fn>> table,
           const Run& run) {
  check(checks, family, table, run(table.back().run), run);
}

// Families of ops on views.
void check_pointwise(Checks& checks, Random& random);
void check_reduce(Checks& checks, Random& random);
void check_row_ops(Checks& checks, Random& random);
void check_quantizers(Checks& checks, Random& random);
void check_matmul(Checks& checks, Random& random);
void check_matmul_i8(Checks& checks, Random& random);
void check_flash_attention(Checks& checks, Random& random);

}  // namespace bitnet::cpu::self_tests
