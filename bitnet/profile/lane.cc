// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/profile/lane.h"

#include <new>

namespace bitnet::profile::internal {
namespace {

// One writer: a plain load and store, not a locked addition.
void add(std::atomic<std::uint64_t>& sum, std::uint64_t value) noexcept {
  sum.store(sum.load(std::memory_order_relaxed) + value, std::memory_order_relaxed);
}

}  // namespace

void RawCall::restart(const char* new_name, std::int16_t new_parent) noexcept {
  name = new_name;
  parent = new_parent;
  last_child = next_sibling = -1;
  for (auto* sum : {&count, &ticks, &self_ticks, &bytes, &float_ops, &int8_ops})
    sum->store(0, std::memory_order_relaxed);
}

void Lane::restart(std::uint64_t generation) noexcept {
  const std::lock_guard lock(mutex_);
  const std::size_t wanted = shared.events_per_thread.load(std::memory_order_relaxed);
  if (capacity_ != wanted) {
    events_.reset();
    // Zeroed: its pages are there before time counts (384 of them, at 9 us in a virtual machine).
    events_.reset(new (std::nothrow) RawEvent[wanted]());
    capacity_ = events_ ? wanted : 0;
  }
  generation_ = generation;
  open_ = nullptr;  // spans that are still open are of an older generation
  calls_[0].restart("", -1);
  num_calls_.store(1, std::memory_order_relaxed);
  num_events_.store(0, std::memory_order_relaxed);
  lost_.store(0, std::memory_order_relaxed);
  unrecorded_.store(0, std::memory_order_relaxed);
}

std::int16_t Lane::call_of(std::int16_t parent, const char* name) noexcept {
  RawCall& around = calls_[static_cast<std::size_t>(parent)];
  if (const std::int16_t first = around.last_child; first >= 0) {
    std::int16_t at = first;
    do {
      RawCall& call = calls_[static_cast<std::size_t>(at)];
      if (call.name == name) return around.last_child = at;
      at = call.next_sibling;
    } while (at != first);
  }
  const std::int16_t made = num_calls_.load(std::memory_order_relaxed);
  if (made == kMaxCalls) return -1;
  RawCall& call = calls_[static_cast<std::size_t>(made)];
  call.restart(name, parent);
  if (around.last_child < 0) {
    call.next_sibling = made;
  } else {
    RawCall& before = calls_[static_cast<std::size_t>(around.last_child)];
    call.next_sibling = before.next_sibling;
    before.next_sibling = made;
  }
  num_calls_.store(static_cast<std::int16_t>(made + 1), std::memory_order_release);
  return around.last_child = made;
}

void Lane::begin(Span& span, Name name, const Work& work) noexcept {
  const std::uint64_t current = generation();
  if (generation_ != current) restart(current);
  const std::int16_t call = call_of(open_ != nullptr ? open_->call_ : 0, name.text());
  if (call < 0) return add(unrecorded_, 1);
  span.lane_ = this;
  span.parent_ = open_;
  span.generation_ = current;
  span.children_ = 0;
  span.work_ = work;
  span.call_ = call;
  open_ = &span;
  span.begin_ = now();
}

void Lane::end(Span& span) noexcept {
  const std::uint64_t ticks = now() - span.begin_;
  if (span.generation_ != generation_) return;
  open_ = span.parent_;
  if (span.parent_ != nullptr) span.parent_->children_ += ticks;
  RawCall& call = calls_[static_cast<std::size_t>(span.call_)];
  add(call.count, 1);
  add(call.ticks, ticks);
  add(call.self_ticks, ticks - span.children_);
  add(call.bytes, span.work_.bytes);
  add(call.float_ops, span.work_.float_ops);
  add(call.int8_ops, span.work_.int8_ops);
  const std::size_t at = num_events_.load(std::memory_order_relaxed);
  if (at == capacity_) return add(lost_, 1);
  events_[at] = {span.begin_, ticks, span.call_};
  num_events_.store(at + 1, std::memory_order_release);
}

}  // namespace bitnet::profile::internal
