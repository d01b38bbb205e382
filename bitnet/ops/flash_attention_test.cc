// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/flash_attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "bitnet/runtime/runtime.h"

namespace bitnet::ops {
namespace {

// Floats in row-major order, or with two axes exchanged in memory.
struct Array {
  Shape shape;
  std::vector<float> values;
  int axis = 0, other = 0;

  explicit Array(Shape s) : shape(s), values(static_cast<std::size_t>(s.num_elements())) {}
  Array& randomize(std::mt19937& rng) {
    std::normal_distribution<float> normal;
    for (float& x : values) x = normal(rng);
    return *this;
  }
  MutableTensorView view() {
    const Shape in_memory = shape.with(axis, shape[other]).with(other, shape[axis]);
    return MutableTensorView(DType::f32, in_memory, reinterpret_cast<std::byte*>(values.data()))
        .transpose(axis, other);
  }
  // The same elements, heads inside of rows in memory: [batch][rows][heads][columns].
  Array heads_inside() {
    Array result(shape);
    result.axis = 1, result.other = 2;
    const auto from = view(), to = result.view();
    for (std::int64_t b = 0; b < shape[0]; ++b)
      for (std::int64_t h = 0; h < shape[1]; ++h)
        for (std::int64_t r = 0; r < shape[2]; ++r)
          for (std::int64_t c = 0; c < shape[3]; ++c)
            to.at<float>({b, h, r, c}) = from.at<float>({b, h, r, c});
    return result;
  }
};

class FlashAttentionOps : public ::testing::Test {
 protected:
  static constexpr std::int64_t kBatch = 2, kHeads = 6, kKvHeads = 2, kQueries = 9, kKeys = 70,
                                kDim = 20, kValueDim = 17;

  FlashAttentionOps()
      : q({kBatch, kHeads, kQueries, kDim}),
        k({kBatch, kKvHeads, kKeys, kDim}),
        v({kBatch, kKvHeads, kKeys, kValueDim}),
        out({kBatch, kHeads, kQueries, kValueDim}),
        lse({kBatch, kHeads, kQueries}),
        dout(out),
        dq(q),
        dk(k),
        dv(v) {
    q.randomize(rng_), k.randomize(rng_), v.randomize(rng_), dout.randomize(rng_);
  }
  void forward() {
    flash_attention(context(), q.view(), k.view(), v.view(), options, out.view(), lse.view());
  }
  void backward() {
    flash_attention_backward(context(), q.view(), k.view(), v.view(), out.view(), lse.view(),
                             dout.view(), options, dq.view(), dk.view(), dv.view());
  }
  OpContext context() { return runtime_.context(); }

  template <class Call>
  void expect_error(Errc code, const std::string& message, const Call& call) {
    try {
      call();
      ADD_FAILURE() << "nothing thrown, expected: " << message;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), code);
      EXPECT_EQ(e.what(), message);
    }
  }

  FlashAttentionOptions options{.causal = true, .window = {}, .scale = {}};
  Array q, k, v, out, lse, dout, dq, dk, dv;

 private:
  std::mt19937 rng_{1};
  Runtime runtime_{2};
};

TEST_F(FlashAttentionOps, StridesDoNotMatter) {
  forward();
  backward();
  const std::vector<Array> expected{out, dq, dk, dv};
  const std::vector<float> sums = lse.values;
  for (Array* a : {&q, &k, &v, &out, &dout, &dq, &dk, &dv}) *a = a->heads_inside();
  lse = Array({kBatch, kHeads, kQueries});
  lse.axis = 1, lse.other = 2;
  forward();
  backward();
  Array* const found[] = {&out, &dq, &dk, &dv};
  for (std::size_t i = 0; i < 4; ++i)
    EXPECT_EQ(found[i]->values, Array(expected[i]).heads_inside().values) << i;
  for (std::int64_t h = 0; h < kHeads; ++h)
    EXPECT_EQ(lse.view().at<float>({1, h, 4}),
              sums[static_cast<std::size_t>((kHeads + h) * kQueries + 4)]);
}

TEST_F(FlashAttentionOps, KeysOfOneBatchServeAll) {
  k.shape = k.shape.with(0, 1), v.shape = v.shape.with(0, 1);
  const auto all = [](Array& a) { return a.view().broadcast_to(a.shape.with(0, kBatch)); };
  flash_attention(context(), q.view(), all(k), all(v), options, out.view());
  Array one({1, kHeads, kQueries, kValueDim});
  flash_attention(context(), q.view().slice(0, {1, 2}), k.view(), v.view(), options, one.view());
  const std::vector<float> second(out.values.begin() + out.view().stride(0) / 4, out.values.end());
  EXPECT_EQ(second, one.values);
}

TEST_F(FlashAttentionOps, ScaleAndWindow) {
  forward();
  const std::vector<float> usual = out.values;
  options.scale = 1 / std::sqrt(20.0f);
  options.window = kKeys;
  forward();
  EXPECT_EQ(out.values, usual);
  options.window = 1;  // its own key only
  forward();
  for (std::int64_t d = 0; d < kValueDim; ++d)
    EXPECT_EQ(out.view().at<float>({1, 4, 3, d}),
              v.view().at<float>({1, 1, kKeys - kQueries + 3, d}));
}

