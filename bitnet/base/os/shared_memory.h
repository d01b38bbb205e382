// SPDX-License-Identifier: MIT OR Apache-2.0
// Memory with a name that processes of one user share, a lock inside it, and who is still alive.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bitnet::os {

/// A process for good: numbers of processes are used again, with another start time.
struct ProcessIdentity {
  std::int64_t pid = 0;
  std::uint64_t start = 0;  // clock ticks between the machine's start and the process's
  friend bool operator==(const ProcessIdentity&, const ProcessIdentity&) = default;
};
ProcessIdentity current_process();
/// nullopt where no such process lives (a zombie does not).
std::optional<ProcessIdentity> find_process(std::int64_t pid);
bool is_alive(const ProcessIdentity& process);

/// Throws Error{invalid_argument} unless `name` has 1 to 200 of [A-Za-z0-9._-] and begins with no
/// dot.
void check_shared_name(std::string_view name);

/// One mapping of a named segment. Readable and writable by this user alone. A segment that another
/// process cuts short does not kill this one: its pages read as zeros then and lost() turns true.
class SharedMemory {
 public:
  enum class Access { read_only, read_write };

  /// A new segment of zeros, shown to others under its name once `initialise` has returned; nullopt
  /// where the name is taken. Throws Error: invalid_argument (name, size), io.
  static std::optional<SharedMemory> create(
      const std::string& name, std::size_t bytes,
      const std::function<void(std::span<std::byte>)>& initialise);
  /// nullopt where there is no such segment. Throws Error: io; invalid_argument (name);
  /// corrupt_file (another user's, or its size is not within the limits).
  static std::optional<SharedMemory> attach(const std::string& name, Access access,
                                            std::size_t min_bytes, std::size_t max_bytes);
  ~SharedMemory();
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;

  std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  const std::string& name() const noexcept { return name_; }
  /// True once a page of the segment was gone.
  bool lost() const noexcept;
  /// Whether the name still means this segment, not another or none.
  bool is_named() const noexcept;
  /// Takes the memory of these bytes now: false where the system has none, which a write would only
  /// find out as a lost page.
  bool commit(std::size_t offset, std::size_t length) const noexcept;

  /// False where there was no such segment. Mappings stay valid.
  static bool unlink(const std::string& name) noexcept;
  /// Names of this user's segments that begin with `prefix`, sorted.
  static std::vector<std::string> list(std::string_view prefix);

 private:
  SharedMemory(std::string name, int fd, std::size_t bytes, Access access);
  std::string name_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  std::uint64_t file_number_ = 0;
  int guard_slot_ = -1;
};

/// A lock at a place inside a segment, free where its bytes are zero; a holder that dies leaves it
/// to the next one. One number and nothing that is followed, unlike a robust mutex of pthreads,
/// whose list of pointers a hostile peer could write: the worst that a peer can do here is to hold
/// it, or to let two in. Peers must see each other in /proc (one PID namespace).
class SharedLock {
 public:
  /// True where the last holder died inside: what it guards must be repaired before use. `self` is
  /// current_process(). Throws Error{io} after `patience` without the lock.
  bool lock(const ProcessIdentity& self,
            std::chrono::milliseconds patience = std::chrono::seconds(10));
  /// Nothing where `self` does not hold it.
  void unlock(const ProcessIdentity& self) noexcept;

 private:
  std::atomic<std::uint64_t> holder_{0};
};

}  // namespace bitnet::os
