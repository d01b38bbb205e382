// SPDX-License-Identifier: MIT OR Apache-2.0
// Elements from one order in memory to another.
#pragma once

#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// Copies elements of one type and shape; the arrays must not overlap. Throws
/// Error{invalid_argument} where types or shapes differ or a device is not the CPU;
/// Error{unsupported} for rows of a packed type that are not whole.
void copy(const TensorView& from, const MutableTensorView& to);

/// The elements in row-major order in memory of `pool`.
Tensor contiguous(const TensorView& view, HybridMemoryPool& pool = default_pool());

/// The same, but where the elements lie in that order already the view's own bytes, borrowed: for
/// as long as these live.
Tensor as_contiguous(const TensorView& view, HybridMemoryPool& pool = default_pool());

/// The matrix `view` (rank 2, not packed) in another order: a tensor of stored_shape(), its layout
/// and the matrix' shape in its metadata. Blocks at the borders are filled up with zeros.
Tensor relayout(const TensorView& view, const Layout& layout,
                HybridMemoryPool& pool = default_pool());

/// The matrix that a tensor of relayout() holds, row-major.
Tensor to_row_major(const Tensor& tensor, HybridMemoryPool& pool = default_pool());

}  // namespace bitnet
