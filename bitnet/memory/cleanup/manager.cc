// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/cleanup/manager.h"

#include <algorithm>
#include <exception>

#include "bitnet/base/error.h"

namespace bitnet {
namespace {

constexpr std::int64_t kMaxBackoff = 8;

}  // namespace

CleanupManager::CleanupManager(const CleanupConfig& config, CleanupTarget& target,
                               std::function<CleanupClock::time_point()> clock)
    : config_((config.validate(), config)),
      target_(target),
      clock_(std::move(clock)),
      interval_ms_(config.scheduler.interval.count()),
      scheduler_([this] {
        run_due();
        return current_interval();
      }) {
  const CleanupConfig::Features& f = config_.features;
  const CleanupConfig::Scheduler& s = config_.scheduler;
  entry(CleanupKind::idle) = {make_idle_strategy(), f.idle, s.idle_priority, {}, 0};
  entry(CleanupKind::pressure) = {make_pressure_strategy(), f.pressure, s.pressure_priority, {}, 0};
  entry(CleanupKind::periodic) = {make_periodic_strategy(), f.periodic, s.periodic_priority, {}, 0};
  entry(CleanupKind::device) = {make_device_strategy(), f.device, s.device_priority, {}, 0};
  entry(CleanupKind::generational) = {
      make_generational_strategy(), f.generational, s.generational_priority, {}, 0};
}

CleanupManager::~CleanupManager() { stop(); }

void CleanupManager::start() {
  if (config_.scheduler.enabled) scheduler_.start();
}

void CleanupManager::stop() noexcept {
  stopping_ = true;
  cancelled_ = true;
  scheduler_.stop();
  stopping_ = false;
}

void CleanupManager::on_pressure(double ratio) noexcept {
  ratio = ratio > 0.0 ? std::min(ratio, 1.0) : 0.0;
  pressure_.store(ratio);
  double peak = peak_pressure_.load();
  while (ratio > peak && !peak_pressure_.compare_exchange_weak(peak, ratio)) {
  }
  if (ratio >= std::min(config_.thresholds.pressure.light, config_.pressure_cleanup_threshold))
    scheduler_.wake();
}

std::chrono::milliseconds CleanupManager::current_interval() const noexcept {
  return std::chrono::milliseconds(interval_ms_.load());
}

CleanupSituation CleanupManager::situation(const Entry& entry, double pressure) const {
  CleanupSituation s;
  s.figures = target_.cleanup_figures();
  s.pressure = pressure;
  s.now = clock_();
  s.last_run = entry.last_run;
  s.devices = target_.cleanup_devices();
  return s;
}

template <class Body>
bool CleanupManager::record(CleanupReport& report, const CleanupFigures& before,
                            std::optional<Device> device, CleanupClock::time_point deadline,
                            Body&& body) {
  report.fragmentation_before = before.fragmentation;
  report.committed_before = before.committed_bytes;
  const auto begin = CleanupClock::now();
  cancelled_ = false;
  if (stopping_ && !report.manual) cancelled_ = true;  // in this order: no stop() is missed
  CleanupRun run(config_, target_, deadline, cancelled_);
  // One strategy that fails must not keep the others, or the next time, from their work.
  try {
    if (config_.safety.audit) target_.validate();
    body(run);
    if (config_.safety.audit) target_.validate();
  } catch (const std::exception& e) {
    report.error = *e.what() ? e.what() : "an exception without a message";
  } catch (...) {
    report.error = "an exception that is none of std";
  }
  report.result = run.result();
  report.time = CleanupClock::now() - begin;
  const CleanupFigures after = target_.cleanup_figures(device);
  report.fragmentation_after = after.fragmentation;
  report.committed_after = after.committed_bytes;
  if (config_.features.metrics) metrics_.add(report);
  return report.error.empty();
}

CleanupReport CleanupManager::execute(Entry& entry, const CleanupSituation& s, bool manual) {
  CleanupReport report;
  report.kind = entry.strategy->kind();
  report.manual = manual;
  auto limit = config_.max_cleanup_time;
  if (report.kind == CleanupKind::idle)
    limit = std::min(limit, config_.thresholds.idle.max_duration);
  const bool emergency =
      config_.features.emergency && s.pressure >= config_.thresholds.pressure.emergency;
  const auto deadline = emergency ? CleanupClock::time_point::max() : CleanupClock::now() + limit;
  entry.last_run = s.now;
  if (record(report, s.figures, {}, deadline,
             [&](CleanupRun& run) { entry.strategy->run(config_, s, run); }))
    entry.retries_left = 0;
  else
    entry.retries_left =
        entry.retries_left == 0 ? config_.safety.max_retries : entry.retries_left - 1;
  return report;
}

CleanupKind CleanupManager::choose(const CleanupSituation& s) const {
  if (!config_.features.smart) return config_.policy.default_strategy;
  if (s.pressure >= config_.thresholds.pressure.light) return CleanupKind::pressure;
  if (s.figures.fragmentation >= config_.thresholds.fragmentation.compact ||
      s.figures.reclaimable_bytes >= config_.thresholds.size.total_bytes)
    return CleanupKind::periodic;
  return s.figures.idle >= config_.thresholds.idle.min ? CleanupKind::idle
                                                       : CleanupKind::generational;
}

CleanupReport CleanupManager::run() {
  CleanupKind kind;
  {
    const std::lock_guard lock(run_mutex_);
    kind = choose(situation(entry(CleanupKind::idle), pressure_.load()));
  }
  return run(kind);
}

CleanupReport CleanupManager::run(CleanupKind kind) {
  const std::lock_guard lock(run_mutex_);
  // By hand the pressure strategy does what it does when memory is short.
  const double pressure = kind == CleanupKind::pressure
                              ? std::max(pressure_.load(), config_.thresholds.pressure.aggressive)
                              : pressure_.load();
  return execute(entry(kind), situation(entry(kind), pressure), true);
}

std::vector<CleanupReport> CleanupManager::run(std::span<const CleanupKind> kinds) {
  std::vector<CleanupReport> reports;
  for (const CleanupKind kind : kinds) reports.push_back(run(kind));
  return reports;
}

CleanupReport CleanupManager::run_device(Device device) {
  const std::lock_guard lock(run_mutex_);
  CleanupReport report;
  report.kind = CleanupKind::device;
  report.manual = true;
  record(report, target_.cleanup_figures(device), device,
         CleanupClock::now() + config_.max_cleanup_time,
         [&](CleanupRun& run) { run.trim({}, device); });
  return report;
}

int CleanupManager::run_due() {
  const std::lock_guard lock(run_mutex_);
  // What was told since the last look counts once more, even where it has fallen since.
  const double pressure = std::max(pressure_.load(), peak_pressure_.exchange(0.0));
  const bool emergency =
      config_.features.emergency && pressure >= config_.thresholds.pressure.emergency;
  const auto priority = [&](const Entry& e) {
    return emergency && e.strategy->kind() == CleanupKind::pressure
               ? config_.scheduler.emergency_priority
               : e.priority;
  };
  std::array<Entry*, kCleanupKinds> order;
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = &entries_[i];
  std::stable_sort(order.begin(), order.end(),
                   [&](const Entry* a, const Entry* b) { return priority(*a) > priority(*b); });
  int runs = 0;
  std::uint64_t returned = 0;
  double fragmentation = 0.0;
  for (Entry* e : order) {
    if (!e->enabled || stopping_) continue;
    const CleanupSituation s = situation(*e, pressure);
    fragmentation = s.figures.fragmentation;
    if (e->retries_left == 0 && !e->strategy->due(config_, s)) continue;
    returned += execute(*e, s, false).result.bytes_returned;
    ++runs;
  }
  const std::int64_t base = config_.scheduler.interval.count();
  const bool calm = returned == 0 && pressure < config_.thresholds.pressure.light &&
                    fragmentation < config_.thresholds.fragmentation.emergency;
  interval_ms_ = config_.scheduler.adaptive && calm
                     ? std::min(interval_ms_.load() * 2, base * kMaxBackoff)
                     : base;
  return runs;
}

}  // namespace bitnet
