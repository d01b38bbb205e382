// SPDX-License-Identifier: MIT OR Apache-2.0
// NumPy's .npz archives: named .npy arrays in a zip file (numpy.savez, numpy.savez_compressed).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/io/npy_header.h"
#include "bitnet/io/zip_directory.h"

namespace bitnet {

/// An archive whose directory was checked when it was opened. Members whose names do not end in
/// ".npy" are left out. Deflated members need a build with zlib. Throws FileError: E_IO and as
/// read_zip_directory().
class NpzFile {
 public:
  explicit NpzFile(const std::string& path) : NpzFile(Source(path)) {}
  /// Reads from memory, which must outlive this.
  NpzFile(std::span<const std::byte> bytes, std::string name)
      : NpzFile(Source(bytes, std::move(name))) {}

  /// In the order of the archive's directory; names without ".npy".
  const std::vector<ZipMember>& arrays() const noexcept { return arrays_; }
  /// nullptr where there is none of this name.
  const ZipMember* find(std::string_view name) const noexcept;

  /// Type and shape; unpacks at most 64 KiB. Throws FileError: as parse_npy_header(), offsets
  /// counted from the array's beginning and the file named "<archive>[<array>]"; E_CODEC where the
  /// member is packed in a way that this build does not read, E_BLOCK where the stream is damaged.
  NpyHeader header(const ZipMember& array) const;
  /// The array, row-major and in this machine's byte order; its name is set. Memory is taken once
  /// the header agrees with the member's size. Throws as header(), FileError{corrupt_file}
  /// E_CHECKSUM, Error{out_of_memory}.
  Tensor read(const ZipMember& array, HybridMemoryPool& pool = default_pool()) const;

 private:
  explicit NpzFile(Source source);

  Source source_;
  std::vector<ZipMember> arrays_;
};

struct NpzItem {
  std::string name;  // UTF-8, not empty
  TensorView view;   // any strides, in host memory
};

/// Writes the arrays stored, not packed, in this order; whole or not at all. Throws
/// Error{invalid_argument} for a name that is empty, too long, not UTF-8 or given twice,
/// Error{unsupported} for a type that NumPy does not have, FileError{io} from the disk.
void write_npz(const std::string& path, std::span<const NpzItem> items);

}  // namespace bitnet
