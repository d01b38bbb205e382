// SPDX-License-Identifier: MIT OR Apache-2.0
// Row-wise float ops of a layer: norm, gated activation, residual. Formulas: ops/args.h.
#pragma once

#include "bitnet/ops/context.h"
#include "bitnet/tensor/matrix_view.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// out = RMSNorm(x) * weight (f32 [cols]); out may be x. The mean is that of `divisor` columns, of
/// which those that x has not are 0; 0: of those of x.
void rms_norm(const OpContext& context, MatrixView<const float> x, const Tensor& weight, float eps,
              MatrixView<float> out, std::int64_t divisor = 0);

/// out = act(gate) * up; out may be gate or up.
void gated_activation(const OpContext& context, GatedActivation kind, MatrixView<const float> gate,
                      MatrixView<const float> up, MatrixView<float> out);

/// x += y
void add(const OpContext& context, MatrixView<float> x, MatrixView<const float> y);

}  // namespace bitnet
