// SPDX-License-Identifier: MIT OR Apache-2.0
// Pointwise ops, activations and reductions over 64 MB against the loops of STREAM.
#include "bench/ops/harness.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/reduce.h"

namespace bench {

using namespace bitnet;
using ops::unary;

void stream_cases(Harness& h) {
  const auto c = h.runtime.context();
  const std::int64_t n = h.quick() ? 4096 : 16 << 20;  // floats
  const Tensor a = random_tensor(DType::f32, {n}, 7), b = random_tensor(DType::f32, {n}, 8);
  Tensor out = Tensor::allocate(DType::f32, {n});
  Tensor positive = unary(c, UnaryOp::abs, a);
  const float *x = a.as<float>(), *y = b.as<float>();
  float* z = out.as_mutable<float>();
  // STREAM's "scale" and "add", compiled as the rest of the program.
  const Work scale = [&] {
    h.runtime.threads().for_slices(n, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) z[i] = 3.0f * x[i];
    });
  };
  const Work add = [&] {
    h.runtime.threads().for_slices(n, 16, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) z[i] = x[i] + y[i];
    });
  };
  const auto unary_case = [&](const char* name, UnaryOp op, const Tensor& from, double share) {
    h.run(std::string(name) + " of 64 MB",
          [&] { ops::unary(c, op, from, out.mutable_view(), -0.5f, 0.5f); }, {{"STREAM", scale}},
          {"STREAM", share});
  };
  const auto binary_case = [&](const char* name, BinaryOp op, const Tensor& from, double share) {
    h.run(std::string(name) + " of 64 MB", [&] { ops::binary(c, op, from, b, out.mutable_view()); },
          {{"STREAM", add}}, {"STREAM", share});
  };
  binary_case("add", BinaryOp::add, a, 0.9);
  binary_case("mul", BinaryOp::mul, a, 0.9);
  binary_case("div", BinaryOp::div, a, 0.9);
  binary_case("max of pairs", BinaryOp::max, a, 0.9);
  binary_case("pow", BinaryOp::pow, positive, 0.6);
  unary_case("abs", UnaryOp::abs, a, 0.9);
  unary_case("sqrt", UnaryOp::sqrt, positive, 0.9);
  unary_case("clamp", UnaryOp::clamp, a, 0.9);
  unary_case("relu", UnaryOp::relu, a, 0.9);
  unary_case("relu2", UnaryOp::relu2, a, 0.9);
  unary_case("exp", UnaryOp::exp, a, 0.6);
  unary_case("log", UnaryOp::log, positive, 0.6);
  unary_case("tanh", UnaryOp::tanh, a, 0.6);
  unary_case("sigmoid", UnaryOp::sigmoid, a, 0.6);
  unary_case("silu", UnaryOp::silu, a, 0.6);
  unary_case("gelu", UnaryOp::gelu, a, 0.6);
  unary_case("gelu_tanh", UnaryOp::gelu_tanh, a, 0.6);
  const double read_seconds = 4.0 * double(n) / h.read_bandwidth();
  for (const auto& [name, op] :
       {std::pair{"sum", ReduceOp::sum}, {"max", ReduceOp::max}, {"norm2", ReduceOp::norm2}}) {
    h.run(
        std::string(name) + " of 64 MB", [&, which = op] { ops::reduce(c, which, a); }, {},
        {"limit", 0.9}, read_seconds);
    const Tensor matrix = Tensor::borrow(DType::f32, {n / 4096, 4096}, a.data(), nullptr);
    h.run(
        std::string(name) + " over the columns of 64 MB",
        [&, which = op] { ops::reduce(c, which, matrix, {0}); }, {}, {"limit", 0.9}, read_seconds);
  }
}

}  // namespace bench
