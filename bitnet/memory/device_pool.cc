// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/device_pool.h"

#include <algorithm>
#include <string>

#include "bitnet/base/checked.h"
#include "bitnet/base/error.h"
#include "bitnet/base/os/memory.h"

namespace bitnet::memory {
namespace {

// Blocks are multiples of this, the strictest alignment that copies and kernels ask for.
constexpr std::size_t kStep = 512;
constexpr std::size_t kSmallBlock = 1u << 20, kSmallSegment = 2u << 20;
constexpr std::size_t kMediumBlock = 16u << 20, kMediumSegment = 32u << 20;
constexpr std::size_t kHugeStep = 2u << 20;

std::size_t segment_bytes(std::size_t bytes) noexcept {
  if (bytes < kSmallBlock) return kSmallSegment;
  if (bytes < kMediumBlock) return kMediumSegment;
  return align_up(bytes, kHugeStep);
}

std::size_t padding(const std::byte* address, std::size_t alignment) noexcept {
  const auto at = reinterpret_cast<std::uintptr_t>(address);
  return static_cast<std::size_t>(align_up(at, alignment) - at);
}

}  // namespace

DevicePool::DevicePool(std::unique_ptr<Driver> driver, std::uint64_t max_bytes)
    : driver_(std::move(driver)), max_bytes_(max_bytes) {}

DevicePool::~DevicePool() {
  for (auto& [id, stream] : streams_)
    for (const Mark& mark : stream.marks) driver_->release(mark.event);
  for (const Block* block : waiting_)
    for (const Event event : block->waits_for) driver_->release(event);
  for (const Segment& s : segments_) driver_->deallocate(s.memory, s.bytes, s.alignment);
}

void DevicePool::fail_lost() const {
  fail(Errc::device_lost, to_string(driver_->device()) + " is lost: its memory cannot be used");
}

template <class Action>
auto DevicePool::guarded(Action&& action) {
  if (lost_) fail_lost();
  try {
    return action();
  } catch (const Error& e) {
    if (e.code() == Errc::device_lost) lost_ = true;
    throw;
  }
}

DevicePool::FreeBlocks& DevicePool::set_of(const Block* block) {
  return block->any_stream ? common_ : streams_[block->stream.id].free;
}

bool DevicePool::same_use(const Block* a, const Block* b) const noexcept {
  return a->any_stream == b->any_stream && (a->any_stream || a->stream == b->stream);
}

DevicePool::Block* DevicePool::join(Block* left, Block* right) {
  left->bytes += right->bytes;
  left->after = right->after;
  left->freed_at = std::max(left->freed_at, right->freed_at);
  if (left->after) left->after->before = left;
  blocks_.erase(right->address);
  return left;
}

void DevicePool::add_free(Block* block) {
  block->state = BlockState::free;
  if (Block* next = block->after;
      next && next->state == BlockState::free && same_use(block, next)) {
    set_of(next).erase(next);
    join(block, next);
  }
  if (Block* left = block->before;
      left && left->state == BlockState::free && same_use(block, left)) {
    set_of(left).erase(left);
    block = join(left, block);
  }
  if (!block->before && !block->after) block->segment->freed_ms = os::coarse_milliseconds();
  set_of(block).insert(block);
}

void DevicePool::settle_recent(StreamBlocks& stream) {
  while (stream.num_recent > 0) add_free(stream.recent[--stream.num_recent]);
}

DevicePool::Block* DevicePool::find(FreeBlocks& blocks, std::size_t bytes, std::size_t alignment) {
  Block least{};
  least.bytes = bytes;
  least.address = nullptr;
  for (auto at = blocks.lower_bound(&least); at != blocks.end(); ++at) {
    if (padding((*at)->address, alignment) + bytes > (*at)->bytes) continue;
    Block* found = *at;
    blocks.erase(at);
    return found;
  }
  return nullptr;
}

// `block` is in no set. Cuts off what lies before the alignment and behind `bytes`.
DevicePool::Block* DevicePool::cut(Block* block, std::size_t bytes, std::size_t alignment) {
  const auto split = [&](Block* left, std::size_t left_bytes) {
    auto made = std::make_unique<Block>(*left);
    Block* right = made.get();
    right->address = left->address + left_bytes;
    right->bytes = left->bytes - left_bytes;
    right->before = left;
    blocks_.emplace(right->address, std::move(made));
    if (right->after) right->after->before = right;
    left->after = right;
    left->bytes = left_bytes;
    return right;
  };
  if (const std::size_t before = padding(block->address, alignment); before > 0) {
    Block* rest = block;
    block = split(block, before);
    rest->state = BlockState::free;
    set_of(rest).insert(rest);
  }
  if (block->bytes - bytes >= kStep) {
    Block* rest = split(block, bytes);
    rest->state = BlockState::free;
    set_of(rest).insert(rest);
  }
  return block;
}

DevicePool::Block* DevicePool::take(std::size_t bytes, std::size_t alignment, Stream stream) {
  StreamBlocks& mine = streams_[stream.id];
  settle_recent(mine);
  Block* block = find(mine.free, bytes, alignment);
  if (!block) block = find(common_, bytes, alignment);
  return block ? cut(block, bytes, alignment) : nullptr;
}

bool DevicePool::passed(Block& block, bool wait) {
  while (!block.waits_for.empty()) {
    const Event event = block.waits_for.back();
    if (wait)
      driver_->synchronize(event);
    else if (!driver_->is_done(event))
      return false;
    driver_->release(event);
    block.waits_for.pop_back();
  }
  return true;
}

bool DevicePool::collect(bool wait) {
  bool any = false;
  for (auto& [id, stream] : streams_) {
    settle_recent(stream);
    // One event behind all frees of the stream so far, and only where somebody asks for them.
    if (!stream.free.empty() &&
        (stream.marks.empty() || stream.marks.back().free < stream.last_free)) {
      stream.marks.reserve(stream.marks.size() + 1);  // an event that is recorded is remembered
      stream.marks.push_back({driver_->record(Stream{id}), stream.last_free});
    }
    std::uint64_t passed = 0;
    while (!stream.marks.empty()) {
      const Mark mark = stream.marks.front();
      if (wait)
        driver_->synchronize(mark.event);
      else if (!driver_->is_done(mark.event))
        break;
      driver_->release(mark.event);
      passed = mark.free;
      stream.marks.erase(stream.marks.begin());
    }
    if (passed == 0) continue;
    std::vector<Block*> unused;
    for (Block* block : stream.free)
      if (block->freed_at <= passed) unused.push_back(block);
    for (Block* block : unused) {
      stream.free.erase(block);
      block->any_stream = true;
    }
    for (Block* block : unused) block->state = BlockState::waiting;  // not to be joined yet
    // By address: joining erases a right neighbour, which must not be one that is still to come.
    std::sort(unused.begin(), unused.end(),
              [](const Block* a, const Block* b) { return a->address < b->address; });
    for (Block* block : unused) add_free(block);
    any |= !unused.empty();
  }
  for (std::size_t i = 0; i < waiting_.size();) {
    Block* block = waiting_[i];
    if (!passed(*block, wait)) {
      ++i;
      continue;
    }
    waiting_[i] = waiting_.back();
    waiting_.pop_back();
    block->any_stream = true;
    add_free(block);
    any = true;
  }
  return any;
}

DevicePool::Block* DevicePool::grow(std::size_t bytes, std::size_t alignment) {
  const std::size_t step = std::max(alignment, kStep);
  const std::size_t exact = align_up(bytes, kStep);
  for (std::size_t size = segment_bytes(bytes);; size = exact) {
    if (max_bytes_ == 0 || (size <= max_bytes_ && committed_bytes_ <= max_bytes_ - size)) {
      std::list<Segment> segment(1, {nullptr, size, step});
      auto made = std::make_unique<Block>();
      Block* block = made.get();
      if (auto* memory = static_cast<std::byte*>(driver_->allocate(size, step))) {
        segment.front().memory = memory;
        try {
          blocks_.emplace(memory, std::move(made));
        } catch (...) {
          driver_->deallocate(memory, size, step);
          throw;
        }
        block->address = memory;
        block->bytes = size;
        block->segment = segment.begin();
        block->any_stream = true;
        block->state = BlockState::free;
        segments_.splice(segments_.end(), segment);
        committed_bytes_ += size;
        peak_committed_bytes_ = std::max(peak_committed_bytes_, committed_bytes_);
        return cut(block, bytes, alignment);
      }
    }
    if (size == exact) return nullptr;
  }
}

void* DevicePool::allocate(std::size_t bytes, std::size_t alignment, Stream stream) {
  const std::lock_guard lock(mutex_);
  if (bytes > SIZE_MAX / 2) return nullptr;
  const std::size_t size = align_up(std::max<std::size_t>(bytes, 1), kStep);
  const std::size_t align = std::max(alignment, kStep);
  return guarded([&]() -> void* {
    StreamBlocks& mine = streams_[stream.id];
    Block* block = nullptr;
    for (std::uint32_t i = mine.num_recent; i-- > 0 && !block;)
      if (mine.recent[i]->bytes == size && padding(mine.recent[i]->address, align) == 0) {
        block = mine.recent[i];
        mine.recent[i] = mine.recent[--mine.num_recent];
      }
    if (!block) block = take(size, align, stream);
    if (!block && collect(false)) block = take(size, align, stream);
    if (!block) block = grow(size, align);
    if (!block && collect(true)) block = take(size, align, stream);
    if (!block && trim_locked(UINT64_MAX, 0, 0) > 0) block = grow(size, align);
    if (!block) return nullptr;
    block->state = BlockState::live;
    block->any_stream = false;
    block->stream = stream;
    live_bytes_ += block->bytes;
    return block->address;
  });
}

void DevicePool::copy(void* to, const void* from, std::size_t bytes, Stream stream) {
  {
    const std::lock_guard lock(mutex_);
    if (lost_) fail_lost();
  }
  // Not under the lock: others go on while this one waits for the device.
  try {
    driver_->copy(to, from, bytes, stream);
    const Event done = driver_->record(stream);
    struct Release {
      Driver& driver;
      Event event;
      ~Release() { driver.release(event); }
    } const release{*driver_, done};
    driver_->synchronize(done);
  } catch (const Error& e) {
    const std::lock_guard lock(mutex_);
    if (e.code() == Errc::device_lost) lost_ = true;
    throw;
  }
}

bool DevicePool::free(void* address, Stream stream) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(static_cast<const std::byte*>(address));
  if (found == blocks_.end() || found->second->state != BlockState::live) return false;
  Block* block = found->second.get();
  live_bytes_ -= block->bytes;
  block->freed_at = ++frees_;
  // Where a step below fails the block stays like this, out of use, until the pool's end.
  block->state = BlockState::waiting;
  try {
    if (!(block->stream == stream)) block->also_used.push_back(block->stream);
    block->stream = stream;
    if (!block->also_used.empty() && !lost_) {
      // Used by several streams: it serves nobody before all of them are done.
      block->also_used.push_back(stream);
      block->waits_for.reserve(block->also_used.size());
      waiting_.push_back(block);
      for (const Stream user : block->also_used) block->waits_for.push_back(driver_->record(user));
      block->also_used.clear();
      return true;
    }
    StreamBlocks& mine = streams_[stream.id];
    mine.last_free = frees_;
    if (mine.num_recent == mine.recent.size()) settle_recent(mine);
    block->state = BlockState::recent;
    mine.recent[mine.num_recent++] = block;
  } catch (const Error&) {
    lost_ = true;
  } catch (const std::bad_alloc&) {
    // Its bytes are missed, nothing else.
  }
  return true;
}

