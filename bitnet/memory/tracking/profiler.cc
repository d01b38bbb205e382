// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/tracking/profiler.h"

#include <utility>

#include "bitnet/base/error.h"
#include "bitnet/base/json_writer.h"

namespace bitnet {

void Profiler::start(std::string name, std::uint64_t now_ms, const Aggregates& now) {
  if (session_)
    fail(Errc::invalid_argument,
         "start_profile: profile " + json_quote(session_->name) + " is running; stop it first");
  Session session;
  session.name = std::move(name);
  session.begin_ms = now_ms;
  session.before = now;
  session.peak.begin(now, now_ms);
  session_ = std::move(session);
}

ProfileReport Profiler::report(std::uint64_t now_ms, const Aggregates& now) const {
  require(session_.has_value(), "no profile is running");
  const Session& s = *session_;
  const Aggregates during = now.since(s.before);
  ProfileReport report;
  report.name = s.name;
  report.begin_ms = s.begin_ms;
  report.duration_ms = now_ms - s.begin_ms;
  report.total = during.total;
  report.top_tags = during.top_tags(kTop);
  report.top_sites = during.top_sites(kTop);
  for (const auto& [bytes, count] : s.sizes.top(kTop)) report.top_sizes.push_back({bytes, count});
  report.lifetimes = s.lifetimes;
  report.peak = s.peak.peak(now);
  return report;
}

ProfileReport Profiler::stop(std::uint64_t now_ms, const Aggregates& now) {
  ProfileReport last = report(now_ms, now);
  session_.reset();
  return last;
}

void Profiler::allocated(std::uint64_t bytes, std::uint64_t now_ms, const Aggregates& now) {
  if (!session_) return;
  session_->sizes.add(bytes);
  session_->peak.rise(now, now_ms);
}

void Profiler::ending(const Aggregates& now) {
  if (session_) session_->peak.fall(now);
}

void Profiler::ended(std::uint16_t tag, std::uint64_t bytes, std::uint64_t life_ms) {
  if (session_) session_->lifetimes.add(tag, bytes, life_ms);
}

}  // namespace bitnet
