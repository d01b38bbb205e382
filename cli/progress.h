// SPDX-License-Identifier: MIT OR Apache-2.0
// A bar on standard error for work that takes over half a second; silent where that is no terminal.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace bitnet::cli {

class Progress {
 public:
  /// "loading ████████░░░░ 45 %  3 s left"
  explicit Progress(std::string what);
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(std::uint64_t done, std::uint64_t total);
  /// Another step: the bar starts again.
  void restart(std::string what);
  /// Removes the bar.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  Clock::time_point start_, drawn_;
  bool shown_ = false;
};

/// Seconds since it was made.
class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace bitnet::cli
