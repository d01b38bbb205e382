// SPDX-License-Identifier: MIT OR Apache-2.0
// The bytes that a parser reads: a mapped file, or memory under a name (tests, fuzzers, embedded
// models).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "bitnet/base/error.h"
#include "bitnet/base/os/file.h"

namespace bitnet {

class Source {
 public:
  /// Maps the file; throws as os::MappedFile does.
  explicit Source(const std::string& path, os::MapMode mode = os::MapMode::read_only)
      : mapping_(std::make_unique<os::MappedFile>(path, mode)),
        name_(path),
        bytes_(mapping_->bytes()) {}
  /// Borrows `bytes`, which must outlive the source.
  Source(std::span<const std::byte> bytes, std::string name)
      : name_(std::move(name)), bytes_(bytes) {}

  const std::string& name() const noexcept { return name_; }
  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  /// Null for memory.
  const os::MappedFile* mapping() const noexcept { return mapping_.get(); }

  /// Throws FileError{io} E_IO if the file shrank or could not be read since it was mapped.
  void check_intact() const {
    if (mapping_) mapping_->check_intact();
  }

  [[noreturn]] void fail(const char* kind, std::uint64_t offset, std::string field,
                         std::string value, std::string limit,
                         Errc code = Errc::corrupt_file) const {
    throw FileError(code,
                    {kind, name_, offset, std::move(field), std::move(value), std::move(limit)});
  }

 private:
  std::unique_ptr<os::MappedFile> mapping_;
  std::string name_;
  std::span<const std::byte> bytes_;
};

}  // namespace bitnet
