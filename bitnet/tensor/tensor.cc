// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/tensor/tensor.h"

#include <cstring>
#include <string>

namespace bitnet {

struct Tensor::Notes {
  std::string name;
  std::optional<Quantization> quantization;
  Layout layout;
  Shape logical;
};

Tensor::Tensor(DType dtype, const Shape& shape) : dtype_(dtype), shape_(shape) {
  const std::int64_t elements = shape.num_elements();
  const auto row = row_bytes(dtype, cols());
  if (!row)
    fail(Errc::invalid_argument, "Tensor: " + std::to_string(cols()) + " columns of " +
                                     std::string(info(dtype).name) + " do not fill blocks of " +
                                     std::to_string(info(dtype).block_elements));
  rows_ = cols() == 0 ? 0 : elements / cols();
  const auto total = checked_mul(*row, static_cast<std::uint64_t>(rows_));
  require(total && *total <= INT64_MAX, "Tensor: more than 2^63 - 1 bytes");
  row_stride_bytes_ = static_cast<std::int64_t>(*row);
}

std::size_t Tensor::byte_size(DType dtype, const Shape& shape) {
  return Tensor(dtype, shape).size_bytes();
}

Tensor Tensor::allocate(DType dtype, const Shape& shape, HybridMemoryPool& pool, Device device) {
  Tensor tensor(dtype, shape);
  auto block = std::make_shared<MemoryHandle>(
      pool.allocate(tensor.size_bytes(), HybridMemoryPool::kDefaultAlignment, device));
  tensor.device_ = device;
  tensor.mutable_data_ = block->data();
  tensor.data_ = block->data();
  tensor.keeper_ = std::move(block);
  return tensor;
}

Tensor Tensor::borrow(DType dtype, const Shape& shape, const std::byte* data,
                      std::shared_ptr<const void> keeper) {
  Tensor tensor(dtype, shape);
  tensor.data_ = data;
  tensor.keeper_ = std::move(keeper);
  return tensor;
}

std::byte* Tensor::mutable_data() {
  require(mutable_data_ != nullptr || data_ == nullptr,
          "Tensor::mutable_data: the bytes are borrowed; clone() first");
  return mutable_data_;
}

// Copies that were made before keep the notes that they had.
Tensor::Notes& Tensor::own_notes() {
  auto notes = notes_ ? std::make_shared<Notes>(*notes_)
                      : std::make_shared<Notes>(Notes{{}, {}, {}, shape_});
  Notes& own = *notes;
  notes_ = std::move(notes);
  return own;
}

const std::string& Tensor::name() const noexcept {
  static const std::string none;
  return notes_ ? notes_->name : none;
}

const std::optional<Quantization>& Tensor::quantization() const noexcept {
  static const std::optional<Quantization> none;
  return notes_ ? notes_->quantization : none;
}

const Layout& Tensor::layout() const noexcept {
  static const Layout row_major;
  return notes_ ? notes_->layout : row_major;
}

const Shape& Tensor::logical_shape() const noexcept { return notes_ ? notes_->logical : shape_; }

TensorMetadata Tensor::metadata() const {
  return {shape_,   dtype_, device_,       row_major_strides(dtype_, shape_),
          layout(), name(), quantization()};
}

void Tensor::set_name(std::string name) { own_notes().name = std::move(name); }

void Tensor::set_quantization(Quantization q) {
  std::int64_t expected = 1;
  if (q.granularity == ScaleGranularity::group)
    require(q.group_cols > 0, "Tensor::set_quantization: groups without columns");
  if (q.granularity != ScaleGranularity::tensor) expected = rows_;
  if (q.granularity == ScaleGranularity::group) expected *= ceil_div(cols(), q.group_cols);
  for (const std::size_t given : {q.scales.size(), q.zero_points.size()})
    if (given != static_cast<std::size_t>(expected) && (given != 0 || q.scales.empty()))
      fail(Errc::invalid_argument, "Tensor::set_quantization: " + std::to_string(given) +
                                       " scales or zero points, expected " +
                                       std::to_string(expected));
  own_notes().quantization = std::move(q);
}

void Tensor::set_layout(const Layout& layout, const Shape& matrix) {
  const Shape stored = stored_shape(layout, matrix);
  if (!(stored == shape_))
    fail(Errc::invalid_argument, "Tensor::set_layout: " + to_string(layout) + " of " +
                                     to_string(matrix) + " is stored as " + to_string(stored) +
                                     ", not as " + to_string(shape_));
  Notes& notes = own_notes();
  notes.layout = layout;
  notes.logical = matrix;
}

WeakTensor::WeakTensor(const Tensor& tensor) : tensor_(tensor), keeper_(tensor.keeper_) {
  tensor_.keeper_.reset();
}

Tensor WeakTensor::lock() const {
  Tensor tensor = tensor_;
  tensor.keeper_ = keeper_.lock();
  return tensor.keeper_ ? tensor : Tensor();
}

Tensor Tensor::clone(HybridMemoryPool& pool) const {
  Tensor copy = allocate(dtype_, shape_, pool, device_);
  copy.notes_ = notes_;
  if (size_bytes() > 0) std::memcpy(copy.mutable_data_, data_, size_bytes());
  return copy;
}

Tensor Tensor::rows_from(std::int64_t first, std::int64_t count) const {
  require(first >= 0 && count >= 0 && first <= rows_ - count,
          "Tensor::rows_from: rows beyond the last");
  Tensor part = *this;
  part.shape_ = {count, cols()};
  part.rows_ = count;
  part.notes_.reset();
  const std::int64_t offset = first * row_stride_bytes_;
  part.data_ += offset;
  if (part.mutable_data_) part.mutable_data_ += offset;
  return part;
}

void Tensor::check_element_size(std::size_t bytes) const {
  const DTypeInfo& type = info(dtype_);
  if (type.block_elements != 1 || type.block_bytes != static_cast<std::int64_t>(bytes))
    fail(Errc::invalid_argument, "Tensor: elements of " + std::string(type.name) +
                                     " read as a type of " + std::to_string(bytes) + " bytes");
}

}  // namespace bitnet
