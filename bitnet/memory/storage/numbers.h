// SPDX-License-Identifier: MIT OR Apache-2.0
// Little-endian numbers in files of our own, and the marks that they begin with.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "bitnet/base/error.h"
#include "bitnet/base/os/file.h"

namespace bitnet::storage {

template <class T>
T get(std::span<const std::byte> from, std::size_t at) noexcept {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = static_cast<T>(value | static_cast<T>(std::to_integer<T>(from[at + i]) << (8 * i)));
  return value;
}

template <class T>
void put(std::string& to, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    to.push_back(static_cast<char>(static_cast<unsigned char>(value >> (8 * i))));
}

inline std::span<const std::byte> bytes_of(std::string_view text) noexcept {
  return std::as_bytes(std::span(text.data(), text.size()));
}

/// AtomicFile keeps what it is given until it has 1 MiB: large blocks go in pieces.
inline void write_pieces(os::AtomicFile& file, std::span<const std::byte> bytes) {
  constexpr std::size_t kPiece = std::size_t{1} << 20;
  for (std::size_t at = 0; at < bytes.size(); at += kPiece)
    file.write(bytes.subspan(at, std::min(kPiece, bytes.size() - at)));
}

inline std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline constexpr std::uint32_t kEndianMark = 0x0A0B0C0D, kForeignMark = 0x0D0C0B0A;
/// magic (8 bytes), mark, version.
inline constexpr std::size_t kMarkBytes = 16;

/// Throws FileError: corrupt_file E_SIZE, E_MAGIC, E_ENDIAN, unsupported E_ENDIAN, E_VERSION.
inline void check_marks(std::span<const std::byte> file, const std::string& path,
                        std::string_view magic, std::uint32_t version) {
  const auto refuse = [&](Errc code, const char* kind, std::uint64_t offset, const char* field,
                          const std::string& value, const std::string& limit) {
    throw FileError(code, {kind, path, offset, field, value, limit});
  };
  if (file.size() < kMarkBytes)
    refuse(Errc::corrupt_file, "E_SIZE", 0, "file size", std::to_string(file.size()),
           "at least " + std::to_string(kMarkBytes));
  const std::string_view seen = text_of(file.first(magic.size()));
  if (seen != magic)
    refuse(Errc::corrupt_file, "E_MAGIC", 0, "magic", printable(seen), printable(magic));
  const auto mark = get<std::uint32_t>(file, 8);
  if (mark == kForeignMark)
    refuse(Errc::unsupported, "E_ENDIAN", 8, "byte order", "big-endian",
           "only little-endian files are read");
  if (mark != kEndianMark)
    refuse(Errc::corrupt_file, "E_ENDIAN", 8, "byte order", std::to_string(mark),
           std::to_string(kEndianMark));
  const auto got = get<std::uint32_t>(file, 12);
  if (got != version)
    refuse(Errc::unsupported, "E_VERSION", 12, "version", std::to_string(got),
           std::to_string(version));
}

}  // namespace bitnet::storage