TEST_F(FlashAttentionOps, WithoutKeysOutputIsZero) {
  k = Array({kBatch, kKvHeads, 0, kDim}), v = Array({kBatch, kKvHeads, 0, kValueDim});
  dk = k, dv = v;
  out.values.assign(out.values.size(), 1.0f), dq.values.assign(dq.values.size(), 1.0f);
  forward();
  backward();
  EXPECT_EQ(out.values, std::vector<float>(out.values.size()));
  EXPECT_EQ(lse.values, std::vector<float>(lse.values.size(), -INFINITY));
  EXPECT_EQ(dq.values, std::vector<float>(dq.values.size()));
}

TEST_F(FlashAttentionOps, WithoutQueriesNothingIsPassedBack) {
  for (Array* a : {&q, &out, &dout, &dq}) *a = Array(a->shape.with(2, 0));
  lse = Array({kBatch, kHeads, 0});
  dk.values.assign(dk.values.size(), 1.0f), dv.values.assign(dv.values.size(), 1.0f);
  forward();
  backward();
  EXPECT_EQ(dk.values, std::vector<float>(dk.values.size()));
  EXPECT_EQ(dv.values, std::vector<float>(dv.values.size()));
}

TEST_F(FlashAttentionOps, NoBatchIsNoWork) {
  for (Array* a : {&q, &k, &v, &out, &lse, &dout, &dq, &dk, &dv}) *a = Array(a->shape.with(0, 0));
  forward();
  backward();
}

TEST_F(FlashAttentionOps, RefusesWhatDoesNotFit) {
  const auto refuses = [&](Array& a, int axis, std::int64_t dim, const std::string& message) {
    const Array before = a;
    a = Array(a.shape.with(axis, dim));
    expect_error(Errc::invalid_argument, "flash_attention: " + message, [&] { forward(); });
    a = before;
  };
  refuses(k, 0, 3, "k is [3, 2, 70, 20], expected [2, 2, 70, 20]");
  refuses(k, 3, 16, "k is [2, 2, 70, 16], expected [2, 2, 70, 20]");
  refuses(v, 1, 1, "v is [2, 1, 70, 17], expected [2, 2, 70, 17]");
  refuses(v, 2, 71, "v is [2, 2, 71, 17], expected [2, 2, 70, 17]");
  refuses(q, 1, 7, "q is [2, 7, 9, 20], expected heads that are a multiple of the 2 of k");
  refuses(q, 3, 0, "k is [2, 2, 70, 20], expected [2, 2, 70, 0]");
  refuses(v, 3, 0, "v is [2, 2, 70, 0], expected at least 1 column");
  refuses(out, 2, 8, "out is [2, 6, 8, 17], expected [2, 6, 9, 17]");
  refuses(lse, 1, 2, "logsumexp is [2, 2, 9], expected [2, 6, 9]");
  const Array before = q;
  q = Array({kHeads, kQueries, kDim});
  expect_error(Errc::invalid_argument, "flash_attention: q is [6, 9, 20], expected rank 4",
               [&] { forward(); });
  q = before;
  options.window = 0;
  expect_error(Errc::invalid_argument, "flash_attention: window is 0, expected at least 1",
               [&] { forward(); });
  options = {.causal = false, .window = 5, .scale = {}};
  expect_error(Errc::invalid_argument, "flash_attention: window is 5, expected none without causal",
               [&] { forward(); });
}

TEST_F(FlashAttentionOps, GradientRefusesWhatDoesNotFit) {
  forward();
  for (const auto& [array, name] :
       {std::pair{&dq, "dq"}, {&dk, "dk"}, {&dv, "dv"}, {&out, "out"}, {&dout, "dout"}}) {
    const Array before = *array;
    *array = Array(array->shape.with(2, 3));
    expect_error(Errc::invalid_argument,
                 "flash_attention_backward: " + std::string(name) + " is " +
                     to_string(array->shape) + ", expected " + to_string(before.shape),
                 [&] { backward(); });
    *array = before;
  }
}

TEST_F(FlashAttentionOps, RefusesTypesAndStrides) {
  const auto run = [&](TensorView query, MutableTensorView to) {
    flash_attention(context(), query, k.view(), v.view(), options, to);
  };
  const TensorView half(DType::f16, q.shape, q.view().data());
  expect_error(Errc::unsupported, "flash_attention: q is f16, expected one of f32",
               [&] { run(half, out.view()); });
  Array turned({kBatch, kHeads, kDim, kQueries});
  expect_error(Errc::unsupported,
               "flash_attention: q has gaps along its last axis; contiguous() copies it",
               [&] { run(turned.view().transpose(2, 3), out.view()); });
  Array row({kBatch, kHeads, 1, kValueDim});
  expect_error(Errc::invalid_argument,
               "flash_attention: out repeats elements along axis 2 of [2, 6, 9, 17]",
               [&] { run(q.view(), row.view().broadcast_to(out.shape)); });
  const TensorView gpu(DType::f32, q.shape, q.view().data(), Device{DeviceKind::cuda, 1});
  expect_error(Errc::unsupported, "flash_attention: q is on cuda:1, expected cpu",
               [&] { run(gpu, out.view()); });
}

}  // namespace
}  // namespace bitnet::ops
