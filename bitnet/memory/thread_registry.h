// SPDX-License-Identifier: MIT OR Apache-2.0
// Which threads have heaps, which pools exist: for the end of a thread, the end of a pool, a fork.
#pragma once

#include <cstddef>

namespace bitnet::memory {

class HostPool;
struct ThreadHeap;

/// Gives a new pool its number and has forks lock it from now on. Throws Error{unsupported} where
/// kMaxHostPools exist.
std::size_t register_pool(HostPool& pool);
/// Afterwards no thread has a heap under `index`. `close` is called for none of them: the pool
/// ends.
void unregister_pool(std::size_t index) noexcept;
/// Has the calling thread's heaps closed when it ends.
void register_thread() noexcept;

}  // namespace bitnet::memory
