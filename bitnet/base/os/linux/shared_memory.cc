// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/os/shared_memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include "bitnet/base/error.h"
#include "bitnet/base/os/fault.h"
#include "bitnet/base/os/linux/sigbus_guard.h"

namespace bitnet::os {
namespace {

constexpr std::string_view kFolder = "/dev/shm/";  // where glibc keeps segments, shm_overview(7)
constexpr char kUnfinished = '~';                  // "<name>~<pid>": a segment that is being made

[[noreturn]] void fail_shared(const std::string& name, const char* call, int error) {
  fail(Errc::io, "shared memory '" + name + "': " + call + ": " + std::strerror(error));
}

struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

int open_segment(const std::string& name, int flags) noexcept {
  if (must_fail(Call::open_shared)) {
    errno = EMFILE;
    return -1;
  }
  return ::shm_open(("/" + name).c_str(), flags, 0600);
}

// What was left by processes that died while they made a segment of this name.
void sweep_unfinished(const std::string& name) {
  const std::string prefix = name + kUnfinished;
  for (const std::string& found : SharedMemory::list(prefix)) {
    std::int64_t pid = 0;
    std::from_chars(found.data() + prefix.size(), found.data() + found.size(), pid);
    if (!find_process(pid)) SharedMemory::unlink(found);
  }
}

std::optional<ProcessIdentity> read_stat(std::int64_t pid) {
  const Descriptor file{
      ::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) return std::nullopt;
  char buffer[1024];
  const ssize_t got = ::read(file.fd, buffer, sizeof buffer);
  if (got <= 0) return std::nullopt;
  // proc(5): "pid (comm) state …", the start time is field 22; comm may hold anything.
  std::string_view text(buffer, static_cast<std::size_t>(got));
  const std::size_t after = text.rfind(')');
  if (after == std::string_view::npos || after + 2 >= text.size()) return std::nullopt;
  text.remove_prefix(after + 2);
  if (text[0] == 'Z' || text[0] == 'X') return std::nullopt;
  for (int field = 3; field < 22; ++field) {
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    text.remove_prefix(space + 1);
  }
  ProcessIdentity process{pid, 0};
  std::from_chars(text.data(), text.data() + text.size(), process.start);
  return process;
}

// A holder in one word: its number has at most 22 bits (PID_MAX_LIMIT, proc(5)); 42 bits of ticks
// of 10 ms last 1393 years. Number 0 is nobody.
constexpr int kStartBits = 42;
constexpr std::uint64_t kStartMask = (std::uint64_t{1} << kStartBits) - 1;

std::uint64_t lock_word(const ProcessIdentity& process) noexcept {
  return static_cast<std::uint64_t>(process.pid) << kStartBits | (process.start & kStartMask);
}

bool holds_alive(std::uint64_t word) {
  const auto found = find_process(static_cast<std::int64_t>(word >> kStartBits));
  return found && lock_word(*found) == word;
}

}  // namespace

ProcessIdentity current_process() {
  const auto self = read_stat(::getpid());
  require(self.has_value(), "/proc/self/stat cannot be read", Errc::io);
  return *self;
}

std::optional<ProcessIdentity> find_process(std::int64_t pid) {
  if (pid <= 0) return std::nullopt;
  return read_stat(pid);
}

bool is_alive(const ProcessIdentity& process) { return find_process(process.pid) == process; }

void check_shared_name(std::string_view name) {
  constexpr std::size_t kMaxBytes = 200;  // NAME_MAX is 255; the suffix of an unfinished one
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (name.empty() || name.size() > kMaxBytes || name[0] == '.' ||
      !std::all_of(name.begin(), name.end(), allowed))
    fail(Errc::invalid_argument, "name of shared memory '" + printable(name) +
                                     "': 1 to 200 of A-Z a-z 0-9 . _ - and no dot first");
}

SharedMemory::SharedMemory(std::string name, int fd, std::size_t bytes, Access access)
    : name_(std::move(name)), size_(bytes) {
  const bool writable = access == Access::read_write;
  struct stat info {};
  if (::fstat(fd, &info) != 0) fail_shared(name_, "fstat", errno);
  file_number_ = info.st_ino;
  void* address = MAP_FAILED;
  errno = ENOMEM;
  if (!must_fail(Call::map_shared))
    address =
        ::mmap(nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
  if (address == MAP_FAILED) fail_shared(name_, "mmap", errno);
  data_ = static_cast<std::byte*>(address);
  guard_slot_ = guard_mapping(data_, size_, writable);
}

SharedMemory::~SharedMemory() {
  if (data_ == nullptr) return;
  release_mapping(guard_slot_);
  ::munmap(data_, size_);
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : name_(std::move(other.name_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      file_number_(other.file_number_),
      guard_slot_(std::exchange(other.guard_slot_, -1)) {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(name_, other.name_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(file_number_, other.file_number_);
  std::swap(guard_slot_, other.guard_slot_);
  return *this;
}

bool SharedMemory::lost() const noexcept { return mapping_lost(guard_slot_); }

bool SharedMemory::is_named() const noexcept {
  struct stat info {};
  return ::stat((std::string(kFolder) + name_).c_str(), &info) == 0 && info.st_ino == file_number_;
}

bool SharedMemory::commit(std::size_t offset, std::size_t length) const noexcept {
  if (must_fail(Call::commit_memory)) return false;
  const std::size_t begin = offset & ~(kMappingPage - 1);
  // Linux 5.14 has it; before, a full system is found out when the bytes are written.
  return ::madvise(data_ + begin, length + (offset - begin), MADV_POPULATE_WRITE) == 0 ||
         errno == EINVAL;
}

std::optional<SharedMemory> SharedMemory::create(
    const std::string& name, std::size_t bytes,
    const std::function<void(std::span<std::byte>)>& initialise) {
  check_shared_name(name);
  require(bytes > 0 && bytes <= (std::size_t{1} << 46), "size of shared memory: 1 byte to 64 TiB");
  sweep_unfinished(name);
  const std::string unfinished = name + kUnfinished + std::to_string(::getpid());
  const Descriptor file{open_segment(unfinished, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC)};
  if (file.fd < 0) fail_shared(name, "shm_open", errno);
  struct Unlink {
    const std::string& name;
    ~Unlink() { SharedMemory::unlink(name); }
  } const unlink_unfinished{unfinished};
  errno = ENOSPC;
  if (must_fail(Call::size_shared) || ::ftruncate(file.fd, static_cast<off_t>(bytes)) != 0)
    fail_shared(name, "ftruncate", errno);
  SharedMemory memory(name, file.fd, bytes, Access::read_write);
  initialise(memory.bytes());
  // A link is made once or not at all, so nobody ever meets a segment that is half made.
  const std::string folder(kFolder);
  if (::link((folder + unfinished).c_str(), (folder + name).c_str()) != 0) {
    if (errno == EEXIST) return std::nullopt;
    fail_shared(name, "link", errno);
  }
  return memory;
}

std::optional<SharedMemory> SharedMemory::attach(const std::string& name, Access access,
                                                 std::size_t min_bytes, std::size_t max_bytes) {
  check_shared_name(name);
  const int flags = access == Access::read_write ? O_RDWR : O_RDONLY;
  const Descriptor file{open_segment(name, flags | O_CLOEXEC)};
  if (file.fd < 0 && errno == ENOENT) return std::nullopt;
  if (file.fd < 0) fail_shared(name, "shm_open", errno);
  struct stat info {};
  if (::fstat(file.fd, &info) != 0) fail_shared(name, "fstat", errno);
  if (info.st_uid != ::geteuid())
    fail(Errc::corrupt_file, "shared memory '" + name + "' belongs to another user");
  const auto bytes = static_cast<std::uint64_t>(info.st_size);
  if (!S_ISREG(info.st_mode) || bytes < min_bytes || bytes > max_bytes)
    fail(Errc::corrupt_file, "shared memory '" + name + "' has " + std::to_string(bytes) +
                                 " bytes; " + std::to_string(min_bytes) + " to " +
                                 std::to_string(max_bytes) + " are allowed");
  return SharedMemory(name, file.fd, bytes, access);
}

bool SharedMemory::unlink(const std::string& name) noexcept {
  return ::shm_unlink(("/" + name).c_str()) == 0;
}

std::vector<std::string> SharedMemory::list(std::string_view prefix) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(std::string(kFolder).c_str()),
                                                   ::closedir);
  if (!folder) return names;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string_view name(entry->d_name);
    struct stat info {};
    if (name.starts_with(prefix) &&
        ::fstatat(::dirfd(folder.get()), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(info.st_mode) && info.st_uid == ::geteuid())
      names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool SharedLock::lock(const ProcessIdentity& self, std::chrono::milliseconds patience) {
  constexpr int kTries = 200;  // about what the work inside takes
  constexpr auto kFirstSleep = std::chrono::microseconds(20), kLongest = kFirstSleep * 50;
  const std::uint64_t mine = lock_word(self);
  const auto give_up = std::chrono::steady_clock::now() + patience;
  auto sleep = kFirstSleep;
  for (int tries = 0;; ++tries) {
    std::uint64_t holder = 0;
    if (holder_.compare_exchange_strong(holder, mine, std::memory_order_acquire)) return false;
    if (tries < kTries) continue;
    // The whole word is compared again: of several that find the holder dead, one is the next.
    if (!holds_alive(holder) &&
        holder_.compare_exchange_strong(holder, mine, std::memory_order_acquire))
      return true;
    if (std::chrono::steady_clock::now() >= give_up)
      fail(Errc::io,
           "lock in shared memory: process " + std::to_string(holder >> kStartBits) + " keeps it");
    std::this_thread::sleep_for(sleep);
    sleep = std::min(2 * sleep, kLongest);
  }
}

void SharedLock::unlock(const ProcessIdentity& self) noexcept {
  std::uint64_t mine = lock_word(self);
  holder_.compare_exchange_strong(mine, 0, std::memory_order_release);
}

}  // namespace bitnet::os
