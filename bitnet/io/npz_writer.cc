// SPDX-License-Identifier: MIT OR Apache-2.0
#include <algorithm>
#include <unordered_set>

#include "bitnet/base/hash.h"
#include "bitnet/io/npz.h"
#include "bitnet/io/utf8.h"
#include "bitnet/io/whole_rows.h"

namespace bitnet {
namespace {

using storage::put;

constexpr std::uint16_t kVersion = 45;  // of zip, the first with zip64
constexpr std::uint16_t kUtf8 = 1 << 11;
constexpr std::uint16_t kDate = (0 << 9) | (1 << 5) | 1;  // 1980-01-01: files do not tell when
constexpr std::uint64_t kIn64 = 0xffffffff, kCountIn64 = 0xffff;
constexpr std::size_t kMaxNameBytes = 0xffff - 64;

std::uint32_t narrow(std::uint64_t number) {
  return static_cast<std::uint32_t>(std::min(number, kIn64));
}

struct Record {
  std::string name;
  std::uint32_t crc;
  std::uint64_t bytes, offset;
};

// What a member's own record and its record in the directory have in common.
void put_common(std::string& to, const Record& record, std::size_t extra_bytes) {
  put(to, kVersion);
  put(to, kUtf8);
  put(to, std::uint16_t{0});  // stored
  put(to, std::uint16_t{0});  // midnight
  put(to, kDate);
  put(to, record.crc);
  put(to, narrow(record.bytes));
  put(to, narrow(record.bytes));
  put(to, static_cast<std::uint16_t>(record.name.size()));
  put(to, static_cast<std::uint16_t>(extra_bytes));
}

std::string zip64_field(std::initializer_list<std::uint64_t> numbers) {
  std::string field;
  if (numbers.size() == 0) return field;
  put(field, std::uint16_t{1});
  put(field, static_cast<std::uint16_t>(8 * numbers.size()));
  for (const std::uint64_t number : numbers) put(field, number);
  return field;
}

std::string local_record(const Record& record) {
  const std::string extra =
      record.bytes < kIn64 ? std::string() : zip64_field({record.bytes, record.bytes});
  std::string to("PK\3\4");
  put_common(to, record, extra.size());
  return to + record.name + extra;
}

std::string central_record(const Record& record) {
  const bool large = record.bytes >= kIn64, far = record.offset >= kIn64;
  std::string extra;
  if (large)
    extra = far ? zip64_field({record.bytes, record.bytes, record.offset})
                : zip64_field({record.bytes, record.bytes});
  else if (far)
    extra = zip64_field({record.offset});
  std::string to("PK\1\2");
  put(to, kVersion);
  put_common(to, record, extra.size());
  to.append(10, '\0');  // no comment, disk 0, no attributes
  put(to, narrow(record.offset));
  return to + record.name + extra;
}

std::string end_records(std::uint64_t count, std::uint64_t offset, std::uint64_t bytes) {
  std::string to;
  if (count >= kCountIn64 || offset >= kIn64 || bytes >= kIn64) {
    to = "PK\6\6";
    put(to, std::uint64_t{44});  // what follows
    put(to, kVersion);
    put(to, kVersion);
    put(to, std::uint64_t{0});  // disk 0
    for (const std::uint64_t number : {count, count, bytes, offset}) put(to, number);
    to += "PK\6\7";
    put(to, std::uint32_t{0});
    put(to, offset + bytes);
    put(to, std::uint32_t{1});  // disks
  }
  to += "PK\5\6";
  put(to, std::uint32_t{0});
  for (int i = 0; i < 2; ++i) put(to, static_cast<std::uint16_t>(std::min(count, kCountIn64)));
  put(to, narrow(bytes));
  put(to, narrow(offset));
  put(to, std::uint16_t{0});  // no comment
  return to;
}

void check_names(std::span<const NpzItem> items) {
  std::unordered_set<std::string_view> seen;
  for (const NpzItem& item : items)
    if (item.name.empty() || item.name.size() > kMaxNameBytes || !is_utf8(item.name) ||
        !seen.insert(item.name).second)
      fail(Errc::invalid_argument, "write_npz: name \"" + printable(item.name) +
                                       "\" is empty, too long, not UTF-8 or given twice");
}

}  // namespace

void write_npz(const std::string& path, std::span<const NpzItem> items) {
  check_names(items);
  os::AtomicFile file(path);
  std::string directory;
  for (const NpzItem& item : items) {
    const std::string head = make_npy_header(item.view.dtype(), item.view.shape());
    const WholeRows rows(item.view);
    const Record record{item.name + ".npy", crc32(rows.bytes(), crc32(storage::bytes_of(head))),
                        head.size() + rows.bytes().size(), file.size()};
    file.write(local_record(record));
    file.write(head);
    storage::write_pieces(file, rows.bytes());
    directory += central_record(record);
  }
  const std::uint64_t offset = file.size();
  file.write(directory);
  file.write(end_records(items.size(), offset, directory.size()));
  file.commit();
}

}  // namespace bitnet
