// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/backend/cpu/measured_limits.h"

#include <atomic>
#include <cstring>

#include "bitnet/backend/cpu/cpu_limits.h"
#include "bitnet/backend/cpu/kernels/dense_linear/dense_linear.h"
#include "bitnet/backend/cpu/kernels/ternary_linear/ternary_linear.h"
#include "bitnet/base/error.h"
#include "bitnet/memory/hybrid_pool.h"

namespace bitnet::cpu {
namespace {

constexpr std::int64_t kBufferBytes = std::int64_t{512} << 20;
constexpr std::int64_t kPartBytes = std::int64_t{64} << 20, kLeastBytes = 2 * kPartBytes;
constexpr std::chrono::milliseconds kWriting{150};  // 1.2 s for all of it where pages are small
constexpr int kReads = 4;
constexpr int kPeakRounds = 5;
constexpr double kPeakSeconds = 4e-3;  // of a round: longer than a pool needs to wake

double memory_read_rate(ThreadPool& pool) try {
  const MemoryHandle memory = default_pool().allocate(static_cast<std::size_t>(kBufferBytes));
  auto* data = reinterpret_cast<std::uint8_t*>(memory.data());
  const auto start = std::chrono::steady_clock::now();
  std::int64_t written = 0;
  while (written < kLeastBytes ||
         (written < kBufferBytes && std::chrono::steady_clock::now() - start < kWriting)) {
    pool.for_slices(kPartBytes, 4096, [&](std::int64_t begin, std::int64_t end) {
      std::memset(data + written + begin, 1, static_cast<std::size_t>(end - begin));
    });
    written += kPartBytes;
  }
  return read_bandwidth(pool, data, written, kReads);
} catch (const Error& error) {
  if (error.code() != Errc::out_of_memory) throw;
  return 0.0;
}

// Operations a second of all workers, each running `peak`, which counts them.
double peak_rate(ThreadPool& pool, std::int64_t (*peak)(std::string_view) noexcept,
                 std::string_view kernel) {
  const double call = best_seconds(3, [&] { peak(kernel); });
  if (peak(kernel) == 0) return 0.0;
  const int calls = static_cast<int>(kPeakSeconds / call) + 1;
  std::atomic<std::int64_t> operations{0};
  const double seconds = best_seconds(kPeakRounds, [&] {
    operations = 0;
    pool.run([&](int, int) {
      std::int64_t count = 0;
      for (int i = 0; i < calls; ++i) count += peak(kernel);
      operations += count;
    });
  });
  return static_cast<double>(operations.load()) / seconds;
}

}  // namespace

double peak_flops(std::string_view kernel) {
  std::int64_t flops = 0;
  const double seconds = best_seconds(200, [&] { flops = fma_peak(kernel); });
  return static_cast<double>(flops) / seconds;
}

double read_bandwidth(ThreadPool& pool, const void* data, std::int64_t bytes, int times) {
  std::atomic<std::uint64_t> sink{0};
  const double seconds = best_seconds(times, [&] {
    pool.for_slices(bytes, 4096, [&](std::int64_t begin, std::int64_t end) {
      sink += read_once(static_cast<const std::uint8_t*>(data) + begin, end - begin);
    });
  });
  return static_cast<double>(bytes) / seconds;
}

profile::Roof measure_roof(ThreadPool& pool) {
  profile::Roof roof;
  roof.int8_kernel = choose(ternary_linear_kernels(), isa::active()).name;
  roof.float_kernel = choose(dense_linear_kernels(), isa::active()).name;
  roof.int8_ops_per_second = peak_rate(pool, dot_peak, roof.int8_kernel);
  roof.float_ops_per_second = peak_rate(pool, fma_peak, roof.float_kernel);
  roof.read_bytes_per_second = memory_read_rate(pool);
  return roof;
}

}  // namespace bitnet::cpu
