// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/os/memory_pressure.h"

#include <charconv>
#include <fstream>
#include <limits>
#include <string_view>
#include <system_error>

namespace bitnet::os {
namespace {

/// The first 64 KiB of a file of /proc or /sys; empty where it cannot be read.
std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(std::size_t{64} << 10, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

/// The rest of the line that begins with `key`.
std::optional<std::string_view> line_after(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with(key)) return line.substr(key.size());
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return std::nullopt;
}

template <class T>
std::optional<T> number(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> number_after(std::string_view text, std::string_view key) {
  const auto rest = line_after(text, key);
  return rest ? number<std::uint64_t>(*rest) : std::nullopt;
}

std::optional<double> stall_share(std::string_view psi, std::string_view kind) {
  const auto rest = line_after(psi, kind);
  return rest ? number<double>(*rest) : std::nullopt;
}

/// "/sys/fs/cgroup", or "…/unified" where version 1 has the first place; empty without version 2.
std::string group_mount(const std::string& root) {
  for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"})
    if (!read_text(root + mount + "/cgroup.controllers").empty()) return root + mount;
  return {};
}

void read_group(const std::string& root, MemoryPressure& out) {
  const std::string mount = group_mount(root);
  const std::string self = read_text(root + "/proc/self/cgroup");
  const auto group = line_after(self, "0::/");
  if (mount.empty() || !group) return;
  std::string path = group->empty() ? mount : mount + "/" + std::string(*group);
  const std::string events = read_text(path + "/memory.events");
  if (const auto high = number_after(events, "high "))
    out.group_events = MemoryEvents{*high, number_after(events, "max ").value_or(0),
                                    number_after(events, "oom ").value_or(0)};
  double fullest = -1;
  for (; path.size() >= mount.size(); path.resize(path.rfind('/'))) {
    const auto limit = number<std::uint64_t>(read_text(path + "/memory.max"));  // none for "max"
    const auto used = number<std::uint64_t>(read_text(path + "/memory.current"));
    if (!limit || !used || *limit == 0) continue;
    const std::uint64_t clean =
        number_after(read_text(path + "/memory.stat"), "inactive_file ").value_or(0);
    const std::uint64_t held = *used - std::min(*used, clean);
    const double share = static_cast<double>(held) / static_cast<double>(*limit);
    if (share <= fullest) continue;
    fullest = share;
    out.group_limit_bytes = limit;
    out.group_used_bytes = held;
  }
}

}  // namespace

MemoryPressure read_memory_pressure(const std::string& root) {
  MemoryPressure out;
  const std::string psi = read_text(root + "/proc/pressure/memory");
  out.some_avg10 = stall_share(psi, "some avg10=");
  out.full_avg10 = stall_share(psi, "full avg10=");
  const std::string machine = read_text(root + "/proc/meminfo");
  constexpr std::uint64_t kMostKib = std::numeric_limits<std::uint64_t>::max() >> 10;
  const auto bytes = [&](std::string_view key) {
    return std::min(number_after(machine, key).value_or(0), kMostKib) << 10;
  };
  out.total_bytes = bytes("MemTotal:");
  out.available_bytes = std::min(bytes("MemAvailable:"), out.total_bytes);
  read_group(root, out);
  return out;
}

}  // namespace bitnet::os
