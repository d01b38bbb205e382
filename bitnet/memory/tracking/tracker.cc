// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/tracker.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "bitnet/base/os/stack_trace.h"
#include "bitnet/memory/tracking/analysis.h"
#include "bitnet/memory/tracking/lost_frees.h"
#include "bitnet/memory/tracking/rings.h"
#include "bitnet/memory/tracking/sites.h"

namespace bitnet {
namespace {

using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Sleep of the thread by how full the fullest ring was: a thread that allocates and frees every
// 10 ns fills a ring in 80 us, one that generates tokens writes some thousand events a second.
constexpr nanoseconds kBusySleep = milliseconds(1);
constexpr nanoseconds kSleep = milliseconds(10);
constexpr nanoseconds kSleepWithoutEvents = milliseconds(100);
constexpr nanoseconds kPressureInterval = milliseconds(250);
constexpr std::int32_t kMostTokens = kSitesPerSecond / 10;  // a tenth of a second's at once

std::uint32_t threshold(double rate) {
  if (rate >= 1.0) return UINT32_MAX;
  return static_cast<std::uint32_t>(std::max(1.0, rate * 0x1p32));
}

TrackerSources with_defaults(TrackerSources sources) {
  if (!sources.clock)
    sources.clock = [] {
      return duration_cast<nanoseconds>(std::chrono::steady_clock::now().time_since_epoch());
    };
  if (!sources.pressure) sources.pressure = [] { return os::read_memory_pressure(); };
  return sources;
}

double fragmentation(const MemoryMetrics& metrics) {
  PartMetrics both;
  for (const PartMetrics* part : {&metrics.small, &metrics.large}) {
    both.free_bytes += part->free_bytes;
    both.largest_free_bytes += part->largest_free_bytes;
  }
  return both.fragmentation();
}

}  // namespace

struct Tracker::State {
  State(const TrackingConfig& config, const TrackedPool* tracked, TrackerSources given)
      : pool(tracked),
        sources(with_defaults(std::move(given))),
        began(sources.clock()),
        next_stats(began + config.stats_update_interval),
        next_leaks(began + config.leak_detection_interval),
        next_pressure(began),
        last_tick(began),
        analysis(config),
        notifier(config.pressure_thresholds.notification_cooldown) {}

  const TrackedPool* const pool;
  const TrackerSources sources;
  const nanoseconds began;
  Rings rings;
  LostFrees lost_frees;
  std::atomic<bool> forget_live{false};
  SiteTable sites;
  PressureCallbacks callbacks;

  std::mutex mutex;  // of all down to the next
  nanoseconds next_stats, next_leaks, next_pressure, last_tick;
  nanoseconds busy{0};
  std::uint32_t fullest = 0;  // events of one ring in the last pass
  std::uint64_t lost_at_reconcile = 0;
  Analysis analysis;
  LeakReport leaks;
  PressureReading reading;

  std::mutex pressure_mutex;  // taken before `mutex`
  PressureNotifier notifier;
  PressureLevel level = PressureLevel::none;
  std::optional<os::MemoryEvents> group_events;

  std::mutex thread_mutex;
  std::condition_variable wake;
  std::uint64_t stops = 0;  // a thread ends where the number is not that of its start
  std::thread thread;
  std::atomic<std::uint64_t> failed_rounds{0};

