// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/runtime/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "bitnet/backend/cpu/cpu_limits.h"
#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/memory/hybrid_pool.h"

namespace bitnet {
namespace {

constexpr std::int64_t kBufferBytes = std::int64_t{512} << 20;
constexpr int kReads = 4;
constexpr int kDotRounds = 5;
constexpr std::int64_t kDotCalls = 200;

template <class Work>
double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double read_rate(ThreadPool& threads) {
  const MemoryHandle memory = default_pool().allocate(static_cast<std::size_t>(kBufferBytes));
  auto* data = reinterpret_cast<std::uint8_t*>(memory.data());
  threads.for_slices(kBufferBytes, 4096, [&](std::int64_t begin, std::int64_t end) {
    std::memset(data + begin, 1, static_cast<std::size_t>(end - begin));
  });
  std::atomic<std::uint64_t> sink{0};
  double best = 0.0;
  for (int i = 0; i < kReads; ++i)
    best = std::max(best, static_cast<double>(kBufferBytes) / seconds([&] {
                            threads.for_slices(kBufferBytes, 4096,
                                               [&](std::int64_t begin, std::int64_t end) {
                                                 sink += cpu::read_once(data + begin, end - begin);
                                               });
                          }));
  return best;
}

double dot_rate(ThreadPool& threads, std::string_view kernel) {
  double best = 0.0;
  for (int i = 0; i < kDotRounds; ++i) {
    std::atomic<std::int64_t> operations{0};
    const double time = seconds([&] {
      threads.run([&](int, int) {
        std::int64_t count = 0;
        for (std::int64_t call = 0; call < kDotCalls; ++call) count += cpu::dot_peak(kernel);
        operations += count;
      });
    });
    best = std::max(best, static_cast<double>(operations.load()) / time);
  }
  return best;
}

}  // namespace

MachineLimits measure_machine_limits(ThreadPool& threads) {
  MachineLimits limits;
  limits.dot_kernel = std::string(cpu::choose(cpu::ternary_linear_kernels(), isa::active()).name);
  limits.int8_ops_per_second = dot_rate(threads, limits.dot_kernel);
  limits.read_bytes_per_second = read_rate(threads);
  return limits;
}

}  // namespace bitnet
