// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/storage/metrics_page.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <climits>
#include <string_view>

#include "bitnet/base/error.h"

namespace bitnet::storage {
namespace {

constexpr std::string_view kPrefix = "bitnet-memory-";
constexpr std::uint64_t kMagic = 0x4547415054494E42, kVersion = 2;

// Words of the page: magic, version, bytes of the figures, pid, start of the process, sequence (odd
// while the figures are written), then the figures.
enum Word : std::size_t { kMagicWord, kVersionWord, kSizeWord, kPid, kStart, kSequence, kFigures };
constexpr std::size_t kFigureWords = sizeof(PublishedMetrics) / 8;
static_assert((kFigures + kFigureWords) * 8 <= kMetricsPageBytes);

std::atomic_ref<std::uint64_t> word(std::span<std::byte> page, std::size_t index) {
  return std::atomic_ref(reinterpret_cast<std::uint64_t*>(page.data())[index]);
}

std::uint64_t load(std::span<const std::byte> page, std::size_t index, std::memory_order order) {
  // Reading needs no write access; atomic_ref of a const object comes with C++26.
  auto* words = reinterpret_cast<std::uint64_t*>(const_cast<std::byte*>(page.data()));
  return std::atomic_ref(words[index]).load(order);
}

std::string page_name(std::int64_t pid) { return std::string(kPrefix) + std::to_string(pid); }

os::SharedMemory create_page() {
  const os::ProcessIdentity self = os::current_process();
  const std::string name = page_name(self.pid);
  const auto fill = [&](std::span<std::byte> page) {
    word(page, kMagicWord).store(kMagic);
    word(page, kVersionWord).store(kVersion);
    word(page, kSizeWord).store(sizeof(PublishedMetrics));
    word(page, kPid).store(static_cast<std::uint64_t>(self.pid));
    word(page, kStart).store(self.start);
  };
  list_metrics_pages();  // removes those of the dead, perhaps one of this number
  auto memory = os::SharedMemory::create(name, kMetricsPageBytes, fill);
  if (!memory)
    fail(Errc::io, "shared memory " + name + " is taken: this process has a page already");
  return std::move(*memory);
}

PublishedPart part_of(const PartMetrics& part) {
  return {part.live_bytes, part.committed_bytes,    part.peak_committed_bytes,
          part.free_bytes, part.largest_free_bytes, part.limit_bytes};
}

bool is_possible(const PublishedMetrics& p) noexcept {
  return p.num_classes <= PublishedMetrics::kMaxClasses &&
         p.num_samples <= PublishedMetrics::kMaxSamples &&
         p.num_devices <= PublishedMetrics::kMaxDevices &&
         p.pressure_level <= static_cast<std::uint64_t>(PressureLevel::critical) &&
         std::all_of(p.devices, p.devices + p.num_devices, [](const PublishedDevice& d) {
           return d.kind <= static_cast<std::uint64_t>(DeviceKind::mlx) && d.index <= INT_MAX;
         });
}

void add_class(PublishedMetrics& p, const PublishedClass& shown) {
  PublishedClass* end = p.classes + p.num_classes;
  PublishedClass* at = std::find_if(p.classes, end, [&](const PublishedClass& other) {
    return other.block_bytes * other.live_blocks < shown.block_bytes * shown.live_blocks;
  });
  if (at == p.classes + PublishedMetrics::kMaxClasses) return;
  if (p.num_classes < PublishedMetrics::kMaxClasses) {
    ++p.num_classes;
    ++end;
  }
  std::move_backward(at, end - 1, end);
  *at = shown;
}

}  // namespace

MetricsPage::MetricsPage() : memory_(create_page()), now_(std::make_unique<PublishedMetrics>()) {}

MetricsPage::~MetricsPage() { os::SharedMemory::unlink(memory_.name()); }

void MetricsPage::publish(const MemoryMetrics& m, std::uint64_t resident_bytes,
                          PressureLevel pressure) noexcept {
  PublishedMetrics& p = *now_;
  p.live_bytes = m.live_bytes;
  p.peak_bytes = m.peak_bytes;
  p.live_blocks = m.live_blocks;
  p.total_allocations = m.total_allocations;
  p.total_bytes = m.total_bytes;
  p.failed_allocations = m.failed_allocations;
  p.waste_bytes = m.waste_bytes;
  p.metadata_bytes = m.metadata_bytes;
  p.resident_bytes = resident_bytes;
  p.small = part_of(m.small);
  p.large = part_of(m.large);
  p.trims = m.pressure.trims;
  p.trimmed_bytes = m.pressure.trimmed_bytes;
  p.compactions = m.pressure.compactions;
  p.moved_blocks = m.pressure.moved_blocks;
  p.compressions = m.pressure.compressions;
  p.compressed_blocks = m.pressure.compressed_blocks;
  p.callbacks = m.pressure.callbacks;
  p.failures = m.pressure.failures;
  p.packed_blocks = m.compression.blocks;
  p.packed_bytes_before = m.compression.bytes_before;
  p.packed_bytes_after = m.compression.bytes_after;
  p.compress_ns = m.compression.compress_ns;
  p.decompress_ns = m.compression.decompress_ns;
  p.pressure_level = static_cast<std::uint64_t>(pressure);
  p.num_devices = std::min(m.devices.size(), PublishedMetrics::kMaxDevices);
  for (std::size_t i = 0; i < p.num_devices; ++i) {
    const DeviceMetrics& d = m.devices[i];
    p.devices[i] = {static_cast<std::uint64_t>(d.device.kind),
                    static_cast<std::uint64_t>(d.device.index),
                    d.live_blocks,
                    d.live_bytes,
                    d.peak_bytes,
                    d.failed_allocations,
                    d.memory.committed_bytes,
                    d.memory.limit_bytes};
  }
  p.num_classes = 0;
  for (const ClassMetrics& c : m.classes)
    add_class(p, {c.block_bytes, c.live_blocks, c.allocations});
  if (p.num_samples == PublishedMetrics::kMaxSamples)
    std::move(p.samples + 1, p.samples + p.num_samples, p.samples);
  else
    ++p.num_samples;
  p.samples[p.num_samples - 1] = {m.live_bytes, m.small.committed_bytes + m.large.committed_bytes};

  const std::span<std::byte> page = memory_.bytes();
  const std::uint64_t sequence = word(page, kSequence).load(std::memory_order_relaxed);
  // A sequence lock: odd while the words change; each word is atomic, so that a torn reading is a
  // wrong sequence and nothing worse. Stores release and loads acquire instead of fences, which
  // ThreadSanitizer does not follow.
  word(page, kSequence).store(sequence + 1, std::memory_order_relaxed);
  const auto* words = reinterpret_cast<const std::uint64_t*>(now_.get());
  for (std::size_t i = 0; i < kFigureWords; ++i)
    word(page, kFigures + i).store(words[i], std::memory_order_release);
  word(page, kSequence).store(sequence + 2, std::memory_order_release);
}

std::optional<PageReading> read_metrics_page(std::span<const std::byte> page) {
  constexpr auto relaxed = std::memory_order_relaxed;
  if (page.size() < kMetricsPageBytes || load(page, kMagicWord, relaxed) != kMagic ||
      load(page, kVersionWord, relaxed) != kVersion ||
      load(page, kSizeWord, relaxed) != sizeof(PublishedMetrics))
    return std::nullopt;
  PageReading reading;
  reading.process = {static_cast<std::int64_t>(load(page, kPid, relaxed)),
                     load(page, kStart, relaxed)};
  // A publisher writes for microseconds, four times a second; one that died inside never ends.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    const std::uint64_t before = load(page, kSequence, std::memory_order_acquire);
    if (before % 2 == 1) continue;
    auto* words = reinterpret_cast<std::uint64_t*>(&reading.metrics);
    for (std::size_t i = 0; i < kFigureWords; ++i)
      words[i] = load(page, kFigures + i, std::memory_order_acquire);
    if (load(page, kSequence, relaxed) != before) continue;
    if (!is_possible(reading.metrics)) return std::nullopt;
    reading.alive = os::is_alive(reading.process);
    return reading;
  }
  return std::nullopt;
}

