// SPDX-License-Identifier: MIT OR Apache-2.0
// Dimensions of a tensor, outermost first, kept inline.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "bitnet/base/checked.h"
#include "bitnet/base/error.h"

namespace bitnet {

/// Up to kMaxRank dimensions, each >= 0. Rank 0 is a scalar: one element.
class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}
  /// Throws Error{invalid_argument} for more than kMaxRank dimensions or a negative one.
  explicit Shape(std::span<const std::int64_t> dims) : rank_(static_cast<int>(dims.size())) {
    require(dims.size() <= kMaxRank, "Shape: more than 8 dimensions");
    for (std::size_t i = 0; i < dims.size(); ++i) {
      require(dims[i] >= 0, "Shape: negative dimension");
      dims_[i] = dims[i];
    }
  }

  int rank() const noexcept { return rank_; }
  std::int64_t operator[](int axis) const noexcept { return dims_[static_cast<std::size_t>(axis)]; }
  std::span<const std::int64_t> dims() const noexcept {
    return {dims_.data(), static_cast<std::size_t>(rank_)};
  }

  /// Product of the dimensions; throws Error{invalid_argument} where it does not fit in 63 bits.
  std::int64_t num_elements() const {
    std::uint64_t product = 1;
    for (const std::int64_t dim : dims()) {
      const auto next = checked_mul(product, static_cast<std::uint64_t>(dim));
      require(next && *next <= INT64_MAX, "Shape: more than 2^63 - 1 elements");
      product = *next;
    }
    return static_cast<std::int64_t>(product);
  }

  /// With `dim` (>= 0) in place of one dimension.
  Shape with(int axis, std::int64_t dim) const noexcept {
    Shape shape = *this;
    shape.dims_[static_cast<std::size_t>(axis)] = dim;
    return shape;
  }

  friend bool operator==(const Shape&, const Shape&) = default;

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  int rank_ = 0;
};

/// "[640, 2560]"
inline std::string to_string(const Shape& shape) {
  std::string text = "[";
  for (int i = 0; i < shape.rank(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace bitnet
