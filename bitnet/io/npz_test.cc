// SPDX-License-Identifier: MIT OR Apache-2.0
// Archives of arrays: what was written is read; hostile archives are errors and take no memory.
#include "bitnet/io/npz.h"

#include <gtest/gtest.h>

#include <functional>

#include "bitnet/base/hash.h"
#include "bitnet/io/allocation_meter.h"
#include "bitnet/io/inflate.h"
#include "bitnet/io/test_bytes.h"
#include "bitnet/memory/storage/numbers.h"

namespace bitnet {
namespace {

using testing::Bytes;

Tensor bytes_tensor(const Shape& shape, int seed) {
  Tensor tensor = Tensor::allocate(DType::u8, shape);
  for (std::size_t i = 0; i < tensor.size_bytes(); ++i)
    tensor.mutable_data()[i] = static_cast<std::byte>(seed + 31 * static_cast<int>(i));
  return tensor;
}

std::string_view text_of(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.data()), tensor.size_bytes()};
}

std::string npy_text(const Tensor& tensor) {
  return make_npy_header(tensor.dtype(), tensor.shape()) + std::string(text_of(tensor));
}

// A member as a hostile writer would have it: every number of both records can be bent.
struct Member {
  std::string name, packed;
  std::uint64_t bytes;
  std::uint32_t crc = 0;
  std::uint16_t method = 0, flags = 0;
  std::string local_name{}, local_extra{}, extra{};
  std::uint32_t local_bytes = 0, central_bytes = 0, central_packed = 0, offset = 0;

  static Member stored(const std::string& name, const std::string& content) {
    Member m{name + ".npy", content, content.size(), crc32(testing::as_bytes(content))};
    m.local_name = m.name;
    m.local_bytes = m.central_bytes = static_cast<std::uint32_t>(m.bytes);
    m.central_packed = static_cast<std::uint32_t>(m.packed.size());
    return m;
  }
};

std::string archive(std::vector<Member> members, const std::function<void(Member&)>& bend = {},
                    int more_members = 0) {
  Bytes out;
  for (Member& m : members) {
    m.offset = static_cast<std::uint32_t>(out.str().size());
    if (bend) bend(m);
    out.raw("PK\3\4").number(std::uint16_t{20}).number(m.flags).number(m.method).u32(0);
    out.u32(m.crc).u32(m.packed.size()).u32(m.local_bytes);
    out.number(static_cast<std::uint16_t>(m.local_name.size()));
    out.number(static_cast<std::uint16_t>(m.local_extra.size()));
    out.raw(m.local_name).raw(m.local_extra).raw(m.packed);
  }
  const std::size_t begin = out.str().size();
  for (const Member& m : members) {
    out.raw("PK\1\2").u32(20).number(m.flags).number(m.method).u32(0);
    out.u32(m.crc).u32(m.central_packed).u32(m.central_bytes);
    out.number(static_cast<std::uint16_t>(m.name.size()));
    out.number(static_cast<std::uint16_t>(m.extra.size()));
    out.raw(std::string(10, '\0')).u32(m.offset).raw(m.name).raw(m.extra);
  }
  const std::size_t bytes = out.str().size() - begin;
  const auto count = static_cast<std::uint16_t>(static_cast<int>(members.size()) + more_members);
  out.raw("PK\5\6").u32(0).number(count).number(count).u32(bytes).u32(begin);
  return out.number(std::uint16_t{0}).str();
}

/// The kind of fault of opening and reading everything; "" for none.
std::string fault_of(std::string_view text) {
  const auto heap = std::make_unique<char[]>(text.size());
  std::copy(text.begin(), text.end(), heap.get());
  try {
    const NpzFile file(testing::as_bytes({heap.get(), text.size()}), "hostile");
    for (const ZipMember& array : file.arrays()) {
      const Tensor tensor = file.read(array);
      EXPECT_EQ(tensor.size_bytes(), file.header(array).data_bytes);
    }
  } catch (const FileError& error) {
    EXPECT_TRUE(error.fault().file.starts_with("hostile"));
    return error.fault().kind;
  }
  return "";
}

TEST(Npz, RoundTripsNamesShapesAndStrides) {
  const testing::TemporaryFolder folder;
  const Tensor a = bytes_tensor({3, 5}, 1), empty = bytes_tensor({0, 7}, 2),
               scalar = bytes_tensor({}, 3);
  const NpzItem items[] = {
      {"a", a}, {"../x/\xc3\xa9", a.view().transpose(0, 1)}, {"none", empty}, {"scalar", scalar}};
  write_npz(folder / "f", items);
  const NpzFile file(folder / "f");
  ASSERT_EQ(file.arrays().size(), 4u);
  EXPECT_EQ(text_of(file.read(*file.find("a"))), text_of(a));
  EXPECT_EQ(file.read(*file.find("a")).name(), "a");
  const Tensor turned = file.read(*file.find("../x/\xc3\xa9"));
  EXPECT_EQ(turned.shape(), (Shape{5, 3}));
  EXPECT_EQ(turned.view().at<std::uint8_t>({4, 2}), a.view().at<std::uint8_t>({2, 4}));
  EXPECT_EQ(file.read(*file.find("none")).shape(), (Shape{0, 7}));
  EXPECT_EQ(text_of(file.read(*file.find("scalar"))), text_of(scalar));
  EXPECT_EQ(file.header(file.arrays()[0]).shape, (Shape{3, 5}));
  EXPECT_EQ(file.find("b"), nullptr);
  write_npz(folder / "g", {});
  EXPECT_TRUE(NpzFile(folder / "g").arrays().empty());
}

