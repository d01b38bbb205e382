// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/storage/pool_state.h"

#include <algorithm>
#include <bit>
#include <unordered_set>

#include "bitnet/base/checked.h"
#include "bitnet/base/hash.h"
#include "bitnet/memory/storage/codec.h"
#include "bitnet/memory/storage/numbers.h"

namespace bitnet::storage {
namespace {

constexpr std::string_view kMagic = "BNPOOL\r\n";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 64, kEntryBytes = 32, kFooterBytes = 40;
constexpr std::uint64_t kRegion = 64, kMaxRatio = 256;
constexpr std::size_t kMaxNameBytes = 4096;
constexpr int kMaxLog2Alignment = 21;  // 2 MiB, as the pool

[[noreturn]] void refuse(const std::string& file, const char* kind, std::uint64_t offset,
                         const std::string& field, const std::string& value,
                         const std::string& limit, Errc code = Errc::corrupt_file) {
  throw FileError(code, {kind, file, offset, field, value, limit});
}

// nullopt: more than 64 bits hold.
std::optional<std::uint64_t> region_bytes(std::uint64_t bytes, std::uint64_t payload) {
  const std::uint64_t least = bytes / kMaxRatio + (bytes % kMaxRatio ? 1 : 0);
  return checked_round_up(std::max(payload, least), kRegion);
}

bool is_name(std::string_view name) { return !name.empty() && name.size() <= kMaxNameBytes; }

// One 32-byte entry, read but not yet believed.
struct Entry {
  std::uint32_t name_bytes;
  int log2_alignment;
  std::uint8_t zero;
  Packing packing;
  std::uint64_t payload_bytes;

  Entry(std::span<const std::byte> at)
      : name_bytes(get<std::uint32_t>(at, 0)),
        log2_alignment(std::to_integer<int>(at[4])),
        zero(std::to_integer<std::uint8_t>(at[7])),
        packing{static_cast<CodecId>(at[5]), std::to_integer<std::uint8_t>(at[6]),
                get<std::uint64_t>(at, 8), get<std::uint64_t>(at, 24)},
        payload_bytes(get<std::uint64_t>(at, 16)) {}
};

// The end of the file, checked: where the entries and names are.
struct Directory {
  std::uint64_t count, offset, names_offset, names_bytes;