  std::uint64_t ms(nanoseconds now) const {
    return static_cast<std::uint64_t>(duration_cast<milliseconds>(now - began).count());
  }
  /// Under `mutex`.
  void drain(std::uint64_t now_ms) {
    if (forget_live.exchange(false)) analysis.forget_all(now_ms);
    fullest = rings.drain([&](ThreadNumber ring_thread, std::span<const TrackingEvent> events) {
      analysis.consume(ring_thread, events, now_ms);
    });
    if (lost_frees.end_pass()) analysis.forget(lost_frees, now_ms);
    analysis.end_pass(now_ms);
  }
};

Tracker::Tracker(const TrackingConfig& config, const TrackedPool* pool, TrackerSources sources)
    : config_((config.validate(), config)),
      sample_threshold_(threshold(config.sampling_rate)),
      level_(config.level),
      state_(std::make_unique<State>(config, pool, std::move(sources))) {
  if (config_.enable_stack_traces) site_tokens_ = kMostTokens;
}

Tracker::~Tracker() { stop(); }

void Tracker::start() {
  State& s = *state_;
  const std::lock_guard lock(s.thread_mutex);
  if (s.thread.joinable()) return;
  s.thread = std::thread([this, &s, stops = s.stops] {
    for (;;) {
      nanoseconds sleep = kSleepWithoutEvents;
      try {
        sleep = poll();
      } catch (...) {  // what is still in the rings is there in the next round
        ++s.failed_rounds;
      }
      std::unique_lock wait_lock(s.thread_mutex);
      if (s.wake.wait_for(wait_lock, sleep, [&] { return s.stops != stops; })) return;
    }
  });
}

void Tracker::stop() noexcept {
  State& s = *state_;
  std::thread thread;
  {
    const std::lock_guard lock(s.thread_mutex);
    ++s.stops;
    thread.swap(s.thread);
  }
  s.wake.notify_all();
  if (thread.joinable()) thread.join();
}

void Tracker::tick(nanoseconds now) {
  State& s = *state_;
  time_ms_.store(static_cast<std::uint32_t>(s.ms(now)), std::memory_order_relaxed);
  if (!config_.enable_stack_traces) return;
  const auto refill =
      static_cast<std::int32_t>(std::min<std::int64_t>((now - s.last_tick).count(), 1'000'000'000) *
                                kSitesPerSecond / 1'000'000'000);
  if (refill == 0) return;
  s.last_tick = now;
  const std::int32_t left = std::max(0, site_tokens_.load(std::memory_order_relaxed));
  site_tokens_.store(std::min(kMostTokens, left + refill), std::memory_order_relaxed);
}

nanoseconds Tracker::poll() {
  State& s = *state_;
  nanoseconds begin;
  bool pressure_due = false;
  {
    const std::lock_guard lock(s.mutex);
    begin = s.sources.clock();  // under the lock, so that what is fed in has rising times
    tick(begin);
    const std::uint64_t now_ms = s.ms(begin);
    s.drain(now_ms);
    if (begin >= s.next_stats) {
      s.next_stats = begin + config_.stats_update_interval;
      update_stats(now_ms);
    }
    if (config_.enable_leak_detection && begin >= s.next_leaks) {
      s.next_leaks = begin + config_.leak_detection_interval;
      s.leaks = s.analysis.find_leaks(now_ms, config_.leak_min_age, s.pool);
    }
    if (config_.enable_pressure_detection && begin >= s.next_pressure) {
      s.next_pressure = begin + kPressureInterval;
      pressure_due = true;
    }
  }
  if (pressure_due) check_pressure();
  const std::lock_guard lock(s.mutex);
  const nanoseconds busy = s.sources.clock() - begin;
  s.busy += busy;
  const nanoseconds wanted = level() < TrackingLevel::detailed      ? kSleepWithoutEvents
                             : s.fullest > EventRing::kCapacity / 4 ? kBusySleep
                                                                    : kSleep;
  const auto allowed = std::chrono::ceil<nanoseconds>(duration<double, std::nano>(busy) *
                                                      (100.0 / config_.max_overhead_percent - 1.0));
  return std::max(wanted, allowed);
}

/// Under the lock.
void Tracker::update_stats(std::uint64_t now_ms) {
  State& s = *state_;
  if (!s.pool) return;
  s.analysis.sample(s.pool->metrics(), level() == TrackingLevel::detailed, now_ms);
  const std::uint64_t lost = s.rings.lost();
  if (lost == s.lost_at_reconcile) return;
  s.lost_at_reconcile = lost;
  s.analysis.reconcile(*s.pool, now_ms);
}

void Tracker::check_pressure() {
  State& s = *state_;
  std::vector<PressureLevel> news;
  {
    const std::lock_guard lock(s.pressure_mutex);
    PressureReading reading;
    reading.system = s.sources.pressure();
    if (s.pool) {
      const MemoryMetrics metrics = s.pool->metrics();
      for (const PartMetrics* part : {&metrics.small, &metrics.large}) {
        reading.pool_bytes += part->live_bytes;
        reading.pool_limit_bytes += part->limit_bytes;
      }
    }
    s.level = bitnet::pressure_level(reading, s.level, config_.pressure_thresholds,
                                     config_.pressure_threshold_ratio, s.group_events);
    s.group_events = reading.system.group_events;
    pressure_level_.store(s.level, std::memory_order_relaxed);
    news = s.notifier.update(s.level, duration_cast<milliseconds>(s.sources.clock() - s.began));
    const std::lock_guard state_lock(s.mutex);
    s.reading = reading;
  }
  for (const PressureLevel level : news) s.callbacks.notify(level);
}

EventRing* Tracker::open_ring() noexcept { return state_->rings.open(); }
void Tracker::close_ring(EventRing* ring) noexcept { state_->rings.close(ring); }

void Tracker::note_lost_free(std::uint64_t address) noexcept { state_->lost_frees.note(address); }

std::uint32_t Tracker::capture_site() noexcept {
  if (site_tokens_.fetch_sub(1, std::memory_order_relaxed) <= 0) return 0;
  std::array<std::uintptr_t, SiteTable::kMaxFrames> frames;
  const std::size_t count = os::capture_stack(frames, 1);  // without this function
  return state_->sites.intern(std::span(frames).first(count));
}

void Tracker::set_level(TrackingLevel level) noexcept {
  const TrackingLevel before = level_.exchange(level, std::memory_order_relaxed);
  if ((before == TrackingLevel::detailed) != (level == TrackingLevel::detailed))
    state_->forget_live = true;
}

PressureRegistration Tracker::register_pressure_callback(PressureCallback callback) {
  return state_->callbacks.add(std::move(callback));
}

DetailedMemoryMetrics Tracker::detailed_metrics() {
  State& s = *state_;
  DetailedMemoryMetrics out;
  const std::lock_guard lock(s.mutex);
  const nanoseconds begin = s.sources.clock();
  s.drain(s.ms(begin));
  fill(out);
  s.analysis.fill(out);
  s.busy += s.sources.clock() - begin;
  return out;
}

/// Under the lock: what is not from events.
void Tracker::fill(DetailedMemoryMetrics& out) const {
  const State& s = *state_;
  if (s.pool) out.memory = s.pool->metrics();
  out.level = level();
  out.sampling_rate = config_.sampling_rate;
  out.pressure_level = pressure_level();
  out.pressure = s.reading;
  out.fragmentation_ratio = fragmentation(out.memory);
  out.leaks = s.leaks;
  out.overhead.busy_seconds = duration<double>(s.busy).count();
  out.overhead.wall_seconds = duration<double>(s.sources.clock() - s.began).count();
  out.overhead.resident_bytes =
      s.rings.size_bytes() + s.analysis.size_bytes() + LostFrees::kBits / 8;
  out.events.lost = s.rings.lost();
  out.events.failed_rounds = s.failed_rounds;
}

LeakReport Tracker::find_leaks(milliseconds min_age) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  const std::uint64_t now_ms = s.ms(s.sources.clock());
  s.drain(now_ms);
  s.drain(now_ms);  // a free whose ring came before its allocation's
  return s.analysis.find_leaks(now_ms, min_age, s.pool);
}

void Tracker::start_profile(std::string name) {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  const std::uint64_t now_ms = s.ms(s.sources.clock());
  s.drain(now_ms);
  s.analysis.profiler().start(std::move(name), now_ms, s.analysis.aggregates());
}

ProfileReport Tracker::profile() {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  const std::uint64_t now_ms = s.ms(s.sources.clock());
  s.drain(now_ms);
  return s.analysis.scaled(s.analysis.profiler().report(now_ms, s.analysis.aggregates()));
}

ProfileReport Tracker::stop_profile() {
  State& s = *state_;
  const std::lock_guard lock(s.mutex);
  const std::uint64_t now_ms = s.ms(s.sources.clock());
  s.drain(now_ms);
  return s.analysis.scaled(s.analysis.profiler().stop(now_ms, s.analysis.aggregates()));
}

TrackingReport Tracker::report() {
  State& s = *state_;
  TrackingReport out;
  {
    const std::lock_guard lock(s.mutex);
    const nanoseconds begin = s.sources.clock();
    out.time_ms = s.ms(begin);
    s.drain(out.time_ms);
    if (config_.enable_leak_detection)
      out.leaks = s.analysis.find_leaks(out.time_ms, config_.leak_min_age, s.pool);
    fill(out.detail);
    s.analysis.fill(out);
    if (s.pool) out.map = s.pool->fragmentation_map();
    if (s.analysis.profiler().running())
      out.profile =
          s.analysis.scaled(s.analysis.profiler().report(out.time_ms, s.analysis.aggregates()));
    s.busy += s.sources.clock() - begin;
  }
  std::set<std::uint32_t> named;
  const auto name = [&](const auto& items) {
    for (const auto& item : items)
      if (item.site != 0) named.insert(item.site);
  };
  name(out.sites);
  name(out.peak.sites);
  name(out.leaks.groups);
  name(out.leaks.candidates);
  name(out.detail.leaks.groups);
  name(out.detail.leaks.candidates);
  if (out.profile) name(out.profile->top_sites);
  for (const std::uint32_t site : named) out.stacks.push_back({site, s.sites.describe(site)});
  return out;
}

}  // namespace bitnet
