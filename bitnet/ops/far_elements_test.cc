// SPDX-License-Identifier: MIT OR Apache-2.0
// Ops on views that span more than 2^31 elements, and more than 2^32 bytes, over memory that is
// reserved and not there but for the elements: the same as of a copy without gaps.
#include <sys/mman.h>

#include "bitnet/ops/flash_attention.h"
#include "bitnet/ops/matmul.h"
#include "bitnet/ops/ops_testing.h"
#include "bitnet/ops/pointwise.h"
#include "bitnet/ops/quantizers.h"
#include "bitnet/ops/reduce.h"
#include "bitnet/ops/rows.h"

namespace bitnet::ops {
namespace {

constexpr std::int64_t kRows = 3, kCols = 40, kFar = std::int64_t{1} << 33;  // bytes between rows

class FarElements : public ::testing::Test {
 protected:
  void SetUp() override {
    base_ = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base_ == MAP_FAILED) GTEST_SKIP() << "32 GiB of addresses are not to be had";
  }
  void TearDown() override {
    if (base_ != MAP_FAILED) munmap(base_, kBytes);
  }

  // Rows of t from byte `at` of the reserved memory on, far apart.
  MutableTensorView far(const Tensor& t, std::size_t at = 0) {
    const MutableTensorView view(t.dtype(), t.shape(), Strides{kFar, info(t.dtype()).block_bytes},
                                 static_cast<std::byte*>(base_) + at);
    copy(t, view);
    return view;
  }
  Tensor random(DType type = DType::f32) {
    return tensor_of(normal_doubles(rng_, kRows * kCols), {kRows, kCols}, type);
  }

  static constexpr std::size_t kBytes = std::size_t{4} << 33;
  void* base_ = MAP_FAILED;
  Runtime runtime_{2};
  OpContext c_ = runtime_.context();
  std::mt19937 rng_{1};
};

TEST_F(FarElements, OpsOnRowsOfAllTypes) {
  for (const DType type : {DType::f32, DType::f16}) {
    const Tensor a = random(type), b = random(type), spare = random(type);
    const MutableTensorView fa = far(a), fb = far(b, 4096), out = far(spare, 8192);
    unary(c_, UnaryOp::exp, fa, out);
    EXPECT_EQ(values(out), values(unary(c_, UnaryOp::exp, a)));
    binary(c_, BinaryOp::mul, fa, fb, out);
    EXPECT_EQ(values(out), values(mul(c_, a, b)));
    EXPECT_EQ(values(compare(c_, CompareOp::lt, fa, fb)), values(compare(c_, CompareOp::lt, a, b)));
    EXPECT_EQ(values(cast(c_, fa, DType::bf16)), values(cast(c_, a, DType::bf16)));
    for (const ReduceOp op : {ReduceOp::sum, ReduceOp::variance, ReduceOp::argmax})
      for (const int axis : {0, 1})
        EXPECT_EQ(values(reduce(c_, op, fa, {axis})), values(reduce(c_, op, a, {axis})));
    EXPECT_EQ(values(softmax(c_, fa)), values(softmax(c_, a)));
    EXPECT_EQ(values(dequantize(c_, quantize(c_, Quantizer::absmax_i8, fa))),
              values(dequantize(c_, quantize(c_, Quantizer::absmax_i8, a))));
    EXPECT_EQ(values(matmul(c_, fa, fb.transpose(0, 1))),
              values(matmul(c_, a, b.view().transpose(0, 1))));
    EXPECT_EQ(values(matmul(c_, fa.transpose(0, 1), fb)),
              values(matmul(c_, a.view().transpose(0, 1), b)));
  }
  const Tensor i = random(DType::i8), j = random(DType::i8);
  EXPECT_EQ(values(matmul(c_, far(i), far(j, 4096).transpose(0, 1))),
            values(matmul(c_, i, j.view().transpose(0, 1))));
  EXPECT_EQ(values(reduce(c_, ReduceOp::sum, far(i))), values(reduce(c_, ReduceOp::sum, i)));
}

TEST_F(FarElements, Attention) {
  const Tensor q = random(), k = random(), v = random(), spare = random();
  const auto heads = [](const auto& view) {  // [batch 1][heads 1][rows][columns]
    return view.expand_dims(0).expand_dims(0);
  };
  Tensor expected = Tensor::allocate(DType::f32, {kRows, kCols});
  flash_attention(c_, heads(q.view()), heads(k.view()), heads(v.view()), {},
                  heads(expected.mutable_view()));
  const MutableTensorView out = far(spare, 12288);
  flash_attention(c_, heads(TensorView(far(q))), heads(TensorView(far(k, 4096))),
                  heads(TensorView(far(v, 8192))), {}, heads(out));
  EXPECT_EQ(values(out), values(expected));
}

TEST_F(FarElements, RowsOfALargeTable) {
  const std::int64_t rows = kFar / 4096 * 3;  // of 1024 floats
  const Tensor table =
      Tensor::borrow(DType::f32, {rows, 1024}, static_cast<const std::byte*>(base_), nullptr);
  ASSERT_GT(table.shape().num_elements(), std::int64_t{1} << 32);
  static_cast<float*>(base_)[(rows - 1) * 1024 + 5] = 7;
  const Tensor row =
      embedding(c_, table, tensor_of({static_cast<double>(rows - 1)}, {1}, DType::i64));
  EXPECT_EQ(row.as<float>()[5], 7);
  EXPECT_EQ(row.as<float>()[6], 0);
}

}  // namespace
}  // namespace bitnet::ops
