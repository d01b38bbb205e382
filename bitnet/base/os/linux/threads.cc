// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/os/threads.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>

namespace bitnet::os {
namespace {

std::atomic<void (*)()> exit_function{nullptr};

void on_exit(void*) { exit_function.load()(); }

// A key rather than a thread_local object: its destructor runs after those of thread_local objects,
// and again if one of the other keys' destructors sets it again.
pthread_key_t exit_key() noexcept {
  static const pthread_key_t key = [] {
    pthread_key_t made{};
    ::pthread_key_create(&made, on_exit);
    return made;
  }();
  return key;
}

}  // namespace

void call_at_thread_exit(void (*at_exit)()) noexcept {
  exit_function.store(at_exit);
  static char set;
  ::pthread_setspecific(exit_key(), &set);
}

void call_at_fork(void (*before)(), void (*after_parent)(), void (*after_child)()) noexcept {
  ::pthread_atfork(before, after_parent, after_child);
}

int process_id() noexcept { return ::getpid(); }

}  // namespace bitnet::os
