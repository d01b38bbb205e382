// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/os/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "bitnet/base/error.h"
#include "bitnet/base/os/fault.h"
#include "bitnet/base/os/linux/sigbus_guard.h"

namespace bitnet::os {
namespace {

[[noreturn]] void fail_io(const std::string& path, const std::string& what, int error,
                          std::uint64_t offset = 0) {
  throw FileError(Errc::io, {"E_IO", path, offset, what, std::strerror(error), ""});
}

// An open descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }
  int release() noexcept { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a FIFO";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  if (S_ISSOCK(mode)) return "a socket";
  return "not a regular file";
}

// O_NONBLOCK: opening a FIFO must not wait for a writer.
std::uint64_t open_regular(const std::string& path, int fd) {
  if (fd < 0) fail_io(path, "open", errno);
  struct stat info {};
  if (::fstat(fd, &info) != 0) fail_io(path, "stat", errno);
  if (!S_ISREG(info.st_mode))
    throw FileError(Errc::io, {"E_IO", path, 0, "file type", kind_of(info.st_mode),
                               "a regular file is needed"});
  return static_cast<std::uint64_t>(info.st_size);
}

}  // namespace

MappedFile::MappedFile(const std::string& path, MapMode mode) : path_(path), mode_(mode) {
  Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  size_ = open_regular(path, fd.get());
  if (size_ == 0)
    throw FileError(Errc::io, {"E_IO", path, 0, "file size", "0 bytes", "the file is empty"});
  const bool writable = mode == MapMode::copy_on_write;
  void* address = ::mmap(nullptr, size_, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_PRIVATE,
                         fd.get(), 0);
  if (address == MAP_FAILED) fail_io(path, "mmap", errno);
  data_ = static_cast<std::byte*>(address);
  guard_slot_ = guard_mapping(data_, size_, writable);
  fd_ = fd.release();
}

MappedFile::~MappedFile() {
  release_mapping(guard_slot_);
  ::munmap(data_, size_);
  ::close(fd_);
}

std::span<std::byte> MappedFile::writable_bytes() const {
  require(mode_ == MapMode::copy_on_write, "a read-only mapping cannot be written");
  return {data_, size_};
}

bool MappedFile::lost() const noexcept { return mapping_lost(guard_slot_); }

void MappedFile::check_intact() const {
  if (lost())
    throw FileError(Errc::io, {"E_IO", path_, 0, "mapped file", "a page could not be read",
                               "the file shrank or its disk failed while it was in use"});
}

void MappedFile::will_need(std::uint64_t offset, std::uint64_t length) const noexcept {
  const std::uint64_t begin = offset & ~std::uint64_t{kMappingPage - 1};
  ::madvise(data_ + begin, length + (offset - begin), MADV_WILLNEED);
}

void MappedFile::dont_need(std::uint64_t offset, std::uint64_t length) const noexcept {
  // Whole pages inside the range only: a neighbour may still be in use.
  const std::uint64_t begin = (offset + kMappingPage - 1) & ~std::uint64_t{kMappingPage - 1};
  const std::uint64_t end = (offset + length) & ~std::uint64_t{kMappingPage - 1};
  if (end > begin) ::madvise(data_ + begin, end - begin, MADV_DONTNEED);
}

bool MappedFile::read(std::span<const std::byte> bytes, std::byte* to) const noexcept {
  if (!holds(bytes) || mode_ != MapMode::read_only) return false;
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto at = static_cast<off_t>(bytes.data() - data_) + static_cast<off_t>(done);
    const ssize_t got = ::pread(fd_, to + done, bytes.size() - done, at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

std::string read_file(const std::string& path, std::uint64_t max_bytes) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const std::uint64_t size = open_regular(path, fd.get());
  if (size > max_bytes)
    throw FileError(Errc::corrupt_file, {"E_SIZE", path, 0, "file size", std::to_string(size),
                                         "at most " + std::to_string(max_bytes)});
  std::string text(size, '\0');
  std::uint64_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(fd.get(), text.data() + done, size - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_io(path, "read", errno, done);
    if (got == 0) break;  // shrank since fstat
    done += static_cast<std::uint64_t>(got);
  }
  text.resize(done);
  return text;
}

bool is_directory(const std::string& path) noexcept {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool is_regular_file(const std::string& path) noexcept {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), temporary_(path + ".XXXXXX") {
  fd_ = ::mkostemp(temporary_.data(), O_CLOEXEC);
  if (fd_ < 0) fail_io(path, "create", errno);
  ::fchmod(fd_, 0644);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  constexpr std::size_t kBufferBytes = 1u << 20;
  buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  size_ += bytes.size();
  if (buffer_.size() >= kBufferBytes) flush();
}

void AtomicFile::flush() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    if (must_fail(Call::write_file)) fail_io(path_, "write", ENOSPC, size_ - buffer_.size() + done);
    const ssize_t put = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail_io(path_, "write", errno, size_ - buffer_.size() + done);
    done += static_cast<std::size_t>(put);
  }
  buffer_.clear();
}

void AtomicFile::commit() {
  flush();
  if (must_fail(Call::sync_file)) fail_io(path_, "fsync", EIO, size_);
  if (::fsync(fd_) != 0) fail_io(path_, "fsync", errno, size_);
  if (must_fail(Call::rename_file)) fail_io(path_, "rename", EACCES);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_io(path_, "rename", errno);
  ::close(fd_);
  fd_ = -1;
}

}  // namespace bitnet::os
