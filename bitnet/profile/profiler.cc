// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/profile/profiler.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <utility>

#include "bitnet/base/tick_clock.h"
#include "bitnet/profile/lane.h"

namespace bitnet::profile {
namespace internal {

constinit Shared shared;

namespace {

std::uint64_t steady_nanoseconds() noexcept {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

/// The same moment on both clocks.
struct Moment {
  std::uint64_t ticks = 0, nanoseconds = 0;
};

Moment this_moment() noexcept {
  const std::uint64_t ticks = now();
  return {ticks, steady_nanoseconds()};
}

/// All lanes. A lane whose thread has ended goes to the next thread: memory follows the number of
/// threads at a time.
struct Registry {
  std::mutex mutex;
  std::vector<std::unique_ptr<Lane>> lanes;
  std::vector<Lane*> unused;
  Moment begin;
  std::optional<Moment> end;
};

// Never destroyed: threads may end after main().
Registry& registry() {
  static Registry& only = *new Registry;
  return only;
}

constinit thread_local Lane* this_lane = nullptr;
constinit thread_local bool thread_ended = false;

struct ReturnAtThreadEnd {
  Lane* lane = nullptr;
  ~ReturnAtThreadEnd() {
    thread_ended = true;
    this_lane = nullptr;
    if (lane == nullptr) return;
    const std::lock_guard lock(registry().mutex);
    registry().unused.push_back(lane);  // has room: see attach()
  }
};

void attach() noexcept {
  if (thread_ended) return;
  thread_local ReturnAtThreadEnd at_end;
  try {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    if (all.unused.empty()) {
      all.unused.reserve(all.lanes.size() + 1);
      all.lanes.push_back(std::make_unique<Lane>());
      all.unused.push_back(all.lanes.back().get());
    }
    this_lane = at_end.lane = all.unused.back();
    all.unused.pop_back();
  } catch (const std::exception&) {
    this_lane = nullptr;  // no memory: its spans are counted, and that is all
  }
}

}  // namespace

}  // namespace internal

using internal::Lane;
using internal::RawCall;
using internal::RawEvent;

void Span::begin(Name name, const Work& work) noexcept {
  // What start() wrote before it said "on" is seen from here on.
  if (!internal::shared.on.load(std::memory_order_acquire)) return;
  if (internal::this_lane == nullptr) internal::attach();
  if (internal::this_lane == nullptr) {
    internal::shared.without_lane.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  internal::this_lane->begin(*this, name, work);
}

void Span::end() noexcept { lane_->end(*this); }

namespace {

void forget() noexcept {
  internal::shared.without_lane.store(0, std::memory_order_relaxed);
  internal::shared.generation.fetch_add(1, std::memory_order_release);
}

using Key = std::pair<int, std::string>;  // parent in Report::calls, name

class Merger {
 public:
  explicit Merger(Report& report) : report_(report) {}

  void set_rate(std::uint64_t origin, double seconds_per_tick) {
    origin_ = origin;
    seconds_per_tick_ = seconds_per_tick;
  }

  void add(std::span<const RawCall> calls, std::span<const RawEvent> events) {
    if (calls.size() < 2) return;  // nothing but the one around all
    std::vector<int> index(calls.size(), -1);
    for (std::size_t i = 1; i < calls.size(); ++i) {  // 0 is around the outermost
      index[i] = call_named(index[static_cast<std::size_t>(calls[i].parent)], calls[i].name);
      add_to(report_.calls[static_cast<std::size_t>(index[i])].totals, calls[i]);
    }
    const std::size_t first = report_.events.size();
    for (const RawEvent& event : events)
      report_.events.push_back({index[static_cast<std::size_t>(event.call)], report_.lanes,
                                seconds(event.begin - origin_), seconds(event.ticks)});
    // They come in the order of their ends.
    std::sort(report_.events.begin() + static_cast<std::ptrdiff_t>(first), report_.events.end(),
              [](const Event& a, const Event& b) {
                return std::tuple(a.begin_seconds, -a.seconds, a.call) <
                       std::tuple(b.begin_seconds, -b.seconds, b.call);
              });
    ++report_.lanes;
  }

  void sum_ops() {
    std::map<std::string, Totals> ops;
    for (std::size_t i = 0; i < report_.calls.size(); ++i) {
      const Call& call = report_.calls[i];
      Totals& sum = ops[call.name];
      sum.count += call.totals.count;
      sum.self_seconds += call.totals.self_seconds;
      sum.work += call.totals.work;
      if (!is_inside_its_own_name(call)) sum.seconds += call.totals.seconds;
    }
    for (auto& [name, totals] : ops)
      if (totals.count > 0) report_.ops.push_back({name, totals});
    std::sort(report_.ops.begin(), report_.ops.end(), [](const Op& a, const Op& b) {
      return std::tuple(-a.totals.self_seconds, std::string_view(a.name)) <
             std::tuple(-b.totals.self_seconds, std::string_view(b.name));
    });
  }

 private:
  double seconds(std::uint64_t ticks) const {
    return static_cast<double>(ticks) * seconds_per_tick_;
  }

  int call_named(int parent, const char* name) {
    const auto [at, is_new] =
        index_.try_emplace(Key{parent, name}, static_cast<int>(report_.calls.size()));
    if (is_new) report_.calls.push_back({name, parent, {}});
    return at->second;
  }

  void add_to(Totals& sum, const RawCall& call) const {
    const auto value = [](const std::atomic<std::uint64_t>& v) {
      return v.load(std::memory_order_relaxed);
    };
    sum.count += value(call.count);
    sum.seconds += seconds(value(call.ticks));
    sum.self_seconds += seconds(value(call.self_ticks));
    sum.work += {value(call.bytes), value(call.float_ops), value(call.int8_ops)};
  }

  bool is_inside_its_own_name(const Call& call) const {
    for (int at = call.parent; at >= 0; at = report_.calls[static_cast<std::size_t>(at)].parent)
      if (report_.calls[static_cast<std::size_t>(at)].name == call.name) return true;
    return false;
  }

  Report& report_;
  std::map<Key, int> index_;
  std::uint64_t origin_ = 0;
  double seconds_per_tick_ = 1e-9;
};

}  // namespace

void start(const Options& options) {
  if (internal::this_lane == nullptr) internal::attach();
  internal::Registry& all = internal::registry();
  const std::lock_guard lock(all.mutex);
  internal::shared.on.store(false, std::memory_order_relaxed);
  auto* clock = options.clock;
  if (clock == nullptr && !ticks_are_steady()) clock = internal::steady_nanoseconds;
  internal::shared.clock.store(clock, std::memory_order_relaxed);
  internal::shared.events_per_thread.store(options.events_per_thread, std::memory_order_relaxed);
  forget();
  if (internal::this_lane != nullptr) internal::this_lane->prepare();
  all.begin = internal::this_moment();
  all.end.reset();
  internal::shared.on.store(true, std::memory_order_release);
}

void stop() noexcept {
  internal::Registry& all = internal::registry();
  const std::lock_guard lock(all.mutex);
  if (!is_on()) return;
  internal::shared.on.store(false, std::memory_order_relaxed);
  all.end = internal::this_moment();
}

void clear() {
  internal::Registry& all = internal::registry();
  const std::lock_guard lock(all.mutex);
  forget();
  all.begin = internal::this_moment();
  if (!is_on()) all.end = all.begin;
}

Report report() {
  internal::Registry& all = internal::registry();
  const std::lock_guard lock(all.mutex);
  const internal::Moment current = internal::this_moment();
  const internal::Moment end = all.end.value_or(current);
  // The rate from as long a time as there is; a clock that was given counts nanoseconds.
  double seconds_per_tick = 1e-9;
  if (internal::shared.clock.load() == nullptr && current.ticks > all.begin.ticks)
    seconds_per_tick *= static_cast<double>(current.nanoseconds - all.begin.nanoseconds) /
                        static_cast<double>(current.ticks - all.begin.ticks);
  Report report;
  report.seconds = static_cast<double>(end.ticks - all.begin.ticks) * seconds_per_tick;
  report.unrecorded_spans = internal::shared.without_lane.load(std::memory_order_relaxed);
  Merger merger(report);
  merger.set_rate(all.begin.ticks, seconds_per_tick);
  for (const auto& lane : all.lanes)
    lane->read(internal::generation(),
               [&](std::span<const RawCall> calls, std::span<const RawEvent> events,
                   std::uint64_t lost, std::uint64_t unrecorded) {
                 merger.add(calls, events);
                 report.lost_events += lost;
                 report.unrecorded_spans += unrecorded;
               });
  merger.sum_ops();
  return report;
}

}  // namespace bitnet::profile
