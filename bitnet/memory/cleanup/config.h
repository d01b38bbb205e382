// SPDX-License-Identifier: MIT OR Apache-2.0
// When memory is given back, how much of it, and how long that may take.
#pragma once

#include <chrono>
#include <cstdint>

namespace bitnet {

/// What a run does. From lightest to strongest: trim of old memory, trim, and compaction.
enum class CleanupKind : std::uint8_t { idle, pressure, periodic, device, generational };
inline constexpr int kCleanupKinds = 5;

/// Not here, because nothing real stands behind them: counts of threads (one thread does it, the
/// pool is one), cache lines and prefetching (memory that goes back is not read), logging and
/// profiling (the library never prints; each CleanupReport has its time), corruption detection (the
/// pool's hardened mode), a timeout of one operation (max_cleanup_time limits each), waits for GPU
/// frameworks (a driver's events do it).
struct CleanupConfig {
  using Milliseconds = std::chrono::milliseconds;

  /// Least time between two runs of the idle strategy.
  Milliseconds idle_cleanup_interval = std::chrono::seconds(30);
  /// Pressure (0 to 1) from which the pressure strategy runs at once.
  double pressure_cleanup_threshold = 0.9;
  bool enable_compaction = true;
  /// Longest time of one run; what is left waits for the next.
  Milliseconds max_cleanup_time{100};

  struct Policy {
    CleanupKind default_strategy = CleanupKind::idle;  // of CleanupManager::run()
    std::uint64_t max_blocks = 1000;                   // moved or compressed in one run
    bool incremental = true;  // in batches, so that allocations come in between
    std::uint64_t batch_blocks = 100;
    bool cooperative = true;  // other threads run between batches
  } policy;

  struct Features {
    bool idle = true, pressure = true, periodic = true, device = true, generational = true;
    bool smart = false;       // the default strategy follows from the figures
    bool metrics = true;      // runs are remembered
    bool emergency = true;    // beyond thresholds.pressure.emergency: all, and no limit of time
    bool compression = true;  // of blocks not used for age.ancient; under pressure for age.old
  } features;

  struct PressureThresholds {
    double light = 0.7, aggressive = 0.85, emergency = 0.95;
    Milliseconds min_interval = std::chrono::seconds(1);
  };
  struct IdleThresholds {
    Milliseconds min{100}, light = std::chrono::seconds(1), aggressive = std::chrono::seconds(5);
    Milliseconds max_duration{50};
  };
  struct AgeThresholds {
    Milliseconds young = std::chrono::seconds(1), old = std::chrono::seconds(10),
                 ancient = std::chrono::seconds(60);
    Milliseconds min_age{100};  // memory freed later than that stays, whoever asks
  };
  struct SizeThresholds {
    std::uint64_t min_block_bytes = 1024;    // smaller free ranges are left alone
    std::uint64_t large_bytes = 1u << 20;    // device segments from here on go first
    std::uint64_t total_bytes = 512u << 20;  // so much reclaimable memory goes whatever its age
    double utilization = 0.8;                // live / committed below which memory is trimmed
  };
  struct FragmentationThresholds {
    double defragment = 0.3, compact = 0.5, emergency = 0.8;
  };
  struct Thresholds {
    PressureThresholds pressure;
    IdleThresholds idle;
    AgeThresholds age;
    SizeThresholds size;
    FragmentationThresholds fragmentation;
  } thresholds;

  struct Scheduler {
    bool enabled = true;
    Milliseconds interval{500};  // between two looks at the figures
    Milliseconds device_interval = std::chrono::seconds(1);
    bool adaptive = true;  // up to 8 times rarer while nothing comes back
    std::uint8_t emergency_priority = 255, pressure_priority = 200, periodic_priority = 150,
                 idle_priority = 100, device_priority = 75, generational_priority = 50;
  } scheduler;

  struct Safety {
    bool validate = true;           // heap walk before and after a compaction
    bool rollback = true;           // moved blocks are compared with their source
    bool audit = false;             // heap walk around every run
    std::uint32_t max_retries = 3;  // of a run that failed, at the next looks
  } safety;

  static CleanupConfig minimal();
  static CleanupConfig aggressive();
  static CleanupConfig debug();
  /// Throws Error{invalid_argument} naming field, value and range.
  void validate() const;
};

}  // namespace bitnet
