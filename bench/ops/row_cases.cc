// SPDX-License-Identifier: MIT OR Apache-2.0
// Softmax and norms over rows against plain loops; compare.py puts numpy beside them.
#include <cmath>

#include "bench/ops/harness.h"
#include "bitnet/ops/rows.h"

namespace bench {
namespace {

using namespace bitnet;

void plain_softmax(const float* x, float* y, std::int64_t n) {
  float most = x[0], sum = 0;
  for (std::int64_t i = 0; i < n; ++i) most = x[i] > most ? x[i] : most;
  for (std::int64_t i = 0; i < n; ++i) sum += y[i] = std::exp(x[i] - most);
  for (std::int64_t i = 0; i < n; ++i) y[i] /= sum;
}

void plain_norm(const float* x, const float* w, float* y, std::int64_t n, bool centered) {
  float mean = 0, squares = 0;
  if (centered) {
    for (std::int64_t i = 0; i < n; ++i) mean += x[i];
    mean /= float(n);
  }
  for (std::int64_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const float r = 1 / std::sqrt(squares / float(n) + 1e-5f);
  for (std::int64_t i = 0; i < n; ++i) y[i] = (x[i] - mean) * r * w[i];
}

}  // namespace

void row_cases(Harness& h) {
  const auto c = h.runtime.context();
  for (const std::int64_t cols : {2560, 128256}) {
    const std::int64_t rows = h.quick() ? 1 : cols == 2560 ? 512 : 16;
    const Tensor x = random_tensor(DType::f32, {rows, cols}, 9),
                 w = random_tensor(DType::f32, {cols}, 10);
    Tensor out = Tensor::allocate(DType::f32, {rows, cols});
    const std::string of = ", rows of " + std::to_string(cols);
    const auto each = [&](const auto& f) {
      return [&, f] {
        h.runtime.threads().for_slices(rows, 1, [&](std::int64_t begin, std::int64_t end) {
          for (std::int64_t r = begin; r < end; ++r)
            f(x.as<float>() + r * cols, out.as_mutable<float>() + r * cols);
        });
      };
    };
    h.run("softmax" + of, [&] { ops::softmax(c, x); },
          {{"plain loop",
            each([=](const float* from, float* to) { plain_softmax(from, to, cols); })}},
          {"numpy", 5.0});
    for (const bool centered : {false, true})
      h.run((centered ? "layer_norm" : "rms_norm") + of,
            [&] { centered ? ops::layer_norm(c, x, w, {}, 1e-5f) : ops::rms_norm(c, x, w, 1e-5f); },
            {{"plain loop", each([=, &w](const float* from, float* to) {
                plain_norm(from, w.as<float>(), to, cols, centered);
              })}},
            {"numpy", 5.0});
  }
}

}  // namespace bench