void DevicePool::use_on(void* address, Stream stream) {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(static_cast<const std::byte*>(address));
  require(found != blocks_.end() && found->second->state == BlockState::live,
          "DevicePool::use_on: no live block begins at the address");
  Block& block = *found->second;
  if (block.stream == stream) return;
  if (std::find(block.also_used.begin(), block.also_used.end(), stream) == block.also_used.end())
    block.also_used.push_back(stream);
}

std::uint64_t DevicePool::trim(std::uint64_t max_bytes, std::uint64_t min_age_ms,
                               std::uint64_t min_bytes) {
  const std::lock_guard lock(mutex_);
  if (lost_) return 0;
  try {
    collect(false);
  } catch (const Error&) {
    lost_ = true;
    return 0;
  }
  return trim_locked(max_bytes, min_age_ms, min_bytes);
}

std::uint64_t DevicePool::trim_locked(std::uint64_t max_bytes, std::uint64_t min_age_ms,
                                      std::uint64_t min_bytes) {
  const std::uint64_t now = os::coarse_milliseconds();
  std::uint64_t returned = 0;
  std::vector<Block*> whole;
  for (auto& [id, stream] : streams_) settle_recent(stream);
  for (Block* block : common_)
    if (block->bytes == block->segment->bytes && block->bytes >= min_bytes &&
        now - block->segment->freed_ms >= min_age_ms)
      whole.push_back(block);
  for (Block* block : whole) {
    if (returned >= max_bytes) break;
    common_.erase(block);
    const auto segment = block->segment;
    driver_->deallocate(segment->memory, segment->bytes, segment->alignment);
    returned += segment->bytes;
    committed_bytes_ -= segment->bytes;
    blocks_.erase(block->address);
    segments_.erase(segment);
  }
  return returned;
}

