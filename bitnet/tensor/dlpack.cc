// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/tensor/dlpack.h"

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "bitnet/base/checked.h"
#include "bitnet/tensor/copy.h"

namespace bitnet {
namespace {

using dlpack::Array;
using dlpack::Code;
using dlpack::Managed;
using dlpack::ManagedVersioned;

struct TypeRow {
  DType dtype;
  Code code;
  std::uint8_t bits;
};

constexpr std::array kTypes{
    TypeRow{DType::f64, Code::float_, 64}, TypeRow{DType::f32, Code::float_, 32},
    TypeRow{DType::f16, Code::float_, 16}, TypeRow{DType::bf16, Code::bfloat, 16},
    TypeRow{DType::i64, Code::int_, 64},   TypeRow{DType::i32, Code::int_, 32},
    TypeRow{DType::i8, Code::int_, 8},     TypeRow{DType::u16, Code::uint, 16},
    TypeRow{DType::u8, Code::uint, 8},     TypeRow{DType::i4, Code::int_, 4},
    TypeRow{DType::i2, Code::int_, 2},
};

[[noreturn]] void refuse(const std::string& why, Errc code = Errc::invalid_argument) {
  fail(code, "dlpack: " + why);
}

/// Row-major strides in elements. Other lengths count also where one is 0.
std::array<std::int64_t, Shape::kMaxRank> element_strides(const Shape& shape) {
  std::array<std::int64_t, Shape::kMaxRank> strides{};
  std::uint64_t step = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<std::size_t>(axis)] = static_cast<std::int64_t>(step);
    const auto next =
        checked_mul(step, static_cast<std::uint64_t>(std::max<std::int64_t>(shape[axis], 1)));
    if (!next || *next > INT64_MAX) refuse("strides of a shape " + to_string(shape) + " wrap");
    step = *next;
  }
  return strides;
}

/// What an exported array points to.
template <class Struct>
struct Export {
  Struct managed{};
  Tensor tensor;
  std::array<std::int64_t, Shape::kMaxRank> shape{}, strides{};

  static void destroy(Struct* self) { delete static_cast<Export*>(self->context); }
};

template <class Struct>
Struct* make_export(const Tensor& tensor) {
  require(tensor.defined(), "to_dlpack: the tensor is empty");
  require(tensor.device() == Device{}, "to_dlpack: the tensor is not in host memory",
          Errc::unsupported);
  const TypeRow* type = nullptr;
  for (const TypeRow& row : kTypes)
    if (row.dtype == tensor.dtype()) type = &row;
  if (type == nullptr)
    refuse("there is no type " + std::string(info(tensor.dtype()).name), Errc::unsupported);
  if (tensor.layout().kind > Layout::Kind::column_major)
    refuse("a " + to_string(tensor.layout()) + " tensor has no strides; to_row_major() first",
           Errc::unsupported);
  if (tensor.cols() * type->bits % 8 != 0 && tensor.rows() > 1)
    refuse("rows of " + std::to_string(tensor.cols()) + " " +
               std::string(info(tensor.dtype()).name) + " end inside a byte",
           Errc::unsupported);

  auto made = std::make_unique<Export<Struct>>();
  made->tensor = tensor;
  Array& array = made->managed.array;
  // Constness is in the read-only flag.
  array.data = const_cast<std::byte*>(tensor.data());
  array.device = {dlpack::kCpu, 0};
  array.ndim = tensor.shape().rank();
  array.dtype = {static_cast<std::uint8_t>(type->code), type->bits, 1};
  array.shape = made->shape.data();
  array.strides = made->strides.data();
  made->strides = element_strides(tensor.shape());
  std::copy(tensor.shape().dims().begin(), tensor.shape().dims().end(), made->shape.begin());
  if (tensor.layout().kind == Layout::Kind::column_major) {
    std::swap(made->shape[0], made->shape[1]);
    std::swap(made->strides[0], made->strides[1]);
  }
  made->managed.deleter = Export<Struct>::destroy;
  made->managed.context = made.get();
  return &made.release()->managed;
}

