// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/ops/flash_attention.h"

#include <cmath>
#include <string>

#include "bitnet/ops/work.h"

namespace bitnet::ops {
namespace {

[[noreturn]] void refuse(const char* op, const std::string& what,
                         Errc code = Errc::invalid_argument) {
  fail(code, std::string(op) + ": " + what);
}

// An operand of an op, for messages.
struct Operand {
  const char* op;
  const char* name;

  std::string axis(int i) const { return "axis " + std::to_string(i) + " of " + name; }

  // f32 on the CPU, of this rank, at steps of whole floats. An output's elements are apart.
  template <bool kMutable>
  void check_view(const BasicTensorView<kMutable>& view, int rank) const {
    const auto of = [&](const char* what) { return std::string(what) + " of " + name + " is "; };
    if (view.rank() != rank)
      refuse(op, of("rank") + std::to_string(view.rank()) + ", expected " + std::to_string(rank));
    if (view.dtype() != DType::f32)
      refuse(op, of("type") + std::string(info(view.dtype()).name) + ", expected f32",
             Errc::unsupported);
    if (view.device() != Device{})
      refuse(op, of("device") + to_string(view.device()) + ", expected cpu", Errc::unsupported);
    constexpr std::int64_t kFloat = sizeof(float);
    if (view.num_elements() == 0) return;
    for (int i = 0; i < rank; ++i) {
      const std::int64_t stride = view.stride(i);
      if (stride % kFloat != 0 || (kMutable && stride == 0 && view.dim(i) > 1))
        refuse(op, "stride of " + axis(i) + " is " + std::to_string(stride) +
                       " bytes, expected a multiple of 4" + (kMutable ? " that is not 0" : ""));
    }
    if (rank == 4 && view.dim(3) > 1 && view.stride(3) != kFloat)
      refuse(op,
             of("stride of the last axis") + std::to_string(view.stride(3)) +
                 " bytes, expected 4: call contiguous() first",
             Errc::unsupported);
  }

  template <bool kMutable>
  void check_shape(const BasicTensorView<kMutable>& view,
                   std::initializer_list<std::int64_t> expected) const {
    check_view(view, static_cast<int>(expected.size()));
    int i = 0;
    for (const std::int64_t dim : expected) {
      check_dim(op, axis(i).c_str(), view.dim(i), dim);
      ++i;
    }
  }
};

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
  Operand{op, "q"}.check_view(q, 4);
  Operand{op, "k"}.check_view(k, 4);
  Operand{op, "v"}.check_view(v, 4);
  FlashAttentionArgs a{};
  a.batch = q.dim(0), a.heads = q.dim(1), a.queries = q.dim(2), a.dim = q.dim(3);
  a.kv_heads = k.dim(1), a.keys = k.dim(2), a.value_dim = v.dim(3);
  Operand{op, "k"}.check_shape(k, {a.batch, a.kv_heads, a.keys, a.dim});
  Operand{op, "v"}.check_shape(v, {a.batch, a.kv_heads, a.keys, a.value_dim});
  if (a.heads < 1 || a.kv_heads < 1 || a.heads % a.kv_heads != 0)
    refuse(op, "heads of q are " + std::to_string(a.heads) + ", expected a multiple of the " +
                   std::to_string(a.kv_heads) + " heads of k");
  if (a.dim < 1 || a.value_dim < 1)
    refuse(op, "columns of q and v are " + std::to_string(a.dim) + " and " +
                   std::to_string(a.value_dim) + ", expected at least 1");
  if (options.window && (*options.window < 1 || !options.causal))
    refuse(op, "window is " + std::to_string(*options.window) +
                   (options.causal ? ", expected at least 1" : ", expected none without causal"));
  a.q = rows_of<const float>(q), a.k = rows_of<const float>(k), a.v = rows_of<const float>(v);
  a.window = options.window.value_or(0);
  a.causal = options.causal;
  a.scale = options.scale ? *options.scale
                          : static_cast<float>(1 / std::sqrt(static_cast<double>(a.dim)));
  return a;
}

}  // namespace

void flash_attention(const OpContext& context, TensorView q, TensorView k, TensorView v,
                     const FlashAttentionOptions& options, MutableTensorView out,
                     std::optional<MutableTensorView> logsumexp) {
  constexpr const char* kOp = "flash_attention";
  const auto run = supported(context, context.table->flash_attention, kOp);
  FlashAttentionArgs a = checked_inputs(kOp, q, k, v, options);
  Operand{kOp, "out"}.check_shape(out, {a.batch, a.heads, a.queries, a.value_dim});
  if (logsumexp) Operand{kOp, "logsumexp"}.check_shape(*logsumexp, {a.batch, a.heads, a.queries});
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
  Operand{kOp, "out"}.check_shape(out, {a.batch, a.heads, a.queries, a.value_dim});
  Operand{kOp, "logsumexp"}.check_shape(logsumexp, {a.batch, a.heads, a.queries});
  Operand{kOp, "dout"}.check_shape(dout, {a.batch, a.heads, a.queries, a.value_dim});
  Operand{kOp, "dq"}.check_shape(dq, {a.batch, a.heads, a.queries, a.dim});
  Operand{kOp, "dk"}.check_shape(dk, {a.batch, a.kv_heads, a.keys, a.dim});
  Operand{kOp, "dv"}.check_shape(dv, {a.batch, a.kv_heads, a.keys, a.value_dim});
  a.out = rows_of<float>(out);
  a.logsumexp = rows_of<float>(logsumexp);
  run_in_span(
      "flash_attention_backward", run,
      {a, rows_of<const float>(dout), rows_of<float>(dq), rows_of<float>(dk), rows_of<float>(dv)},
      *context.threads);
}

}  // namespace bitnet::ops
