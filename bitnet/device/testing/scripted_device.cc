// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/device/testing/scripted_device.h"

#include <algorithm>
#include <cstring>

#include "bitnet/base/error.h"
#include "bitnet/base/os/memory.h"

namespace bitnet::testing {

void ScriptedDevice::fail_call(std::uint64_t k) {
  const std::lock_guard lock(mutex_);
  fail_in_ = k;
}

void ScriptedDevice::lose() {
  const std::lock_guard lock(mutex_);
  lost_ = true;
}

void ScriptedDevice::be_synchronous() {
  complete_all();
  const std::lock_guard lock(mutex_);
  synchronous_ = true;
}

void ScriptedDevice::complete(Stream stream) {
  const std::lock_guard lock(mutex_);
  run_until(stream.id, UINT64_MAX);
}

void ScriptedDevice::complete_all() {
  const std::lock_guard lock(mutex_);
  for (auto& [stream, work] : streams_) run_until(stream, UINT64_MAX);
}

std::uint64_t ScriptedDevice::held_bytes() const {
  const std::lock_guard lock(mutex_);
  return held_bytes_;
}

std::size_t ScriptedDevice::held_segments() const {
  const std::lock_guard lock(mutex_);
  return segments_.size();
}

std::size_t ScriptedDevice::live_events() const {
  const std::lock_guard lock(mutex_);
  return events_.size();
}

std::uint64_t ScriptedDevice::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

std::uint64_t ScriptedDevice::synchronize_calls() const {
  const std::lock_guard lock(mutex_);
  return synchronize_calls_;
}

std::chrono::nanoseconds ScriptedDevice::elapsed() const {
  const std::lock_guard lock(mutex_);
  return elapsed_;
}

std::string ScriptedDevice::misuse() const {
  const std::lock_guard lock(mutex_);
  return misuse_;
}

bool ScriptedDevice::must_fail() {
  ++calls_;
  return fail_in_ > 0 && --fail_in_ == 0;
}

void ScriptedDevice::check_alive() const {
  if (lost_) fail(Errc::device_lost, to_string(options_.device) + " was lost by its test");
}

void ScriptedDevice::blame(const std::string& what) {
  if (misuse_.empty()) misuse_ = what;
}

// Ends where `event` has passed; a wait takes the other stream along.
void ScriptedDevice::run_until(std::uint64_t stream, std::uint64_t event) {
  std::deque<Work>& work = streams_[stream];
  while (!work.empty()) {
    const Work next = work.front();
    work.pop_front();
    if (next.kind == Kind::copy) std::memmove(next.to, next.from, next.bytes);
    if (next.kind == Kind::wait) {
      const auto other = pending_.find(next.event);
      if (other != pending_.end()) run_until(other->second, next.event);
    }
    if (next.kind == Kind::event) {
      pending_.erase(next.event);
      if (next.event == event) return;
    }
  }
}

void ScriptedDevice::give(Stream stream, const Work& work) {
  streams_[stream.id].push_back(work);
  if (synchronous_) run_until(stream.id, UINT64_MAX);
}

void* ScriptedDriver::allocate(std::size_t bytes, std::size_t alignment) noexcept {
  const std::lock_guard lock(state_.mutex_);
  if (bytes == 0) state_.blame("allocate() of no bytes");
  if (alignment == 0 || (alignment & (alignment - 1)) != 0)
    state_.blame("allocate() with an alignment that is no power of two");
  if (state_.must_fail() || state_.lost_ ||
      bytes >
          state_.options_.memory_bytes - std::min(state_.options_.memory_bytes, state_.held_bytes_))
    return nullptr;
  const std::size_t page_alignment = std::max(alignment, os::kPageBytes);
  void* memory = state_.options_.readable ? os::map_pages(bytes, page_alignment)
                                          : os::reserve_pages(bytes, page_alignment);
  if (!memory) return nullptr;
  state_.segments_[memory] = {bytes, alignment};
  state_.held_bytes_ += bytes;
  return memory;
}

void ScriptedDriver::deallocate(void* memory, std::size_t bytes, std::size_t alignment) noexcept {
  const std::lock_guard lock(state_.mutex_);
  const auto found = state_.segments_.find(memory);
  if (found == state_.segments_.end() || found->second.bytes != bytes ||
      found->second.alignment != alignment) {
    state_.blame("deallocate() of what allocate() did not return");
    return;
  }
  state_.segments_.erase(found);
  state_.held_bytes_ -= bytes;
  os::unmap_pages(memory, bytes);
}

DeviceMemory ScriptedDriver::memory() const noexcept {
  const std::lock_guard lock(state_.mutex_);
  const std::uint64_t total = state_.options_.memory_bytes;
  return {total, total - std::min(total, state_.held_bytes_)};
}

Event ScriptedDriver::record(Stream stream) {
  const std::lock_guard lock(state_.mutex_);
  if (state_.must_fail()) state_.lost_ = true;
  state_.check_alive();
  const std::uint64_t event = ++state_.last_event_;
  state_.events_.insert(event);
  state_.pending_[event] = stream.id;
  state_.give(stream, {.kind = ScriptedDevice::Kind::event, .event = event});
  return {event};
}

bool ScriptedDriver::is_done(Event event) {
  const std::lock_guard lock(state_.mutex_);
  if (state_.must_fail()) state_.lost_ = true;
  state_.check_alive();
  if (event.id != 0 && !state_.events_.contains(event.id))
    state_.blame("is_done() of an event that is not");
  return !state_.pending_.contains(event.id);
}

void ScriptedDriver::wait(Stream stream, Event event) {
  const std::lock_guard lock(state_.mutex_);
  state_.give(stream, {.kind = ScriptedDevice::Kind::wait, .event = event.id});
}

void ScriptedDriver::synchronize(Event event) {
  const std::lock_guard lock(state_.mutex_);
  ++state_.synchronize_calls_;
  if (state_.must_fail()) state_.lost_ = true;
  state_.check_alive();
  if (event.id != 0 && !state_.events_.contains(event.id))
    state_.blame("synchronize() of an event that is not");
  state_.elapsed_ += state_.options_.latency;
  const auto found = state_.pending_.find(event.id);
  if (found != state_.pending_.end()) state_.run_until(found->second, event.id);
}

void ScriptedDriver::release(Event event) noexcept {
  const std::lock_guard lock(state_.mutex_);
  if (event.id != 0 && state_.events_.erase(event.id) == 0)
    state_.blame("release() of an event that is not");
}

void ScriptedDriver::copy(void* to, const void* from, std::size_t bytes, Stream stream) {
  const std::lock_guard lock(state_.mutex_);
  if (state_.must_fail()) state_.lost_ = true;
  state_.check_alive();
  state_.give(stream, {.kind = ScriptedDevice::Kind::copy, .to = to, .from = from, .bytes = bytes});
}

}  // namespace bitnet::testing
