// SPDX-License-Identifier: MIT OR Apache-2.0
// A mutex for work of some ten nanoseconds: who waits spins first, for sleeping and being woken
// costs microseconds and makes two threads that pass blocks to each other take turns asleep.
#pragma once

#include <mutex>

#include "bitnet/base/relax.h"

namespace bitnet::memory {

/// Named as the standard's Mutex requirements ask.
class AdaptiveMutex {
 public:
  void lock() {
    constexpr int kSpins = 200;  // some microseconds: more than any holder needs that runs
    for (int i = 0; i < kSpins; ++i) {
      if (mutex_.try_lock()) return;
      relax();
    }
    mutex_.lock();
  }
  bool try_lock() { return mutex_.try_lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

}  // namespace bitnet::memory
