// SPDX-License-Identifier: MIT OR Apache-2.0
// Kernels of quantizers and dropout (formulas: ops/quantizer_args.h).
#pragma once

#include "bitnet/backend/cpu/kernel_table.h"
#include "bitnet/ops/quantizer_args.h"

namespace bitnet::cpu {

/// Of one group: x[0..count).
struct I8Run {
  const float* x;
  std::int8_t* codes;
  std::int64_t count;
  float scale;   // factor
  float offset;  // added after rounding
  float low;     // least code; the most is 127
  bool random;   // rounded by numbers first, first + 1, …
  std::uint64_t seed, first;
};

struct Extremes {
  float least, most;
};

struct QuantizerKernels {
  double (*abs_sum)(const float* x, std::int64_t count) noexcept;
  /// Codes 0..2, one in a byte.
  void (*ternary)(const float* x, std::int64_t count, float inverse, std::uint8_t* codes) noexcept;
  /// Of all x that are numbers; 0 where there is none.
  Extremes (*extremes)(const float* x, std::int64_t count) noexcept;
  void (*to_i8)(const I8Run&) noexcept;
  void (*dropout)(const DropoutArgs&) noexcept;
};
using QuantizerFn = const QuantizerKernels() noexcept;
QuantizerFn quantizers_reference, quantizers_avx2, quantizers_avx512, quantizers_neon;

std::span<const Kernel<QuantizerFn>> quantizers_kernels() noexcept;

/// Those of the ISA in use.
const QuantizerKernels& active_quantizers_kernels();

}  // namespace bitnet::cpu
