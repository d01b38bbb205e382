// SPDX-License-Identifier: MIT OR Apache-2.0
// Ends of threads and copies of processes.
#pragma once

namespace bitnet::os {

/// Calls `at_exit` when the calling thread ends, after the destructors of its thread_local objects.
/// Asking again in a thread has no effect until it was called. One function for each process: all
/// callers pass the same.
void call_at_thread_exit(void (*at_exit)()) noexcept;

/// Calls `before` in the thread that forks, and `after_parent` or `after_child` behind the fork.
/// For each process once.
void call_at_fork(void (*before)(), void (*after_parent)(), void (*after_child)()) noexcept;

/// Changes in the child of a fork.
int process_id() noexcept;

}  // namespace bitnet::os
