// SPDX-License-Identifier: MIT OR Apache-2.0
// The bytes of any view as a file wants them: row-major, without gaps.
#pragma once

#include "bitnet/memory/storage/numbers.h"
#include "bitnet/tensor/copy.h"

namespace bitnet {

/// Borrows the bytes of a contiguous view, copies those of another into the default pool. Throws
/// Error{invalid_argument} where the view is not in host memory.
class WholeRows {
 public:
  explicit WholeRows(const TensorView& view)
      : size_(Tensor::byte_size(view.dtype(), view.shape())), data_(view.data()) {
    require(view.device() == Device{}, "writing a tensor: it is not in host memory");
    if (view.is_contiguous()) return;
    copy_ = contiguous(view);
    data_ = copy_.data();
  }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }

 private:
  std::size_t size_;
  const std::byte* data_;
  Tensor copy_;
};

}  // namespace bitnet
