// SPDX-License-Identifier: MIT OR Apache-2.0
// Pointwise ops on doubles and integers. Integers wrap as two's complement does.
#include <cmath>
#include <limits>
#include <type_traits>

#include "bitnet/backend/cpu/plain_types.h"
#include "bitnet/backend/cpu/pointwise_op.h"
#include "bitnet/backend/cpu/strided.h"
#include "bitnet/base/math.h"

namespace bitnet::cpu {
namespace {

// Wraps instead of overflowing. Types below int are computed in int, which holds their products but
// that of u16; unsigned int holds that too.
template <class T, class F>
T wrapped(T a, T b, const F& f) {
  if constexpr (std::is_floating_point_v<T>) {
    return f(a, b);
  } else {
    using U = std::common_type_t<std::make_unsigned_t<T>, unsigned>;
    return static_cast<T>(f(static_cast<U>(a), static_cast<U>(b)));
  }
}

template <class T>
T divided(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    return a / b;
  } else {
    if (b == 0) return 0;
    if constexpr (std::is_signed_v<T>)
      if (b == -1) return wrapped(T{0}, a, [](auto x, auto y) { return x - y; });
    return static_cast<T>(a / b);
  }
}

template <class T>
bool is_nan(T x) {
  return x != x;
}

template <class T>
T least(T a, T b) {
  if (is_nan(a)) return a;
  if constexpr (std::is_floating_point_v<T>)
    if (a == b) return std::signbit(a) ? a : b;
  return a < b ? a : b;
}

template <class T>
T greatest(T a, T b) {
  if (is_nan(a)) return a;
  if constexpr (std::is_floating_point_v<T>)
    if (a == b) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

template <class T, class F>
void map_unary(const UnaryArgs& args, ThreadPool& pool, const F& f) {
  const NdLoop<2> loop(args.shape, {args.out.strides, args.x.strides});
  for_pieces(pool, loop, [&](const auto& at, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const T y = f(value_at<T>(bytes(args.x) + at[1] + i * loop.step[1]));
      std::memcpy(bytes(args.out) + at[0] + i * loop.step[0], &y, sizeof y);
    }
  });
}

template <class Out, class T, class Args, class F>
void map_binary(const Args& args, ThreadPool& pool, const F& f) {
  const NdLoop<3> loop(args.shape, {args.out.strides, args.a.strides, args.b.strides});
  for_pieces(pool, loop, [&](const auto& at, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      const Out y = f(value_at<T>(bytes(args.a) + at[1] + i * loop.step[1]),
                      value_at<T>(bytes(args.b) + at[2] + i * loop.step[2]));
      std::memcpy(bytes(args.out) + at[0] + i * loop.step[0], &y, sizeof y);
    }
  });
}

// A parameter as an integer: towards 0, to the nearest end of the range.
template <class T>
T parameter(float p) {
  if constexpr (std::is_floating_point_v<T>) {
    return p;
  } else {
    constexpr T low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
    if (!(p > static_cast<float>(low))) return low;
    return p >= static_cast<float>(high) ? high : static_cast<T>(p);
  }
}

