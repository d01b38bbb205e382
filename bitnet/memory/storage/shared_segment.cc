// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/storage/shared_segment.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <new>

#include "bitnet/base/checked.h"
#include "bitnet/base/error.h"
#include "bitnet/base/os/threads.h"

namespace bitnet::storage {
namespace {

constexpr std::uint64_t kMagic = 0x1A47455348534E42;  // "BNSHSEG\x1a"
constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kMinUnit = 64, kMaxUnit = std::uint64_t{1} << 30;
constexpr std::uint64_t kMaxSegment = std::uint64_t{1} << 46;
constexpr std::uint16_t kMostReferences = 0xFFFF;
constexpr auto kRelaxed = std::memory_order_relaxed;

[[noreturn]] void fail_corrupt(const os::SharedMemory& memory, const std::string& what) {
  fail(Errc::corrupt_file, "shared segment '" + memory.name() + "': " + what);
}

}  // namespace

// Atomics throughout: other processes write at any time, also what they should not.
struct SharedSegment::Header {
  struct Peer {
    std::atomic<std::uint64_t> start;
    std::atomic<std::int64_t> pid;  // written last; 0: nobody
    os::ProcessIdentity identity() const noexcept {
      return {pid.load(std::memory_order_acquire), start.load(kRelaxed)};
    }
  };
  std::uint64_t magic, units, unit_bytes;
  os::SharedLock lock;
  Peer peers[kMaxPeers];
};

struct SharedSegment::Row {
  std::atomic<std::uint32_t> generation, units;
  std::atomic<std::uint64_t> bytes;
  std::atomic<std::uint16_t> references[kMaxPeers];

