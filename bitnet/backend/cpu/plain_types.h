// SPDX-License-Identifier: MIT OR Apache-2.0
// Elements of any type in plain C++: doubles and integers, which no kernel computes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bitnet/tensor/dtype.h"

namespace bitnet::cpu {

/// The T whose bytes lie at p, aligned or not.
template <class T>
T value_at(const std::byte* p) noexcept {
  T value;
  std::memcpy(&value, p, sizeof value);
  return value;
}

template <class T>
void put_value(std::byte* p, T value) noexcept {
  std::memcpy(p, &value, sizeof value);
}

/// Calls f(T{}) for the C++ type of a dtype that ops compute in plain C++; nothing for others.
template <class F>
void with_plain_type(DType type, const F& f) {
  switch (type) {
    case DType::f64:
      return f(double{});
    case DType::i64:
      return f(std::int64_t{});
    case DType::i32:
      return f(std::int32_t{});
    case DType::u16:
      return f(std::uint16_t{});
    case DType::u8:
      return f(std::uint8_t{});
    case DType::i8:
      return f(std::int8_t{});
    default:
      return;
  }
}

}  // namespace bitnet::cpu
