// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/zip_directory.h"

#include <algorithm>
#include <string_view>

#include "bitnet/base/checked.h"
#include "bitnet/io/utf8.h"
#include "bitnet/memory/storage/numbers.h"

namespace bitnet {
namespace {

using storage::get;

constexpr std::uint32_t kLocalSign = 0x04034b50, kCentralSign = 0x02014b50, kEndSign = 0x06054b50,
                        kEnd64Sign = 0x06064b50, kLocatorSign = 0x07064b50;
constexpr std::uint64_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56,
                        kLocatorBytes = 20;
constexpr std::uint64_t kMaxComment = 0xffff;
constexpr std::uint32_t kIn64 = 0xffffffff;  // the number stands in the zip64 field
constexpr std::uint64_t kMaxRatio = 1032;    // zlib's manual, "Maximum Compression Factor"
constexpr std::uint16_t kEncrypted = 1, kSizesBehind = 8;

struct Directory {
  std::uint64_t count, offset, end;
};

class Reader {
 public:
  explicit Reader(const Source& source) : source_(source), file_(source.bytes()) {}

  std::vector<ZipMember> members() const {
    const Directory directory = find_directory();
    std::vector<ZipMember> members;
    std::vector<Place> places;
    std::uint64_t at = directory.offset;
    for (std::uint64_t i = 0; i < directory.count; ++i) {
      if (directory.end - at < kCentralBytes)
        fail("E_TRUNCATED", at, "zip directory", std::to_string(directory.end - at) + " bytes left",
             "46 or more for each of " + std::to_string(directory.count) + " members");
      at += read_member(at, directory, members, places);
    }
    if (at != directory.end)
      fail("E_SIZE", at, "zip directory", std::to_string(directory.end - at) + " bytes left",
           "its members fill it");
    check_apart(places);
    check_names(members);
    return members;
  }

 private:
  struct Place {
    std::uint64_t begin, end;
  };

  // Sizes and place as a record has them, widened by its zip64 field.
  struct Sizes {
    std::uint64_t bytes, packed, offset;
  };

  [[noreturn]] void fail(const char* kind, std::uint64_t offset, const char* field,
                         std::string value, std::string limit,
                         Errc code = Errc::corrupt_file) const {
    source_.fail(kind, offset, field, std::move(value), std::move(limit), code);
  }

  bool has_sign(std::uint64_t at, std::uint32_t sign) const {
    return get<std::uint32_t>(file_, at) == sign;
  }

  std::string_view text(std::uint64_t at, std::uint64_t bytes) const {
    return source_.text().substr(at, bytes);
  }

  std::uint64_t find_end() const {
    if (file_.size() < kEndBytes || !text(0, 2).starts_with("PK"))
      fail("E_MAGIC", 0, "magic", "\"" + printable(text(0, 4)) + "\"", "PK of a zip archive");
    const std::uint64_t last = file_.size() - kEndBytes;
    for (std::uint64_t back = 0; back <= std::min(last, kMaxComment); ++back)
      if (has_sign(last - back, kEndSign) && get<std::uint16_t>(file_, last - back + 20) == back)
        return last - back;
    fail("E_TRUNCATED", file_.size(), "zip end record", "not found", "in the last 65557 bytes");
  }

  Directory find_directory() const {
    std::uint64_t end = find_end();
    const std::uint64_t disk = get<std::uint16_t>(file_, end + 4);
    Directory found{get<std::uint16_t>(file_, end + 10), get<std::uint32_t>(file_, end + 16), end};
    std::uint64_t bytes = get<std::uint32_t>(file_, end + 12);
    std::uint64_t here = get<std::uint16_t>(file_, end + 8);
    if (end >= kLocatorBytes && has_sign(end - kLocatorBytes, kLocatorSign)) {
      end -= kLocatorBytes;
      const auto at = get<std::uint64_t>(file_, end + 8);
      if (at > end || end - at < kEnd64Bytes || !has_sign(at, kEnd64Sign) ||
          get<std::uint64_t>(file_, at + 4) != end - at - 12)
        fail("E_OFFSET", end + 8, "zip64 end record", std::to_string(at),
             "a record that ends at byte " + std::to_string(end));
      here = get<std::uint64_t>(file_, at + 24);
      bytes = get<std::uint64_t>(file_, at + 40);
      found = {get<std::uint64_t>(file_, at + 32), get<std::uint64_t>(file_, at + 48), at};
    }
    if (disk != 0 || here != found.count)
      fail("E_CODEC", end + 4, "zip archive", "on several disks", "one file", Errc::unsupported);
    if (checked_add(found.offset, bytes) != found.end)
      fail("E_OFFSET", end, "zip directory",
           std::to_string(bytes) + " bytes from " + std::to_string(found.offset),
           "ends at byte " + std::to_string(found.end) + ", where the end record begins");
    if (found.count > bytes / kCentralBytes)
      fail("E_COUNT", end, "zip members", std::to_string(found.count),
           "at most " + std::to_string(bytes / kCentralBytes) + " in a directory of " +
               std::to_string(bytes) + " bytes");
    return found;
  }

  // The zip64 field lists, in this order, those of the numbers that did not fit.
  void widen(Sizes& sizes, std::uint64_t extra, std::uint64_t extra_bytes) const {
    const std::uint64_t extra_end = extra + extra_bytes;
    while (extra_end - extra >= 4) {
      const auto id = get<std::uint16_t>(file_, extra);
      const std::uint64_t length = get<std::uint16_t>(file_, extra + 2);
      extra += 4;
      if (length > extra_end - extra)
        fail("E_HEADER", extra - 2, "zip extra field", std::to_string(length) + " bytes",
             "at most " + std::to_string(extra_end - extra));
      if (id == 1) {
        std::uint64_t at = extra;
        for (std::uint64_t* number : {&sizes.bytes, &sizes.packed, &sizes.offset}) {
          if (*number != kIn64) continue;
          if (extra + length - at < 8)
            fail("E_HEADER", extra, "zip64 field", std::to_string(length) + " bytes",
                 "8 for each number that it replaces");
          *number = get<std::uint64_t>(file_, at);
          at += 8;
        }
        return;
      }
      extra += length;
    }
  }

