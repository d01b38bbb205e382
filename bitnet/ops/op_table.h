// SPDX-License-Identifier: MIT OR Apache-2.0
// What a backend may compute. A null entry means "not supported here". Front functions in ops/
// check and call.
#pragma once

#include "bitnet/base/thread_pool.h"
#include "bitnet/ops/args.h"
#include "bitnet/ops/flash_attention_args.h"
#include "bitnet/ops/matmul_args.h"
#include "bitnet/ops/pointwise_args.h"
#include "bitnet/ops/quantizer_args.h"
#include "bitnet/ops/reduce_args.h"
#include "bitnet/ops/row_ops.h"

namespace bitnet {

/// Each function divides its work over the pool's workers in a fixed way and returns when all is
/// done. Scratch pointers in the args are ignored: a backend brings its own. All are reentrant for
/// different outputs.
struct OpTable {
  const char* name;  // "cpu/avx512vnni"
  void (*quantize)(const QuantizeArgs&, ThreadPool&);
  void (*ternary_linear)(const TernaryLinearArgs&, ThreadPool&);
  void (*ternary_lookup)(const TernaryLookupArgs&, ThreadPool&);
  void (*pack_lookup)(const PackLookupArgs&, ThreadPool&);
  /// Whether ternary_lookup is the faster of the two on this machine, measured once (2 ms).
  bool (*lookup_is_faster)();
  void (*rms_norm)(const RmsNormArgs&, ThreadPool&);
  void (*dense_linear)(const DenseLinearArgs&, ThreadPool&);
  void (*sketch)(const SketchArgs&, ThreadPool&);
  void (*sketch_dot)(const SketchDotArgs&, ThreadPool&);
  void (*sketch_refine)(const SketchRefineArgs&, ThreadPool&);
  void (*embed)(const EmbedArgs&, ThreadPool&);
  void (*gated_activation)(const GatedActivationArgs&, ThreadPool&);
  void (*add)(const AddArgs&, ThreadPool&);
  void (*rope)(const RopeArgs&, ThreadPool&);
  void (*kv_write)(const KvWriteArgs&, ThreadPool&);
  void (*attention)(const AttentionArgs&, ThreadPool&);

  void (*unary)(const UnaryArgs&, ThreadPool&);
  void (*binary)(const BinaryArgs&, ThreadPool&);
  void (*compare)(const CompareArgs&, ThreadPool&);
  void (*where)(const WhereArgs&, ThreadPool&);
  void (*cast)(const CastArgs&, ThreadPool&);
  void (*reduce)(const ReduceArgs&, ThreadPool&);
  void (*matmul)(const MatmulArgs&, ThreadPool&);
  void (*rows)(const RowOpArgs&, ThreadPool&);
  void (*quantize_rows)(const QuantizeRowsArgs&, ThreadPool&);
  void (*abs_sum)(const AbsSumArgs&, ThreadPool&);
  void (*dropout)(const DropoutArgs&, ThreadPool&);
  void (*embed_grad)(const EmbedGradArgs&, ThreadPool&);
  void (*flash_attention)(const FlashAttentionArgs&, ThreadPool&);
  void (*flash_attention_backward)(const FlashAttentionBackwardArgs&, ThreadPool&);
};

}  // namespace bitnet
