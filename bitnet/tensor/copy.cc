// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/tensor/copy.h"

#include <cstring>
#include <string>

#include "bitnet/tensor/nd_loop.h"

namespace bitnet {
namespace {

template <class T>
void copy_run(const std::byte* from, std::int64_t from_step, std::byte* to, std::int64_t to_step,
              std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, from + i * from_step, sizeof value);
    std::memcpy(to + i * to_step, &value, sizeof value);
  }
}

void copy_strided(std::int64_t bytes, const std::byte* from, std::int64_t from_step, std::byte* to,
                  std::int64_t to_step, std::int64_t count) {
  if (from_step == bytes && to_step == bytes) {
    std::memcpy(to, from, static_cast<std::size_t>(bytes * count));
    return;
  }
  switch (bytes) {
    case 1:
      return copy_run<std::uint8_t>(from, from_step, to, to_step, count);
    case 2:
      return copy_run<std::uint16_t>(from, from_step, to, to_step, count);
    case 4:
      return copy_run<std::uint32_t>(from, from_step, to, to_step, count);
    case 8:
      return copy_run<std::uint64_t>(from, from_step, to, to_step, count);
    default:
      for (std::int64_t i = 0; i < count; ++i)
        std::memcpy(to + i * to_step, from + i * from_step, static_cast<std::size_t>(bytes));
  }
}

void check_alike(const TensorView& from, const TensorView& to) {
  if (from.dtype() != to.dtype() || !(from.shape() == to.shape()))
    fail(Errc::invalid_argument,
         "copy: " + std::string(info(from.dtype()).name) + " " + to_string(from.shape()) + " to " +
             std::string(info(to.dtype()).name) + " " + to_string(to.shape()));
  require(from.device() == Device{} && to.device() == Device{},
          "copy: an array is not on the CPU; HybridMemoryPool copies between devices");
}

// Calls pair(part of the matrix, where that part is stored) for pieces that have strides in both:
// of blocks the columns of a block, of tiles the columns of an inner group.
template <class Pair>
void for_each_piece(const Layout& layout, const MutableTensorView& matrix, std::byte* stored,
                    const Pair& pair) {
  const std::int64_t element = info(matrix.dtype()).block_bytes;
  const std::int64_t width =
      layout.kind == Layout::Kind::blocked ? layout.block_cols : layout.inner_cols;
  for (std::int64_t r = 0; r < matrix.dim(0); r += layout.block_rows)
    for (std::int64_t c = 0; c < matrix.dim(1); c += width) {
      const std::int64_t rows = std::min(layout.block_rows, matrix.dim(0) - r);
      const std::int64_t cols = std::min(width, matrix.dim(1) - c);
      const std::int64_t start = element_offset(layout, matrix.shape(), r, c) * element;
      pair(matrix.slice(0, {r, r + rows}).slice(1, {c, c + cols}),
           MutableTensorView(matrix.dtype(), {rows, cols}, Strides{width * element, element},
                             stored + start));
    }
}

// For reading through for_each_piece(), which writes to neither side itself.
MutableTensorView as_mutable(const TensorView& view) {
  return {view.dtype(), view.shape(), view.strides(), const_cast<std::byte*>(view.data())};
}

}  // namespace

void copy(const TensorView& from, const MutableTensorView& to) {
  check_alike(from, to);
  if (from.num_elements() == 0) return;
  const DTypeInfo& type = info(from.dtype());
  Shape shape = from.shape();
  std::int64_t bytes = type.block_bytes;
  std::array<Strides, 2> strides{to.strides(), from.strides()};
  if (type.packed() && shape.rank() > 0) {
    // A row is the smallest piece that has an address.
    const int last = shape.rank() - 1;
    bytes = static_cast<std::int64_t>(row_bytes(from.dtype(), shape[last]).value());
    shape = shape.with(last, 1);
  }
  const NdLoop<2> loop(shape, strides);
  for (std::int64_t run = 0; run < loop.runs; ++run) {
    const auto at = loop.offsets(run);
    copy_strided(bytes, from.data() + at[1], loop.step[1], to.data() + at[0], loop.step[0],
                 loop.count);
  }
}

Tensor contiguous(const TensorView& view, HybridMemoryPool& pool) {
  Tensor tensor = Tensor::allocate(view.dtype(), view.shape(), pool);
  copy(view, tensor.mutable_view());
  return tensor;
}

Tensor as_contiguous(const TensorView& view, HybridMemoryPool& pool) {
  if (!view.is_contiguous()) return contiguous(view, pool);
  return Tensor::borrow(view.dtype(), view.shape(), view.data(), nullptr);
}

Tensor relayout(const TensorView& view, const Layout& layout, HybridMemoryPool& pool) {
  require(view.rank() == 2, "relayout: the view is no matrix");
  require(!info(view.dtype()).packed(), "relayout: elements of packed types have no addresses",
          Errc::unsupported);
  const Shape shape = stored_shape(layout, view.shape());
  Tensor stored = Tensor::allocate(view.dtype(), shape, pool);
  const MutableTensorView to = stored.mutable_view();
  if (layout.kind == Layout::Kind::row_major) {
    copy(view, to);
  } else if (layout.kind == Layout::Kind::column_major) {
    copy(view, to.transpose(0, 1));
  } else {
    if (stored.size_bytes() > 0) std::memset(stored.mutable_data(), 0, stored.size_bytes());
    for_each_piece(layout, as_mutable(view), to.data(),
                   [](const auto& part, const auto& place) { copy(part, place); });
  }
  stored.set_layout(layout, view.shape());
  return stored;
}

Tensor to_row_major(const Tensor& tensor, HybridMemoryPool& pool) {
  const Layout& layout = tensor.layout();
  const Shape& matrix = tensor.logical_shape();
  const TensorView stored = tensor.view();
  if (layout.kind == Layout::Kind::row_major) return contiguous(stored, pool);
  if (layout.kind == Layout::Kind::column_major) return contiguous(stored.transpose(0, 1), pool);
  Tensor result = Tensor::allocate(tensor.dtype(), matrix, pool);
  for_each_piece(layout, result.mutable_view(), as_mutable(stored).data(),
                 [](const auto& part, const auto& place) { copy(place, part); });
  return result;
}

}  // namespace bitnet
