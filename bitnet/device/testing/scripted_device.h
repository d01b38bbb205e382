// SPDX-License-Identifier: MIT OR Apache-2.0
// For tests: a device whose work is done when the test says so, and whose calls fail when it says.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "bitnet/device/driver.h"

namespace bitnet::testing {

/// What stands behind ScriptedDriver; the test keeps it, since it outlives the pool that owns the
/// driver. Thread-safe.
class ScriptedDevice {
 public:
  struct Options {
    Device device{DeviceKind::cuda, 0};
    std::uint64_t memory_bytes = std::uint64_t{1} << 30;
    bool readable = false;                // else a touch by the host ends the process
    std::chrono::nanoseconds latency{0};  // of a synchronize(), on elapsed()
  };

  ScriptedDevice() : ScriptedDevice(Options{}) {}
  explicit ScriptedDevice(const Options& options) : options_(options) {}

  /// The `k`-th call from now that may fail does: k = 1 is the next one. allocate() returns
  /// nullptr, the others lose the device. 0: none fails.
  void fail_call(std::uint64_t k);
  void lose();
  /// All work given to the stream so far is done, and what it waits for.
  void complete(Stream stream);
  void complete_all();
  /// From now on events pass at once.
  void be_synchronous();

  std::uint64_t held_bytes() const;  // in segments that were not given back
  std::size_t held_segments() const;
  std::size_t live_events() const;  // recorded and not released
  std::uint64_t calls() const;      // that may fail
  std::uint64_t synchronize_calls() const;
  std::chrono::nanoseconds elapsed() const;
  /// The first call that broke the contract of Driver; empty: none did.
  std::string misuse() const;

 private:
  friend class ScriptedDriver;
  enum class Kind : std::uint8_t { event, copy, wait };
  struct Work {
    Kind kind;
    std::uint64_t event = 0;
    void* to = nullptr;
    const void* from = nullptr;
    std::size_t bytes = 0;
  };
  struct Segment {
    std::size_t bytes, alignment;
  };

  bool must_fail();
  void check_alive() const;
  void run_until(std::uint64_t stream, std::uint64_t event);
  void give(Stream stream, const Work& work);
  void blame(const std::string& what);

  mutable std::mutex mutex_;
  const Options options_;
  bool lost_ = false, synchronous_ = false;
  std::uint64_t fail_in_ = 0, calls_ = 0, synchronize_calls_ = 0;
  std::uint64_t last_event_ = 0, held_bytes_ = 0;
  std::map<std::uint64_t, std::deque<Work>> streams_;
  std::map<std::uint64_t, std::uint64_t> pending_;  // event, its stream
  std::set<std::uint64_t> events_;
  std::map<void*, Segment> segments_;
  std::chrono::nanoseconds elapsed_{0};
  std::string misuse_;
};

class ScriptedDriver final : public Driver {
 public:
  /// `state` must outlive the driver.
  explicit ScriptedDriver(ScriptedDevice& state) : state_(state) {}

  Device device() const noexcept override { return state_.options_.device; }
  void* allocate(std::size_t bytes, std::size_t alignment) noexcept override;
  void deallocate(void* memory, std::size_t bytes, std::size_t alignment) noexcept override;
  DeviceMemory memory() const noexcept override;
  Event record(Stream stream) override;
  bool is_done(Event event) override;
  void wait(Stream stream, Event event) override;
  void synchronize(Event event) override;
  void release(Event event) noexcept override;
  void copy(void* to, const void* from, std::size_t bytes, Stream stream) override;

 private:
  ScriptedDevice& state_;
};

}  // namespace bitnet::testing
