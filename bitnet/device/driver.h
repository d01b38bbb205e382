// SPDX-License-Identifier: MIT OR Apache-2.0
// What a device must provide to hold tensors: raw memory, streams, events and copies. Compute is
// ops/op_table.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bitnet/device/device.h"

namespace bitnet {

/// An ordered queue of work of one device; 0 is the device's default stream.
struct Stream {
  std::uint64_t id = 0;
  friend bool operator==(const Stream&, const Stream&) = default;
};

/// A point in a stream's work; 0 is a point that has always been passed.
struct Event {
  std::uint64_t id = 0;
  friend bool operator==(const Event&, const Event&) = default;
};

/// What is not known is 0.
struct DeviceMemory {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

/// Implemented once per backend; runtime/backends.cc hands the objects down at start. Thread-safe.
/// The functions that are not pure describe a device that has done its work when a call returns, as
/// the CPU has.
class Driver {
 public:
  virtual ~Driver() = default;

  virtual Device device() const noexcept = 0;

  /// `bytes` > 0 of memory, aligned to `alignment` (a power of two); contents unspecified. nullptr
  /// when out of memory.
  virtual void* allocate(std::size_t bytes, std::size_t alignment) noexcept = 0;
  /// Gives back what allocate() returned, which no stream uses any more; `bytes` and `alignment` as
  /// they were there.
  virtual void deallocate(void* memory, std::size_t bytes, std::size_t alignment) noexcept = 0;
  virtual DeviceMemory memory() const noexcept { return {}; }

  /// The point behind all work given to `stream` so far. Throws Error{device_lost}.
  virtual Event record(Stream) { return {}; }
  /// Whether the work before `event` is done. Throws Error{device_lost}: then nothing that the
  /// device holds may be used again.
  virtual bool is_done(Event) { return true; }
  /// Later work of `stream` begins after `event`; does not block the caller.
  virtual void wait(Stream, Event) {}
  /// Blocks until `event` is passed. Throws Error{device_lost}.
  virtual void synchronize(Event) {}
  /// Each recorded event is released once, passed or not.
  virtual void release(Event) noexcept {}

  /// Copies `bytes` in the order of `stream`. One side is this device's memory, the other this
  /// device's or the host's. Throws Error{device_lost}.
  virtual void copy(void* to, const void* from, std::size_t bytes, Stream stream) = 0;
};

}  // namespace bitnet
