// SPDX-License-Identifier: MIT OR Apache-2.0
// The figures of other processes' pools, for a terminal and for programs.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bitnet/base/json_writer.h"
#include "bitnet/memory/storage/metrics_page.h"

namespace bitnet::cli {

struct WatchedProcess {
  storage::PageReading page;
  std::string command;  // its command line, printable; "" where the system does not tell
};

/// A line for each process.
std::string list_text(const std::vector<WatchedProcess>& processes);
/// The whole of one process: bars, parts, classes, pressure, history, at most `columns` wide.
std::string process_text(const WatchedProcess& process, int columns);
void write_process(JsonWriter& json, const WatchedProcess& process);

/// 1 - largest free / all free.
double fragmentation(const storage::PublishedPart& part);
/// "none" to "critical", of the machine and the pool.
std::string_view pressure_name(const storage::PublishedMetrics& metrics);
std::uint64_t committed_bytes(const storage::PublishedMetrics& metrics);

}  // namespace bitnet::cli
