// SPDX-License-Identifier: MIT OR Apache-2.0
// The CPU backend's pointwise ops (ops/pointwise_args.h).
#pragma once

#include "bitnet/base/thread_pool.h"
#include "bitnet/ops/pointwise_args.h"

namespace bitnet::cpu {

void unary(const UnaryArgs& args, ThreadPool& pool);
void binary(const BinaryArgs& args, ThreadPool& pool);
void compare(const CompareArgs& args, ThreadPool& pool);
void where(const WhereArgs& args, ThreadPool& pool);
void cast(const CastArgs& args, ThreadPool& pool);

/// The same for types that are not computed in floats: f64 and integers, in order, plain C++.
/// Whether the op is defined for the type is checked before (ops/pointwise.cc).
void plain_unary(const UnaryArgs& args, ThreadPool& pool);
void plain_binary(const BinaryArgs& args, ThreadPool& pool);
void plain_compare(const CompareArgs& args, ThreadPool& pool);

}  // namespace bitnet::cpu
