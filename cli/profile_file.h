// SPDX-License-Identifier: MIT OR Apache-2.0
// --profile FILE: what a command's time went into, written when it is done.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bitnet/base/os/file.h"
#include "bitnet/profile/hardware_counters.h"
#include "bitnet/profile/roof.h"

namespace bitnet::cli {

/// "model": "…", as the file shows them.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// Without --profile nothing happens. At most one at a time.
class ProfileFile {
 public:
  ProfileFile() = default;
  ~ProfileFile();
  ProfileFile(const ProfileFile&) = delete;
  ProfileFile& operator=(const ProfileFile&) = delete;

  void add_to(CLI::App& app);
  bool wanted() const noexcept { return !path_.empty(); }

  /// Before anything that takes time: throws UsageError for an ending that says no format,
  /// FileError{io} where no file can be made there.
  void open();
  /// Spans and counters count from here; the threads that compute exist.
  void start();
  void stop();
  /// Writes what was recorded, and says where to on standard error. Throws FileError{io}.
  void write(const profile::Roof& roof, Facts facts);

 private:
  std::string path_;
  std::optional<os::AtomicFile> file_;
  std::optional<profile::HardwareCounters> counters_;
  profile::HardwareCounts counts_;
};

}  // namespace bitnet::cli
