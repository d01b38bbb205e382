// SPDX-License-Identifier: MIT OR Apache-2.0
// What ops must read, write and compute at least, for the profiler: bytes of operands counted once
// each, whatever caches do; operations of the formulas in ops/args.h. exp, a square root, a
// division, a maximum, a rounding count as one operation; indices and conversions as none.
#pragma once

#include <type_traits>

#include "bitnet/base/thread_pool.h"
#include "bitnet/ops/args.h"
#include "bitnet/ops/flash_attention_args.h"
#include "bitnet/ops/matmul_args.h"
#include "bitnet/ops/pointwise_args.h"
#include "bitnet/ops/quantizer_args.h"
#include "bitnet/ops/reduce_args.h"
#include "bitnet/ops/row_ops.h"
#include "bitnet/profile/profiler.h"

namespace bitnet {

profile::Work work_of(const QuantizeArgs& args) noexcept;
profile::Work work_of(const TernaryLinearArgs& args) noexcept;
profile::Work work_of(const RmsNormArgs& args) noexcept;
profile::Work work_of(const DenseLinearArgs& args) noexcept;
profile::Work work_of(const SketchArgs& args) noexcept;
profile::Work work_of(const SketchDotArgs& args) noexcept;
profile::Work work_of(const SketchRefineArgs& args) noexcept;
profile::Work work_of(const EmbedArgs& args) noexcept;
profile::Work work_of(const GatedActivationArgs& args) noexcept;
profile::Work work_of(const AddArgs& args) noexcept;
profile::Work work_of(const RopeArgs& args) noexcept;
profile::Work work_of(const KvWriteArgs& args) noexcept;
profile::Work work_of(const AttentionArgs& args) noexcept;

// Ops on views (work_of_views.cc). Elements that are repeated count once; what a pointwise op or a
// reduction does to an element counts as one operation.
profile::Work work_of(const UnaryArgs& args) noexcept;
profile::Work work_of(const BinaryArgs& args) noexcept;
profile::Work work_of(const CompareArgs& args) noexcept;
profile::Work work_of(const WhereArgs& args) noexcept;
profile::Work work_of(const CastArgs& args) noexcept;
profile::Work work_of(const ReduceArgs& args) noexcept;
profile::Work work_of(const MatmulArgs& args) noexcept;
profile::Work work_of(const RowOpArgs& args) noexcept;
profile::Work work_of(const QuantizeRowsArgs& args) noexcept;
profile::Work work_of(const AbsSumArgs& args) noexcept;
profile::Work work_of(const DropoutArgs& args) noexcept;
profile::Work work_of(const EmbedGradArgs& args) noexcept;
profile::Work work_of(const FlashAttentionArgs& args) noexcept;
profile::Work work_of(const FlashAttentionBackwardArgs& args) noexcept;

/// Runs an entry of the op table in a span of that name.
template <class Args>
void run_in_span(profile::Name name, void (*run)(const Args&, ThreadPool&),
                 const std::type_identity_t<Args>& args, ThreadPool& threads) {
  const profile::Span span(name, [&] { return work_of(args); });
  run(args, threads);
}

}  // namespace bitnet