bool DevicePool::owns(const void* address) const noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(static_cast<const std::byte*>(address));
  return found != blocks_.end() && found->second->state == BlockState::live;
}

bool DevicePool::lost() const noexcept {
  const std::lock_guard lock(mutex_);
  return lost_;
}

PartMetrics DevicePool::metrics() const {
  const std::lock_guard lock(mutex_);
  PartMetrics part;
  part.live_bytes = live_bytes_;
  part.committed_bytes = committed_bytes_;
  part.peak_committed_bytes = peak_committed_bytes_;
  part.limit_bytes = max_bytes_;
  for (const auto& [address, block] : blocks_)
    if (block->state != BlockState::live) {
      part.free_bytes += block->bytes;
      part.largest_free_bytes = std::max<std::uint64_t>(part.largest_free_bytes, block->bytes);
    }
  return part;
}

void DevicePool::validate() const {
  const std::lock_guard lock(mutex_);
  const auto check = [&](bool good, const char* what) {
    if (!good) fail(Errc::internal, "device pool of " + to_string(device()) + ": " + what);
  };
  std::uint64_t live = 0, committed = 0;
  std::size_t seen = 0;
  for (auto segment = segments_.begin(); segment != segments_.end(); ++segment) {
    committed += segment->bytes;
    std::byte* at = segment->memory;
    const Block* before = nullptr;
    while (at < segment->memory + segment->bytes) {
      const auto found = blocks_.find(at);
      check(found != blocks_.end(), "a segment has a gap");
      const Block& block = *found->second;
      check(block.before == before && block.address == at && block.bytes > 0 &&
                &*block.segment == &*segment,
            "neighbours do not know each other");
      if (block.state == BlockState::live) live += block.bytes;
      if (before && block.state == BlockState::free && before->state == BlockState::free)
        check(!same_use(before, &block), "free neighbours of one stream did not join");
      before = &block;
      at += block.bytes;
      ++seen;
    }
    check(at == segment->memory + segment->bytes && before && !before->after,
          "blocks reach over their segment");
  }
  check(seen == blocks_.size(), "a block lies in no segment");
  check(live == live_bytes_ && committed == committed_bytes_, "counters are wrong");
}

}  // namespace bitnet::memory
