// SPDX-License-Identifier: MIT OR Apache-2.0
// A backend and its workers, ready to compute.
#pragma once

#include "bitnet/ops/context.h"
#include "bitnet/runtime/backends.h"

namespace bitnet {

/// Outlives everything that computes with its context().
class Runtime {
 public:
  /// num_threads: 0 = the CPUs this process may use. Throws as ThreadPool and Backend::op_table.
  explicit Runtime(int num_threads = 0)
      : threads_(num_threads), backend_(&backends().front()), table_(&backend_->op_table()) {}

  OpContext context() noexcept { return {table_, &threads_}; }
  ThreadPool& threads() noexcept { return threads_; }
  const Backend& backend() const noexcept { return *backend_; }

 private:
  ThreadPool threads_;
  const Backend* backend_;
  const OpTable* table_;
};

}  // namespace bitnet
