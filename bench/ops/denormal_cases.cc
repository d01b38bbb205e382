// SPDX-License-Identifier: MIT OR Apache-2.0
// Denormal numbers beside normal ones: the same work must not take more than twice the time.
#include "bench/ops/harness.h"
#include "bitnet/ops/matmul.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/quantizers.h"
#include "bitnet/ops/reduce.h"
#include "bitnet/ops/rows.h"

namespace bench {
namespace {

using namespace bitnet;

// Numbers in [-1, 1], and the same as denormals: 1e-39 has 20 bits left of 24.
struct Numbers {
  Tensor normal, denormal;

  Numbers(const OpContext& c, const Shape& shape, unsigned seed)
      : normal(random_tensor(DType::f32, shape, seed)),
        denormal(ops::binary(c, BinaryOp::mul, normal, 1e-39)) {}
};

// `work` of a tensor: ours of denormals, beside it of normal numbers.
void pair_case(Harness& h, const std::string& name, const Numbers& x,
               const std::function<void(const Tensor&)>& work) {
  h.run(name + " of denormals", [&] { work(x.denormal); },
        {{"normal numbers", [&] { work(x.normal); }}}, {"normal numbers", 0.5});
}

}  // namespace

// 256 KB, from the second-level cache: memory hides nothing.
void denormal_cases(Harness& h) {
  if (h.threads() > 1) return;  // a matter of one core
  const auto c = h.runtime.context();
  const std::int64_t rows = h.quick() ? 1 : 16, cols = h.quick() ? 64 : 4096;
  const Numbers x(c, {rows, cols}, 21), y(c, {rows, cols}, 22), w(c, {cols, 64}, 23);
  Tensor out = Tensor::allocate(DType::f32, {rows, cols});
  for (const auto& [name, op] : {std::pair{"abs", UnaryOp::abs},
                                 {"sqrt", UnaryOp::sqrt},
                                 {"exp", UnaryOp::exp},
                                 {"log", UnaryOp::log},
                                 {"tanh", UnaryOp::tanh},
                                 {"sigmoid", UnaryOp::sigmoid},
                                 {"silu", UnaryOp::silu},
                                 {"gelu", UnaryOp::gelu},
                                 {"gelu_tanh", UnaryOp::gelu_tanh},
                                 {"relu2", UnaryOp::relu2}})
    pair_case(h, name, x,
              [&, which = op](const Tensor& t) { ops::unary(c, which, t, out.mutable_view()); });
  for (const auto& [name, op] : {std::pair{"add", BinaryOp::add},
                                 {"mul", BinaryOp::mul},
                                 {"div", BinaryOp::div},
                                 {"pow", BinaryOp::pow}})
    pair_case(h, name, x, [&, which = op](const Tensor& t) {
      ops::binary(c, which, t, &t == &x.normal ? y.normal : y.denormal, out.mutable_view());
    });
  for (const auto& [name, op] : {std::pair{"mul by normal numbers", BinaryOp::mul},
                                 {"div by normal numbers", BinaryOp::div}})
    pair_case(h, name, x, [&, which = op](const Tensor& t) {
      ops::binary(c, which, t, y.normal, out.mutable_view());
    });
  for (const auto& [name, op] :
       {std::pair{"sum", ReduceOp::sum}, {"max", ReduceOp::max}, {"norm2", ReduceOp::norm2}})
    pair_case(h, name, x, [&, which = op](const Tensor& t) { ops::reduce(c, which, t); });
  pair_case(h, "softmax", x, [&](const Tensor& t) { ops::softmax(c, t); });
  const Tensor weight = random_tensor(DType::f32, {cols}, 24);
  pair_case(h, "rms_norm", x, [&](const Tensor& t) { ops::rms_norm(c, t, weight, 1e-5f); });
  pair_case(h, "layer_norm", x, [&](const Tensor& t) { ops::layer_norm(c, t, weight, {}, 1e-5f); });
  pair_case(h, "f32 matmul", x,
            [&](const Tensor& t) { ops::matmul(c, t, &t == &x.normal ? w.normal : w.denormal); });
  pair_case(h, "f32 matmul with normal weights", x,
            [&](const Tensor& t) { ops::matmul(c, t, w.normal); });
  pair_case(h, "int8 quantization", x,
            [&](const Tensor& t) { ops::quantize(c, Quantizer::absmax_i8, t); });
  pair_case(h, "1.58-bit quantization", x,
            [&](const Tensor& t) { ops::quantize(c, Quantizer::absmean_ternary, t); });
}

}  // namespace bench
