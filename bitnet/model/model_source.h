// SPDX-License-Identifier: MIT OR Apache-2.0
#pragma once

#include <cstddef>
#include <span>

namespace bitnet {

/// A file that is mapped while its tensors are in use.
class ModelSource {
 public:
  virtual ~ModelSource() = default;
  /// Throws FileError{io} E_IO if the file shrank or could not be read since it was opened.
  virtual void check_intact() const = 0;
  /// These bytes of the mapped file will not be read soon: their pages may leave memory. Nothing
  /// where they are not of the file.
  virtual void release(std::span<const std::byte> bytes) const noexcept = 0;
  /// Copies bytes of the mapped file to `to` without bringing their pages, and those around them,
  /// into this process: for small pieces here and there. False where they are not of the file or
  /// cannot be read; the mapping is the way then.
  virtual bool read(std::span<const std::byte> bytes, std::byte* to) const noexcept = 0;
};

}  // namespace bitnet
