// SPDX-License-Identifier: MIT OR Apache-2.0
// Tensor bytes in a file of ours that is mapped, not read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "bitnet/base/os/file.h"

namespace bitnet::storage {

/// What a header says, checked against the file.
struct MappedHeader {
  std::uint64_t data_offset = 0, data_bytes = 0, data_checksum = 0;
};

/// Reads the header of a whole file; `path` is for messages. Throws as MappedStorage().
MappedHeader read_header(std::span<const std::byte> file, const std::string& path);

/// The file, all numbers little-endian:
///   0 magic "BNSTORE\x1a" | 8 u32 mark 0x0A0B0C0D | 12 u32 version 1 | 16 u64 bytes of the file |
///   24 u64 offset of the data, a multiple of 4096 | 32 u64 bytes of the data |
///   40 u64 xxh64 of the data | 48 u64 xxh64 of bytes 0 to 47 | zeros up to the data | the data |
///   "BNSTEND\n", by which a file that was cut short is known without reading it.
class MappedStorage {
 public:
  /// Checks the header, not the data: verify() does. Throws FileError: io E_IO (cannot be mapped),
  /// corrupt_file E_MAGIC, E_SIZE, E_OFFSET, E_PADDING, E_CHECKSUM, unsupported E_ENDIAN,
  /// E_VERSION.
  explicit MappedStorage(const std::string& path, os::MapMode mode = os::MapMode::read_only);

  std::span<const std::byte> bytes() const noexcept { return data_; }
  /// What is written stays in this process. Throws Error{invalid_argument} unless copy_on_write.
  std::span<std::byte> writable_bytes() const;

  /// Throws FileError{io} E_IO where the file shrank since it was opened or could not be read;
  /// bytes() then has zeros in place of what is gone. Results are to be believed after this.
  void check_intact() const;
  /// Reads all data. Throws FileError{corrupt_file} E_CHECKSUM, also where writable_bytes() were
  /// changed, and as check_intact().
  void verify() const;

  /// Writes a file: the whole new one is there or the old one, whatever happens. Throws
  /// FileError{io}.
  static void create(const std::string& path, std::span<const std::byte> data);

 private:
  os::MappedFile file_;
  MappedHeader header_;
  std::span<const std::byte> data_;
};

}  // namespace bitnet::storage
