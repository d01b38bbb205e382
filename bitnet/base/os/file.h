// SPDX-License-Identifier: MIT OR Apache-2.0
// Files and mappings. The one place for calls to the operating system about files; one folder per
// system implements it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace bitnet::os {

/// copy_on_write: the bytes may be written; what is written stays in this process.
enum class MapMode { read_only, copy_on_write };

/// A regular file mapped whole. Opening refuses directories, FIFOs, devices (without
/// blocking on them) and empty files: FileError{io}, kind E_IO, with path and errno text. A file
/// that shrinks while mapped does not kill the process: pages that are gone read as zero and lost()
/// turns true; whoever computed from the bytes calls check_intact() before it believes the result.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path, MapMode mode = MapMode::read_only);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  /// Throws Error{invalid_argument} unless copy_on_write.
  std::span<std::byte> writable_bytes() const;
  const std::string& path() const noexcept { return path_; }

  /// True once a page of the mapping could not be read (file truncated, I/O error).
  bool lost() const noexcept;
  /// Throws FileError{io} if lost().
  void check_intact() const;

  /// Advice about [offset, offset + length): will be read soon / will not be read again (its memory
  /// may go).
  void will_need(std::uint64_t offset, std::uint64_t length) const noexcept;
  void dont_need(std::uint64_t offset, std::uint64_t length) const noexcept;
  /// dont_need() of bytes of this mapping; others are left alone.
  void release(std::span<const std::byte> bytes) const noexcept {
    if (holds(bytes)) dont_need(static_cast<std::uint64_t>(bytes.data() - data_), bytes.size());
  }
  /// Copies bytes of this mapping from the file, so that no page of the mapping comes into memory
  /// by it. False where they are not of this mapping, which must be read_only, or cannot be read.
  bool read(std::span<const std::byte> bytes, std::byte* to) const noexcept;

 private:
  bool holds(std::span<const std::byte> bytes) const noexcept {
    return bytes.data() >= data_ && bytes.data() + bytes.size() <= data_ + size_;
  }

  std::string path_;
  MapMode mode_;
  int fd_ = -1;  // for read()
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  int guard_slot_ = -1;
};

/// The whole of a regular file, at most `max_bytes` (FileError{io} E_IO / {corrupt_file} E_SIZE
/// beyond).
std::string read_file(const std::string& path, std::uint64_t max_bytes);

bool is_directory(const std::string& path) noexcept;
bool is_regular_file(const std::string& path) noexcept;

/// Writes a file so that either the whole new content or the old file is there, whatever happens: a
/// temporary file in the same folder, fsync, rename. commit() makes it visible; destruction without
/// commit removes the temporary. Every method throws FileError{io} with errno's text (disk full
/// included).
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
  void commit();
  std::uint64_t size() const noexcept { return size_; }

 private:
  void flush();
  std::string path_, temporary_;
  int fd_ = -1;
  std::uint64_t size_ = 0;
  std::string buffer_;  // 1 MiB of pending bytes
};

}  // namespace bitnet::os
