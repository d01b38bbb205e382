// SPDX-License-Identifier: MIT OR Apache-2.0
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "bitnet/backend/cpu/plain_types.h"
#include "bitnet/backend/cpu/pointwise_op.h"
#include "bitnet/backend/cpu/strided.h"
#include "bitnet/base/half.h"
#include "bitnet/io/ggml_blocks.h"
#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/block160.h"
#include "bitnet/ternary/small_ints.h"

namespace bitnet::cpu {
namespace {

bool is_integer(DType type) {
  const NumberKind kind = info(type).kind;
  return kind != NumberKind::floating && kind != NumberKind::scaled_block;
}

// Rounded to odd: towards 0, the last bit set where that lost something. Rounding the result again,
// to at least two bits less, is then as good as rounding once (Boldo and Melquiond 2008).
double odd_double(std::int64_t x) {
  const double near = static_cast<double>(x);
  if (near < 0x1p63 && static_cast<std::int64_t>(near) == x) return near;
  const bool away = x > 0 ? near >= 0x1p63 || static_cast<std::int64_t>(near) > x
                          : static_cast<std::int64_t>(near) < x;
  return std::bit_cast<double>((std::bit_cast<std::uint64_t>(near) - away) | 1u);
}

float odd_float(double x) {
  const float near = static_cast<float>(x);
  if (static_cast<double>(near) == x || std::isnan(x) || std::isinf(near)) return near;
  const bool away = std::fabs(static_cast<double>(near)) > std::fabs(x);
  return std::bit_cast<float>((std::bit_cast<std::uint32_t>(near) - away) | 1u);
}

template <class T>
T integer_of(double x) {
  if (std::isnan(x)) return 0;
  // The highest i64 is no double; what rounds to 2^63 is beyond it.
  if (x >= static_cast<double>(std::numeric_limits<T>::max())) return std::numeric_limits<T>::max();
  if (x <= static_cast<double>(std::numeric_limits<T>::min())) return std::numeric_limits<T>::min();
  return static_cast<T>(x);
}

// Elements of one run, read as doubles or as 64-bit integers.
struct Row {
  std::vector<double> reals;
  std::vector<std::int64_t> integers;
  std::vector<std::int8_t> small;
  std::vector<float> floats;
};

void read_packed(DType type, const std::byte* at, std::int64_t count, Row& row) {
  const auto* packed = reinterpret_cast<const std::uint8_t*>(at);
  row.small.resize(static_cast<std::size_t>(count));
  if (type == DType::ternary2)
    block128::unpack_row(packed, count, row.small.data());
  else if (type == DType::ternary1_6)
    block160::unpack_row(packed, count, row.small.data());
  else
    small_ints::unpack_row(type, packed, count, row.small.data());
  row.integers.assign(row.small.begin(), row.small.end());
}

void write_packed(DType type, std::byte* at, std::int64_t count, Row& row) {
  const auto low = static_cast<std::int64_t>(info(type).lowest);
  const auto high = static_cast<std::int64_t>(info(type).highest);
  row.small.clear();
  for (const std::int64_t v : row.integers)
    row.small.push_back(static_cast<std::int8_t>(std::clamp(v, low, high)));
  auto* packed = reinterpret_cast<std::uint8_t*>(at);
  if (type == DType::ternary2)
    block128::pack_row(row.small.data(), count, packed);
  else if (type == DType::ternary1_6)
    block160::pack_row(row.small.data(), count, packed);
  else
    small_ints::pack_row(type, row.small.data(), count, packed);
}

std::int64_t read_integer(DType type, const std::byte* at) {
  switch (type) {
    case DType::i8:
      return value_at<std::int8_t>(at);
    case DType::u8:
      return value_at<std::uint8_t>(at);
    case DType::u16:
      return value_at<std::uint16_t>(at);
    case DType::i32:
      return value_at<std::int32_t>(at);
    default:
      return value_at<std::int64_t>(at);
  }
}

double read_real(DType type, const std::byte* at) {
  switch (type) {
    case DType::f16:
      return f16_to_f32(value_at<std::uint16_t>(at));
    case DType::bf16:
      return bf16_to_f32(value_at<std::uint16_t>(at));
    case DType::f32:
      return value_at<float>(at);
    default:
      return value_at<double>(at);
  }
}

void write_integer(DType type, std::int64_t v, std::byte* to) {
  const auto within = [&]<class T>(T) {
    return static_cast<T>(
        std::clamp<std::int64_t>(v, std::numeric_limits<T>::min(), std::numeric_limits<T>::max()));
  };
  switch (type) {
    case DType::i8:
      return put_value(to, within(std::int8_t{}));
    case DType::u8:
      return put_value(to, within(std::uint8_t{}));
    case DType::u16:
      return put_value(to, within(std::uint16_t{}));
    case DType::i32:
      return put_value(to, within(std::int32_t{}));
    default:
      return put_value(to, v);
  }
}

void write_real(DType type, double v, std::byte* to) {
  switch (type) {
    case DType::f16:
      return put_value(to, f32_to_f16(odd_float(v)));
    case DType::bf16:
      return put_value(to, f32_to_bf16(odd_float(v)));
    case DType::f32:
      return put_value(to, static_cast<float>(v));
    default:
      return put_value(to, v);
  }
}

void read_run(DType type, const std::byte* at, std::int64_t step, std::int64_t count, Row& row) {
  const DTypeInfo& t = info(type);
  if (t.kind == NumberKind::scaled_block) {
    row.floats.resize(static_cast<std::size_t>(count));
    dequantize_row(type, {at, static_cast<std::size_t>(*row_bytes(type, count))}, row.floats);
    row.reals.assign(row.floats.begin(), row.floats.end());
  } else if (t.packed()) {
    read_packed(type, at, count, row);
  } else if (is_integer(type)) {
    row.integers.resize(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i)
      row.integers[static_cast<std::size_t>(i)] = read_integer(type, at + i * step);
  } else {
    row.reals.resize(static_cast<std::size_t>(count));
    for (std::int64_t i = 0; i < count; ++i)
      row.reals[static_cast<std::size_t>(i)] = read_real(type, at + i * step);
  }
}

void write_run(DType type, std::byte* to, std::int64_t step, std::int64_t count, Row& row) {
  if (info(type).packed()) return write_packed(type, to, count, row);
  for (std::int64_t i = 0; i < count; ++i)
    if (is_integer(type))
      write_integer(type, row.integers[static_cast<std::size_t>(i)], to + i * step);
    else
      write_real(type, row.reals[static_cast<std::size_t>(i)], to + i * step);
}

// Any pair: by way of 64-bit integers where the result is one, otherwise of doubles. Right rather
// than fast.
void cast_rows(const CastArgs& args, ThreadPool& pool) {
  const int rank = args.shape.rank();
  const bool scalar = rank == 0;
  const std::int64_t count = scalar ? 1 : args.shape[rank - 1];
  const Shape outer = scalar ? args.shape : args.shape.with(rank - 1, count > 0);
  const NdLoop<2> loop(outer, {args.out.strides, args.x.strides});
  const auto last = static_cast<std::size_t>(std::max(rank - 1, 0));
  for_rows(pool, loop.elements(), 8 * count, [&](std::int64_t begin, std::int64_t end) {
    Row row;
    for (std::int64_t r = begin; r < end; ++r) {
      const auto at = loop.element(r);
      read_run(args.x.dtype, bytes(args.x) + at[1], args.x.strides[last], count, row);
      const bool from = is_integer(args.x.dtype), to = is_integer(args.out.dtype);
      if (from && !to) {
        row.reals.clear();
        for (const std::int64_t v : row.integers)
          row.reals.push_back(args.out.dtype == DType::f64 ? static_cast<double>(v)
                                                           : odd_double(v));
      } else if (!from && to) {
        row.integers.clear();
        for (const double v : row.reals) row.integers.push_back(integer_of<std::int64_t>(v));
      }
      write_run(args.out.dtype, bytes(args.out) + at[0], args.out.strides[last], count, row);
    }
  });
}

}  // namespace

void cast(const CastArgs& args, ThreadPool& pool) {
  const bool from_floats = is_float(args.x.dtype);
  if (!is_float(args.out.dtype) || !from_floats) return cast_rows(args, pool);
  const PointwiseKernels& kernels = active_pointwise_kernels();
  const NdLoop<2> loop(args.shape, {args.out.strides, args.x.strides});
  for_pieces(pool, loop, [&](const auto& at, std::int64_t count) {
    alignas(64) float in[kPiece], out[kPiece];
    const FloatPiece x(kernels, args.x.dtype, bytes(args.x) + at[1], loop.step[1], count, in);
    const FloatSink sink(args.out.dtype, bytes(args.out) + at[0], loop.step[0], out);
    if (x.step == 0)
      std::fill_n(sink.data, count, *x.data);
    else
      std::memcpy(sink.data, x.data, static_cast<std::size_t>(count) * sizeof(float));
    sink.finish(kernels, count);
  });
}

}  // namespace bitnet::cpu
