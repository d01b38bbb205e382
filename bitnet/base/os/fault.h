// SPDX-License-Identifier: MIT OR Apache-2.0
// Lets tests make the k-th call to the system fail, to see that each failure is answered.
#pragma once

namespace bitnet::os {

enum class Call {
  map_memory,
  commit_memory,
  move_memory,
  start_thread,
  open_shared,
  size_shared,
  map_shared,
  write_file,
  sync_file,
  rename_file,
};
inline constexpr int kCalls = 10;

/// From now on call number `k` (1 is the next) of this kind fails, and no other; 0: none.
void fail_call(Call call, int k) noexcept;
/// Calls of this kind since the last fail_call() of it.
int calls_made(Call call) noexcept;
/// Whether this call is the one to fail; asked by the functions of this folder, once a call.
bool must_fail(Call call) noexcept;

}  // namespace bitnet::os
