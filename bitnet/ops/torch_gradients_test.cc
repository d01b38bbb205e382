// SPDX-License-Identifier: MIT OR Apache-2.0
// Outputs and gradients of every differentiable op beside PyTorch's, computed in double by
// tests/golden/torch_gradients.py, which says what the cases are and which version made them.
#include <map>
#include <set>

#include "bitnet/io/npz.h"
#include "bitnet/ops/attention.h"
#include "bitnet/ops/bit_linear.h"
#include "bitnet/ops/flash_attention.h"
#include "bitnet/ops/matmul.h"
#include "bitnet/ops/ops_testing.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/quantizers.h"
#include "bitnet/ops/reduce.h"
#include "bitnet/ops/rows.h"

namespace bitnet::ops {
namespace {

// Of max(1, |expected|): 17 units in the last place. Sums of 40 terms of order 1 stay below it.
constexpr double kTolerance = 2e-6;

class TorchGradients : public ::testing::Test {
 protected:
  static const NpzFile& file() {
    static const NpzFile file(std::string(BITNET_SOURCE_DIR) + "/tests/golden/torch_gradients.npz");
    return file;
  }
  // Names of the cases that begin with `prefix`, without it.
  static std::set<std::string> cases(const std::string& prefix) {
    std::set<std::string> names;
    for (const ZipMember& array : file().arrays()) {
      const std::string name = array.name.substr(0, array.name.rfind('.'));
      if (name.starts_with(prefix)) names.insert(name.substr(prefix.size()));
    }
    return names;
  }
  // An array of the case: inputs and g in f32, expected values in f64.
  Tensor at(const std::string& operand) const {
    const ZipMember* array = file().find(case_ + "." + operand);
    if (array == nullptr) throw std::runtime_error(case_ + " has no " + operand);
    return file().read(*array);
  }
  bool has(const std::string& operand) const {
    return file().find(case_ + "." + operand) != nullptr;
  }
  void expect(const std::string& operand, const TensorView& got, double tolerance = kTolerance) {
    SCOPED_TRACE(case_ + "." + operand);
    const Tensor expected = at(operand);
    EXPECT_EQ(got.shape(), expected.shape());
    expect_near(values(got), values(expected), tolerance);
  }

