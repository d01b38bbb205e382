// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/tensor/view.h"

#include <algorithm>
#include <string>

namespace bitnet {
namespace {

[[noreturn]] void refuse(const char* function, const std::string& what,
                         Errc code = Errc::invalid_argument) {
  fail(code, std::string("TensorView::") + function + ": " + what);
}

// Shape and strides as plain arrays while they are changed.
struct Axes {
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  Strides strides{};
  std::size_t rank = 0;

  void add(std::int64_t dim, std::int64_t stride) {
    if (rank == dims.size()) refuse("expand_dims", "more than 8 axes");
    dims[rank] = dim;
    strides[rank++] = stride;
  }
  Shape shape() const { return Shape(std::span(dims.data(), rank)); }
};

std::size_t usize(int n) { return static_cast<std::size_t>(n); }

// Strides for axes `to` over the elements of axes `from`, as many; false where a new axis would
// have to step unevenly. Smallest groups of axes with equal products are matched from the front;
// inside a group the old axes must lie one inside the other without gaps.
bool regroup(std::span<const std::int64_t> from, const Strides& old,
             std::span<const std::int64_t> to, Strides& strides) {
  Axes axes;  // of `from`, without those of 1
  for (std::size_t i = 0; i < from.size(); ++i)
    if (from[i] != 1) axes.add(from[i], old[i]);
  std::size_t first_old = 0, first_new = 0;
  while (first_old < axes.rank) {
    std::size_t end_old = first_old + 1, end_new = first_new + 1;
    std::int64_t in_old = axes.dims[first_old], in_new = to[first_new];
    while (in_old != in_new)
      if (in_new < in_old)
        in_new *= to[end_new++];
      else
        in_old *= axes.dims[end_old++];
    for (std::size_t i = first_old; i + 1 < end_old; ++i)
      if (axes.strides[i] != axes.dims[i + 1] * axes.strides[i + 1]) return false;
    std::int64_t step = axes.strides[end_old - 1];
    for (std::size_t i = end_new; i-- > first_new; step *= to[i]) strides[i] = step;
    first_old = end_old;
    first_new = end_new;
  }
  return true;  // the axes that are left are of 1
}

}  // namespace

Strides row_major_strides(DType dtype, const Shape& shape) {
  Strides strides{};
  const int rank = shape.rank();
  if (rank == 0) return strides;
  const DTypeInfo& type = info(dtype);
  strides[usize(rank - 1)] = type.block_bytes;
  const auto row = row_bytes(dtype, shape[rank - 1]);
  if (!row)
    fail(Errc::invalid_argument, "row_major_strides: " + std::to_string(shape[rank - 1]) +
                                     " columns do not fill blocks of " + std::string(type.name));
  std::uint64_t step =
      std::max(*row, static_cast<std::uint64_t>(type.block_bytes));  // empty rows too
  for (int axis = rank - 2; axis >= 0; --axis) {
    strides[usize(axis)] = static_cast<std::int64_t>(step);
    const auto next =
        checked_mul(step, static_cast<std::uint64_t>(std::max<std::int64_t>(shape[axis], 1)));
    require(next && *next <= INT64_MAX, "row_major_strides: more than 2^63 - 1 bytes");
    step = *next;
  }
  return strides;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  const int rank = std::max(a.rank(), b.rank());
  for (int i = 0; i < rank; ++i) {
    const int in_a = i - (rank - a.rank()), in_b = i - (rank - b.rank());
    const std::int64_t da = in_a < 0 ? 1 : a[in_a], db = in_b < 0 ? 1 : b[in_b];
    if (da != db && da != 1 && db != 1)
      fail(Errc::invalid_argument, std::string(op) + ": shapes " + to_string(a) + " and " +
                                       to_string(b) + " do not broadcast");
    dims[usize(i)] = da == 1 ? db : da;
  }
  return Shape(std::span(dims.data(), usize(rank)));
}

template <bool kMutable>
int BasicTensorView<kMutable>::axis_of(int axis) const {
  const int positive = axis < 0 ? axis + rank() : axis;
  if (positive < 0 || positive >= rank())
    fail(Errc::invalid_argument,
         "TensorView: axis " + std::to_string(axis) + " of a shape " + to_string(shape_));
  return positive;
}

template <bool kMutable>
bool BasicTensorView<kMutable>::is_contiguous() const {
  if (num_elements() == 0) return true;
  const Strides whole = row_major_strides(dtype_, shape_);
  for (int axis = 0; axis < rank(); ++axis)
    if (shape_[axis] != 1 && strides_[usize(axis)] != whole[usize(axis)]) return false;
  return true;
}

template <bool kMutable>
auto BasicTensorView<kMutable>::element(std::span<const std::int64_t> index,
                                        std::size_t bytes) const -> Byte* {
  const DTypeInfo& type = info(dtype_);
  if (type.packed())
    refuse("at", "elements of " + std::string(type.name) + " have no addresses", Errc::unsupported);
  if (type.block_bytes != static_cast<std::int64_t>(bytes))
    refuse("at", std::string(type.name) + " read as a type of " + std::to_string(bytes) + " bytes");
  if (static_cast<int>(index.size()) != rank())
    refuse("at", std::to_string(index.size()) + " indices for a shape " + to_string(shape_));
  Byte* at = data_;
  for (int axis = 0; axis < rank(); ++axis) {
    const std::int64_t i = index[usize(axis)];
    if (i < 0 || i >= shape_[axis])
      refuse("at", "index " + std::to_string(i) + " on axis " + std::to_string(axis) +
                       " of a shape " + to_string(shape_));
    at += i * strides_[usize(axis)];
  }
  return at;
}

template <bool kMutable>
auto BasicTensorView<kMutable>::slice(int axis, Range range) const -> BasicTensorView {
  axis = axis_of(axis);
  const std::int64_t dim = shape_[axis], step = range.step;
  if (step == 0 || step == INT64_MIN) refuse("slice", "a step of " + std::to_string(step));
  const auto inside = [&](std::int64_t index) {
    const std::int64_t positive = index < 0 ? index + dim : index;
    if (positive < 0 || positive > dim)
      refuse("slice", "index " + std::to_string(index) + " on an axis of " + std::to_string(dim));
    return positive;
  };
  std::int64_t first = step > 0 ? 0 : dim - 1, last = step > 0 ? dim : -1;
  if (range.begin) first = inside(*range.begin);
  if (range.end) last = inside(*range.end);
  if (step < 0 && first == dim && dim > 0)
    refuse("slice", "index " + std::to_string(dim) + " on an axis of " + std::to_string(dim));
  const std::int64_t distance = step > 0 ? last - first : first - last;
  const std::int64_t stride = step > 0 ? step : -step;
  const std::int64_t count = distance <= 0 ? 0 : (distance - 1) / stride + 1;
  BasicTensorView part = *this;
  const std::size_t at = usize(axis);
  if (packed_axis(axis)) {
    const std::int64_t block = info(dtype_).block_elements;
    if (step != 1 || first % block != 0 || (last % block != 0 && last != dim && count > 0))
      refuse("slice",
             "the last axis of " + std::string(info(dtype_).name) + " is cut at multiples of " +
                 std::to_string(block) + " with a step of 1",
             Errc::unsupported);
    part.data_ += count == 0 ? 0 : first / block * info(dtype_).block_bytes;
  } else {
    part.data_ += count == 0 ? 0 : first * strides_[at];
    if (count > 1) part.strides_[at] *= step;  // does not wrap: that many elements exist
  }
  part.shape_ = shape_.with(axis, count);
  return part;
}

template <bool kMutable>
auto BasicTensorView<kMutable>::select(int axis, std::int64_t index) const -> BasicTensorView {
  axis = axis_of(axis);
  const std::int64_t dim = shape_[axis], at = index < 0 ? index + dim : index;
  if (at < 0 || at >= dim)
    refuse("select", "index " + std::to_string(index) + " on an axis of " + std::to_string(dim));
  if (packed_axis(axis))
    refuse("select", "elements of " + std::string(info(dtype_).name) + " have no addresses",
           Errc::unsupported);
  BasicTensorView part = *this;
  part.data_ += at * strides_[usize(axis)];
  Axes axes;
  for (int i = 0; i < rank(); ++i)
    if (i != axis) axes.add(shape_[i], strides_[usize(i)]);
  part.shape_ = axes.shape();
  part.strides_ = axes.strides;
  return part;
}

template <bool kMutable>
auto BasicTensorView<kMutable>::transpose(int axis, int other) const -> BasicTensorView {
  std::array<int, Shape::kMaxRank> axes{};
  for (int i = 0; i < rank(); ++i) axes[usize(i)] = i;
  std::swap(axes[usize(axis_of(axis))], axes[usize(axis_of(other))]);
  return permute(std::span<const int>(axes.data(), usize(rank())));
}

template <bool kMutable>
auto BasicTensorView<kMutable>::permute(std::span<const int> order) const -> BasicTensorView {
  if (static_cast<int>(order.size()) != rank())
    refuse("permute", std::to_string(order.size()) + " axes for a shape " + to_string(shape_));
  Axes axes;
  unsigned seen = 0;
  for (const int given : order) {
    const int axis = axis_of(given);
    if (seen & (1u << axis)) refuse("permute", "axis " + std::to_string(axis) + " twice");
    seen |= 1u << axis;
    axes.add(shape_[axis], strides_[usize(axis)]);
  }
  if (info(dtype_).packed() && rank() > 0 && axis_of(order.back()) != rank() - 1)
    refuse("permute", "the last axis of " + std::string(info(dtype_).name) + " stays the last",
           Errc::unsupported);
  return {dtype_, axes.shape(), axes.strides, data_, device_};
}

template <bool kMutable>
auto BasicTensorView<kMutable>::flip(int axis) const -> BasicTensorView {
  return slice(axis, {{}, {}, -1});
}

template <bool kMutable>
auto BasicTensorView<kMutable>::expand_dims(int axis) const -> BasicTensorView {
  const int at = axis < 0 ? axis + rank() + 1 : axis;
  if (at < 0 || at > rank() || (at == rank() && info(dtype_).packed()))
    refuse("expand_dims", "axis " + std::to_string(axis) + " of a shape " + to_string(shape_));
  Axes axes;
  for (int i = 0; i <= rank(); ++i) {
    if (i == at) axes.add(1, 0);
    if (i < rank()) axes.add(shape_[i], strides_[usize(i)]);
  }
  return {dtype_, axes.shape(), axes.strides, data_, device_};
}

template <bool kMutable>
auto BasicTensorView<kMutable>::squeeze(int axis) const -> BasicTensorView {
  axis = axis_of(axis);
  if (shape_[axis] != 1)
    refuse("squeeze", "axis " + std::to_string(axis) + " of a shape " + to_string(shape_));
  return select(axis, 0);
}

template <bool kMutable>
auto BasicTensorView<kMutable>::broadcast_to(const Shape& shape) const -> BasicTensorView {
  const int more = shape.rank() - rank();
  Strides strides{};
  bool fits = more >= 0;
  for (int i = 0; fits && i < rank(); ++i) {
    const std::int64_t to = shape[i + more];
    fits = shape_[i] == to || (shape_[i] == 1 && !packed_axis(i));
    strides[usize(i + more)] = shape_[i] == to ? strides_[usize(i)] : 0;
  }
  if (!fits)
    refuse("broadcast_to", to_string(shape_) + " does not broadcast to " + to_string(shape));
  return {dtype_, shape, strides, data_, device_};
}

template <bool kMutable>
auto BasicTensorView<kMutable>::try_reshape(std::span<const std::int64_t> dims) const
    -> std::optional<BasicTensorView> {
  std::array<std::int64_t, Shape::kMaxRank> wanted{};
  if (dims.size() > wanted.size()) refuse("reshape", "more than 8 axes");
  std::ranges::copy(dims, wanted.begin());
  const std::span<std::int64_t> to(wanted.data(), dims.size());
  const auto open = std::ranges::find(to, -1);
  if (open != to.end()) {
    *open = 1;
    const std::int64_t known = Shape(to).num_elements();
    if (known == 0 || num_elements() % known != 0)
      refuse("reshape", "no dimension in place of -1 fits " + to_string(shape_));
    *open = num_elements() / known;
  }
  const Shape shape(to);
  if (shape.num_elements() != num_elements())
    refuse("reshape",
           to_string(shape_) + " to " + to_string(shape) + " changes the number of elements");
  if (num_elements() == 0 || (shape.rank() == 0 && !info(dtype_).packed()))
    return BasicTensorView(dtype_, shape, row_major_strides(dtype_, shape), data_, device_);
  if (info(dtype_).packed()) {
    // Rows keep their length: a row may end in a block that is not full.
    if (shape.rank() == 0 || rank() == 0 || shape[shape.rank() - 1] != shape_[rank() - 1])
      return std::nullopt;
  }
  const bool packed = info(dtype_).packed();
  Strides strides{};
  if (packed) strides[usize(shape.rank() - 1)] = strides_[usize(rank() - 1)];
  if (!regroup(shape_.dims().first(usize(rank() - packed)), strides_,
               shape.dims().first(usize(shape.rank() - packed)), strides))
    return std::nullopt;
  return BasicTensorView(dtype_, shape, strides, data_, device_);
}

template <bool kMutable>
auto BasicTensorView<kMutable>::reshape(std::initializer_list<std::int64_t> dims) const
    -> BasicTensorView {
  const auto view = try_reshape({dims.begin(), dims.size()});
  if (!view) refuse("reshape", "these strides need a copy (contiguous())", Errc::unsupported);
  return *view;
}

template class BasicTensorView<false>;
template class BasicTensorView<true>;

}  // namespace bitnet
