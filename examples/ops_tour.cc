// SPDX-License-Identifier: MIT OR Apache-2.0
// A tour of the ops: a small layer forward and backward, and what its parts give.
#include <bitnet/ops/bit_linear.h>
#include <bitnet/ops/flash_attention.h>
#include <bitnet/ops/matmul.h>
#include <bitnet/ops/pointwise.h>
#include <bitnet/ops/quantizers.h>
#include <bitnet/ops/reduce.h>
#include <bitnet/ops/rows.h>
#include <bitnet/runtime/runtime.h>

#include <cstdio>

using namespace bitnet;

namespace {

Tensor waves(const Shape& shape, float step) {
  Tensor t = Tensor::allocate(DType::f32, shape);
  for (std::int64_t i = 0; i < shape.num_elements(); ++i)
    t.as_mutable<float>()[i] = static_cast<float>(i * 37 % 101 - 50) * step;
  return t;
}

float first(const Tensor& t) { return *t.as<float>(); }

void show(const char* what, float value) {
  std::printf("%-28s %.6f\n", what, static_cast<double>(value));
}

}  // namespace

int main() {
  Runtime runtime;
  const OpContext c = runtime.context();
  const Tensor x = waves({4, 256}, 0.02f), gain = waves({256}, 0.01f),
               master = waves({8, 256}, 0.004f);

  const Tensor normed = ops::rms_norm(c, x, gain, 1e-5f);
  const ops::BitLinear layer = ops::BitLinear::from_master(c, master);
  const Tensor logits = ops::bit_linear(c, layer, ops::unary(c, UnaryOp::relu2, normed));
  show("BitLinear, first logit", first(logits));
  show("softmax, its probability", first(ops::softmax(c, logits)));

  Tensor targets = Tensor::allocate(DType::i64, {4});
  for (int i = 0; i < 4; ++i) targets.as_mutable<std::int64_t>()[i] = i * 2;
  show("cross entropy", ops::cross_entropy(c, logits, targets).loss);

  // Backwards: loss, layer (straight through its roundings), activation, norm.
  const Tensor of_logits = ops::cross_entropy_backward(c, logits, targets);
  const auto of_layer =
      ops::bit_linear_backward(c, layer, ops::unary(c, UnaryOp::relu2, normed), of_logits);
  const Tensor of_normed = ops::unary_backward(c, UnaryOp::relu2, normed, of_layer.x);
  const auto of_norm = ops::rms_norm_backward(c, x, gain, 1e-5f, of_normed);
  show("|gradient of the weights|", first(ops::reduce(c, ReduceOp::norm2, of_layer.weight)));
  show("|gradient of x|", first(ops::reduce(c, ReduceOp::norm2, of_norm.x)));

  // Attention of four heads over two of keys and values, causal; memory does not grow with its
  // square.
  const Tensor q = waves({1, 4, 16, 32}, 0.02f), k = waves({1, 2, 16, 32}, 0.01f),
               v = waves({1, 2, 16, 32}, 0.03f);
  Tensor seen = Tensor::allocate(DType::f32, {1, 4, 16, 32});
  ops::flash_attention(c, q, k, v, {.causal = true, .window = {}, .scale = {}},
                       seen.mutable_view());
  show("attention, last row's mean",
       first(ops::reduce(c, ReduceOp::mean, seen.view().select(2, -1))));
  show("product of matrices", first(ops::matmul(c, x, master.view().transpose(0, 1))));
  show("dropped out and scaled", first(ops::dropout(c, x, {.probability = 0.25, .seed = 7})));
}