template <class T>
void unary_of(const UnaryArgs& args, ThreadPool& pool) {
  const auto minus = [](auto x, auto y) { return x - y; };
  const auto times = [](auto x, auto y) { return x * y; };
  const auto relu = [](T x) { return x < T{0} ? T{0} : x; };
  const T low = parameter<T>(args.p0), high = parameter<T>(args.p1);
  switch (args.op) {
    case UnaryOp::neg:
      return map_unary<T>(args, pool, [&](T x) {
        if constexpr (std::is_floating_point_v<T>)
          return -x;
        else
          return wrapped(T{0}, x, minus);
      });
    case UnaryOp::abs:
      return map_unary<T>(args, pool, [&](T x) {
        if constexpr (std::is_floating_point_v<T>)
          return std::fabs(x);
        else
          return x < T{0} ? wrapped(T{0}, x, minus) : x;
      });
    case UnaryOp::square:
      return map_unary<T>(args, pool, [&](T x) { return wrapped(x, x, times); });
    case UnaryOp::relu:
      return map_unary<T>(args, pool, relu);
    case UnaryOp::relu2:
      return map_unary<T>(args, pool, [&](T x) { return wrapped(relu(x), relu(x), times); });
    case UnaryOp::clamp:
      return map_unary<T>(args, pool, [&](T x) {
        const T raised = x < low ? low : x;
        return raised > high ? high : raised;
      });
    default:
      break;
  }
  if constexpr (std::is_floating_point_v<T>) switch (args.op) {
      case UnaryOp::reciprocal:
        return map_unary<T>(args, pool, [](T x) { return 1.0 / x; });
      case UnaryOp::sqrt:
        return map_unary<T>(args, pool, [](T x) { return std::sqrt(x); });
      case UnaryOp::rsqrt:
        return map_unary<T>(args, pool, [](T x) { return 1.0 / std::sqrt(x); });
      case UnaryOp::exp:
        return map_unary<T>(args, pool, [](T x) { return det_exp(x); });
      case UnaryOp::log:
        return map_unary<T>(args, pool, [](T x) { return det_log(x); });
      default:
        break;
    }
}

template <class T>
void binary_of(const BinaryArgs& args, ThreadPool& pool) {
  switch (args.op) {
    case BinaryOp::add:
      return map_binary<T, T>(
          args, pool, [](T a, T b) { return wrapped(a, b, [](auto x, auto y) { return x + y; }); });
    case BinaryOp::sub:
      return map_binary<T, T>(
          args, pool, [](T a, T b) { return wrapped(a, b, [](auto x, auto y) { return x - y; }); });
    case BinaryOp::mul:
      return map_binary<T, T>(
          args, pool, [](T a, T b) { return wrapped(a, b, [](auto x, auto y) { return x * y; }); });
    case BinaryOp::div:
      return map_binary<T, T>(args, pool, divided<T>);
    case BinaryOp::min:
      return map_binary<T, T>(args, pool, least<T>);
    case BinaryOp::max:
      return map_binary<T, T>(args, pool, greatest<T>);
    default:
      return;
  }
}

template <class T>
void compare_of(const CompareArgs& args, ThreadPool& pool) {
  using Byte = std::uint8_t;
  switch (args.op) {
    case CompareOp::eq:
      return map_binary<Byte, T>(args, pool, [](T a, T b) { return Byte{a == b}; });
    case CompareOp::ne:
      return map_binary<Byte, T>(args, pool, [](T a, T b) { return Byte{a != b}; });
    case CompareOp::lt:
      return map_binary<Byte, T>(args, pool, [](T a, T b) { return Byte{a < b}; });
    case CompareOp::le:
      return map_binary<Byte, T>(args, pool, [](T a, T b) { return Byte{a <= b}; });
    case CompareOp::gt:
      return map_binary<Byte, T>(args, pool, [](T a, T b) { return Byte{a > b}; });
    case CompareOp::ge:
      return map_binary<Byte, T>(args, pool, [](T a, T b) { return Byte{a >= b}; });
  }
}

}  // namespace

void plain_unary(const UnaryArgs& args, ThreadPool& pool) {
  with_plain_type(args.x.dtype, [&](auto zero) { unary_of<decltype(zero)>(args, pool); });
}

void plain_binary(const BinaryArgs& args, ThreadPool& pool) {
  with_plain_type(args.a.dtype, [&](auto zero) { binary_of<decltype(zero)>(args, pool); });
}

void plain_compare(const CompareArgs& args, ThreadPool& pool) {
  with_plain_type(args.a.dtype, [&](auto zero) { compare_of<decltype(zero)>(args, pool); });
}

}  // namespace bitnet::cpu