  /// Appends a member of the directory; returns the bytes of its record.
  std::uint64_t read_member(std::uint64_t at, const Directory& directory,
                            std::vector<ZipMember>& members, std::vector<Place>& places) const {
    const std::uint64_t name_bytes = get<std::uint16_t>(file_, at + 28),
                        extra_bytes = get<std::uint16_t>(file_, at + 30),
                        record = kCentralBytes + name_bytes + extra_bytes +
                                 get<std::uint16_t>(file_, at + 32);
    if (!has_sign(at, kCentralSign) || record > directory.end - at)
      fail("E_HEADER", at, "zip directory", "no record of a member, or one that is cut", "");
    const auto flags = get<std::uint16_t>(file_, at + 8);
    Sizes sizes{get<std::uint32_t>(file_, at + 24), get<std::uint32_t>(file_, at + 20),
                get<std::uint32_t>(file_, at + 42)};
    widen(sizes, at + kCentralBytes + name_bytes, extra_bytes);
    ZipMember member{std::string(text(at + kCentralBytes, name_bytes)),
                     get<std::uint16_t>(file_, at + 10),
                     get<std::uint32_t>(file_, at + 16),
                     0,
                     sizes.packed,
                     sizes.bytes};
    if (flags & kEncrypted)
      fail("E_CODEC", at + 8, "zip member", "\"" + printable(member.name) + "\" is encrypted",
           "plain members", Errc::unsupported);
    if (!is_utf8(member.name) || member.name.empty())
      fail("E_KEY", at + kCentralBytes, "zip member", "\"" + printable(member.name) + "\"",
           "a name in UTF-8");
    check_sizes(member, at);
    read_local(member, sizes.offset, directory.offset, at);
    places.push_back({sizes.offset, member.offset + member.packed_bytes});
    members.push_back(std::move(member));
    return record;
  }

  void check_sizes(const ZipMember& member, std::uint64_t at) const {
    const std::uint64_t most = member.method == kZipStored ? member.packed_bytes
                               : member.packed_bytes > UINT64_MAX / kMaxRatio
                                   ? UINT64_MAX
                                   : member.packed_bytes * kMaxRatio;
    if (member.bytes > most || (member.method == kZipStored && member.bytes != most))
      fail("E_SIZE", at + 24, "zip member", std::to_string(member.bytes) + " bytes of content",
           (member.method == kZipStored ? "" : "at most ") + std::to_string(most) + " out of " +
               std::to_string(member.packed_bytes));
  }

  /// The record in front of the content; a file that shows different contents to different
  /// programs is refused.
  void read_local(ZipMember& member, std::uint64_t local, std::uint64_t limit,
                  std::uint64_t at) const {
    if (local > limit || limit - local < kLocalBytes || !has_sign(local, kLocalSign))
      fail("E_OFFSET", at + 42, "zip member", std::to_string(local),
           "the place of a member before byte " + std::to_string(limit));
    const std::uint64_t name_bytes = get<std::uint16_t>(file_, local + 26),
                        extra_bytes = get<std::uint16_t>(file_, local + 28);
    if (name_bytes + extra_bytes > limit - local - kLocalBytes)
      fail("E_TRUNCATED", local + 26, "zip member", "its name goes beyond the file", "");
    member.offset = local + kLocalBytes + name_bytes + extra_bytes;
    if (member.packed_bytes > limit - member.offset)
      fail("E_TRUNCATED", at + 20, "zip member", std::to_string(member.packed_bytes) + " bytes",
           "at most " + std::to_string(limit - member.offset) + " before the directory");
    Sizes sizes{get<std::uint32_t>(file_, local + 22), get<std::uint32_t>(file_, local + 18), 0};
    widen(sizes, local + kLocalBytes + name_bytes, extra_bytes);
    const bool known = !(get<std::uint16_t>(file_, local + 6) & kSizesBehind);
    if (text(local + kLocalBytes, name_bytes) != member.name ||
        get<std::uint16_t>(file_, local + 8) != member.method ||
        (known && (get<std::uint32_t>(file_, local + 14) != member.crc ||
                   sizes.bytes != member.bytes || sizes.packed != member.packed_bytes)))
      fail("E_HEADER", local, "zip member", "\"" + printable(member.name) + "\"",
           "name, method, sizes and checksum as in the directory");
  }

  void check_apart(std::vector<Place>& places) const {
    std::sort(places.begin(), places.end(),
              [](const Place& a, const Place& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < places.size(); ++i)
      if (places[i].begin < places[i - 1].end)
        fail("E_OVERLAP", places[i].begin, "zip member", "begins here",
             "after byte " + std::to_string(places[i - 1].end) + ", the end of the one before");
  }

  void check_names(const std::vector<ZipMember>& members) const {
    std::vector<std::string_view> names;
    names.reserve(members.size());
    for (const ZipMember& member : members) names.push_back(member.name);
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end())
      fail("E_DUPTENSOR", 0, "zip member", "\"" + printable(*twice) + "\"", "no two names alike");
  }

  const Source& source_;
  std::span<const std::byte> file_;
};

}  // namespace

std::vector<ZipMember> read_zip_directory(const Source& source) { return Reader(source).members(); }

}  // namespace bitnet
