// SPDX-License-Identifier: MIT OR Apache-2.0
// Persistent workers with a fixed division of work: results never depend on timing.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace bitnet {

/// A half-open range of items.
struct Slice {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const noexcept { return end - begin; }
};

/// Part `index` of `count` equal parts of [0, total), cut at multiples of `step`.
Slice slice_of(std::int64_t total, int index, int count, std::int64_t step = 1) noexcept;

/// run() calls a function once per worker, the caller being worker 0, and returns when all are
/// done. Workers spin for some microseconds, then sleep. One run() at a time: calls from several
/// threads take turns. A run() inside a task runs on the calling worker alone.
class ThreadPool {
 public:
  /// num_threads >= 1, at most kMaxThreads; 0 = CPUs this process may use.
  /// Throws Error{invalid_argument}; Error{internal} where the system refuses a thread.
  explicit ThreadPool(int num_threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  static constexpr int kMaxThreads = 512;

  int size() const noexcept { return size_; }

  /// From now on run() calls the first `workers` of them, 1 to size() (all, until this is called);
  /// the others sleep. For work that more threads do not make faster. Throws
  /// Error{invalid_argument}.
  void use(int workers);

  /// Calls task(worker, num_workers) on every worker. If tasks throw, one of the exceptions is
  /// rethrown here.
  template <class Task>
  void run(Task&& task) {
    using Plain = std::remove_reference_t<Task>;
    run_erased([](void* t, int worker, int count) { (*static_cast<Plain*>(t))(worker, count); },
               const_cast<void*>(static_cast<const void*>(std::addressof(task))));
  }

  /// Calls body(begin, end) on each worker's slice of [0, total); empty slices are skipped.
  template <class Body>
  void for_slices(std::int64_t total, std::int64_t step, Body&& body) {
    run([&](int worker, int count) {
      const Slice s = slice_of(total, worker, count, step);
      if (s.size() > 0) body(s.begin, s.end);
    });
  }

 private:
  using Erased = void (*)(void* task, int worker, int count);
  void run_erased(Erased call, void* task);

  struct State;
  int size_;
  std::atomic<int> in_use_;
  std::unique_ptr<State> state_;
};

}  // namespace bitnet
