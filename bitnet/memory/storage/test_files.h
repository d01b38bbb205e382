// SPDX-License-Identifier: MIT OR Apache-2.0
// For tests: a folder of files, and processes that die while they write.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <span>
#include <string>

#include "bitnet/base/error.h"
#include "bitnet/base/os/file.h"

namespace bitnet::storage {

class FilesTest : public ::testing::Test {
 protected:
  FilesTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("bitnet_storage_test_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~FilesTest() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string read(const std::string& name) const { return os::read_file(path(name), 1u << 30); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
  }
  std::size_t files() const {
    const std::filesystem::directory_iterator begin(folder_), end;
    return static_cast<std::size_t>(std::distance(begin, end));
  }

 private:
  std::filesystem::path folder_;
};

/// Bytes that no codec packs by much.
inline std::string pattern(std::size_t bytes, std::uint32_t seed) {
  std::string made(bytes, '\0');
  std::uint32_t state = seed;
  for (char& c : made) {
    state = state * 1664525u + 1013904223u;
    c = static_cast<char>(state >> 24);
  }
  return made;
}

/// Kind of the FileError thrown by `action`, "" for none.
inline std::string kind_of(auto&& action) {
  try {
    action();
  } catch (const FileError& e) {
    return e.fault().kind;
  }
  return "";
}

/// Runs `action` in a process that the system ends at its first write behind `file_bytes`.
inline void dies(auto&& action, rlim_t file_bytes) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_DFL);
    const rlimit limit{file_bytes, file_bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    // write() first fills up to the limit; the next call is the one that kills.
    action();
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ) << status;
}

/// Runs `action` in a process and kills it after so long.
inline void killed_after(int microseconds, auto&& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    action();
    ::_exit(0);
  }
  ::usleep(static_cast<useconds_t>(microseconds));
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
}

}  // namespace bitnet::storage
