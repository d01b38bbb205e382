// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "bitnet/base/error.h"
#include "bitnet/base/os/memory.h"
#include "bitnet/base/relax.h"

namespace bitnet {
namespace {

// About 20 us of polling on the machines measured: longer than the gap between two ops of a layer,
// shorter than a time slice. Sleeping and waking costs 5 to 50 us.
constexpr int kSpins = 4000;

// Which pool's task runs on this thread: a nested run() must not wait for itself.
thread_local const void* t_running_pool = nullptr;

}  // namespace

Slice slice_of(std::int64_t total, int index, int count, std::int64_t step) noexcept {
  const std::int64_t steps = (total + step - 1) / step;
  const std::int64_t begin = steps * index / count;
  const std::int64_t end = steps * (index + 1) / count;
  return {std::min(begin * step, total), std::min(end * step, total)};
}

struct ThreadPool::State {
  std::mutex turn;  // held by the thread whose run() is on
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable idle;  // of workers that runs leave out
  std::condition_variable done;
  // Counts runs, in steps of kRun; the rest is how many workers take part. Workers wait for it to
  // change.
  std::atomic<std::uint64_t> generation{0};
  std::atomic<int> pending{0};  // workers still in the current run
  std::atomic<bool> stop{false};
  int sleepers = 0;           // guarded by mutex
  int idlers = 0;             // guarded by mutex
  bool caller_waits = false;  // guarded by mutex
  Erased call = nullptr;
  void* task = nullptr;
  std::mutex error_mutex;
  std::exception_ptr error;
  std::vector<std::thread> threads;

  void invoke(int worker, int count) noexcept {
    try {
      call(task, worker, count);
    } catch (...) {
      const std::lock_guard lock(error_mutex);
      if (!error) error = std::current_exception();
    }
  }

  static constexpr std::uint64_t kRun = std::uint64_t{1} << 16;
  static int workers_of(std::uint64_t word) noexcept { return static_cast<int>(word % kRun); }

  void worker_loop(const void* pool, int worker) {
    t_running_pool = pool;
    std::uint64_t seen = 0;
    while (true) {
      seen = wait_for_change(seen);
      if (workers_of(seen) <= worker) seen = wait_for_turn(worker);
      if (stop.load(std::memory_order_relaxed)) return;
      invoke(worker, workers_of(seen));
      if (pending.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        const std::lock_guard lock(mutex);
        if (caller_waits) done.notify_one();
      }
    }
  }

  std::uint64_t wait_for_change(std::uint64_t seen) {
    std::uint64_t word = seen;
    const auto changed = [&] {
      word = generation.load(std::memory_order_acquire);
      return word != seen;
    };
    for (int i = 0; i < kSpins; ++i) {
      if (changed()) return word;
      relax();
    }
    std::unique_lock lock(mutex);
    ++sleepers;
    wake.wait(lock, changed);
    --sleepers;
    return word;
  }

  // Until a run in which this worker takes part: without it, workers that are left out would wake
  // for each run, and spin after it, on what may be the other half of a core that computes.
  std::uint64_t wait_for_turn(int worker) {
    std::uint64_t word = 0;
    std::unique_lock lock(mutex);
    ++idlers;
    idle.wait(lock, [&] {
      word = generation.load(std::memory_order_acquire);
      return stop.load(std::memory_order_relaxed) || workers_of(word) > worker;
    });
    --idlers;
    return word;
  }

  void wait_for_workers() {
    for (int i = 0; i < kSpins; ++i) {
      if (pending.load(std::memory_order_acquire) == 0) return;
      relax();
    }
    std::unique_lock lock(mutex);
    caller_waits = true;
    done.wait(lock, [&] { return pending.load(std::memory_order_acquire) == 0; });
    caller_waits = false;
  }

  void next_generation(int workers) {
    const std::lock_guard lock(mutex);
    const std::uint64_t before = generation.load(std::memory_order_relaxed);
    generation.store(before - before % kRun + kRun + static_cast<std::uint64_t>(workers),
                     std::memory_order_release);
    if (sleepers > 0) wake.notify_all();
    if (idlers > 0 && workers > workers_of(before)) idle.notify_all();
  }

  // Workers look at `stop` whenever they wake, and a larger run than any wakes them all.
  void end(int workers) {
    stop = true;
    next_generation(workers + 1);
    for (std::thread& t : threads) t.join();
  }
};

ThreadPool::ThreadPool(int num_threads)
    : size_(num_threads == 0 ? std::min(os::usable_cpus(), kMaxThreads) : num_threads),
      in_use_(size_),
      state_(std::make_unique<State>()) {
  if (num_threads < 0 || num_threads > kMaxThreads)
    fail(Errc::invalid_argument, "ThreadPool: " + std::to_string(num_threads) +
                                     " threads asked for; 1 to " + std::to_string(kMaxThreads));
  try {
    for (int worker = 1; worker < size_; ++worker)
      state_->threads.emplace_back([this, worker] { state_->worker_loop(this, worker); });
  } catch (const std::system_error& e) {
    state_->end(size_);
    fail(Errc::internal, std::string("ThreadPool: the system refuses a thread: ") + e.what());
  }
}

ThreadPool::~ThreadPool() { state_->end(size_); }

void ThreadPool::use(int workers) {
  require(workers >= 1 && workers <= size_, "ThreadPool::use: 1 to size() workers");
  in_use_.store(workers, std::memory_order_relaxed);
}

void ThreadPool::run_erased(Erased call, void* task) {
  const int workers = in_use_.load(std::memory_order_relaxed);
  if (workers == 1 || t_running_pool == this) {
    call(task, 0, 1);
    return;
  }
  State& s = *state_;
  const std::lock_guard turn(s.turn);
  s.call = call;
  s.task = task;
  s.error = nullptr;
  s.pending.store(workers - 1, std::memory_order_relaxed);
  s.next_generation(workers);
  const void* outer = std::exchange(t_running_pool, this);
  s.invoke(0, workers);
  t_running_pool = outer;
  s.wait_for_workers();
  if (s.error) std::rethrow_exception(std::exchange(s.error, nullptr));
}

}  // namespace bitnet
