// SPDX-License-Identifier: MIT OR Apache-2.0
// Windows onto a tensor's bytes: any strides, no copy, no allocation.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <type_traits>

#include "bitnet/tensor/metadata.h"

namespace bitnet {

/// Elements begin, begin + step, … before end (after end where step < 0; nullopt: to the border).
/// As in Python, but an index outside the axis is an error, not cut.
struct Range {
  std::optional<std::int64_t> begin, end;
  std::int64_t step = 1;
};

/// Borrows: the tensor (or whoever owns the bytes) must outlive it. Functions that give a view
/// share the bytes. Axes count from 0; negative ones from the back, -1 being the last. Packed types
/// (DTypeInfo::packed): the last axis keeps its place and its step, and is cut at whole blocks
/// only; what would break that throws Error{unsupported}.
template <bool kMutable>
class BasicTensorView {
 public:
  using Byte = std::conditional_t<kMutable, std::byte, const std::byte>;

  BasicTensorView() = default;
  /// The first element lies at `data`. The caller vouches for the bytes.
  BasicTensorView(DType dtype, const Shape& shape, const Strides& strides, Byte* data,
                  Device device = {})
      : data_(data), shape_(shape), strides_(strides), device_(device), dtype_(dtype) {}
  /// Row-major.
  BasicTensorView(DType dtype, const Shape& shape, Byte* data, Device device = {})
      : BasicTensorView(dtype, shape, row_major_strides(dtype, shape), data, device) {}
  operator BasicTensorView<false>() const requires(kMutable) {
    return {dtype_, shape_, strides_, data_, device_};
  }

  DType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }
  int rank() const noexcept { return shape_.rank(); }
  std::int64_t dim(int axis) const { return shape_[axis_of(axis)]; }
  /// Bytes from one element to the next.
  std::int64_t stride(int axis) const { return strides_[static_cast<std::size_t>(axis_of(axis))]; }
  const Strides& strides() const noexcept { return strides_; }
  Device device() const noexcept { return device_; }
  Byte* data() const noexcept { return data_; }
  std::int64_t num_elements() const { return shape_.num_elements(); }
  /// Row-major without gaps. An empty view is.
  bool is_contiguous() const;
  /// The element of these indices as T. Throws Error{invalid_argument} where an index is outside or
  /// T has another size; Error{unsupported} for packed types.
  template <class T>
  std::conditional_t<kMutable, T, const T>& at(std::initializer_list<std::int64_t> index) const {
    return *reinterpret_cast<std::conditional_t<kMutable, T, const T>*>(
        element({index.begin(), index.size()}, sizeof(T)));
  }

  // All throw Error{invalid_argument}, naming the function, for axes, indices and shapes that do
  // not fit.
  BasicTensorView slice(int axis, Range range) const;
  BasicTensorView select(int axis, std::int64_t index) const;  // the axis goes
  BasicTensorView transpose(int axis, int other) const;
  BasicTensorView permute(std::span<const int> axes) const;
  BasicTensorView permute(std::initializer_list<int> axes) const {
    return permute({axes.begin(), axes.size()});
  }
  BasicTensorView flip(int axis) const;
  BasicTensorView expand_dims(int axis) const;  // a new axis of 1 before `axis`
  BasicTensorView squeeze(int axis) const;      // an axis of 1 goes
  /// NumPy's rules: axes are aligned at the back, and those of 1 repeat (stride 0).
  BasicTensorView broadcast_to(const Shape& shape) const;
  /// The same elements in row-major order; one dimension may be -1. nullopt where the strides do
  /// not allow it without a copy (tensor/copy.h: contiguous()).
  std::optional<BasicTensorView> try_reshape(std::span<const std::int64_t> dims) const;
  /// As try_reshape(); throws Error{unsupported} instead.
  BasicTensorView reshape(std::initializer_list<std::int64_t> dims) const;

 private:
  int axis_of(int axis) const;
  Byte* element(std::span<const std::int64_t> index, std::size_t bytes) const;
  bool packed_axis(int axis) const noexcept {
    return axis == shape_.rank() - 1 && info(dtype_).packed();
  }

  Byte* data_ = nullptr;
  Shape shape_;
  Strides strides_{};
  Device device_;
  DType dtype_ = DType::f32;
};

using TensorView = BasicTensorView<false>;
using MutableTensorView = BasicTensorView<true>;
extern template class BasicTensorView<false>;
extern template class BasicTensorView<true>;

/// The shape that both repeat to; throws Error{invalid_argument} "<op>: shapes [2, 3] and [4] do
/// not broadcast".
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

}  // namespace bitnet
