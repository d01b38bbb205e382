// SPDX-License-Identifier: MIT OR Apache-2.0
// Named blocks of a pool in one file, to go on with after a restart.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitnet/memory/hybrid_pool.h"

namespace bitnet::storage {

struct NamedBlock {
  std::string_view name;               // 1 to 4096 bytes, no two alike
  std::span<const std::byte> content;  // host memory that stays as it is during the call
  std::size_t alignment = HybridMemoryPool::kDefaultAlignment;  // as for allocate()
  bool compress = false;  // through the codecs, where it becomes smaller
};

struct RestoredBlock {
  std::string name;
  MemoryHandle block;
  std::size_t alignment = 0;
};

/// The file, all numbers little-endian, all places counted from its beginning:
///   magic "BNPOOL\r\n" | u32 mark 0x0A0B0C0D | u32 version 1 | zeros up to 64
///   for each block its payload, in a region of 64 * ceil(max(payload, bytes / 256) / 64) bytes:
///     what a block needs in memory is at most 256 times what it takes in the file
///   for each block 32 bytes: u32 bytes of its name, u8 log2 of its alignment, u8 codec,
///     u8 bytes of an element, u8 0, u64 bytes, u64 bytes of its payload, u64 xxh64 of its content
///   the names, one behind the other
///   u64 bytes of the file | u64 blocks | u64 bytes of all names | u64 xxh64 of the 32-byte entries
///     and names | u64 xxh64 of these four
///
/// Replaces the file as a whole or not at all, and packs one block at a time. Throws Error:
/// invalid_argument (name, alignment), FileError: io E_IO.
void save_pool_state(const std::string& path, std::span<const NamedBlock> blocks);

/// Where a block of this name goes; an empty function: the host.
using Placement = std::function<Device(std::string_view name)>;

/// Blocks in the order they were saved, with their contents, in memory of `pool`. Throws
/// FileError: io E_IO; corrupt_file E_SIZE, E_MAGIC, E_ENDIAN, E_CHECKSUM, E_COUNT, E_HEADER,
/// E_ALIGN, E_KEY, E_DUPKEY, E_BLOCK; unsupported E_ENDIAN, E_VERSION, E_CODE (a codec that is not
/// built in); Error: out_of_memory, invalid_argument (no such device), device_lost. Nothing stays
/// allocated then.
std::vector<RestoredBlock> load_pool_state(const std::string& path, HybridMemoryPool& pool,
                                           const Placement& placement = {});
/// The same from bytes that are there already; `name` is for messages.
std::vector<RestoredBlock> load_pool_state(std::span<const std::byte> file, const std::string& name,
                                           HybridMemoryPool& pool, const Placement& placement = {});

}  // namespace bitnet::storage