  bool referred() const noexcept {
    // Acquired: whoever finds a block free comes after all that was done with it.
    return std::any_of(std::begin(references), std::end(references), [](const auto& count) {
      return count.load(std::memory_order_acquire) != 0;
    });
  }
};

std::uint64_t SharedSegment::Layout::heap_offset() const noexcept {
  static_assert(sizeof(Header) <= kPage);
  return kPage + align_up(units * sizeof(Row), kPage);
}

void SharedSegment::Layout::validate() const {
  if (!std::has_single_bit(unit_bytes) || unit_bytes < kMinUnit || unit_bytes > kMaxUnit)
    fail(Errc::invalid_argument, "shared segment: unit_bytes " + std::to_string(unit_bytes) +
                                     ": a power of two from 64 to 1 GiB");
  if (units == 0 || units > kMaxUnits)
    fail(Errc::invalid_argument, "shared segment: " + std::to_string(units) + " units of " +
                                     std::to_string(unit_bytes) + " bytes; 1 to " +
                                     std::to_string(kMaxUnits) + " are possible");
}

// The segment's lock. A holder that died left nothing half done that counts: see take().
class SharedSegment::Guard {
 public:
  explicit Guard(SharedSegment& segment) : segment_(segment), local_(segment.mutex_) {
    segment.require_own_process();
    segment.header().lock.lock(segment.self_);
  }
  ~Guard() { segment_.header().lock.unlock(segment_.self_); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  SharedSegment& segment_;
  std::lock_guard<std::mutex> local_;
};

SharedSegment::SharedSegment(const std::string& name, std::uint64_t heap_bytes,
                             std::uint64_t unit_bytes)
    : self_(os::current_process()) {
  const Layout layout{unit_bytes == 0 || heap_bytes == 0 ? 0 : (heap_bytes - 1) / unit_bytes + 1,
                      unit_bytes};
  layout.validate();
  // Again where the last peer left, or another one made it, between our looking and our joining.
  for (;;) {
    std::optional<os::SharedMemory> memory = find(name);
    if (join(memory ? std::move(*memory) : make(name, layout))) return;
  }
}

SharedSegment::SharedSegment(const std::string& name) : self_(os::current_process()) {
  for (;;) {
    std::optional<os::SharedMemory> memory = find(name);
    if (!memory)
      fail(Errc::invalid_argument, "shared segment '" + name + "': there is none of this name");
    if (join(std::move(*memory))) return;
  }
}

SharedSegment::~SharedSegment() {
  if (slot_ == kMaxPeers || os::process_id() != self_.pid) return;
  strike(slot_);
  header().peers[slot_].pid.store(0, std::memory_order_release);
  try {
    const Guard guard(*this);
    sweep_locked();
    if (count_peers() == 0 && memory_->is_named()) os::SharedMemory::unlink(memory_->name());
  } catch (const Error&) {  // a peer keeps the lock: who comes later removes the name
  }
}

std::optional<os::SharedMemory> SharedSegment::find(const std::string& name) {
  return os::SharedMemory::attach(name, os::SharedMemory::Access::read_write, kPage, kMaxSegment);
}

os::SharedMemory SharedSegment::make(const std::string& name, const Layout& layout) {
  for (;;) {
    auto made =
        os::SharedMemory::create(name, layout.segment_bytes(), [&](std::span<std::byte> bytes) {
          auto* header = new (bytes.data()) Header{};
          header->magic = kMagic;
          header->units = layout.units;
          header->unit_bytes = layout.unit_bytes;
        });
    if (made) return std::move(*made);
    if (auto found = find(name)) return std::move(*found);
  }
}

SharedSegment::Layout SharedSegment::read_layout(const os::SharedMemory& memory) {
  const auto* header = reinterpret_cast<const Header*>(memory.bytes().data());
  if (header->magic != kMagic) fail_corrupt(memory, "is no segment of this version");
  const Layout layout{header->units, header->unit_bytes};
  try {
    layout.validate();
  } catch (const Error& error) {
    fail_corrupt(memory, error.what());
  }
  if (layout.segment_bytes() != memory.bytes().size())
    fail_corrupt(memory, "has " + std::to_string(memory.bytes().size()) + " bytes, its header " +
                             "speaks of " + std::to_string(layout.segment_bytes()));
  return layout;
}

bool SharedSegment::join(os::SharedMemory memory) {
  layout_ = read_layout(memory);
  memory_.emplace(std::move(memory));
  const Guard guard(*this);
  if (!memory_->is_named()) return false;
  sweep_locked();
  for (std::size_t i = 0; i < kMaxPeers; ++i) {
    Header::Peer& peer = header().peers[i];
    if (peer.pid.load(kRelaxed) != 0) continue;
    strike(i);
    peer.start.store(self_.start, kRelaxed);
    peer.pid.store(self_.pid, std::memory_order_release);
    slot_ = i;
    return true;
  }
  fail(Errc::out_of_memory, "shared segment '" + memory_->name() + "': " +
                                std::to_string(kMaxPeers) + " processes are attached, the most");
}

void SharedSegment::require_own_process() const {
  if (os::process_id() != self_.pid)
    fail(Errc::unsupported,
         "shared segment '" + memory_->name() + "': a forked child attaches by itself");
}

SharedSegment::Header& SharedSegment::header() const noexcept {
  return *reinterpret_cast<Header*>(memory_->bytes().data());
}

SharedSegment::Row& SharedSegment::row(std::uint64_t unit) const noexcept {
  return reinterpret_cast<Row*>(memory_->bytes().data() + kPage)[unit];
}

// Units of the block that begins at `unit`; 0 where none does.
std::uint64_t SharedSegment::run_at(std::uint64_t unit) const {
  const Row& r = row(unit);
  if (!r.referred()) return 0;
  const std::uint64_t units = r.units.load(kRelaxed), bytes = r.bytes.load(kRelaxed);
  if (units == 0 || units > layout_.units - unit || bytes == 0 ||
      bytes > units * layout_.unit_bytes)
    fail_corrupt(*memory_, "unit " + std::to_string(unit) + ": a block of " +
                               std::to_string(units) + " units and " + std::to_string(bytes) +
                               " bytes does not fit");
  return units;
}

std::optional<SharedId> SharedSegment::take(std::uint64_t bytes) {
  const std::uint64_t wanted = (bytes - 1) / layout_.unit_bytes + 1;
  if (wanted > layout_.units) return std::nullopt;
  std::uint64_t first = 0;
  for (std::uint64_t unit = 0; unit < layout_.units;) {
    if (const std::uint64_t used = run_at(unit); used > 0) {
      unit += used;
      first = unit;
      continue;
    }
    if (++unit - first < wanted) continue;
    Row& r = row(first);
    // The reference is last: a block without one does not exist, whatever else was written.
    const std::uint32_t generation = std::max(1u, r.generation.load(kRelaxed) + 1);
    r.generation.store(generation, kRelaxed);
    r.units.store(static_cast<std::uint32_t>(wanted), kRelaxed);
    r.bytes.store(bytes, kRelaxed);
    r.references[slot_].store(1, std::memory_order_release);
    return SharedId{static_cast<std::uint32_t>(first), generation};
  }
  return std::nullopt;
}

SharedBlock SharedSegment::block(SharedId id, std::uint64_t bytes) noexcept {
  SharedBlock block;
  block.segment_ = this;
  block.id_ = id;
  block.bytes_ = memory_->bytes().subspan(
      layout_.heap_offset() + std::uint64_t{id.unit} * layout_.unit_bytes, bytes);
  return block;
}

SharedBlock SharedSegment::allocate(std::uint64_t bytes) {
  require(bytes > 0, "shared segment: a block of 0 bytes", Errc::invalid_argument);
  SharedBlock made;
  {
    const Guard guard(*this);
    std::optional<SharedId> id = take(bytes);
    if (!id && sweep_locked() > 0) id = take(bytes);
    if (!id)
      fail(Errc::out_of_memory, "shared segment '" + memory_->name() + "': no room for " +
                                    std::to_string(bytes) + " bytes in one piece");
    made = block(*id, bytes);
  }
  // Where the system has no memory now, a write would find pages missing.
  const auto offset = static_cast<std::size_t>(made.bytes().data() - memory_->bytes().data());
  if (!memory_->commit(offset, bytes))
    fail(Errc::out_of_memory, "shared segment '" + memory_->name() +
                                  "': the system has no memory for " + std::to_string(bytes) +
                                  " bytes");
  return made;
}

SharedBlock SharedSegment::open(SharedId id) {
  const Guard guard(*this);
  const auto stale = [&] {
    fail(Errc::invalid_argument, "shared segment '" + memory_->name() + "': no block at unit " +
                                     std::to_string(id.unit) + " of generation " +
                                     std::to_string(id.generation));
  };
  if (id.unit >= layout_.units || run_at(id.unit) == 0) stale();
  Row& r = row(id.unit);
  const std::uint64_t bytes = r.bytes.load(kRelaxed);
  if (r.generation.load(kRelaxed) != id.generation) stale();
  // Read once more than checked: a peer may have changed it in between.
  if (bytes == 0 || bytes > (layout_.units - id.unit) * layout_.unit_bytes)
    fail_corrupt(*memory_, "unit " + std::to_string(id.unit) + " changes while it is read");
  std::atomic<std::uint16_t>& mine = r.references[slot_];
  std::uint16_t count = mine.load(kRelaxed);
  do {
    require(count < kMostReferences, "shared segment: 65535 references to one block",
            Errc::out_of_memory);
  } while (!mine.compare_exchange_weak(count, static_cast<std::uint16_t>(count + 1),
                                       std::memory_order_acquire, kRelaxed));
  return block(id, bytes);
}

// Without the lock: nobody else counts in this column, and a block is taken only by a holder of the
// lock that finds no reference to it.
void SharedSegment::release(SharedId id) noexcept {
  if (os::process_id() != self_.pid) return;
  std::atomic<std::uint16_t>& mine = row(id.unit).references[slot_];
  std::uint16_t count = mine.load(kRelaxed);
  while (count > 0 && !mine.compare_exchange_weak(count, static_cast<std::uint16_t>(count - 1),
                                                  std::memory_order_release, kRelaxed)) {
  }
}

SharedBlock::~SharedBlock() {
  if (segment_) segment_->release(id_);
}

void SharedSegment::strike(std::size_t peer) noexcept {
  for (std::uint64_t unit = 0; unit < layout_.units; ++unit) {
    std::atomic<std::uint16_t>& count = row(unit).references[peer];
    if (count.load(kRelaxed) != 0) count.store(0, kRelaxed);
  }
}

std::size_t SharedSegment::sweep_locked() {
  std::size_t struck = 0;
  for (std::size_t i = 0; i < kMaxPeers; ++i) {
    Header::Peer& peer = header().peers[i];
    const os::ProcessIdentity identity = peer.identity();
    if (identity.pid == 0 || os::is_alive(identity)) continue;
    strike(i);
    peer.pid.store(0, std::memory_order_release);
    ++struck;
  }
  return struck;
}

std::size_t SharedSegment::count_peers() const noexcept {
  return static_cast<std::size_t>(
      std::count_if(std::begin(header().peers), std::end(header().peers),
                    [](const Header::Peer& peer) { return peer.pid.load(kRelaxed) != 0; }));
}

std::size_t SharedSegment::sweep() {
  const Guard guard(*this);
  return sweep_locked();
}

SharedFigures SharedSegment::figures() {
  const Guard guard(*this);
  SharedFigures figures;
  figures.peers = static_cast<std::uint32_t>(count_peers());
  figures.units = layout_.units;
  figures.unit_bytes = layout_.unit_bytes;
  for (std::uint64_t unit = 0; unit < layout_.units;) {
    const std::uint64_t used = run_at(unit);
    if (used > 0) {
      ++figures.blocks;
      figures.used_units += used;
      for (const auto& count : row(unit).references) figures.references += count.load(kRelaxed);
    }
    unit += std::max<std::uint64_t>(1, used);
  }
  return figures;
}

void SharedSegment::check() {
  const Guard guard(*this);
  for (std::uint64_t unit = 0; unit < layout_.units;) {
    const std::uint64_t end = unit + std::max<std::uint64_t>(1, run_at(unit));
    for (++unit; unit < end; ++unit)
      if (row(unit).referred())
        fail_corrupt(*memory_, "unit " + std::to_string(unit) + " lies inside a block and has one");
  }
  for (std::size_t i = 0; i < kMaxPeers; ++i) {
    if (header().peers[i].pid.load(kRelaxed) != 0) continue;
    for (std::uint64_t unit = 0; unit < layout_.units; ++unit)
      if (row(unit).references[i].load(kRelaxed) != 0)
        fail_corrupt(*memory_, "unit " + std::to_string(unit) + " is held by nobody");
  }
  if (memory_->lost()) fail_corrupt(*memory_, "pages of it were taken away");
}

std::size_t SharedSegment::remove_stale(std::string_view prefix) {
  std::size_t removed = 0;
  for (const std::string& name : os::SharedMemory::list(prefix)) {
    if (name.find('~') != std::string::npos) continue;  // being made
    try {
      std::optional<os::SharedMemory> memory = find(name);
      if (!memory) continue;
      const auto* header = reinterpret_cast<const Header*>(memory->bytes().data());
      if (header->magic != kMagic) continue;
      const bool alive = std::any_of(std::begin(header->peers), std::end(header->peers),
                                     [](const Header::Peer& peer) {
                                       const os::ProcessIdentity identity = peer.identity();
                                       return identity.pid != 0 && os::is_alive(identity);
                                     });
      if (alive) continue;
      memory.reset();
      const SharedSegment last(name);  // sweeps; as the last one out it removes the name
      ++removed;
    } catch (const Error&) {  // not ours to remove
    }
  }
  return removed;
}

}  // namespace bitnet::storage