std::optional<PageReading> read_metrics_page(std::int64_t pid) try {
  const auto memory = os::SharedMemory::attach(page_name(pid), os::SharedMemory::Access::read_only,
                                               kMetricsPageBytes, kMetricsPageBytes);
  if (!memory) return std::nullopt;
  auto reading = read_metrics_page(std::span<const std::byte>(memory->bytes()));
  if (memory->lost() || (reading && reading->process.pid != pid)) return std::nullopt;
  return reading;
} catch (const Error&) {
  return std::nullopt;  // what cannot be attached is no page
}

std::vector<std::int64_t> list_metrics_pages() {
  std::vector<std::int64_t> alive;
  for (const std::string& name : os::SharedMemory::list(kPrefix)) {
    std::int64_t pid = 0;
    const char* end = name.data() + name.size();
    const auto [at, error] = std::from_chars(name.data() + kPrefix.size(), end, pid);
    if (error != std::errc{} || at != end) continue;
    const auto reading = read_metrics_page(pid);
    // Of a process that lives but whose page makes no sense, nothing is removed.
    if (reading ? reading->alive : os::find_process(pid).has_value())
      alive.push_back(pid);
    else
      os::SharedMemory::unlink(name);
  }
  std::sort(alive.begin(), alive.end());
  return alive;
}

}  // namespace bitnet::storage
