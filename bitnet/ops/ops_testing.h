// SPDX-License-Identifier: MIT OR Apache-2.0
// What tests of ops share: random tensors, views of awkward strides, elements as doubles, slopes.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include "bitnet/base/error_testing.h"
#include "bitnet/base/half.h"
#include "bitnet/runtime/runtime.h"
#include "bitnet/tensor/copy.h"

namespace bitnet::ops {

using Doubles = std::vector<double>;

/// Elements of a view of a type that is not packed, in row-major order.
inline Doubles values(const TensorView& view) {
  const Tensor t = contiguous(view);
  Doubles out;
  for (std::int64_t i = 0; i < view.num_elements(); ++i) switch (view.dtype()) {
      case DType::f32:
        out.push_back(t.as<float>()[i]);
        break;
      case DType::f64:
        out.push_back(t.as<double>()[i]);
        break;
      case DType::f16:
        out.push_back(f16_to_f32(t.as<std::uint16_t>()[i]));
        break;
      case DType::bf16:
        out.push_back(bf16_to_f32(t.as<std::uint16_t>()[i]));
        break;
      case DType::i8:
        out.push_back(t.as<std::int8_t>()[i]);
        break;
      case DType::u8:
        out.push_back(t.as<std::uint8_t>()[i]);
        break;
      case DType::u16:
        out.push_back(t.as<std::uint16_t>()[i]);
        break;
      case DType::i32:
        out.push_back(t.as<std::int32_t>()[i]);
        break;
      default:
        out.push_back(static_cast<double>(t.as<std::int64_t>()[i]));
    }
  return out;
}

/// A tensor of these numbers, each as the nearest value of its type (integers: cut off).
inline Tensor tensor_of(const Doubles& v, const Shape& shape, DType dtype = DType::f32) {
  Tensor t = Tensor::allocate(dtype, shape);
  for (std::size_t i = 0; i < v.size(); ++i) {
    std::byte* at = t.mutable_data() + i * static_cast<std::size_t>(info(dtype).block_bytes);
    const auto put = [&](auto x) { std::memcpy(at, &x, sizeof x); };
    switch (dtype) {
      case DType::f32:
        put(static_cast<float>(v[i]));
        break;
      case DType::f64:
        put(v[i]);
        break;
      case DType::f16:
        put(f32_to_f16(static_cast<float>(v[i])));
        break;
      case DType::bf16:
        put(f32_to_bf16(static_cast<float>(v[i])));
        break;
      case DType::i8:
        put(static_cast<std::int8_t>(v[i]));
        break;
      case DType::u8:
        put(static_cast<std::uint8_t>(v[i]));
        break;
      case DType::u16:
        put(static_cast<std::uint16_t>(v[i]));
        break;
      case DType::i32:
        put(static_cast<std::int32_t>(v[i]));
        break;
      default:
        put(static_cast<std::int64_t>(v[i]));
    }
  }
  return t;
}

inline Doubles normal_doubles(std::mt19937& rng, std::int64_t count, double spread = 1.0) {
  std::normal_distribution<double> normal(0.0, spread);
  Doubles v(static_cast<std::size_t>(count));
  for (double& x : v) x = normal(rng);
  return v;
}

/// A view that shows `t` (any rank) through other strides: kinds 0 as it is, 1 its axes stored the
/// other way round, 2 every second element of a larger tensor, 3 stored backwards.
struct Awkward {
  Tensor storage;
  MutableTensorView view;

  Awkward(const Tensor& t, int kind) {
    const int rank = t.shape().rank();
    std::vector<std::int64_t> dims(t.shape().dims().begin(), t.shape().dims().end());
    std::vector<int> order;
    for (int i = rank; i-- > 0;) order.push_back(i);
    if (kind == 1) std::reverse(dims.begin(), dims.end());
    if (kind == 2)
      for (auto& d : dims) d *= 2;
    storage = Tensor::allocate(t.dtype(), Shape(dims));
    if (storage.size_bytes() > 0) std::memset(storage.mutable_data(), 0x5a, storage.size_bytes());
    view = storage.mutable_view();
    if (kind == 1) view = view.permute(order);
    for (int i = 0; i < rank; ++i) {
      if (kind == 2) view = view.slice(i, {0, {}, 2});
      if (kind == 3) view = view.flip(i);
    }
    copy(t, view);
  }
};

/// Slope of f at x by central differences in double, error about h^4.
inline double slope(const std::function<double(double)>& f, double x) {
  const double h = 1e-3 * std::max(1.0, std::fabs(x));
  return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h);
}

/// |got - expected| <= tolerance * max(1, |expected|) for every element.
inline void expect_near(const Doubles& got, const Doubles& expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    ASSERT_LE(std::fabs(got[i] - expected[i]), tolerance * std::max(1.0, std::fabs(expected[i])))
        << "at " << i << ": " << got[i] << ", expected " << expected[i];
}

/// Gradients of loss(inputs) = sum of weights * outputs by central differences: what a backward
/// function should give for the gradient `weights` of its outputs.
inline Doubles numeric_gradient(const std::function<Doubles(const Doubles&)>& f, const Doubles& x,
                                const Doubles& weights) {
  const auto loss = [&](const Doubles& at) {
    const Doubles y = f(at);
    double sum = 0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += weights[i] * y[i];
    return sum;
  };
  Doubles gradient;
  for (std::size_t i = 0; i < x.size(); ++i)
    gradient.push_back(slope(
        [&](double v) {
          Doubles moved = x;
          moved[i] = v;
          return loss(moved);
        },
        x[i]));
  return gradient;
}

}  // namespace bitnet::ops
