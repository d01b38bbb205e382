// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/hybrid_pool.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "bitnet/base/error.h"
#include "bitnet/memory/hybrid_pool_state.h"

namespace bitnet {
namespace {

using memory::FreeFault;
using memory::HandleSlot;
using Door = memory::HostPool::Door;

[[noreturn]] [[gnu::cold]] void fail_free(FreeFault fault, std::size_t bytes) {
  if (fault == FreeFault::foreign)
    fail(Errc::invalid_argument,
         "HybridMemoryPool::deallocate_raw: no block of this pool begins at the address");
  if (fault == FreeFault::not_live)
    fail(Errc::invalid_argument, "HybridMemoryPool::deallocate_raw: the block is free already");
  fail(Errc::internal, "HybridMemoryPool::deallocate_raw: bytes behind the end of a block of " +
                           std::to_string(bytes) + " bytes were written, or that is not its size");
}

void check_alignment(std::size_t alignment) {
  if (!std::has_single_bit(alignment) || alignment > memory::kMaxAlignment)
    fail(Errc::invalid_argument, "HybridMemoryPool: alignment " + std::to_string(alignment) +
                                     " is not a power of two up to 2 MiB");
}

}  // namespace

MemoryHandle::~MemoryHandle() {
  if (pool_) pool_->state_->free_slot(id_, nullptr);
}

MovableHandle::~MovableHandle() {
  if (pool_) pool_->state_->free_slot(id_, nullptr);
}

Pin::~Pin() {
  if (pool_) pool_->state_->unpin(id_);
}

Pin MovableHandle::pin() const {
  require(pool_ != nullptr, "MovableHandle::pin: the handle is empty");
  Pin pin;
  pin.data_ = pool_->state_->pin(id_);
  pin.pool_ = pool_;
  pin.id_ = id_;
  pin.bytes_ = bytes_;
  return pin;
}

std::uint32_t MovableHandle::pin_count() const noexcept {
  return pool_ ? pool_->state_->handles.find(id_.index)->pins.load() & HandleSlot::kPins : 0;
}

bool MovableHandle::is_compressed() const noexcept {
  return pool_ && (pool_->state_->handles.find(id_.index)->pins.load() & HandleSlot::kParked) != 0;
}

HybridMemoryPool::HybridMemoryPool(const MemoryPoolConfig& config)
    : state_((config.validate(), std::make_unique<State>(*this, config))) {
  host_ = &state_->host;
  try {
    state_->begin(*this);
  } catch (...) {  // no thread: what has begun ends in the order of ~HybridMemoryPool()
    state_->end();
    throw;
  }
}

HybridMemoryPool::~HybridMemoryPool() { state_->end(); }

void HybridMemoryPool::add_driver(std::unique_ptr<Driver> driver) {
  state_->devices.add(std::move(driver), state_->config.max_device_bytes);
}

std::optional<MemoryHandle> HybridMemoryPool::try_allocate(std::size_t bytes, std::size_t alignment,
                                                           Device device, Stream stream) {
  check_alignment(alignment);
  State::Wanted wanted{bytes, alignment, device, stream, false};
  const std::optional<HandleId> id = state_->make_handle(wanted);
  if (!id) return std::nullopt;
  return state_->handle(*this, *id, device);
}

MemoryHandle HybridMemoryPool::allocate(std::size_t bytes, std::size_t alignment, Device device,
                                        Stream stream) {
  if (auto handle = try_allocate(bytes, alignment, device, stream)) return std::move(*handle);
  state_->fail_out_of_memory(bytes, device);
}

MovableHandle HybridMemoryPool::allocate_movable(std::size_t bytes, std::size_t alignment) {
  check_alignment(alignment);
  State::Wanted wanted{bytes, alignment, {}, {}, true};
  const std::optional<HandleId> id = state_->make_handle(wanted);
  if (!id) state_->fail_out_of_memory(bytes, {});
  MovableHandle handle;
  handle.pool_ = this;
  handle.bytes_ = bytes;
  handle.id_ = *id;
  return handle;
}

void HybridMemoryPool::deallocate(MemoryHandle&& handle) {
  require(static_cast<bool>(handle), "HybridMemoryPool::deallocate: the handle is empty");
  require(handle.pool_ == this, "HybridMemoryPool::deallocate: the handle is of another pool");
  free_id(handle.release());
}

void HybridMemoryPool::deallocate(MemoryHandle&& handle, Stream stream) {
  require(static_cast<bool>(handle), "HybridMemoryPool::deallocate: the handle is empty");
  require(handle.pool_ == this, "HybridMemoryPool::deallocate: the handle is of another pool");
  require(state_->free_slot(handle.release(), &stream),
          "HybridMemoryPool::deallocate: the handle is stale");
}

void HybridMemoryPool::deallocate(MovableHandle&& handle) {
  require(static_cast<bool>(handle), "HybridMemoryPool::deallocate: the handle is empty");
  require(handle.pool_ == this, "HybridMemoryPool::deallocate: the handle is of another pool");
  require(handle.pin_count() == 0, "HybridMemoryPool::deallocate: the block is pinned");
  handle.pool_ = nullptr;
  free_id(handle.id_);
}

void HybridMemoryPool::use_on(const MemoryHandle& handle, Stream stream) {
  require(handle.pool_ == this, "HybridMemoryPool::use_on: the handle is empty or of another pool");
  if (handle.device() == Device{}) return;
  state_->devices.at(state_->devices.number(handle.device())).use_on(handle.data(), stream);
}

void HybridMemoryPool::upload(const MemoryHandle& to, std::span<const std::byte> from,
                              Stream stream) {
  require(to.pool_ == this && from.size() <= to.size_bytes(),
          "HybridMemoryPool::upload: the handle is of another pool, or too small");
  state_->copy(to.device(), to.data(), from.data(), from.size(), stream);
}

void HybridMemoryPool::download(std::span<std::byte> to, const MemoryHandle& from, Stream stream) {
  require(from.pool_ == this && to.size() <= from.size_bytes(),
          "HybridMemoryPool::download: the handle is of another pool, or too small");
  state_->copy(from.device(), to.data(), from.data(), to.size(), stream);
}

void HybridMemoryPool::State::copy(Device device, void* to, const void* from, std::size_t bytes,
                                   Stream stream) {
  if (bytes == 0) return;
  if (device == Device{})
    std::memcpy(to, from, bytes);
  else
    devices.at(devices.number(device)).copy(to, from, bytes, stream);
}

MemoryHandle HybridMemoryPool::adopt(HandleId id) {
  const HandleSlot* slot = state_->handles.find(id.index);
  require(slot && id.pool == state_->pool_number && id.generation % 2 == 1 &&
              slot->generation.load() == id.generation,
          "HybridMemoryPool::adopt: the handle is stale or of another pool");
  require(!slot->movable, "HybridMemoryPool::adopt: the block is movable");
  return state_->handle(*this, id, state_->devices.device(slot->device));
}

void HybridMemoryPool::free_id(HandleId id) {
  require(state_->free_slot(id, nullptr),
          "HybridMemoryPool: the handle is stale, of another pool "
          "or was freed before");
}

void* HybridMemoryPool::try_allocate_raw(std::size_t bytes, std::size_t alignment) noexcept {
  return host_->allocate(bytes, alignment);
}

void* HybridMemoryPool::allocate_raw(std::size_t bytes, std::size_t alignment) {
  if (void* block = try_allocate_raw(bytes, alignment)) return block;
  check_alignment(alignment);
  state_->fail_out_of_memory(bytes, {});
}

void HybridMemoryPool::deallocate_raw(void* block, std::size_t bytes) {
  const FreeFault fault = host_->deallocate(block, bytes);
  if (fault != FreeFault::none && block) [[unlikely]]
    fail_free(fault, bytes);
}

std::pmr::memory_resource* HybridMemoryPool::resource() noexcept { return &state_->resource; }

bool HybridMemoryPool::owns(const void* block) const noexcept {
  return state_->host.block_bytes(block) > 0 || state_->devices.owns(block);
}

void HybridMemoryPool::set_failure_callback(std::function<bool(std::size_t)> callback) {
  const std::lock_guard lock(state_->failure_mutex);
  state_->failure_callback =
      callback ? std::make_shared<std::function<bool(std::size_t)>>(std::move(callback)) : nullptr;
}

const MemoryPoolConfig& HybridMemoryPool::config() const noexcept { return state_->config; }

HybridMemoryPool& default_pool() {
  static auto* pool = new HybridMemoryPool(MemoryPoolConfig::machine());
  return *pool;
}

// ---- State ----

std::optional<HandleId> HybridMemoryPool::State::make_handle(const Wanted& wanted) {
  const bool on_host = wanted.device == Device{};
  const std::uint16_t number = devices.number(wanted.device);
  if (!on_host && number == 0)
    fail(Errc::invalid_argument, "HybridMemoryPool: no driver for " + to_string(wanted.device));
  memory::ThreadHeap* heap = host.heap();
  const auto bytes = static_cast<std::int64_t>(wanted.bytes);
  if (!heap || wanted.bytes > kMostBytes || !reserve_bytes(wanted.bytes)) return failed(number);
  const std::optional<std::uint32_t> index = handles.take(*heap);
  void* block = nullptr;
  try {
    if (index && on_host) {
      block = host.allocate<Door::handle>(wanted.bytes, wanted.alignment);
    } else if (index) {
      block = devices.at(number).allocate(wanted.bytes, wanted.alignment, wanted.stream);
    }
  } catch (...) {
    handles.give(*heap, *index);
    host.add_handle_bytes(-bytes);
    failed(number);
    throw;
  }
  if (!block) {
    if (index) handles.give(*heap, *index);
    host.add_handle_bytes(-bytes);
    return failed(number);
  }
  HandleSlot& slot = *handles.find(*index);
  slot.data = static_cast<std::byte*>(block);
  slot.bytes = wanted.bytes;
  slot.stream = wanted.stream;
  slot.device = number;
  slot.log2_alignment = static_cast<std::uint8_t>(std::countr_zero(wanted.alignment));
  slot.movable = wanted.movable;
  slot.incompressible = false;
  if (wanted.movable) {
    slot.pins.store(0, std::memory_order_relaxed);
    slot.last_pin_ms.store(static_cast<std::uint32_t>(os::coarse_milliseconds()),
                           std::memory_order_relaxed);
  }
  const std::uint32_t generation = slot.generation.load(std::memory_order_relaxed) + 1;
  slot.generation.store(generation, std::memory_order_release);
  heap->counters.handles.add(1);
  heap->counters.handle_bytes.add(wanted.bytes);
  if (!on_host) device_counts[number].add(bytes);
  return HandleId{*index, generation, pool_number};
}

bool HybridMemoryPool::State::reserve_bytes(std::size_t bytes) noexcept {
  const auto more = static_cast<std::int64_t>(bytes);
  if (config.max_bytes == 0) {
    host.add_handle_bytes(more);
    return true;
  }
  const auto limit = static_cast<std::int64_t>(std::min(config.max_bytes, kMostBytes));
  if (host.add_handle_bytes_below(more, limit)) return true;
  // The callback may free handles; nothing else can make room under this limit.
  for (int i = 0; i < kMaxFailureCalls && call_failure_callback(bytes); ++i)
    if (host.add_handle_bytes_below(more, limit)) return true;
  return false;
}

std::nullopt_t HybridMemoryPool::State::failed(std::uint16_t device) noexcept {
  failures.fetch_add(1, std::memory_order_relaxed);
  device_counts[device].failed.fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

void HybridMemoryPool::State::fail_out_of_memory(std::size_t bytes, Device device) const {
  std::string message =
      "out of memory: " + std::to_string(bytes) + " bytes on " + to_string(device);
  const auto live = static_cast<std::uint64_t>(host.handle_live_bytes());
  if (config.max_bytes != 0 && (bytes > config.max_bytes || live > config.max_bytes - bytes))
    message += "; the pool's limit is " + std::to_string(config.max_bytes) + ", in use are " +
               std::to_string(live);
  else if (device == Device{})
    message += "; the pool holds " +
               std::to_string(host.small().arenas().taken_units() * memory::kUnitBytes) + " of " +
               std::to_string(config.max_small_bytes) + " bytes of small blocks and " +
               std::to_string(host.large().arenas().taken_units() * memory::kUnitBytes +
                              host.large().mapped_bytes()) +
               " of " + std::to_string(config.max_large_bytes) + " of large ones";
  fail(Errc::out_of_memory, message);
}

bool HybridMemoryPool::State::free_slot(HandleId id, const Stream* stream) noexcept {
  HandleSlot* slot = handles.find(id.index);
  std::uint32_t generation = id.generation;
  // The one exchange that succeeds frees the block; whoever comes second has a stale handle.
  if (!slot || id.pool != pool_number || generation % 2 == 0 ||
      !slot->generation.compare_exchange_strong(generation, generation + 1))
    return false;
  memory::ThreadHeap* heap = host.heap();
  const auto bytes = static_cast<std::int64_t>(slot->bytes);
  if (slot->movable) release_movable(*slot);
  if (slot->device != 0) {
    device_counts[slot->device].add(-bytes);
    devices.at(slot->device).free(slot->data, stream ? *stream : slot->stream);
  } else if (slot->data) {
    host.deallocate<Door::handle>(slot->data, slot->bytes);
  }
  slot->data = nullptr;
  host.add_handle_bytes(-bytes);
  if (heap) {
    heap->counters.freed_handles.add(1);
    handles.give(*heap, id.index);
  }
  return true;
}

MemoryHandle HybridMemoryPool::State::handle(HybridMemoryPool& pool, HandleId id,
                                             Device device) noexcept {
  const HandleSlot& slot = *handles.find(id.index);
  MemoryHandle made;
  made.pool_ = &pool;
  made.data_ = slot.data;
  made.bytes_ = slot.bytes;
  made.device_ = device;
  made.id_ = id;
  return made;
}

}  // namespace bitnet
