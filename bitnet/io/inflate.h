// SPDX-License-Identifier: MIT OR Apache-2.0
// Unpacks deflate streams (RFC 1951) with zlib, where it is built in.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>

namespace bitnet {

/// One stream, read piece by piece.
class Inflater {
 public:
  virtual ~Inflater() = default;
  /// Fills `to`, or less of it where the stream ends; nullopt where it is damaged or cut.
  virtual std::optional<std::size_t> read(std::span<std::byte> to) = 0;
  /// True once the stream's end was seen and no byte follows it.
  virtual bool at_end() const = 0;
};

/// `packed` must outlive it. nullptr where this build has no zlib. Throws Error{out_of_memory}.
std::unique_ptr<Inflater> make_inflater(std::span<const std::byte> packed);

}  // namespace bitnet
