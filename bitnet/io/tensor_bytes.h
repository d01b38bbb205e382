// SPDX-License-Identifier: MIT OR Apache-2.0
// Where a writer gets a tensor's bytes from: piece by piece, so that no tensor need be in memory
// whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace bitnet {

using ByteSink = std::function<void(std::span<const std::byte>)>;

/// Pushes all bytes of a tensor, in order, into the sink.
using TensorBytes = std::function<void(const ByteSink&)>;

/// Bytes that already lie in memory and outlive the writing.
inline TensorBytes bytes_in_memory(std::span<const std::byte> bytes) {
  return [bytes](const ByteSink& sink) { sink(bytes); };
}

}  // namespace bitnet
