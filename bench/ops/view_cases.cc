// SPDX-License-Identifier: MIT OR Apache-2.0
// What a slice costs: a million of them for each call.
#include "bench/ops/harness.h"

namespace bench {

using namespace bitnet;

void view_cases(Harness& h) {
  if (h.threads() != 1) return;
  const Tensor t = random_tensor(DType::f32, {64, 64}, 17);
  const TensorView whole = t;
  h.run("a million slices",
        [&] {
          std::int64_t sum = 0;
          for (std::int64_t i = 0; i < 1'000'000; ++i) {
            const TensorView part = whole.slice(0, {i & 31, (i & 31) + 8});
            asm volatile("" ::"r"(&part) : "memory");
            sum += part.dim(0);
          }
          asm volatile("" ::"r"(sum));
        },
        {}, {"ms", 20.0});
}

}  // namespace bench