  Directory(std::span<const std::byte> file, const std::string& name) {
    if (file.size() < kHeaderBytes + kFooterBytes)
      refuse(name, "E_SIZE", 0, "file size", std::to_string(file.size()),
             "at least " + std::to_string(kHeaderBytes + kFooterBytes));
    for (std::size_t i = kMarkBytes; i < kHeaderBytes; ++i)
      if (file[i] != std::byte{0}) refuse(name, "E_HEADER", i, "header", "a byte not zero", "zero");
    const std::uint64_t footer_offset = file.size() - kFooterBytes;
    const auto footer = file.last(kFooterBytes);
    if (get<std::uint64_t>(footer, 32) != xxh64(footer.first(32)))
      refuse(name, "E_CHECKSUM", footer_offset + 32, "checksum of the footer",
             std::to_string(get<std::uint64_t>(footer, 32)),
             std::to_string(xxh64(footer.first(32))));
    if (get<std::uint64_t>(footer, 0) != file.size())
      refuse(name, "E_SIZE", footer_offset, "bytes of the file",
             std::to_string(get<std::uint64_t>(footer, 0)), std::to_string(file.size()));
    const std::uint64_t room = footer_offset - kHeaderBytes;
    count = get<std::uint64_t>(footer, 8);
    if (count > room / kEntryBytes)
      refuse(name, "E_COUNT", footer_offset + 8, "blocks", std::to_string(count),
             "at most " + std::to_string(room / kEntryBytes));
    names_bytes = get<std::uint64_t>(footer, 16);
    if (names_bytes > room - count * kEntryBytes)
      refuse(name, "E_COUNT", footer_offset + 16, "bytes of names", std::to_string(names_bytes),
             "at most " + std::to_string(room - count * kEntryBytes));
    names_offset = footer_offset - names_bytes;
    offset = names_offset - count * kEntryBytes;
    const std::uint64_t seen = xxh64(file.subspan(offset, footer_offset - offset));
    if (seen != get<std::uint64_t>(footer, 24))
      refuse(name, "E_CHECKSUM", footer_offset + 24, "checksum of the entries",
             std::to_string(get<std::uint64_t>(footer, 24)), std::to_string(seen));
  }
};

void check_entry(const Entry& entry, std::uint64_t at, const std::string& file) {
  if (entry.log2_alignment > kMaxLog2Alignment)
    refuse(file, "E_ALIGN", at + 4, "log2 of the alignment", std::to_string(entry.log2_alignment),
           "at most " + std::to_string(kMaxLog2Alignment));
  if (entry.zero != 0) refuse(file, "E_HEADER", at + 7, "entry", std::to_string(entry.zero), "0");
  if (entry.packing.codec != CodecId::stored && !find_codec(entry.packing.codec))
    refuse(file, "E_CODE", at + 5, "codec", std::to_string(static_cast<int>(entry.packing.codec)),
           "a codec of this build", Errc::unsupported);
}

MemoryHandle restore(const Entry& entry, std::span<const std::byte> payload, std::uint64_t offset,
                     const std::string& file, HybridMemoryPool& pool, Device device) {
  const std::size_t bytes = entry.packing.bytes, alignment = std::size_t{1} << entry.log2_alignment;
  // A device's block first: where it does not fit, nothing needs to be unpacked.
  MemoryHandle block = pool.allocate(bytes, alignment, device);
  MemoryHandle staged;
  const bool on_host = device == Device{};
  if (!on_host) staged = pool.allocate(bytes);
  const MemoryHandle& unpacked = on_host ? block : staged;
  try {
    unpack_block(entry.packing, payload, {unpacked.data(), bytes});
  } catch (const Error& e) {
    refuse(file, "E_BLOCK", offset, "content of a block", e.what(), "", e.code());
  }
  if (!on_host) pool.upload(block, {staged.data(), bytes});
  return block;
}

}  // namespace

void save_pool_state(const std::string& path, std::span<const NamedBlock> blocks) {
  std::unordered_set<std::string_view> seen;
  for (const NamedBlock& block : blocks) {
    if (!is_name(block.name) || !seen.insert(block.name).second)
      fail(Errc::invalid_argument, "save_pool_state: name \"" + printable(block.name) +
                                       "\" is empty, too long or given twice");
    require(std::has_single_bit(block.alignment) &&
                std::countr_zero(block.alignment) <= kMaxLog2Alignment,
            "save_pool_state: an alignment is not a power of two up to 2 MiB");
  }
  os::AtomicFile file(path);
  std::string head(kMagic);
  put(head, kEndianMark);
  put(head, kVersion);
  head.resize(kHeaderBytes);
  file.write(head);
  std::string entries, names;
  for (const NamedBlock& block : blocks) {
    Packing packing{CodecId::stored, 1, block.content.size(), 0};
    std::span<const std::byte> payload = block.content;
    const auto packed = block.compress ? pack_block(block.content) : std::nullopt;
    if (packed) {
      packing = *packed;
      payload = packed->payload;
    } else {
      packing.checksum = xxh64(block.content);
    }
    put(entries, static_cast<std::uint32_t>(block.name.size()));
    put(entries, static_cast<std::uint8_t>(std::countr_zero(block.alignment)));
    put(entries, static_cast<std::uint8_t>(packing.codec));
    put(entries, packing.element_bytes);
    put(entries, std::uint8_t{0});
    put(entries, packing.bytes);
    put(entries, std::uint64_t{payload.size()});
    put(entries, packing.checksum);
    names += block.name;
    write_pieces(file, payload);
    std::uint64_t rest = region_bytes(packing.bytes, payload.size()).value() - payload.size();
    for (const std::string zeros(4096, '\0'); rest > 0;) {
      const std::size_t piece = std::min<std::uint64_t>(rest, zeros.size());
      file.write(std::string_view(zeros).substr(0, piece));
      rest -= piece;
    }
  }
  entries += names;
  file.write(entries);
  std::string footer;
  put(footer, file.size() + kFooterBytes);
  put(footer, std::uint64_t{blocks.size()});
  put(footer, std::uint64_t{names.size()});
  put(footer, xxh64(bytes_of(entries)));
  put(footer, xxh64(bytes_of(footer)));
  file.write(footer);
  file.commit();
}

std::vector<RestoredBlock> load_pool_state(std::span<const std::byte> file, const std::string& name,
                                           HybridMemoryPool& pool, const Placement& placement) {
  check_marks(file, name, kMagic, kVersion);
  const Directory directory(file, name);
  std::vector<RestoredBlock> blocks;
  blocks.reserve(directory.count);
  std::unordered_set<std::string_view> seen;
  std::uint64_t at = kHeaderBytes, name_at = directory.names_offset;
  const std::uint64_t names_end = name_at + directory.names_bytes;
  for (std::uint64_t i = 0; i < directory.count; ++i) {
    const std::uint64_t entry_at = directory.offset + i * kEntryBytes;
    const Entry entry(file.subspan(entry_at, kEntryBytes));
    check_entry(entry, entry_at, name);
    if (entry.name_bytes > names_end - name_at)
      refuse(name, "E_KEY", entry_at, "bytes of a name", std::to_string(entry.name_bytes),
             "at most " + std::to_string(names_end - name_at));
    const std::string_view block_name = text_of(file.subspan(name_at, entry.name_bytes));
    if (!is_name(block_name))
      refuse(name, "E_KEY", entry_at, "bytes of a name", std::to_string(entry.name_bytes),
             "1 to " + std::to_string(kMaxNameBytes));
    if (!seen.insert(block_name).second)
      refuse(name, "E_DUPKEY", name_at, "name", printable(block_name), "no two alike");
    const auto region = region_bytes(entry.packing.bytes, entry.payload_bytes);
    if (!region || *region > directory.offset - at)
      refuse(name, "E_SIZE", entry_at + 8, "bytes of block \"" + printable(block_name) + "\"",
             std::to_string(entry.packing.bytes) + " from " + std::to_string(entry.payload_bytes),
             "what the file has room for");
    const Device device = placement ? placement(block_name) : Device{};
    blocks.push_back({std::string(block_name),
                      restore(entry, file.subspan(at, entry.payload_bytes), at, name, pool, device),
                      std::size_t{1} << entry.log2_alignment});
    at += *region;
    name_at += entry.name_bytes;
  }
  if (at != directory.offset || name_at != names_end)
    refuse(name, "E_SIZE", at, "contents and names", "end early", "they fill the file");
  return blocks;
}

std::vector<RestoredBlock> load_pool_state(const std::string& path, HybridMemoryPool& pool,
                                           const Placement& placement) {
  const os::MappedFile file(path);
  std::vector<RestoredBlock> blocks;
  try {
    blocks = load_pool_state(file.bytes(), path, pool, placement);
  } catch (const Error&) {
    file.check_intact();  // that it shrank meanwhile says more
    throw;
  }
  file.check_intact();
  return blocks;
}

}  // namespace bitnet::storage
