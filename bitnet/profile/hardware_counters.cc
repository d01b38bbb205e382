// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/profile/hardware_counters.h"

#include <array>
#include <cerrno>
#include <system_error>

namespace bitnet::profile {
namespace {

using os::PerfEvent;

constexpr std::size_t kHeaderWords = 3;  // number of counters, time enabled, time running

void add(HardwareCounts& sum, PerfEvent event, double value) {
  auto& counter = event == PerfEvent::cycles         ? sum.cycles
                  : event == PerfEvent::instructions ? sum.instructions
                                                     : sum.cache_misses;
  counter = counter.value_or(0) + static_cast<std::uint64_t>(value);
}

}  // namespace

HardwareCounters::HardwareCounters(os::PerfSystem& system) : system_(system) {
  int error = -ESRCH;
  for (const int thread : system_.threads()) {
    const int result = open_group(thread);
    if (result == -ESRCH) continue;  // it has ended meanwhile
    if (result < 0) {
      error = result;
      close_all();
      break;
    }
  }
  if (groups_.empty()) unavailable_ = reason(error);
  for (const Group& group : groups_) system_.enable(group.descriptors[0], true);
}

HardwareCounters::~HardwareCounters() { close_all(); }

// Without cycles there is no group; the others may be missing.
int HardwareCounters::open_group(int thread) {
  Group group;
  for (const PerfEvent event :
       {PerfEvent::cycles, PerfEvent::instructions, PerfEvent::cache_misses}) {
    const int leader = group.descriptors.empty() ? -1 : group.descriptors[0];
    const int fd = system_.open(event, thread, leader);
    if (fd < 0 && leader < 0) return fd;
    if (fd < 0) continue;
    group.descriptors.push_back(fd);
    group.events.push_back(event);
  }
  groups_.push_back(std::move(group));
  return 0;
}

void HardwareCounters::close_all() noexcept {
  for (const Group& group : groups_)
    for (std::size_t i = group.descriptors.size(); i-- > 0;) system_.close(group.descriptors[i]);
  groups_.clear();
}

std::string HardwareCounters::reason(int error) const {
  switch (-error) {
    case EACCES:
    case EPERM: {
      const int level = system_.paranoia();
      return "not available: the system does not permit it" +
             (level > -100 ? " (kernel.perf_event_paranoid is " + std::to_string(level) + ")"
                           : std::string());
    }
    case ENOENT:
    case ENODEV:
    case EOPNOTSUPP:
      return "not available: this machine, or the virtual machine, lends no hardware counters";
    case ENOSYS:
      return "not available: the system has no perf_event_open";
    case EMFILE:
      return "not available: too many open files for a counter of each thread";
    default:
      return "not available: " + std::generic_category().message(-error);
  }
}

HardwareCounts HardwareCounters::read() {
  HardwareCounts sum;
  sum.unavailable = unavailable_;
  double enabled = 0, running = 0;
  for (const Group& group : groups_) {
    std::array<std::uint64_t, kHeaderWords + 3> words{};
    const int count = system_.read(group.descriptors[0], words);
    if (count < static_cast<int>(kHeaderWords + group.events.size())) continue;
    ++sum.threads;
    enabled += static_cast<double>(words[1]);
    running += static_cast<double>(words[2]);
    // A group that shares the processor's counters with others runs part of the time only.
    const double scale =
        words[2] > 0 ? static_cast<double>(words[1]) / static_cast<double>(words[2]) : 0.0;
    for (std::size_t i = 0; i < group.events.size(); ++i)
      add(sum, group.events[i], static_cast<double>(words[kHeaderWords + i]) * scale);
  }
  sum.running_share = enabled > 0 ? running / enabled : 0.0;
  if (sum.unavailable.empty() && !(running > 0)) {
    sum = HardwareCounts();
    sum.unavailable = "not available: the counters were never on the processor";
  }
  return sum;
}

}  // namespace bitnet::profile
