// SPDX-License-Identifier: MIT OR Apache-2.0
// Clock, storage, threads and output of the cases. Storage comes from the kernel's pages, never
// from the allocator under test.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string_view>
#include <thread>
#include <vector>

#include "bitnet/base/relax.h"

namespace bitnet::bench {

/// Each allocation is a mapping of its own, written once. Thread-safe.
std::pmr::memory_resource* pages() noexcept;

template <class T>
using Array = std::pmr::vector<T>;
template <class T>
Array<T> make_array(std::size_t size = 0) {
  return Array<T>(size, std::pmr::polymorphic_allocator<T>(pages()));
}

inline double now_ns() {
  using Nanoseconds = std::chrono::duration<double, std::nano>;
  return Nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

/// The compiler must assume that the block is used.
inline void keep(void* block) { asm volatile("" : : "r"(block) : "memory"); }

inline constexpr std::size_t kPageBytes = 4096;
/// Writes a byte of each page.
inline void touch_pages(void* block, std::size_t bytes) {
  auto* p = static_cast<volatile char*>(block);
  for (std::size_t i = 0; i < bytes; i += kPageBytes) p[i] = 1;
}
inline void touch_first(void* block) { *static_cast<volatile char*>(block) = 1; }

/// Waits for another thread; lets it run where both share a core.
class Wait {
 public:
  void once() {
    if (++spins_ % 4096 == 0)
      std::this_thread::yield();
    else
      relax();
  }

 private:
  unsigned spins_ = 0;
};

/// xorshift64: the same numbers on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : x_(seed * 0x9E3779B97F4A7C15ull | 1) {}
  std::uint64_t next() {
    x_ ^= x_ << 13;
    x_ ^= x_ >> 7;
    x_ ^= x_ << 17;
    return x_;
  }
  /// [0, bound)
  std::uint64_t below(std::uint64_t bound) { return (next() >> 11) % bound; }

 private:
  std::uint64_t x_;
};

/// Times of repetitions; the median is what is reported.
class Samples {
 public:
  static constexpr std::size_t kMost = 4096;
  Samples() { values_.reserve(kMost); }
  void add(double value) {
    if (values_.size() < kMost) values_.push_back(value);
  }
  std::size_t size() const { return values_.size(); }
  /// Needs a value. Changes the order of the values.
  double median() {
    const auto middle = values_.begin() + static_cast<std::ptrdiff_t>(values_.size() / 2);
    std::nth_element(values_.begin(), middle, values_.end());
    return *middle;
  }

 private:
  Array<double> values_ = make_array<double>();
};

/// Runs `f(0)` here and `f(1)` on a second thread from the same moment on; the mean of the results.
template <class F>
double on_two_threads(F f) {
  std::atomic<int> ready{0};
  double result[2] = {0, 0};
  const auto run = [&](int which) {
    ++ready;
    for (Wait wait; ready.load() < 2;) wait.once();
    result[which] = f(which);
  };
  std::thread second(run, 1);
  run(0);
  second.join();
  return (result[0] + result[1]) / 2;
}

/// How long to measure.
struct Effort {
  double cell_ns = 4e6;                             // for one number
  int replays = 5;                                  // of a trace
  int requests = 6;                                 // in a trace
  std::size_t fill_bytes = std::size_t{256} << 20;  // live in the cases of resident memory
  int check_steps = 400'000;                        // for each thread

  static Effort quick() { return {1e5, 1, 1, std::size_t{4} << 20, 20'000}; }
};

/// Resident bytes of the process.
std::size_t resident_bytes();

/// One line of JSON on stdout: {"metric":…,"value":…,"unit":…}.
void emit(std::string_view metric, double value, std::string_view unit);

/// What can be asked for by name; it emits metrics whose names begin with its own.
struct Case {
  const char* name;
  void (*run)(const Case& self, const Effort& effort);
  std::size_t bytes = 0;  // of a block, where the case has one size
};

}  // namespace bitnet::bench
