// SPDX-License-Identifier: MIT OR Apache-2.0
// What a backend may compute. A null entry means "not supported here". Front functions in ops/
// check and call.
#pragma once

#include "bitnet/base/thread_pool.h"
#include "bitnet/ops/args.h"
#include "bitnet/ops/flash_attention_args.h"

namespace bitnet {

/// Each function divides its work over the pool's workers in a fixed way and returns when all is
/// done. Scratch pointers in the args are ignored: a backend brings its own. All are reentrant for
/// different outputs.
struct OpTable {
  const char* name;  // "cpu/avx512vnni"
  void (*quantize)(const QuantizeArgs&, ThreadPool&);
  void (*ternary_linear)(const TernaryLinearArgs&, ThreadPool&);
  void (*rms_norm)(const RmsNormArgs&, ThreadPool&);
  void (*dense_linear)(const DenseLinearArgs&, ThreadPool&);
  void (*sketch)(const SketchArgs&, ThreadPool&);
  void (*embed)(const EmbedArgs&, ThreadPool&);
  void (*gated_activation)(const GatedActivationArgs&, ThreadPool&);
  void (*add)(const AddArgs&, ThreadPool&);
  void (*rope)(const RopeArgs&, ThreadPool&);
  void (*kv_write)(const KvWriteArgs&, ThreadPool&);
  void (*attention)(const AttentionArgs&, ThreadPool&);
  void (*flash_attention)(const FlashAttentionArgs&, ThreadPool&);
  void (*flash_attention_backward)(const FlashAttentionBackwardArgs&, ThreadPool&);
};

}  // namespace bitnet
