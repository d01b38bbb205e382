// SPDX-License-Identifier: MIT OR Apache-2.0
// Where the bytes of blocks are that nobody has used for a while: packed, in ordinary memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "bitnet/memory/metrics.h"

namespace bitnet::storage {

/// A block's bytes while they are packed; made and ended by InactiveStore.
struct Parked;

/// Thread-safe.
class InactiveStore {
 public:
  /// nullptr where packing wins too little, or without memory.
  Parked* park(std::span<const std::byte> content) noexcept;
  /// Writes the bytes back and ends `parked`. Throws Error{corrupt_file} where they are damaged:
  /// something wrote into the library's memory; `parked` lives on.
  void unpark(Parked* parked, std::span<std::byte> to);
  void discard(Parked* parked) noexcept;
  CompressionMetrics figures() const noexcept;

 private:
  void forget(const Parked& parked) noexcept;
  std::atomic<std::uint64_t> blocks_{0}, bytes_before_{0}, bytes_after_{0}, packed_{0}, refused_{0},
      unpacked_{0}, compress_ns_{0}, decompress_ns_{0};
};

}  // namespace bitnet::storage
