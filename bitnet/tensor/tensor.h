// SPDX-License-Identifier: MIT OR Apache-2.0
// An array of one type with counted ownership: memory of a pool, or bytes that something else (a
// mapped file) keeps.
#pragma once

#include <cstddef>
#include <memory>

#include "bitnet/memory/hybrid_pool.h"
#include "bitnet/tensor/view.h"

namespace bitnet {

/// Row-major, rows whole (row_bytes() of dtype.h). Copies share the memory; clone() copies it.
/// Sharing counts with atomics: copies may live and die on any thread.
class Tensor {
 public:
  Tensor() = default;  // empty: defined() is false

  /// Memory of `pool`, contents unspecified.
  /// Throws Error: out_of_memory; invalid_argument where columns do not fill blocks of the type or
  /// sizes wrap.
  static Tensor allocate(DType dtype, const Shape& shape, HybridMemoryPool& pool = default_pool(),
                         Device device = {});

  /// Bytes that `keeper` keeps alive and unchanged; read-only. `data` holds byte_size(dtype, shape)
  /// bytes.
  static Tensor borrow(DType dtype, const Shape& shape, const std::byte* data,
                       std::shared_ptr<const void> keeper);

  bool defined() const noexcept { return data_ != nullptr; }
  DType dtype() const noexcept { return dtype_; }
  const Shape& shape() const noexcept { return shape_; }
  Device device() const noexcept { return device_; }
  bool borrowed() const noexcept { return mutable_data_ == nullptr; }

  /// The last axis and everything before it, as a matrix sees them; a scalar is 1 x 1.
  std::int64_t cols() const noexcept { return shape_.rank() ? shape_[shape_.rank() - 1] : 1; }
  std::int64_t rows() const noexcept { return rows_; }
  std::int64_t row_stride_bytes() const noexcept { return row_stride_bytes_; }
  std::size_t size_bytes() const noexcept {
    return static_cast<std::size_t>(rows_ * row_stride_bytes_);
  }

  const std::byte* data() const noexcept { return data_; }
  /// Throws Error{invalid_argument} for a borrowed tensor.
  std::byte* mutable_data();

  /// Elements as T; sizeof(T) must be the type's block. Throws Error{invalid_argument}.
  template <class T>
  const T* as() const {
    check_element_size(sizeof(T));
    return reinterpret_cast<const T*>(data_);
  }
  template <class T>
  T* as_mutable() {
    check_element_size(sizeof(T));
    return reinterpret_cast<T*>(mutable_data());
  }

  TensorView view() const { return {dtype_, shape_, data_, device_}; }
  operator TensorView() const { return view(); }
  /// Throws Error{invalid_argument} for a borrowed tensor.
  MutableTensorView mutable_view() { return {dtype_, shape_, mutable_data(), device_}; }

  /// What else is known of the elements. Copies made later share it; copies made before do not.
  TensorMetadata metadata() const;
  const std::string& name() const noexcept;
  void set_name(std::string name);
  const std::optional<Quantization>& quantization() const noexcept;
  /// Throws Error{invalid_argument} unless scales (and zero points) are as many as rows and columns
  /// ask for.
  void set_quantization(Quantization quantization);
  /// The order of the elements of a matrix that shape() stores (tensor/copy.h: relayout()).
  const Layout& layout() const noexcept;
  /// The matrix' shape: shape() unless a layout was set.
  const Shape& logical_shape() const noexcept;
  /// Throws Error{invalid_argument} unless shape() is stored_shape(layout, matrix).
  void set_layout(const Layout& layout, const Shape& matrix);

  /// Tensors that share the memory, this one included; 0 of an empty one.
  long use_count() const noexcept { return keeper_.use_count(); }

  Tensor clone(HybridMemoryPool& pool = default_pool()) const;
  /// Rows [first, first + count) as [count, cols], in the same memory. Throws
  /// Error{invalid_argument} beyond the last row.
  Tensor rows_from(std::int64_t first, std::int64_t count) const;

  /// Bytes of a tensor; throws Error{invalid_argument} where columns do not fill blocks or the size
  /// wraps.
  static std::size_t byte_size(DType dtype, const Shape& shape);

 private:
  struct Notes;  // name, quantization, layout: most tensors have none

  Tensor(DType dtype, const Shape& shape);
  Notes& own_notes();
  void check_element_size(std::size_t bytes) const;

  DType dtype_ = DType::f32;
  Shape shape_;
  Device device_;
  std::int64_t rows_ = 0;
  std::int64_t row_stride_bytes_ = 0;
  const std::byte* data_ = nullptr;
  std::byte* mutable_data_ = nullptr;
  std::shared_ptr<const void> keeper_;
  std::shared_ptr<const Notes> notes_;

  friend class WeakTensor;
};

/// The predecessor's name for a counted reference to a tensor.
using TensorHandle = Tensor;

/// Refers to a tensor without keeping its memory.
class WeakTensor {
 public:
  WeakTensor() = default;
  WeakTensor(const Tensor& tensor);
  bool expired() const noexcept { return keeper_.expired(); }
  /// The tensor; not defined() once its last owner is gone.
  Tensor lock() const;

 private:
  Tensor tensor_;  // without its keeper
  std::weak_ptr<const void> keeper_;
};

}  // namespace bitnet
