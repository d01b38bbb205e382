// SPDX-License-Identifier: MIT OR Apache-2.0
// Each operand of each op takes the types that it says, and refuses all others by name: op,
// operand, what came and what was expected.
#include "bitnet/ops/bit_linear.h"
#include "bitnet/ops/elementwise.h"
#include "bitnet/ops/flash_attention.h"
#include "bitnet/ops/linear.h"
#include "bitnet/ops/matmul.h"
#include "bitnet/ops/ops_testing.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/quantizers.h"
#include "bitnet/ops/reduce.h"
#include "bitnet/ops/rows.h"
#include "bitnet/ops/sketch.h"
#include "bitnet/ops/sketch_tiles.h"

namespace bitnet::ops {
namespace {

using enum DType;
using Types = std::vector<DType>;

const Types kAll{f32,      f16,  bf16, i8,   u8, u16, i32, i64,       f64,
                 ternary2, q8_0, q4_0, q6_k, i4, i2,  i1,  ternary1_6};
const Types kHalves{f32, f16, bf16}, kReals{f32, f16, bf16, f64};
const Types kNumbers{f32, f16, bf16, f64, i8, u8, u16, i32, i64};
const Types kTables{f32, f16, bf16, q8_0, q4_0, q6_k};

Tensor zeros(DType type, const Shape& shape) {
  Tensor t = Tensor::allocate(type, shape);
  std::memset(t.mutable_data(), 0, t.size_bytes());
  return t;
}

// The message of the Error that a call throws; empty where it throws none.
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

class Operands : public ::testing::Test {
 protected:
  // `call` computes `op` with this operand; of the others it takes care itself.
  template <class Call>
  void check(const std::string& op, const std::string& operand, const Types& supported,
             const Call& call, const Shape& shape = {4, 256}) {
    for (const DType type : kAll) {
      if (!row_bytes(type, shape[shape.rank() - 1])) continue;  // no tensor of this shape
      Tensor t = zeros(type, shape);
      const std::string got = message_of([&] { call(t); });
      if (std::find(supported.begin(), supported.end(), type) != supported.end())
        EXPECT_EQ(got, "") << op << " of " << info(type).name;
      else
        EXPECT_EQ(
            got.rfind(op + ": " + operand + " is " + std::string(info(type).name) + ", expected ",
                      0),
            0u)
            << op << ", " << operand << " of " << info(type).name << ": \"" << got << '"';
    }
  }

