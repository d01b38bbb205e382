// SPDX-License-Identifier: MIT OR Apache-2.0
// Tensors to and from other array libraries of the process without a copy: DLPack 1.x and before.
#pragma once

#include "bitnet/tensor/dlpack_abi.h"
#include "bitnet/tensor/tensor.h"

namespace bitnet {

/// The tensor's bytes for another library, which calls the deleter when it is done (from any
/// thread); until then they are kept. Borrowed tensors are marked read-only. A column_major tensor
/// is its matrix, with strides. Name and quantization do not travel: the numbers are the stored
/// ones. i4 and i2 are packed integers of 4 and 2 bits. Throws Error: invalid_argument (not
/// defined()), unsupported: not in host memory; types that DLPack has not (i1, whose bits are +1
/// and -1, ternary and scaled blocks); rows of i4 or i2 that end inside a byte; blocked layouts.
dlpack::ManagedVersioned* to_dlpack(const Tensor& tensor);
/// For libraries from before version 1. It cannot say read-only: borrowed tensors are refused
/// (Error{unsupported}; clone() first).
dlpack::Managed* to_dlpack_before_1(const Tensor& tensor);

/// The array as a tensor, read-only: its own bytes where they lie row-major and aligned for their
/// type, kept until the last copy of the tensor is gone; otherwise a copy in memory of `pool`.
/// Takes `managed`: it is given back through its deleter now or then, but not where this throws
/// Error: invalid_argument (null where something must be; more than 8 axes; negative lengths; sizes
/// or strides that wrap), unsupported (version, device, vectors of lanes, type, padded or strided
/// sub-byte types), out_of_memory.
Tensor from_dlpack(dlpack::ManagedVersioned* managed, HybridMemoryPool& pool = default_pool());
Tensor from_dlpack(dlpack::Managed* managed, HybridMemoryPool& pool = default_pool());

/// The array with its strides; whoever manages it must outlive the view. Throws as from_dlpack(),
/// and Error{unsupported} where the elements are not aligned for their type.
TensorView dlpack_view(const dlpack::ManagedVersioned& managed);
TensorView dlpack_view(const dlpack::Managed& managed);
/// Throws Error{invalid_argument} where it is marked read-only.
MutableTensorView dlpack_mutable_view(const dlpack::ManagedVersioned& managed);

}  // namespace bitnet
