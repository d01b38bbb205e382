// SPDX-License-Identifier: MIT OR Apache-2.0
// Walks several strided arrays of one shape together.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "bitnet/tensor/metadata.h"

namespace bitnet {

/// The loops over the elements of `kOperands` arrays of one shape, strides in bytes. normalize()
/// makes of it as few loops as the strides allow, the one with the smallest steps innermost: `runs`
/// runs of `count` elements. What is done with the elements may not depend on their order.
template <std::size_t kOperands>
struct NdLoop {
  using Offsets = std::array<std::int64_t, kOperands>;

  std::int64_t count = 1;  // elements of a run
  Offsets step{};          // from one element of a run to the next
  std::int64_t runs = 1;

  NdLoop(const Shape& shape, const std::array<Strides, kOperands>& strides) {
    for (int i = 0; i < shape.rank(); ++i) {
      if (shape[i] == 0) runs = 0;
      if (shape[i] == 1) continue;
      Axis axis{shape[i], {}};
      for (std::size_t k = 0; k < kOperands; ++k)
        axis.step[k] = strides[k][static_cast<std::size_t>(i)];
      axes_[rank_++] = axis;
    }
    if (runs > 0) normalize();
  }

  /// Of all runs.
  std::int64_t elements() const noexcept { return runs * count; }

  /// Byte offsets of element `index`, counted run by run.
  Offsets element(std::int64_t index) const noexcept {
    Offsets at = offsets(index / count);
    for (std::size_t k = 0; k < kOperands; ++k) at[k] += index % count * step[k];
    return at;
  }

  /// Byte offsets of the first elements of run `index`.
  Offsets offsets(std::int64_t index) const noexcept {
    Offsets at{};
    for (std::size_t i = rank_; i-- > 0;) {
      const std::int64_t here = index % axes_[i].dim;
      index /= axes_[i].dim;
      for (std::size_t k = 0; k < kOperands; ++k) at[k] += here * axes_[i].step[k];
    }
    return at;
  }

 private:
  struct Axis {
    std::int64_t dim;
    Offsets step;
  };

  void normalize() {
    // By the steps of the first array (the one written to), insertion sort: at most 8 axes.
    for (std::size_t i = 1; i < rank_; ++i)
      for (std::size_t j = i; j > 0 && magnitude(axes_[j - 1]) < magnitude(axes_[j]); --j)
        std::swap(axes_[j - 1], axes_[j]);
    std::size_t kept = 0;
    for (std::size_t i = 0; i < rank_; ++i)
      if (kept > 0 && nested(axes_[kept - 1], axes_[i])) {
        axes_[kept - 1].dim *= axes_[i].dim;
        axes_[kept - 1].step = axes_[i].step;
      } else {
        axes_[kept++] = axes_[i];
      }
    rank_ = kept;
    if (rank_ == 0) return;
    --rank_;
    count = axes_[rank_].dim;
    step = axes_[rank_].step;
    for (std::size_t i = 0; i < rank_; ++i) runs *= axes_[i].dim;
  }
  static std::int64_t magnitude(const Axis& axis) noexcept {
    return axis.step[0] < 0 ? -axis.step[0] : axis.step[0];
  }
  static bool nested(const Axis& outer, const Axis& inner) noexcept {
    for (std::size_t k = 0; k < kOperands; ++k)
      if (outer.step[k] != inner.step[k] * inner.dim) return false;
    return true;
  }

  std::array<Axis, Shape::kMaxRank> axes_{};
  std::size_t rank_ = 0;
};

}  // namespace bitnet
