// SPDX-License-Identifier: MIT OR Apache-2.0
// Counts of work against the formulas of ops/args.h walked through one number at a time.
#include "bitnet/ops/work.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "bitnet/ops/attention.h"
#include "bitnet/ops/elementwise.h"
#include "bitnet/ops/linear.h"
#include "bitnet/ops/sketch.h"
#include "bitnet/ops/sketch_tiles.h"
#include "bitnet/runtime/runtime.h"

namespace bitnet {
namespace {

using profile::Work;

constexpr std::int64_t kTokens = 3, kRows = 5, kCols = 256;

// Bytes of operands, and operations as a walk through the formula meets them.
struct Counter {
  std::uint64_t bytes = 0, ops = 0;

  template <class T>
  void operand(std::int64_t count) {
    bytes += static_cast<std::uint64_t>(count) * sizeof(T);
  }
  void each(std::int64_t count, std::initializer_list<const char*> formula) {
    for (std::int64_t i = 0; i < count; ++i) ops += formula.size();
  }
  Work as_float() const { return {bytes, ops, 0}; }
};

TEST(WorkOf, Quantize) {
  QuantizeArgs args{};
  args.tokens = kTokens;
  args.cols = kCols;
  Counter c;
  c.operand<float>(kTokens * kCols);        // x
  c.operand<std::int8_t>(kTokens * kCols);  // q
  c.operand<float>(kTokens);
  c.operand<std::int32_t>(kTokens);
  c.each(kTokens * kCols, {"max", "*", "round"});
  EXPECT_EQ(work_of(args), c.as_float());
}

TEST(WorkOf, TernaryLinear) {
  TernaryLinearArgs args{};
  args.rows = kRows;
  args.blocks = kCols / 128;
  args.tokens = kTokens;
  Counter c, products;
  c.operand<std::uint8_t>(kRows * kCols / 4);
  c.operand<std::int8_t>(kTokens * kCols);
  c.operand<std::int32_t>(kTokens);  // activation_sum
  c.operand<float>(kTokens);         // token_scale
  c.operand<float>(kTokens * kRows);
  products.each(kTokens * kRows * kCols, {"*", "+"});
  c.each(kTokens * kRows, {"* token_scale"});
  EXPECT_EQ(work_of(args), (Work{c.bytes, c.ops, products.ops}));
}

TEST(WorkOf, RmsNorm) {
  RmsNormArgs args{};
  args.tokens = kTokens;
  args.cols = kCols;
  Counter c;
  c.operand<float>(kTokens * kCols);  // x
  c.operand<float>(kCols);            // weight
  c.operand<float>(kTokens * kCols);  // out
  c.each(kTokens * kCols, {"x * x", "+", "x * r", "* weight"});
  EXPECT_EQ(work_of(args), c.as_float());
}

TEST(WorkOf, DenseLinear) {
  DenseLinearArgs args{};
  args.rows = kRows;
  args.row_bytes = 2 * kCols;
  args.cols = kCols;
  args.tokens = kTokens;
  Counter c;
  c.operand<std::uint16_t>(kRows * kCols);
  c.operand<float>(kTokens * kCols);
  c.operand<float>(kTokens * kRows);
  c.each(kTokens * kRows * kCols, {"*", "+"});
  EXPECT_EQ(work_of(args), c.as_float());
}

TEST(WorkOf, SketchAndEmbed) {
  SketchArgs sketch{};
  sketch.rows = kRows;
  sketch.cols = kCols;
  sketch.row_bytes = 2 * kCols;
  Counter s;
  s.operand<std::uint16_t>(kRows * kCols);
  s.operand<std::uint8_t>(sketch_tiles::bytes(kRows, kCols));
  s.operand<std::uint8_t>(kRows * sketch_tiles::last_row_bytes(kCols));
  s.operand<float>(kRows * SketchArgs::kSums);
  s.each(kRows * kCols, {"max", "w / d", "round", "round", "d * u", "d * c", "w - s", "w - f",
                         "w * w", "+", "s * s", "+", "(w - s)^2", "+", "(w - f)^2", "+"});
  EXPECT_EQ(work_of(sketch), s.as_float());

  SketchDotArgs dot{};
  dot.rows = 32;
  dot.pairs = 2;
  dot.tokens = kTokens;
  const profile::Work work = work_of(dot);
  EXPECT_EQ(work.bytes, 32u * 256 * 5 / 8 + 32 * 4 * 2 + kTokens * (2 * 256 + 32 * 4));
  EXPECT_EQ(work.int8_ops, kTokens * 2u * 2 * 32 * 256);
  EXPECT_EQ(work.float_ops, kTokens * 2u * 32 * 4);

  SketchRefineArgs refine{};
  refine.count = 7;
  refine.pairs = 2;
  EXPECT_EQ(work_of(refine).bytes, 7u * (256 / 8 + 4 * 2 + 4 + 4));
  EXPECT_EQ(work_of(refine).float_ops, 7u * (256 + 256 + 256 / 4 * 2));

  EmbedArgs embed{};
  embed.tokens = kTokens;
  embed.cols = kCols;
  embed.row_bytes = 2 * kCols;
  Counter e;
  e.operand<std::uint16_t>(kTokens * kCols);
  e.operand<float>(kTokens * kCols);
  EXPECT_EQ(work_of(embed), e.as_float());
}

TEST(WorkOf, Elementwise) {
  AddArgs add{};
  add.tokens = kTokens;
  add.cols = kCols;
  Counter a;
  a.operand<float>(3 * kTokens * kCols);  // x twice, y
  a.each(kTokens * kCols, {"+"});
  EXPECT_EQ(work_of(add), a.as_float());

  GatedActivationArgs gated{};
  gated.tokens = kTokens;
  gated.cols = kCols;
  gated.kind = GatedActivation::relu2;
  Counter relu2, silu;
  relu2.operand<float>(3 * kTokens * kCols);
  relu2.each(kTokens * kCols, {"max", "square", "* u"});
  EXPECT_EQ(work_of(gated), relu2.as_float());
  gated.kind = GatedActivation::silu;
  silu.operand<float>(3 * kTokens * kCols);
  silu.each(kTokens * kCols, {"exp", "1 +", "g /", "* u"});
  EXPECT_EQ(work_of(gated), silu.as_float());
}

TEST(WorkOf, RopeAndKvWrite) {
  constexpr std::int64_t kHeads = 4, kDim = 32;
  RopeArgs rope{};
  rope.tokens = kTokens;
  rope.heads = kHeads;
  rope.dim = kDim;
  Counter r;
  r.operand<float>(2 * kTokens * kHeads * kDim);  // x, twice
  r.operand<float>(2 * kTokens * kDim / 2);       // cos, sin
  r.each(kTokens * kHeads * kDim / 2, {"a * cos", "-b * sin", "+", "b * cos", "a * sin", "+"});
  EXPECT_EQ(work_of(rope), r.as_float());

  KvWriteArgs write{};
  write.tokens = kTokens;
  write.kv_heads = kHeads;
  write.dim = kDim;
  Counter w;
  w.operand<float>(2 * kTokens * kHeads * kDim);  // k, v
  w.operand<float>(2 * kTokens * kHeads * kDim);  // keys, values
  EXPECT_EQ(work_of(write), w.as_float());

  write.type = KvType::bf16;
  Counter b;
  b.operand<float>(2 * kTokens * kHeads * kDim);
  b.operand<std::uint16_t>(2 * kTokens * kHeads * kDim);
  EXPECT_EQ(work_of(write), b.as_float());

  write.type = KvType::int8;
  Counter i;
  i.operand<float>(2 * kTokens * kHeads * kDim);
  i.operand<std::int8_t>(2 * kTokens * kHeads * kDim);
  i.operand<float>(2 * kTokens * kHeads);  // scales
  i.each(2 * kTokens * kHeads * kDim, {"max", "* factor", "round"});
  i.each(2 * kTokens * kHeads, {"a / 127", "127 / a"});
  EXPECT_EQ(work_of(write), i.as_float());
}

TEST(WorkOf, Attention) {
  constexpr std::int64_t kHeads = 4, kKvHeads = 2, kDim = 32, kFirst = 10;
  AttentionArgs args{};
  args.tokens = kTokens;
  args.heads = kHeads;
  args.kv_heads = kKvHeads;
  args.dim = kDim;
  args.first_position = kFirst;
  args.capacity = 64;  // is not read beyond the positions
  Counter c;
  c.operand<float>(2 * kTokens * kHeads * kDim);               // q, out
  c.operand<float>(2 * (kFirst + kTokens) * kKvHeads * kDim);  // keys, values
  for (std::int64_t t = 0; t < kTokens; ++t)
    for (std::int64_t h = 0; h < kHeads; ++h) {
      for (std::int64_t j = 0; j <= kFirst + t; ++j) {
        c.each(kDim, {"q * key", "+"});
        c.each(1, {"* scale", "max", "s - m", "exp", "z +"});
        c.each(kDim, {"e * value", "+"});
      }
      c.each(kDim, {"/ z"});
    }
  EXPECT_EQ(work_of(args), c.as_float());

  args.type = KvType::int8;
  Counter i = c;
  i.bytes -= 2 * (kFirst + kTokens) * kKvHeads * kDim * (sizeof(float) - sizeof(std::int8_t));
  i.operand<float>(2 * (kFirst + kTokens) * kKvHeads);  // scales
  for (std::int64_t t = 0; t < kTokens; ++t)
    i.each(kHeads * (kFirst + t + 1), {"* key scale", "* value scale"});
  EXPECT_EQ(work_of(args), i.as_float());
}

// What the front functions pass on: a span of their name, with the work of their arguments.
// Views whose repeated elements count once.
TEST(WorkOf, OpsOnViews) {
  const Strides rows{40, 4}, repeated{0, 4};
  const Shape shape{3, 10};
  const std::byte* data = nullptr;
  BinaryArgs binary{
      BinaryOp::add, 0, 0, shape, {data, DType::f32, rows}, {data, DType::f32, repeated}, {}};
  binary.out = {nullptr, DType::f32, rows};
  EXPECT_EQ(work_of(binary), (Work{(30 + 10 + 30) * 4, 30, 0}));
  const UnaryArgs unary{
      UnaryOp::exp, 0, 0, shape, {data, DType::bf16, {20, 2}}, {nullptr, DType::bf16, {20, 2}}};
  EXPECT_EQ(work_of(unary), (Work{60 * 2, 30, 0}));
  const CastArgs cast{shape, {data, DType::f32, rows}, {nullptr, DType::i4, {5, 1}}};
  EXPECT_EQ(work_of(cast), (Work{30 * 4 + 15, 0, 0}));
  const ReduceArgs sum{
      ReduceOp::sum, Shape{3}, {data, DType::f32, {40}}, 10, 4, {nullptr, DType::f32, {4}}, 0};
  EXPECT_EQ(work_of(sum), (Work{30 * 4 + 3 * 4, 30, 0}));
  MatmulArgs product{};
  product.batch = Shape{2};
  product.m = 3, product.n = 5, product.k = 7;
  product.a = {data, DType::bf16, {42}};
  product.b = {data, DType::f32, {0}};  // one for both
  product.out = {nullptr, DType::f32, {60}};
  EXPECT_EQ(work_of(product), (Work{2 * 21 * 2 + 35 * 4 + 2 * 15 * 4, 2 * 2 * 105, 0}));
  product.a.dtype = DType::i8;
  EXPECT_EQ(work_of(product).int8_ops, 420u);
}

class SpansOfOps : public ::testing::Test {
 protected:
  SpansOfOps() { profile::start(); }
  ~SpansOfOps() override { profile::stop(); }
  static std::map<std::string, profile::Totals> ops() {
    std::map<std::string, profile::Totals> found;
    for (const profile::Op& op : profile::report().ops) found[op.name] = op.totals;
    return found;
  }
  Runtime runtime_{2};
};

TEST_F(SpansOfOps, TernaryLinearCountsRealColumnsAndScales) {
  constexpr std::int64_t kOdd = 200;  // two blocks, not full
  const std::vector<float> x(kTokens * kOdd, 0.5f);
  QuantizedRows rows(kTokens, kOdd, default_pool());
  quantize(runtime_.context(), {x.data(), kTokens, kOdd, kOdd}, rows);
  TernaryMatrix w;
  w.codes = Tensor::allocate(DType::ternary2, {kRows, kOdd});
  std::fill_n(w.codes.mutable_data(), w.codes.size_bytes(), std::byte{0x55});
  std::vector<float> out(kTokens * kRows);
  LinearScratch scratch(kTokens, kRows, default_pool());
  const auto run = [&] {
    profile::clear();
    ternary_linear(runtime_.context(), w, rows, {out.data(), kTokens, kRows, kRows}, scratch);
    const auto found = ops();
    EXPECT_EQ(found.size(), 1u);
    EXPECT_EQ(found.at("ternary_linear").count, 1u);
    return found.at("ternary_linear").work;
  };
  const Work one_scale = run();
  EXPECT_EQ(one_scale.int8_ops, 2u * kTokens * kRows * kOdd);
  w.granularity = ScaleGranularity::row;
  w.scales.assign(kRows, 1.0f);
  const Work scale_of_rows = run();
  EXPECT_EQ(scale_of_rows.bytes, one_scale.bytes + kRows * sizeof(float));
  EXPECT_EQ(scale_of_rows.float_ops, one_scale.float_ops + kTokens * kRows);
  w.granularity = ScaleGranularity::group;
  w.group_cols = 256;
  EXPECT_EQ(run().float_ops, one_scale.float_ops + 2 * kTokens * kRows);
}

TEST_F(SpansOfOps, EveryOpHasOne) {
  const OpContext context = runtime_.context();
  std::vector<float> a(kTokens * kCols, 0.5f), b(kTokens * kCols, 0.25f);
  const MatrixView<float> x{a.data(), kTokens, kCols, kCols}, y{b.data(), kTokens, kCols, kCols};
  Tensor weight = Tensor::allocate(DType::f32, {kRows, kCols});
  std::fill_n(weight.as_mutable<float>(), kRows * kCols, 0.5f);
  Tensor norm = Tensor::allocate(DType::f32, {1, kCols});
  std::fill_n(norm.as_mutable<float>(), kCols, 1.0f);
  std::vector<float> out(kTokens * kRows), cos(kTokens * 16, 1.0f),
      squares(SketchArgs::kSums * kRows);
  add(context, x, y);
  gated_activation(context, GatedActivation::relu2, x, y, x);
  rms_norm(context, x, norm, 1e-5f, x);
  dense_linear(context, weight, x, {out.data(), kTokens, kRows, kRows});
  std::vector<std::byte> sketched(static_cast<std::size_t>(sketch_tiles::bytes(kRows, kCols)));
  std::vector<std::byte> last(
      static_cast<std::size_t>(kRows * sketch_tiles::last_row_bytes(kCols)));
  sketch(context, weight, {sketched, last, squares});
  sketch_dot(context, sketched, SketchInputs(x), {out.data(), kTokens, kRows, kRows});
  const SketchRefineArgs::Place place{1, 2};
  sketch_refine(context, last, SketchInputs(x), {&place, 1}, {out.data(), kTokens, kRows, kRows});
  const std::vector<std::int32_t> ids{0, 1, 2};
  embed(context, weight, ids, x);
  rope(context, x, 32, {cos.data(), kTokens, 16, 16}, {cos.data(), kTokens, 16, 16});
  std::vector<float> keys(kCols * 16), values(kCols * 16);
  const KvLayerView cache{keys.data(), values.data(), 16, kCols / 32, 32};
  kv_write(context, x, y, cache, 0);
  attention(context, x, cache, 0, 1.0f, y);
  const auto found = ops();
  for (const char* name :
       {"add", "gated_activation", "rms_norm", "dense_linear", "sketch", "sketch_dot",
        "sketch_refine", "embed", "rope", "kv_write", "attention"}) {
    ASSERT_TRUE(found.contains(name)) << name;
    EXPECT_EQ(found.at(name).count, 1u) << name;
    EXPECT_GT(found.at(name).work.bytes, 0u) << name;
  }
  EXPECT_EQ(found.at("dense_linear").work.float_ops, 2u * kTokens * kRows * kCols);
  EXPECT_EQ(found.size(), 11u);
}

}  // namespace
}  // namespace bitnet
