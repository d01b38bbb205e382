// SPDX-License-Identifier: MIT OR Apache-2.0
// What a zip archive holds (PKWARE's APPNOTE.TXT 6.3.10, zip64 included), checked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bitnet/io/source.h"

namespace bitnet {

struct ZipMember {
  std::string name;  // a name and nothing more: no path is made of it
  std::uint16_t method = 0;
  std::uint32_t crc = 0;
  std::uint64_t offset = 0, packed_bytes = 0;  // its bytes in the file
  std::uint64_t bytes = 0;                     // of the content
};

inline constexpr std::uint16_t kZipStored = 0, kZipDeflated = 8;

/// The members in the order of the directory. It must end where the archive's end record begins;
/// each member's own record must agree with it; no two members share bytes; names are UTF-8, no two
/// alike. Content of stored members has the size it takes; of deflated ones at most 1032 times that
/// (what deflate can reach), so that sizes may be believed before anything is unpacked. Throws
/// FileError: E_MAGIC, E_TRUNCATED, E_COUNT, E_HEADER, E_KEY, E_DUPTENSOR, E_OFFSET, E_OVERLAP,
/// E_SIZE; unsupported E_CODEC (encrypted, several disks).
std::vector<ZipMember> read_zip_directory(const Source& source);

}  // namespace bitnet