  Runtime runtime_{1};
  OpContext c_ = runtime_.context();
  Tensor f_ = zeros(f32, {4, 256}), row_ = zeros(f32, {256}), out_ = zeros(f32, {4, 256});
  Tensor places_ = zeros(i64, {4});
};

TEST_F(Operands, OfPointwiseOps) {
  const char* const unary_names[] = {
      "neg",   "abs",        "square",  "reciprocal", "sqrt", "rsqrt", "exp",       "log",  "relu",
      "relu2", "leaky_relu", "sigmoid", "silu",       "tanh", "gelu",  "gelu_tanh", "clamp"};
  const std::string of_integers = "neg abs square relu relu2 clamp";
  const std::string of_doubles = "reciprocal sqrt rsqrt exp log";
  int number = 0;
  for (const std::string name : unary_names) {
    const auto op = static_cast<UnaryOp>(number++);
    const Types& types = of_integers.find(name) != std::string::npos  ? kNumbers
                         : of_doubles.find(name) != std::string::npos ? kReals
                                                                      : kHalves;
    check(name, "x", types, [&](const Tensor& t) { unary(c_, op, t, 0, 1); });
    check(name, "out", {f32}, [&](Tensor& t) { unary(c_, op, f_, t.mutable_view(), 0, 1); });
    check("unary_backward", "x", kHalves, [&](const Tensor& t) { unary_backward(c_, op, t, t); });
    check("unary_backward", "gradient", {f32},
          [&](const Tensor& t) { unary_backward(c_, op, f_, t); });
  }
  number = 0;
  for (const std::string name : {"add", "sub", "mul", "div", "min", "max", "pow"}) {
    const auto op = static_cast<BinaryOp>(number++);
    const Types& types = op == BinaryOp::pow ? kHalves : kNumbers;
    check(name, "a", types, [&](const Tensor& t) { binary(c_, op, t, t); });
    check(name, "b", {f32}, [&](const Tensor& t) { binary(c_, op, f_, t); });
    check(name, "out", {f32}, [&](Tensor& t) { binary(c_, op, f_, f_, t.mutable_view()); });
    check("binary_backward", "a", op == BinaryOp::pow ? kHalves : kReals,
          [&](const Tensor& t) { binary_backward(c_, op, t, t, t); });
    check("binary_backward", "b", {f32},
          [&](const Tensor& t) { binary_backward(c_, op, f_, t, f_); });
    check("binary_backward", "gradient", {f32},
          [&](const Tensor& t) { binary_backward(c_, op, f_, f_, t); });
  }
}

TEST_F(Operands, OfComparisonsChoicesAndCasts) {
  const Tensor yes = zeros(u8, {4, 256});
  check("compare", "a", kNumbers, [&](const Tensor& t) { compare(c_, CompareOp::lt, t, t); });
  check("compare", "b", {f32}, [&](const Tensor& t) { compare(c_, CompareOp::lt, f_, t); });
  check("compare", "out", {u8},
        [&](Tensor& t) { compare(c_, CompareOp::lt, f_, f_, t.mutable_view()); });
  check("where", "condition", {u8}, [&](const Tensor& t) { where(c_, t, f_, f_); });
  check("where", "a", kNumbers, [&](const Tensor& t) { where(c_, yes, t, t); });
  check("where", "b", {f32}, [&](const Tensor& t) { where(c_, yes, f_, t); });
  check("where_backward", "condition", {u8},
        [&](const Tensor& t) { where_backward(c_, t, f_.shape(), f_.shape(), f_); });
  check("where_backward", "gradient", kReals,
        [&](const Tensor& t) { where_backward(c_, yes, t.shape(), t.shape(), t); });
  Types not_blocks = kAll;
  std::erase_if(not_blocks, [](DType t) { return info(t).kind == NumberKind::scaled_block; });
  check("cast", "x", kAll, [&](const Tensor& t) { cast(c_, t, f32); });
  check("cast", "out", not_blocks, [&](Tensor& t) { cast(c_, f_, t.mutable_view()); });
}

TEST_F(Operands, OfReductions) {
  const char* const names[] = {"sum",    "mean",   "prod",  "max",   "min",
                               "argmax", "argmin", "norm1", "norm2", "variance"};
  int number = 0;
  for (const std::string name : names) {
    const auto op = static_cast<ReduceOp>(number++);
    const bool floats = name == "mean" || name == "norm2" || name == "variance";
    check(name, "x", floats ? kReals : kNumbers, [&](const Tensor& t) { reduce(c_, op, t); });
    const int axis[] = {1};
    check(name, "out", name.starts_with("arg") ? Types{i64} : Types{f32},
          [&](Tensor& t) {
            reduce(c_, op, f_.view().slice(0, {0, 1}), axis, t.mutable_view());
          },
          {1, 1});
    if (name.starts_with("arg")) continue;
    check(name, "x", name == "norm1" ? kHalves : kReals, [&](const Tensor& t) {
      const bool real = info(t.dtype()).kind == NumberKind::floating;
      reduce_backward(c_, op, t, {}, zeros(real ? t.dtype() : f32, {}));
    });
    check(name, "gradient", {f32}, [&](const Tensor& t) { reduce_backward(c_, op, f_, {}, t); },
          {1, 1});
  }
}

TEST_F(Operands, OfProducts) {
  const Tensor square = zeros(f32, {256, 256});
  check("matmul", "a", {f32, f16, bf16, i8}, [&](const Tensor& t) {
    matmul(c_, t, zeros(t.dtype() == i8 ? i8 : f32, {256, 256}));
  });
  check("matmul", "b", kHalves, [&](const Tensor& t) { matmul(c_, f_, t); }, {256, 256});
  check("matmul", "out", kHalves, [&](Tensor& t) { matmul(c_, f_, square, t.mutable_view()); });
  check("matmul", "bias", {f32}, [&](const Tensor& t) { matmul(c_, f_, square, {t}); }, {256});
  check("matmul_backward", "a", kHalves,
        [&](const Tensor& t) { matmul_backward(c_, t, square, f_); });
  check("matmul_backward", "b", kHalves, [&](const Tensor& t) { matmul_backward(c_, f_, t, f_); },
        {256, 256});
  check("matmul_backward", "gradient", kHalves,
        [&](const Tensor& t) { matmul_backward(c_, f_, square, t); });
  const BitLinear layer = BitLinear::from_master(c_, square);
  check("bit_linear", "x", kHalves, [&](const Tensor& t) { bit_linear(c_, layer, t); });
  check("bit_linear_backward", "x", kHalves,
        [&](const Tensor& t) { bit_linear_backward(c_, layer, t, f_); });
  check("bit_linear_backward", "gradient", {f32},
        [&](const Tensor& t) { bit_linear_backward(c_, layer, f_, t); });
  BitLinear biased = layer;
  check("bit_linear", "bias", {f32},
        [&](const Tensor& t) {
          biased.bias = t;
          bit_linear(c_, biased, f_);
        },
        {256});
}

TEST_F(Operands, OfTheDecodersOps) {
  const MatrixView<const float> x{f_.as<float>(), 4, 256, 256};
  const MatrixView<float> out{out_.as_mutable<float>(), 4, 256, 256};
  check("dense_linear", "w", kTables, [&](const Tensor& t) { dense_linear(c_, t, x, out); },
        {256, 256});
  const std::vector<std::int32_t> ids(4);
  check("embed", "table", kTables, [&](const Tensor& t) { embed(c_, t, ids, out); });
  check("rms_norm", "weight", {f32}, [&](const Tensor& t) { bitnet::rms_norm(c_, x, t, 0, out); },
        {256});
  std::vector<std::byte> sketched(static_cast<std::size_t>(sketch_tiles::bytes(4, 256)));
  std::vector<std::byte> last(static_cast<std::size_t>(4 * sketch_tiles::last_row_bytes(256)));
  std::vector<float> squares(4 * SketchArgs::kSums);
  check("sketch", "w", kHalves, [&](const Tensor& t) { sketch(c_, t, {sketched, last, squares}); });
  QuantizedRows rows(4, 256, default_pool());
  bitnet::quantize(c_, x, rows);
  LinearScratch scratch(4, 256, default_pool());
  check("ternary_linear", "codes of w", {ternary2},
        [&](const Tensor& t) {
          TernaryMatrix w;
          w.codes = t;
          EXPECT_EQ(can_pack_for_lookup(c_, w) && t.dtype() != ternary2, false);
          ternary_linear(c_, w, rows, out, scratch);
        },
        {256, 256});
}

TEST_F(Operands, OfRows) {
  check("softmax", "x", kHalves, [&](const Tensor& t) { softmax(c_, t); });
  check("log_softmax", "x", kHalves, [&](const Tensor& t) { log_softmax(c_, t); });
  check("softmax_backward", "y", kHalves, [&](const Tensor& t) { softmax_backward(c_, t, f_); });
  check("softmax_backward", "gradient", kHalves,
        [&](const Tensor& t) { softmax_backward(c_, f_, t); });
  check("log_softmax_backward", "y", kHalves,
        [&](const Tensor& t) { log_softmax_backward(c_, t, f_); });
  check("log_softmax_backward", "gradient", kHalves,
        [&](const Tensor& t) { log_softmax_backward(c_, f_, t); });
  check("rms_norm", "x", kHalves, [&](const Tensor& t) { rms_norm(c_, t, row_, 1); });
  check("rms_norm", "weight", {f32}, [&](const Tensor& t) { rms_norm(c_, f_, t, 1); }, {256});
  check("layer_norm", "x", kHalves, [&](const Tensor& t) { layer_norm(c_, t, row_, row_, 1); });
  check("layer_norm", "weight", {f32}, [&](const Tensor& t) { layer_norm(c_, f_, t, row_, 1); },
        {256});
  check("layer_norm", "bias", {f32}, [&](const Tensor& t) { layer_norm(c_, f_, row_, t, 1); },
        {256});
  const auto norm_backward = [&](const char* op, const auto& call) {
    check(op, "x", kHalves, [&](const Tensor& t) { call(t, row_, f_); });
    check(op, "weight", {f32}, [&](const Tensor& t) { call(f_, t, f_); }, {256});
    check(op, "gradient", kHalves, [&](const Tensor& t) { call(f_, row_, t); });
  };
  norm_backward("rms_norm_backward", [&](const auto& x, const auto& w, const auto& g) {
    rms_norm_backward(c_, x, w, 1, g);
  });
  norm_backward("layer_norm_backward", [&](const auto& x, const auto& w, const auto& g) {
    layer_norm_backward(c_, x, w, 1, g);
  });
  check("cross_entropy", "logits", kHalves,
        [&](const Tensor& t) { cross_entropy(c_, t, places_); });
  check("cross_entropy", "targets", {i64}, [&](const Tensor& t) { cross_entropy(c_, f_, t); }, {4});
  check("cross_entropy_backward", "logits", kHalves,
        [&](const Tensor& t) { cross_entropy_backward(c_, t, places_); });
  check("cross_entropy_backward", "targets", {i64},
        [&](const Tensor& t) { cross_entropy_backward(c_, f_, t); }, {4});
}

TEST_F(Operands, OfQuantizersDropoutAndEmbedding) {
  for (int kind = 0; kind <= int(Quantizer::stochastic_i8); ++kind)
    check("quantize", "x", kHalves,
          [&](const Tensor& t) { quantize(c_, static_cast<Quantizer>(kind), t); });
  check("dropout", "x", {f32}, [&](const Tensor& t) { dropout(c_, t, {}); });
  check("dropout_backward", "x", {f32}, [&](const Tensor& t) { dropout_backward(c_, t, f_, {}); });
  check("dropout_backward", "gradient", {f32},
        [&](const Tensor& t) { dropout_backward(c_, f_, t, {}); });
  check("embedding", "table", kTables, [&](const Tensor& t) { embedding(c_, t, places_); });
  check("embedding", "ids", {i64}, [&](const Tensor& t) { embedding(c_, f_, t); }, {4});
  check("embedding_backward", "ids", {i64},
        [&](const Tensor& t) { embedding_backward(c_, t, f_, 4); }, {4});
  check("embedding_backward", "gradient", kHalves,
        [&](const Tensor& t) { embedding_backward(c_, places_, t, 4); });
  check("BitLinear", "master", kHalves, [&](const Tensor& t) { BitLinear::from_master(c_, t); });
}

TEST_F(Operands, OfAttention) {
  const Shape shape{1, 2, 4, 256}, sums{1, 2, 4};
  Tensor a[9];
  const char* const names[] = {"q", "k", "v", "out", "logsumexp", "dout", "dq", "dk", "dv"};
  for (int i = 0; i < 9; ++i) a[i] = zeros(f32, i == 4 ? sums : shape);
  for (int i = 0; i < 9; ++i) {
    const auto with = [&](Tensor& t, const auto& call) {
      const Tensor before = a[i];
      a[i] = t;
      const std::string message = message_of(call);
      a[i] = before;
      if (!message.empty()) fail(Errc::unsupported, message);
    };
    const auto forward = [&] {
      flash_attention(c_, a[0], a[1], a[2], {}, a[3].mutable_view(), a[4].mutable_view());
    };
    const auto backward = [&] {
      flash_attention_backward(c_, a[0], a[1], a[2], a[3], a[4], a[5], {}, a[6].mutable_view(),
                               a[7].mutable_view(), a[8].mutable_view());
    };
    if (i < 5)
      check(
          "flash_attention", names[i], {f32}, [&](Tensor& t) { with(t, forward); }, a[i].shape());
    check(
        "flash_attention_backward", names[i], {f32}, [&](Tensor& t) { with(t, backward); },
        a[i].shape());
  }
}

}  // namespace
}  // namespace bitnet::ops