/// An array from outside, checked. `data` is null for none.
struct Checked {
  DType dtype;
  Shape shape;
  Strides strides;  // in bytes
  std::byte* data;

  bool aligned() const noexcept {
    const DTypeInfo& type = info(dtype);
    return type.packed() ||
           reinterpret_cast<std::uintptr_t>(data) % static_cast<std::uintptr_t>(type.block_bytes) ==
               0;
  }
};

const TypeRow& type_of(const Array& array, std::uint64_t flags) {
  const dlpack::DataType type = array.dtype;
  if (type.lanes != 1) refuse(std::to_string(type.lanes) + " lanes, 1 is read", Errc::unsupported);
  for (const TypeRow& row : kTypes)
    if (static_cast<std::uint8_t>(row.code) == type.code && row.bits == type.bits) {
      if (row.bits < 8 && (flags & dlpack::kSubbytePadded))
        refuse("integers of " + std::to_string(type.bits) + " bits, each in a byte of its own",
               Errc::unsupported);
      return row;
    }
  refuse("type code " + std::to_string(type.code) + " of " + std::to_string(type.bits) +
             " bits is not read",
         Errc::unsupported);
}

Shape shape_of(const Array& array) {
  if (array.ndim < 0 || array.ndim > Shape::kMaxRank)
    refuse(std::to_string(array.ndim) + " axes, 0 to 8 are read");
  if (array.ndim > 0 && array.shape == nullptr) refuse("no shape");
  return array.ndim == 0 ? Shape()
                         : Shape(std::span<const std::int64_t>(
                               array.shape, static_cast<std::size_t>(array.ndim)));
}

/// Strides in bytes; the whole array spans less than 2^63 bytes.
Strides strides_of(const Array& array, const Shape& shape, DType dtype) {
  Strides strides = row_major_strides(dtype, shape);
  if (array.strides == nullptr || array.ndim == 0) return strides;
  const std::int64_t bytes = info(dtype).block_bytes;
  std::int64_t before = 0, behind = 0;  // bytes on both sides of the first element
  for (std::size_t i = 0; i < static_cast<std::size_t>(array.ndim); ++i) {
    const std::int64_t dim = std::max<std::int64_t>(shape[static_cast<int>(i)], 1);
    std::int64_t& stride = strides[i];
    std::int64_t reach = 0;
    std::int64_t& side = array.strides[i] < 0 ? before : behind;
    // A stride that is never taken may be anything.
    if (dim == 1) continue;
    if (__builtin_mul_overflow(array.strides[i], bytes, &stride) ||
        __builtin_mul_overflow(stride, dim - 1, &reach) ||
        __builtin_add_overflow(side, reach, &side))
      refuse("stride " + std::to_string(array.strides[i]) + " of axis " + std::to_string(i) +
             " wraps");
  }
  std::int64_t span = 0;
  if (__builtin_sub_overflow(behind, before, &span) || __builtin_add_overflow(span, bytes, &span))
    refuse("the strides span more than 2^63 bytes");
  return strides;
}

/// Packed types: row-major only, and rows that fill whole bytes, as ours do.
void check_packed(const Array& array, const Shape& shape, const TypeRow& type) {
  const std::int64_t cols = shape.rank() == 0 ? 1 : shape[shape.rank() - 1];
  const auto strides = element_strides(shape);
  for (int axis = 0; axis < array.ndim; ++axis)
    if (array.strides != nullptr && shape[axis] > 1 &&
        array.strides[axis] != strides[static_cast<std::size_t>(axis)])
      refuse("strides of integers of " + std::to_string(type.bits) + " bits", Errc::unsupported);
  if (cols % (8 / type.bits) != 0 && shape.num_elements() > cols)
    refuse("rows of " + std::to_string(cols) + " integers of " + std::to_string(type.bits) +
               " bits end inside a byte",
           Errc::unsupported);
}

