// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/memory/storage/mapped_storage.h"

#include <algorithm>
#include <string_view>

#include "bitnet/base/checked.h"
#include "bitnet/base/hash.h"
#include "bitnet/memory/storage/numbers.h"

namespace bitnet::storage {
namespace {

constexpr std::string_view kMagic = "BNSTORE\x1a", kEnd = "BNSTEND\n";
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kDataAlignment = 4096;
constexpr std::size_t kChecked = 48, kHeaderBytes = 56;

[[noreturn]] void refuse(const std::string& path, const char* kind, std::uint64_t offset,
                         const char* field, std::uint64_t value, const std::string& limit) {
  throw FileError(Errc::corrupt_file, {kind, path, offset, field, std::to_string(value), limit});
}

}  // namespace

MappedHeader read_header(std::span<const std::byte> all, const std::string& path) {
  check_marks(all, path, kMagic, kVersion);
  if (all.size() < kDataAlignment + kEnd.size())
    refuse(path, "E_SIZE", 0, "file size", all.size(),
           "at least " + std::to_string(kDataAlignment + kEnd.size()));
  if (get<std::uint64_t>(all, kChecked) != xxh64(all.first(kChecked)))
    refuse(path, "E_CHECKSUM", kChecked, "header checksum", get<std::uint64_t>(all, kChecked),
           std::to_string(xxh64(all.first(kChecked))));
  const auto file_bytes = get<std::uint64_t>(all, 16);
  if (file_bytes != all.size())
    refuse(path, "E_SIZE", 16, "bytes of the file", file_bytes, std::to_string(all.size()));
  const auto data_offset = get<std::uint64_t>(all, 24);
  if (data_offset == 0 || data_offset % kDataAlignment != 0)
    refuse(path, "E_OFFSET", 24, "offset of the data", data_offset, "a multiple of 4096");
  const auto data_bytes = get<std::uint64_t>(all, 32);
  const auto data_end = checked_add(data_offset, data_bytes);
  if (!data_end || checked_add(*data_end, kEnd.size()) != all.size())
    refuse(path, "E_SIZE", 32, "bytes of the data", data_bytes, "what the file has room for");
  const auto padding = all.subspan(kHeaderBytes, data_offset - kHeaderBytes);
  if (std::any_of(padding.begin(), padding.end(), [](std::byte b) { return b != std::byte{0}; }))
    refuse(path, "E_PADDING", kHeaderBytes, "bytes before the data", padding.size(), "zeros");
  return {data_offset, data_bytes, get<std::uint64_t>(all, 40)};
}

MappedStorage::MappedStorage(const std::string& path, os::MapMode mode)
    : file_(path, mode), header_(read_header(file_.bytes(), path)) {
  data_ = file_.bytes().subspan(header_.data_offset, header_.data_bytes);
  check_intact();
}

std::span<std::byte> MappedStorage::writable_bytes() const {
  return file_.writable_bytes().subspan(header_.data_offset, data_.size());
}

void MappedStorage::check_intact() const {
  // A cut inside the last page raises no signal, but leaves zeros in place of the end mark. Read
  // afresh: the compiler must not know these bytes from an earlier look.
  const volatile std::byte* end = file_.bytes().data() + file_.bytes().size() - kEnd.size();
  bool whole = true;
  for (std::size_t i = 0; i < kEnd.size(); ++i) {
    const std::byte seen = end[i];
    whole = whole && seen == static_cast<std::byte>(kEnd[i]);
  }
  file_.check_intact();
  if (!whole)
    throw FileError(Errc::io, {"E_IO", file_.path(), file_.bytes().size() - kEnd.size(), "end mark",
                               "other bytes", "the file was cut short or changed"});
}

void MappedStorage::verify() const {
  const std::uint64_t seen = xxh64(data_);
  check_intact();
  if (seen != header_.data_checksum)
    refuse(file_.path(), "E_CHECKSUM", 40, "data checksum", header_.data_checksum,
           std::to_string(seen));
}

void MappedStorage::create(const std::string& path, std::span<const std::byte> data) {
  std::string header(kMagic);
  put(header, kEndianMark);
  put(header, kVersion);
  put(header, std::uint64_t{kDataAlignment + data.size() + kEnd.size()});
  put(header, kDataAlignment);
  put(header, std::uint64_t{data.size()});
  put(header, xxh64(data));
  put(header, xxh64(bytes_of(header)));
  header.resize(kDataAlignment);
  os::AtomicFile file(path);
  file.write(header);
  write_pieces(file, data);
  file.write(kEnd);
  file.commit();
}

}  // namespace bitnet::storage
