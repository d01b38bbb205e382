// SPDX-License-Identifier: MIT OR Apache-2.0
// Who computes: a backend's table and the workers it may use.
#pragma once

#include <string>

#include "bitnet/base/error.h"
#include "bitnet/base/thread_pool.h"
#include "bitnet/ops/op_table.h"

namespace bitnet {

/// Both pointers outlive the context. One context may be used by one thread at a time.
struct OpContext {
  const OpTable* table = nullptr;
  ThreadPool* threads = nullptr;
};

/// The entry of the table; throws Error{unsupported} naming backend and op where it is null.
template <class Fn>
Fn* supported(const OpContext& context, Fn* entry, const char* op) {
  if (!entry)
    fail(Errc::unsupported, std::string(op) + ": not supported by " + context.table->name);
  return entry;
}

/// Throws Error{invalid_argument} "<op>: <what> is <actual>, expected <expected>" unless they are
/// equal.
inline void check_dim(const char* op, const char* what, std::int64_t actual,
                      std::int64_t expected) {
  if (actual != expected)
    fail(Errc::invalid_argument, std::string(op) + ": " + what + " is " + std::to_string(actual) +
                                     ", expected " + std::to_string(expected));
}

}  // namespace bitnet
