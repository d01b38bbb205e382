// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/os/perf_counters.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace bitnet::os {
namespace {

std::uint64_t config_of(PerfEvent event) noexcept {
  switch (event) {
    case PerfEvent::cycles:
      return PERF_COUNT_HW_CPU_CYCLES;
    case PerfEvent::instructions:
      return PERF_COUNT_HW_INSTRUCTIONS;
    case PerfEvent::cache_misses:
      break;
  }
  return PERF_COUNT_HW_CACHE_MISSES;
}

class LinuxPerf final : public PerfSystem {
 public:
  std::vector<int> threads() override {
    std::vector<int> found;
    std::error_code error;
    for (std::filesystem::directory_iterator task("/proc/self/task", error), end;
         !error && task != end; task.increment(error)) {
      const std::string name = task->path().filename().string();
      int thread = 0;
      if (std::from_chars(name.data(), name.data() + name.size(), thread).ec == std::errc{})
        found.push_back(thread);
    }
    return found;
  }

  int open(PerfEvent event, int thread, int group) override {
    perf_event_attr attr{};
    attr.size = sizeof attr;
    attr.type = PERF_TYPE_HARDWARE;
    attr.config = config_of(event);
    attr.read_format =
        PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    attr.disabled = group < 0;  // members follow their leader
    attr.exclude_kernel = 1;
    attr.exclude_hv = 1;
    const long fd = ::syscall(SYS_perf_event_open, &attr, thread, -1, group, PERF_FLAG_FD_CLOEXEC);
    return fd < 0 ? -errno : static_cast<int>(fd);
  }

  int enable(int group, bool on) override {
    const auto request = on ? PERF_EVENT_IOC_ENABLE : PERF_EVENT_IOC_DISABLE;
    return ::ioctl(group, request, PERF_IOC_FLAG_GROUP) == 0 ? 0 : -errno;
  }

  int read(int group, std::span<std::uint64_t> words) override {
    const ssize_t bytes = ::read(group, words.data(), words.size_bytes());
    return bytes < 0 ? -errno : static_cast<int>(bytes / static_cast<ssize_t>(sizeof words[0]));
  }

  void close(int descriptor) override { ::close(descriptor); }

  int paranoia() override {
    int level = -100;
    std::ifstream("/proc/sys/kernel/perf_event_paranoid") >> level;
    return level;
  }
};

}  // namespace

PerfSystem& perf_system() noexcept {
  static LinuxPerf only;
  return only;
}

}  // namespace bitnet::os