Checked check(const Array& array, std::uint64_t flags) {
  if (array.device.type != dlpack::kCpu)
    refuse("device type " + std::to_string(array.device.type) + ", 1 (CPU) is read",
           Errc::unsupported);
  const TypeRow& type = type_of(array, flags);
  Checked checked{type.dtype, shape_of(array), {}, nullptr};
  const std::int64_t elements = checked.shape.num_elements();
  checked.strides = row_major_strides(type.dtype, checked.shape);
  if (type.bits < 8)
    check_packed(array, checked.shape, type);
  else
    checked.strides = strides_of(array, checked.shape, type.dtype);
  if (elements == 0) return checked;
  if (array.data == nullptr) refuse("no data for " + std::to_string(elements) + " elements");
  const auto address = checked_add(reinterpret_cast<std::uintptr_t>(array.data), array.byte_offset);
  if (!address) refuse("byte offset " + std::to_string(array.byte_offset) + " wraps");
  checked.data = static_cast<std::byte*>(array.data) + array.byte_offset;
  return checked;
}

void check_version(const ManagedVersioned& managed) {
  if (managed.version.major != dlpack::kVersion.major)
    refuse("version " + std::to_string(managed.version.major) + ", 1 is read", Errc::unsupported);
}

/// Gives an array from outside back.
template <class Struct>
struct Keeper {
  Struct* managed = nullptr;

  Keeper() = default;
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper() {
    if (managed != nullptr && managed->deleter != nullptr) managed->deleter(managed);
  }
};

template <class Struct>
Tensor take(Struct* managed, std::uint64_t flags, HybridMemoryPool& pool) {
  static constexpr std::byte kNothing{};  // empty tensors are defined
  Checked array = check(managed->array, flags);
  const TensorView view(array.dtype, array.shape, array.strides, array.data);
  if (array.data == nullptr) array.data = const_cast<std::byte*>(&kNothing);
  auto keeper = std::make_shared<Keeper<Struct>>();
  Tensor tensor = view.is_contiguous() && array.aligned()
                      ? Tensor::borrow(array.dtype, array.shape, array.data, keeper)
                      : contiguous(view, pool);
  keeper->managed = managed;  // now nothing throws any more
  return tensor;
}

template <class Struct>
Checked check_aligned(const Struct& managed, std::uint64_t flags) {
  const Checked checked = check(managed.array, flags);
  if (!checked.aligned()) refuse("elements are not aligned for their type", Errc::unsupported);
  return checked;
}

}  // namespace

ManagedVersioned* to_dlpack(const Tensor& tensor) {
  ManagedVersioned* managed = make_export<ManagedVersioned>(tensor);
  managed->version = dlpack::kVersion;
  managed->flags = tensor.borrowed() ? dlpack::kReadOnly : 0;
  return managed;
}

Managed* to_dlpack_before_1(const Tensor& tensor) {
  require(
      !tensor.borrowed() || !tensor.defined(),
      "to_dlpack_before_1: the tensor is borrowed, and readers before version 1 may write to it",
      Errc::unsupported);
  return make_export<Managed>(tensor);
}

Tensor from_dlpack(ManagedVersioned* managed, HybridMemoryPool& pool) {
  require(managed != nullptr, "from_dlpack: null");
  check_version(*managed);
  return take(managed, managed->flags, pool);
}

Tensor from_dlpack(Managed* managed, HybridMemoryPool& pool) {
  require(managed != nullptr, "from_dlpack: null");
  return take(managed, 0, pool);
}

TensorView dlpack_view(const ManagedVersioned& managed) {
  check_version(managed);
  const Checked array = check_aligned(managed, managed.flags);
  return {array.dtype, array.shape, array.strides, array.data};
}

TensorView dlpack_view(const Managed& managed) {
  const Checked array = check_aligned(managed, 0);
  return {array.dtype, array.shape, array.strides, array.data};
}

MutableTensorView dlpack_mutable_view(const ManagedVersioned& managed) {
  check_version(managed);
  require((managed.flags & dlpack::kReadOnly) == 0, "dlpack: the array is read-only");
  const Checked array = check_aligned(managed, managed.flags);
  return {array.dtype, array.shape, array.strides, array.data};
}

}  // namespace bitnet
