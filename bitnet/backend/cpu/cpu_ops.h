// SPDX-License-Identifier: MIT OR Apache-2.0
// The CPU backend's float ops: the entries of OpTable (ops/op_table.h), formulas in ops/args.h.
// Each picks its kernel by isa::active() once and divides its work in a fixed way; results do not
// depend on the kernel nor on the number of workers.
#pragma once

#include "bitnet/base/thread_pool.h"
#include "bitnet/ops/args.h"
#include "bitnet/ops/flash_attention_args.h"
#include "bitnet/ops/quantizer_args.h"
#include "bitnet/ops/row_ops.h"

namespace bitnet::cpu {

void rms_norm(const RmsNormArgs& args, ThreadPool& pool);
void gated_activation(const GatedActivationArgs& args, ThreadPool& pool);
void add(const AddArgs& args, ThreadPool& pool);
/// Throws std::bad_alloc where floats for a few rows of halves (64 KB, or one row) cannot be had.
void rows(const RowOpArgs& args, ThreadPool& pool);
void quantize_rows(const QuantizeRowsArgs& args, ThreadPool& pool);
void abs_sum(const AbsSumArgs& args, ThreadPool& pool);
void dropout(const DropoutArgs& args, ThreadPool& pool);
void embed_grad(const EmbedGradArgs& args, ThreadPool& pool);
void rope(const RopeArgs& args, ThreadPool& pool);
void kv_write(const KvWriteArgs& args, ThreadPool& pool);
/// The scratch of these four comes from worker_scratch(); std::bad_alloc where it cannot grow.
void dense_linear(const DenseLinearArgs& args, ThreadPool& pool);
void attention(const AttentionArgs& args, ThreadPool& pool);
void flash_attention(const FlashAttentionArgs& args, ThreadPool& pool);
void flash_attention_backward(const FlashAttentionBackwardArgs& args, ThreadPool& pool);
void sketch_dot(const SketchDotArgs& args, ThreadPool& pool);
void sketch_refine(const SketchRefineArgs& args, ThreadPool& pool);
void sketch(const SketchArgs& args, ThreadPool& pool);
void embed(const EmbedArgs& args, ThreadPool& pool);

}  // namespace bitnet::cpu