  Runtime runtime_{2};
  OpContext c_ = runtime_.context();
  std::string case_;
};

TEST_F(TorchGradients, Unary) {
  const std::map<std::string, UnaryOp> ops{
      {"neg", UnaryOp::neg},
      {"abs", UnaryOp::abs},
      {"square", UnaryOp::square},
      {"reciprocal", UnaryOp::reciprocal},
      {"sqrt", UnaryOp::sqrt},
      {"rsqrt", UnaryOp::rsqrt},
      {"exp", UnaryOp::exp},
      {"log", UnaryOp::log},
      {"relu", UnaryOp::relu},
      {"relu2", UnaryOp::relu2},
      {"leaky_relu", UnaryOp::leaky_relu},
      {"sigmoid", UnaryOp::sigmoid},
      {"silu", UnaryOp::silu},
      {"tanh", UnaryOp::tanh},
      {"gelu", UnaryOp::gelu},
      {"gelu_tanh", UnaryOp::gelu_tanh},
      {"clamp", UnaryOp::clamp},
  };
  EXPECT_EQ(ops.size(), static_cast<std::size_t>(UnaryOp::clamp) + 1);
  EXPECT_EQ(cases("unary.").size(), ops.size());
  for (const auto& [name, op] : ops) {
    case_ = "unary." + name;
    const Tensor x = at("x"), p = at("p");
    const float p0 = p.as<float>()[0], p1 = p.as<float>()[1];
    expect("y", unary(c_, op, x, p0, p1));
    expect("dx", unary_backward(c_, op, x, at("g"), p0, p1));
  }
}

TEST_F(TorchGradients, Binary) {
  const std::map<std::string, BinaryOp> ops{
      {"add", BinaryOp::add}, {"sub", BinaryOp::sub}, {"mul", BinaryOp::mul},
      {"div", BinaryOp::div}, {"min", BinaryOp::min}, {"max", BinaryOp::max},
      {"pow", BinaryOp::pow},
  };
  EXPECT_EQ(cases("binary.").size(), ops.size());
  for (const auto& [name, op] : ops) {
    case_ = "binary." + name;
    const Tensor a = at("a"), b = at("b");
    expect("y", binary(c_, op, a, b));
    const BinaryGradients d = binary_backward(c_, op, a, b, at("g"));
    expect("da", d.a);
    expect("db", d.b);
  }
}

TEST_F(TorchGradients, Where) {
  case_ = "where";
  const Tensor condition = at("condition"), a = at("a"), b = at("b");
  expect("y", where(c_, condition, a, b));
  const BinaryGradients d = where_backward(c_, condition, a.shape(), b.shape(), at("g"));
  expect("da", d.a);
  expect("db", d.b);
}

TEST_F(TorchGradients, Reductions) {
  const std::map<std::string, std::pair<ReduceOp, double>> ops{
      {"sum", {ReduceOp::sum, 0}},
      {"mean", {ReduceOp::mean, 0}},
      {"prod", {ReduceOp::prod, 0}},
      {"prod_of_zeros", {ReduceOp::prod, 0}},
      {"max", {ReduceOp::max, 0}},
      {"min", {ReduceOp::min, 0}},
      {"norm1", {ReduceOp::norm1, 0}},
      {"norm2", {ReduceOp::norm2, 0}},
      {"norm2_of_zeros", {ReduceOp::norm2, 0}},
      {"variance", {ReduceOp::variance, 0}},
      {"variance_of_sample", {ReduceOp::variance, 1}},
  };
  EXPECT_EQ(cases("reduce.").size(), 3 * ops.size());
  for (const auto& [name, how] : ops) {
    const auto check = [&](std::initializer_list<int> axes) {
      const Tensor x = at("x");
      expect("y", reduce(c_, how.first, x, axes, KeepDims::no, how.second));
      expect("dx", reduce_backward(c_, how.first, x, axes, at("g"), how.second));
    };
    case_ = "reduce." + name + ".1";
    check({1});
    case_ = "reduce." + name + ".02";
    check({0, 2});
    case_ = "reduce." + name + ".012";
    check({});
  }
}

TEST_F(TorchGradients, MatrixProducts) {
  const std::map<std::string, MatmulActivation> activations{
      {"plain", MatmulActivation::none},  {"batches", MatmulActivation::none},
      {"bias", MatmulActivation::none},   {"relu", MatmulActivation::relu},
      {"relu2", MatmulActivation::relu2},
  };
  EXPECT_EQ(cases("matmul.").size(), activations.size());
  for (const auto& [name, activation] : activations) {
    case_ = "matmul." + name;
    const Tensor a = at("input"), b = at("other");
    Tensor bias;
    MatmulOptions options{.bias = {}, .activation = activation};
    if (has("bias")) options.bias = bias = at("bias");
    expect("y", matmul(c_, a, b, options), 4e-6);  // squares of sums of 20
    const MatmulGradients d = matmul_backward(c_, a, b, at("g"), options);
    expect("dinput", d.a, 4e-6);
    expect("dother", d.b, 4e-6);
    EXPECT_EQ(d.bias.defined(), has("bias"));
    if (has("bias")) expect("dbias", d.bias, 4e-6);
  }
}

TEST_F(TorchGradients, SoftmaxAndCrossEntropy) {
  case_ = "softmax";
  const Tensor p = softmax(c_, at("x"));
  expect("y", p);
  expect("dx", softmax_backward(c_, p, at("g")));
  case_ = "log_softmax";
  const Tensor logs = log_softmax(c_, at("x"));
  expect("y", logs);
  expect("dx", log_softmax_backward(c_, logs, at("g")));
  case_ = "cross_entropy";
  expect("y", scalar(c_, DType::f32, cross_entropy(c_, at("x"), at("targets")).loss));
  expect("dx", cross_entropy_backward(c_, at("x"), at("targets"), *at("g").as<float>()));
}

TEST_F(TorchGradients, Norms) {
  constexpr float kEps = 1e-5f;
  for (const char* name : {"rms_norm", "rms_norm_alone", "layer_norm", "layer_norm_alone"}) {
    case_ = name;
    const bool centered = case_.starts_with("layer");
    const Tensor x = at("x"), w = has("w") ? at("w") : scalar(c_, DType::f32, 0),
                 b = has("b") ? at("b") : scalar(c_, DType::f32, 0);
    expect("y", centered ? layer_norm(c_, x, w, b, kEps) : rms_norm(c_, x, w, kEps));
    const NormGradients d = centered ? layer_norm_backward(c_, x, w, kEps, at("g"))
                                     : rms_norm_backward(c_, x, w, kEps, at("g"));
    expect("dx", d.x);
    if (has("w")) expect("dw", d.weight);
    if (has("b")) expect("db", d.bias);
  }
}

TEST_F(TorchGradients, EmbeddingAndRotaryPositions) {
  case_ = "embedding";
  const Tensor table = at("table"), ids = at("ids");
  expect("y", embedding(c_, table, ids), 0);
  expect("dtable", embedding_backward(c_, ids, at("g"), table.rows()));
  case_ = "rope";
  const Tensor cos = at("cos"), sin = at("sin");
  const std::int64_t tokens = cos.rows(), half = cos.cols();
  Tensor y = contiguous(at("x")), d = contiguous(at("g"));
  const MatrixView<const float> cosines{cos.as<float>(), tokens, half, half},
      sines{sin.as<float>(), tokens, half, half};
  rope(c_, {y.as_mutable<float>(), tokens, y.cols(), y.cols()}, 2 * half, cosines, sines);
  rope_backward(c_, {d.as_mutable<float>(), tokens, d.cols(), d.cols()}, 2 * half, cosines, sines);
  expect("y", y);
  expect("dx", d);
}

TEST_F(TorchGradients, Attention) {
  EXPECT_EQ(cases("attention.").size(), 4u);
  for (const std::string& name : cases("attention.")) {
    case_ = "attention." + name;
    const Tensor q = at("q"), k = at("k"), v = at("v"), g = at("g"), how = at("options");
    FlashAttentionOptions options;
    options.causal = how.as<std::int64_t>()[0] != 0;
    if (const std::int64_t window = how.as<std::int64_t>()[1]; window > 0) options.window = window;
    Tensor y = Tensor::allocate(DType::f32, g.shape()),
           sums = Tensor::allocate(DType::f32, {q.shape()[0], q.shape()[1], q.shape()[2]}),
           dq = Tensor::allocate(DType::f32, q.shape()),
           dk = Tensor::allocate(DType::f32, k.shape()),
           dv = Tensor::allocate(DType::f32, v.shape());
    flash_attention(c_, q, k, v, options, y.mutable_view(), sums.mutable_view());
    flash_attention_backward(c_, q, k, v, y, sums, g, options, dq.mutable_view(), dk.mutable_view(),
                             dv.mutable_view());
    expect("y", y);
    expect("dq", dq);
    expect("dk", dk);
    expect("dv", dv);
  }
}

TEST_F(TorchGradients, BitLinearStraightThrough) {
  case_ = "bit_linear";
  BitLinear layer = BitLinear::from_master(c_, at("w"));
  layer.bias = at("bias");
  expect("y", bit_linear(c_, layer, at("x")));
  const BitLinearGradients d = bit_linear_backward(c_, layer, at("x"), at("g"));
  expect("dx", d.x);
  expect("dw", d.weight);
  expect("dbias", d.bias);
}

TEST_F(TorchGradients, DropoutByItsNumbers) {
  for (const char* name : {"dropout", "relu_dropout"}) {
    case_ = name;
    const Tensor numbers = at("numbers");
    const DropoutOptions options{
        *at("probability").as<double>(), static_cast<std::uint64_t>(numbers.as<std::int64_t>()[0]),
        static_cast<std::uint64_t>(numbers.as<std::int64_t>()[1]), case_ == "relu_dropout"};
    expect("y", dropout(c_, at("x"), options));
    expect("dx", dropout_backward(c_, at("x"), at("g"), options));
  }
}

}  // namespace
}  // namespace bitnet::ops
