// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/flash_attention.h"

#include <cmath>
#include <string>

#include "bitnet/ops/check.h"
#include "bitnet/ops/work.h"

namespace bitnet::ops {
namespace {

void check_floats(const char* op, const char* operand, const TensorView& x) {
  check_type_in(op, operand, x.dtype(), {DType::f32});
  check_on_cpu(op, operand, x);
  check_whole_steps(op, operand, x);
}

// An operand of four axes, whose columns lie side by side.
void check_heads(const char* op, const char* operand, const TensorView& x) {
  check_floats(op, operand, x);
  check_rank(op, operand, x, 4);
  check_rows(op, operand, x);
}

void check_heads(const char* op, const char* operand, const TensorView& x, const Shape& expected) {
  check_heads(op, operand, x);
  check_shape(op, operand, x.shape(), expected);
}

void check_result(const char* op, const char* operand, const MutableTensorView& x,
                  const Shape& expected) {
  check_output(op, x, operand);
  check_heads(op, operand, x, expected);
}

template <class T, bool kMutable>
HeadRows<T> rows_of(const BasicTensorView<kMutable>& view) {
  constexpr std::int64_t kFloat = sizeof(float);
  // logsumexp is read by the gradient through the same struct that the forward pass writes it with.
  auto* data = const_cast<float*>(reinterpret_cast<const float*>(view.data()));
  return {data, view.stride(0) / kFloat, view.stride(1) / kFloat, view.stride(2) / kFloat};
}

// All but out and logsumexp.
FlashAttentionArgs checked_inputs(const char* op, const TensorView& q, const TensorView& k,
                                  const TensorView& v, const FlashAttentionOptions& options) {
  check_heads(op, "q", q);
  check_heads(op, "k", k);
  check_heads(op, "v", v);
  FlashAttentionArgs a{};
  a.batch = q.dim(0), a.heads = q.dim(1), a.queries = q.dim(2), a.dim = q.dim(3);
  a.kv_heads = k.dim(1), a.keys = k.dim(2), a.value_dim = v.dim(3);
  check_shape(op, "k", k.shape(), {a.batch, a.kv_heads, a.keys, a.dim});
  check_shape(op, "v", v.shape(), {a.batch, a.kv_heads, a.keys, a.value_dim});
  const auto refuse = [&](const std::string& what) {
    fail(Errc::invalid_argument, std::string(op) + ": " + what);
  };
  if (a.heads < 1 || a.kv_heads < 1 || a.heads % a.kv_heads != 0)
    refuse("q is " + to_string(q.shape()) + ", expected heads that are a multiple of the " +
           std::to_string(a.kv_heads) + " of k");
  if (a.dim < 1) refuse("q is " + to_string(q.shape()) + ", expected at least 1 column");
  if (a.value_dim < 1) refuse("v is " + to_string(v.shape()) + ", expected at least 1 column");
  if (options.window && (*options.window < 1 || !options.causal))
    refuse("window is " + std::to_string(*options.window) +
           (options.causal ? ", expected at least 1" : ", expected none without causal"));
  a.q = rows_of<const float>(q), a.k = rows_of<const float>(k), a.v = rows_of<const float>(v);
  a.window = options.window.value_or(0);
  a.causal = options.causal;
  a.scale = options.scale ? *options.scale
                          : static_cast<float>(1 / std::sqrt(static_cast<double>(a.dim)));
  return a;
}

Shape out_shape(const FlashAttentionArgs& a) { return {a.batch, a.heads, a.queries, a.value_dim}; }

void check_sums(const char* op, const TensorView& logsumexp, const FlashAttentionArgs& a) {
  check_floats(op, "logsumexp", logsumexp);
  check_shape(op, "logsumexp", logsumexp.shape(), {a.batch, a.heads, a.queries});
}

}  // namespace

void flash_attention(const OpContext& context, TensorView q, TensorView k, TensorView v,
                     const FlashAttentionOptions& options, MutableTensorView out,
                     std::optional<MutableTensorView> logsumexp) {
  constexpr const char* kOp = "flash_attention";
  const auto run = supported(context, context.table->flash_attention, kOp);
  FlashAttentionArgs a = checked_inputs(kOp, q, k, v, options);
  check_result(kOp, "out", out, out_shape(a));
  if (logsumexp) {
    check_output(kOp, *logsumexp, "logsumexp");
    check_sums(kOp, *logsumexp, a);
  }
  a.out = rows_of<float>(out);
  if (logsumexp) a.logsumexp = rows_of<float>(*logsumexp);
  run_in_span("flash_attention", run, a, *context.threads);
}

void flash_attention_backward(const OpContext& context, TensorView q, TensorView k, TensorView v,
                              TensorView out, TensorView logsumexp, TensorView dout,
                              const FlashAttentionOptions& options, MutableTensorView dq,
                              MutableTensorView dk, MutableTensorView dv) {
  constexpr const char* kOp = "flash_attention_backward";
  const auto run = supported(context, context.table->flash_attention_backward, kOp);
  FlashAttentionArgs a = checked_inputs(kOp, q, k, v, options);
  check_heads(kOp, "out", out, out_shape(a));
  check_sums(kOp, logsumexp, a);
  check_heads(kOp, "dout", dout, out_shape(a));
  check_result(kOp, "dq", dq, q.shape());
  check_result(kOp, "dk", dk, k.shape());
  check_result(kOp, "dv", dv, v.shape());
  a.out = rows_of<float>(out);
  a.logsumexp = rows_of<float>(logsumexp);
  run_in_span(
      "flash_attention_backward", run,
      {a, rows_of<const float>(dout), rows_of<float>(dq), rows_of<float>(dk), rows_of<float>(dv)},
      *context.threads);
}

}  // namespace bitnet::ops