TEST(Npz, MoreMembersThanSixteenBitsCount) {
  const testing::TemporaryFolder folder;
  const Tensor a = bytes_tensor({1}, 1);
  std::vector<NpzItem> items;
  for (int i = 0; i < 65'536; ++i) items.push_back({std::to_string(i), a});
  write_npz(folder / "f", items);
  const NpzFile file(folder / "f");
  ASSERT_EQ(file.arrays().size(), items.size());
  EXPECT_EQ(text_of(file.read(file.arrays().back())), text_of(a));
}

TEST(Npz, RefusesWhatItCannotWrite) {
  const testing::TemporaryFolder folder;
  const Tensor a = bytes_tensor({1}, 1), packed = Tensor::allocate(DType::i4, {3});
  const auto refused = [&](std::vector<NpzItem> items) {
    EXPECT_THROW(write_npz(folder / "x", items), Error);
    EXPECT_FALSE(os::is_regular_file(folder / "x"));
  };
  refused({{"", a}});
  refused({{"\xff", a}});
  refused({{"a", a}, {"a", a}});
  refused({{"a", a}, {"p", packed}});
}

// What make_npy_header(u8, {2, 50}) gives and 100 zeros, packed by zlib at level 6.
const std::string kDeflatedZeros(
    "\x9b\xec\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad\x9e\x92\x5a\x9c\x5c\xa4\x6e\xa5\xa0\x5e\x53"
    "\x6a"
    "\xa8\xae\xa3\xa0\x9e\x96\x5f\x54\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a\x12\x77\x4b\xcc\x29\x4e"
    "\x05"
    "\x8a\x17\x67\x24\x16\xa4\x02\xf9\x1a\x46\x3a\x0a\xa6\x06\x3a\x0a\x9a\x3a\x0a\xb5\x0a\xe4\x01"
    "\x2e"
    "\x06\x3a\x00\x00",
    76);

Member deflated_zeros() {
  const std::string content = make_npy_header(DType::u8, {2, 50}) + std::string(100, '\0');
  Member m = Member::stored("z", content);
  m.packed = kDeflatedZeros;
  m.central_packed = static_cast<std::uint32_t>(m.packed.size());
  m.method = kZipDeflated;
  return m;
}

TEST(Npz, DeflatedMembersAreUnpackedOrRefusedByName) {
  const std::string text =
      archive({deflated_zeros(), Member::stored("a", npy_text(bytes_tensor({3}, 1)))});
  const NpzFile file(testing::as_bytes(text), "t");
  EXPECT_EQ(text_of(file.read(*file.find("a"))), text_of(bytes_tensor({3}, 1)));
  if (!make_inflater({})) {
    EXPECT_EQ(fault_of(text), "E_CODEC");
    GTEST_SKIP() << "this build has no zlib";
  }
  const Tensor zeros = file.read(*file.find("z"));
  EXPECT_EQ(zeros.shape(), (Shape{2, 50}));
  EXPECT_EQ(text_of(zeros), std::string(100, '\0'));
}

TEST(NpzHostile, DeflatedContentThatLiesIsRefused) {
  if (!make_inflater({})) GTEST_SKIP() << "this build has no zlib";
  const auto with = [](const std::function<void(Member&)>& bend) {
    Member m = deflated_zeros();
    bend(m);
    m.central_packed = static_cast<std::uint32_t>(m.packed.size());
    m.local_bytes = m.central_bytes;
    return fault_of(archive({m}));
  };
  EXPECT_EQ(with([](Member&) {}), "");
  EXPECT_EQ(with([](Member& m) { m.crc ^= 1; }), "E_CHECKSUM");
  EXPECT_EQ(with([](Member& m) { m.packed.resize(60); }), "E_BLOCK");
  EXPECT_EQ(with([](Member& m) { m.packed += "x"; }), "E_SIZE");
  EXPECT_EQ(with([](Member& m) { m.packed[0] = '\xff'; }), "E_BLOCK");
  EXPECT_EQ(with([](Member& m) { m.method = 12; }), "E_CODEC");
  // Sizes that the header does not justify, and one that deflate cannot reach.
  EXPECT_EQ(with([](Member& m) { m.central_bytes -= 1; }), "E_TRUNCATED");
  EXPECT_EQ(with([](Member& m) { m.central_bytes += 1; }), "E_SHAPE");
  EXPECT_EQ(with([](Member& m) {
              m.central_bytes = 1032 * static_cast<std::uint32_t>(m.packed.size()) + 1;
            }),
            "E_SIZE");
}

TEST(NpzHostile, EachRuleNamesItself) {
  const Member a = Member::stored("a", npy_text(bytes_tensor({3}, 1)));
  const Member b = Member::stored("b", npy_text(bytes_tensor({5}, 2)));
  const auto bent = [&](const std::function<void(Member&)>& bend) { return archive({a, b}, bend); };
  const std::string good = archive({a, b});
  std::string zip64;  // sizes in the directory's zip64 field, as for large files
  storage::put(zip64, std::uint16_t{1});
  storage::put(zip64, std::uint16_t{16});
  storage::put(zip64, std::uint64_t{a.bytes});
  storage::put(zip64, std::uint64_t{a.bytes});
  std::string huge = zip64;
  huge.replace(4, 16, std::string(16, '\x7f'));
  const std::pair<std::string, const char*> cases[] = {
      {good, ""},
      {"PK", "E_MAGIC"},
      {npy_text(bytes_tensor({3}, 1)), "E_MAGIC"},
      {good + "x", "E_TRUNCATED"},
      {archive({a, b}, {}, -1), "E_SIZE"},
      {archive({a, b}, {}, 9), "E_COUNT"},
      {bent([](Member& m) { m.flags = 1; }), "E_CODEC"},
      {bent([](Member& m) { m.method = 93; }), "E_CODEC"},
      {bent([](Member& m) { m.name = m.local_name = "\xff.npy"; }), "E_KEY"},
      {bent([](Member& m) { m.name = m.local_name = "a.npy"; }), "E_DUPTENSOR"},
      {bent([](Member& m) { m.local_name = "c.npy"; }), "E_HEADER"},
      {bent([](Member& m) { m.local_bytes += 1; }), "E_HEADER"},
      {bent([](Member& m) { m.crc = 7; }), "E_CHECKSUM"},
      {bent([](Member& m) { m.central_bytes += 1; }), "E_SIZE"},
      {bent([](Member& m) { m.central_bytes = m.central_packed += 1'000'000; }), "E_TRUNCATED"},
      {bent([](Member& m) { m.offset += 4; }), "E_OFFSET"},
      {bent([](Member& m) { m.offset = 0xfffffff0; }), "E_OFFSET"},
      {bent([](Member& m) { m.extra = std::string("\1\0\x9\0", 4); }), "E_HEADER"},
      {bent([](Member& m) {
         m.central_bytes = 0xffffffff;
         m.extra = std::string("\1\0\0\0", 4);
       }),
       "E_HEADER"},
      {archive({a},
               [&](Member& m) {
                 m.central_bytes = m.central_packed = ~0u;
                 m.extra = zip64;
               }),
       ""},
      {archive({a},
               [&](Member& m) {
                 m.central_bytes = m.central_packed = ~0u;
                 m.extra = huge;
               }),
       "E_TRUNCATED"},
  };
  for (const auto& [text, kind] : cases) {
    const AllocationMeter meter;
    EXPECT_EQ(fault_of(text), kind) << &text - &cases[0].first;
    EXPECT_LT(meter.peak_bytes(), 16 * text.size() + 16'384);
  }
}

TEST(NpzHostile, MembersThatShareBytesAreRefused) {
  // Two names for the same record, and a member inside another's content.
  const std::string content = npy_text(bytes_tensor({3}, 1));
  Member a = Member::stored("a", content);
  const std::string inner = archive({a}).substr(0, 30 + 5 + content.size());
  Member outer = Member::stored("o", npy_text(bytes_tensor({3}, 1)) + inner);
  std::string text = archive({outer, a}, [&](Member& m) {
    if (m.name == "a.npy") m.offset = 30 + 5 + static_cast<std::uint32_t>(content.size());
  });
  EXPECT_EQ(fault_of(text), "E_OVERLAP");
}

TEST(NpzHostile, PrefixesAndByteFlips) {
  std::vector<Member> members{Member::stored("a", npy_text(bytes_tensor({3}, 1)))};
  if (make_inflater({})) members.push_back(deflated_zeros());
  const std::string text = archive(members);
  ASSERT_EQ(fault_of(text), "");
  for (std::size_t length = 0; length < text.size(); ++length)
    EXPECT_NE(fault_of(text.substr(0, length)), "") << length;
  for (std::size_t at = 0; at < text.size(); ++at)
    for (unsigned value = 0; value < 256; value += 3) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(value);
      const AllocationMeter meter;
      fault_of(flipped);
      EXPECT_LT(meter.peak_bytes(), 262'144u);
    }
}

}  // namespace
}  // namespace bitnet
