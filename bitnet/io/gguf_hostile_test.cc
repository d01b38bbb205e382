// SPDX-License-Identifier: MIT OR Apache-2.0
// Malformed GGUF files: one row per broken rule, the published attacks on GGUF parsers, truncation
// and byte flips.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <functional>
#include <random>

#include "bitnet/io/allocation_meter.h"
#include "bitnet/io/gguf.h"
#include "bitnet/io/test_bytes.h"

namespace bitnet {
namespace {

using testing::Bytes;

constexpr std::uint64_t kMax = UINT64_MAX;
enum : std::uint32_t { kU8 = 0, kU32 = 4, kI32 = 5, kBool = 7, kString = 8, kArray = 9 };

Bytes header(std::uint64_t tensors, std::uint64_t key_values, std::uint32_t version = 3) {
  return std::move(Bytes().raw("GGUF").u32(version).u64(tensors).u64(key_values));
}

/// A tensor record; f32 unless told.
Bytes& tensor(Bytes& out, std::string_view name, std::initializer_list<std::uint64_t> dims,
              std::uint64_t offset, std::uint32_t type = 0) {
  out.string(name).u32(dims.size());
  for (const std::uint64_t length : dims) out.u64(length);
  return out.u32(type).u64(offset);
}

std::string with_room(Bytes& out, std::size_t bytes = 64) {
  out.pad(32);
  return out.str() + std::string(bytes, '\0');
}

std::string one_tensor(std::initializer_list<std::uint64_t> dims, std::uint64_t offset = 0,
                       std::uint32_t type = 0, std::size_t room = 64) {
  Bytes out = header(1, 0);
  tensor(out, "t", dims, offset, type);
  return with_room(out, room);
}

std::string two_tensors(std::uint64_t second_offset, std::string_view second = "b",
                        std::size_t room = 256) {
  Bytes out = header(2, 0);
  tensor(out, "a", {16}, 0);
  tensor(out, second, {16}, second_offset);
  return with_room(out, room);
}

Bytes key(std::string_view name, std::uint32_t type) {
  return std::move(header(0, 1).string(name).u32(type));
}

std::string room(const Bytes& out) { return out.str() + std::string(64, '\0'); }

std::string alignment_file(std::uint32_t value) {
  return room(key("general.alignment", kU32).u32(value));
}

struct Case {
  const char* what;
  std::function<std::string()> make;
  const char* kind;
};

const Case kCases[] = {
    {"2 nothing but the magic", [] { return std::string("GGUF"); }, "E_TRUNCATED"},
    {"3 wrong magic", [] { return std::string("GGML") + std::string(60, '\0'); }, "E_MAGIC"},
    {"3 swapped magic", [] { return std::string("FUGG") + std::string(60, '\0'); }, "E_MAGIC"},
    {"4 version 0", [] { return header(0, 0, 0).str(); }, "E_VERSION"},
    {"4 version 1", [] { return header(0, 0, 1).str(); }, "E_VERSION"},
    {"4 version 4", [] { return header(0, 0, 4).str(); }, "E_VERSION"},
    {"4 version 2^31", [] { return header(0, 0, 1u << 31).str(); }, "E_VERSION"},
    {"4 version 3 big-endian", [] { return header(0, 0, 3u << 24).str(); }, "E_VERSION"},
    {"5 n_tensors 2^63", [] { return header(1ull << 63, 0).str(); }, "E_COUNT"},
    {"5 n_tensors 2^64-1", [] { return header(kMax, 0).str(); }, "E_COUNT"},
    {"5 n_tensors beyond the file", [] { return header(4, 0).str() + std::string(100, '\0'); },
     "E_COUNT"},
    {"6 n_kv 2^63", [] { return header(0, 1ull << 63).str(); }, "E_COUNT"},
    {"6 n_kv 2^64-1", [] { return header(0, kMax).str(); }, "E_COUNT"},
    {"7 key length 0", [] { return room(header(0, 1).u64(0).u32(kU8)); }, "E_STRLEN"},
    {"7 key length 64 KiB + 1",
     [] { return header(0, 1).u64(65537).str() + std::string(70000, 'a'); }, "E_STRLEN"},
    {"7 key length beyond the file", [] { return room(header(0, 1).u64(1000)); }, "E_STRLEN"},
    {"7 key length 2^64-1", [] { return room(header(0, 1).u64(kMax)); }, "E_STRLEN"},
    {"8 key not UTF-8", [] { return room(key("a\xff", kU8)); }, "E_KEY"},
    {"8 key with NUL", [] { return room(key(std::string_view("a\0b", 3), kU8)); }, "E_KEY"},
    {"8 key with a line feed", [] { return room(key("a\nb", kU8)); }, "E_KEY"},
    {"9 duplicate key",
     [] { return header(0, 2).string("a").u32(kU8).raw("x").string("a").u32(kU8).raw("y").str(); },
     "E_DUPKEY"},
    {"10 value type 13", [] { return room(key("a", 13)); }, "E_TYPE"},
    {"10 value type 2^32-1", [] { return room(key("a", UINT32_MAX)); }, "E_TYPE"},
    {"10 bool 2", [] { return room(key("a", kBool).raw("\2")); }, "E_TYPE"},
    {"10 bool 2 in an array", [] { return room(key("a", kArray).u32(kBool).u64(2).raw("\1\2")); },
     "E_TYPE"},
    {"11 arrays 10^5 deep",
     [] {
       Bytes out = key("a", kArray);
       for (int i = 0; i < 100'000; ++i) out.u32(kArray).u64(1);
       return out.str();
     },
     "E_DEPTH"},
    {"12 array beyond the file", [] { return room(key("a", kArray).u32(kU32).u64(17)); },
     "E_COUNT"},
    {"12 array whose size wraps",
     [] { return room(key("a", kArray).u32(kU32).u64((1ull << 62) + 1)); }, "E_COUNT"},
    {"13 string element beyond the file",
     [] { return room(key("a", kArray).u32(kString).u64(2).string("x").u64(1000)); }, "E_STRLEN"},
    {"14 alignment of type i32", [] { return room(key("general.alignment", kI32).u32(32)); },
     "E_KEYTYPE"},
    {"15 alignment 0", [] { return alignment_file(0); }, "E_ALIGN"},
    {"15 alignment 3", [] { return alignment_file(3); }, "E_ALIGN"},
    {"15 alignment 2^31", [] { return alignment_file(1u << 31); }, "E_ALIGN"},
    {"15 alignment 2 MiB", [] { return alignment_file(2u << 20); }, "E_ALIGN"},
    {"16 n_dims 0", [] { return one_tensor({}); }, "E_NDIMS"},
    {"16 n_dims 5",
     [] {
       return one_tensor({1, 1, 1, 1, 1});
     },
     "E_NDIMS"},
    {"16 n_dims 2^32-1",
     [] { return header(1, 0).string("t").u32(UINT32_MAX).str() + std::string(64, '\0'); },
     "E_NDIMS"},
    {"17 dim 0",
     [] {
       return one_tensor({16, 0});
     },
     "E_DIM"},
    {"17 dim 2^63", [] { return one_tensor({1ull << 63}); }, "E_DIM"},
    {"18 product wraps",
     [] {
       return one_tensor({INT64_MAX, 2});
     },
     "E_SHAPE"},
    {"18 product wraps to 0",
     [] {
       return one_tensor({1ull << 32, 1ull << 32});
     },
     "E_SHAPE"},
    {"18 product fits, bytes wrap", [] { return one_tensor({1ull << 62}); }, "E_SHAPE"},
    {"19 padding wraps", [] { return one_tensor({INT64_MAX}, 0, 1, 64); }, "E_SHAPE"},
    {"20 total beyond the file", [] { return one_tensor({1000}); }, "E_SIZE"},
    {"21 offset unaligned", [] { return one_tensor({4}, 4); }, "E_OFFSET"},
    {"21 offset beyond the file", [] { return one_tensor({4}, 1024); }, "E_OFFSET"},
    {"21 offset whose end wraps", [] { return one_tensor({16}, kMax - 31); }, "E_OFFSET"},
    {"21 end beyond the file by one byte", [] { return one_tensor({16}, 0, 0, 63); }, "E_OFFSET"},
    {"22 overlap", [] { return two_tensors(32); }, "E_OVERLAP"},
    {"22 two at one place", [] { return two_tensors(0); }, "E_OVERLAP"},
    {"23 duplicate tensor", [] { return two_tensors(64, "a"); }, "E_DUPTENSOR"},
    {"23 name of 65 bytes", [] { return two_tensors(64, std::string(65, 'n')); }, "E_STRLEN"},
    {"24 unknown type", [] { return one_tensor({16}, 0, 999); }, "E_DTYPE"},
    {"24 type of another fork", [] { return one_tensor({64}, 0, 135); }, "E_DTYPE"},
    {"25 row of no whole Q8_0 blocks", [] { return one_tensor({33}, 0, 8); }, "E_BLOCK"},
    {"25 row of no whole TQ2_0 blocks",
     [] {
       return one_tensor({128, 2}, 0, 35, 128);
     },
     "E_BLOCK"},
    {"25 I2_S of no whole bytes", [] { return one_tensor({7}, 0, 36); }, "E_BLOCK"},
    // The published attacks.
    {"CVE-2024-21825 string array count",
     [] { return room(key("a", kArray).u32(kString).u64((1ull << 60) + 1)); }, "E_COUNT"},
    {"CVE-2024-23496 string length wraps", [] { return room(key("a", kString).u64(kMax)); },
     "E_STRLEN"},
    {"CVE-2024-21802 n_dims beyond 4",
     [] {
       return one_tensor({1, 1, 1, 1, 1, 1, 1, 1});
     },
     "E_NDIMS"},
    {"CVE-2024-21836 n_tensors x record wraps",
     [] { return header((1ull << 58) + 1, 0).str() + std::string(64, '\0'); }, "E_COUNT"},
    {"CVE-2024-23605 n_kv x record wraps",
     [] { return header(0, (1ull << 58) + 1).str() + std::string(64, '\0'); }, "E_COUNT"},
    {"CVE-2024-32878 parse fails inside a string array",
     [] { return key("a", kArray).u32(kString).u64(1).u64(50).str(); }, "E_STRLEN"},
    {"CVE-2024-41130 value missing", [] { return key("a", kArray).str(); }, "E_COUNT"},
    {"CVE-2025-53630 sum of padded sizes wraps",
     [] {
       Bytes out = header(2, 0);
       tensor(out, "a", {(1ull << 61) - 1}, 0);
       tensor(out, "b", {(1ull << 61) - 1}, 0);
       return with_room(out);
     },
     "E_SIZE"},
    {"CVE-2026-27940 size near 2^64",
     [] {
       return one_tensor({(1ull << 61) + 100, 1}, 0, 1);
     },
     "E_SIZE"},
    {"CVE-2026-33298 exabytes behind a small product",
     [] {
       return one_tensor({1ull << 31, 1ull << 31, 2}, 0, 27);
     },
     "E_SHAPE"},
    {"CVE-2026-7482 inflated dims",
     [] {
       return one_tensor({16, 1 << 20});
     },
     "E_SIZE"},
};

TEST(GgufHostile, EachRuleNamesItself) {
  for (const Case& test : kCases) {
    const std::string text = test.make();
    const AllocationMeter meter;
    const FileFault fault = testing::fault_of<GgufFile>(text);
    EXPECT_EQ(fault.kind, test.kind) << test.what << ": " << fault.field << " " << fault.value;
    EXPECT_LT(meter.peak_bytes(), 16 * text.size() + 16'384) << test.what;
  }
}

TEST(GgufHostile, ErrorsSayWhatAPersonNeeds) {
  const FileFault dims = testing::fault_of<GgufFile>(one_tensor({16, 0}));
  EXPECT_EQ(dims.field, "tensor \"t\" dim 1");
  EXPECT_EQ(dims.value, "0");
  EXPECT_EQ(dims.offset, 24u + 8 + 1 + 4 + 8);
  const FileFault fork = testing::fault_of<GgufFile>(one_tensor({64}, 0, 135));
  EXPECT_NE(fork.limit.find("IQ2_BN (ik_llama.cpp)"), std::string::npos);
  const FileFault swapped = testing::fault_of<GgufFile>("FUGG" + std::string(60, '\0'));
  EXPECT_NE(swapped.limit.find("big-endian"), std::string::npos);
  const FileFault twice = testing::fault_of<GgufFile>(two_tensors(64, "a"));
  EXPECT_NE(twice.limit.find("byte 24"), std::string::npos);
  const FileFault overlap = testing::fault_of<GgufFile>(two_tensors(32));
  EXPECT_EQ(overlap.field, "tensor \"b\"");
  EXPECT_NE(overlap.limit.find("tensor \"a\""), std::string::npos);
}

TEST(GgufHostile, GapsAndTrailingBytesAreWarnings) {
  const std::string gap = two_tensors(128, "b", 192), trailing = two_tensors(64, "b", 256);
  const GgufFile with_gap(testing::as_bytes(gap), "t"), with_rest(testing::as_bytes(trailing), "t");
  ASSERT_EQ(with_gap.warnings().size(), 1u);
  EXPECT_NE(with_gap.warnings()[0].find("64 bytes before tensor \"b\""), std::string::npos);
  ASSERT_EQ(with_rest.warnings().size(), 1u);
  EXPECT_NE(with_rest.warnings()[0].find("128 bytes follow"), std::string::npos);
  const std::string exact = two_tensors(64, "b", 128);
  EXPECT_TRUE(GgufFile(testing::as_bytes(exact), "t").warnings().empty());
}

/// A value of every type, arrays, and three tensors.
std::string small_file() {
  Bytes out = header(3, 8);
  out.string("general.architecture").u32(kString).string("bitnet");
  out.string("general.alignment").u32(kU32).u32(32);
  out.string("a.bool").u32(kBool).raw("\1");
  out.string("a.f64").u32(12).number(1.5);
  out.string("a.i8").u32(1).raw("\xff");
  out.string("a.strings").u32(kArray).u32(kString).u64(3).string("x").string("").string("yz");
  out.string("a.numbers").u32(kArray).u32(kI32).u64(2).u32(7).u32(8);
  out.string("a.bools").u32(kArray).u32(kBool).u64(2).raw(std::string_view("\0\1", 2));
  tensor(out, "norm", {8}, 0);
  tensor(out, "weight", {128, 2}, 32, 36);
  tensor(out, "head", {32, 1}, 128, 8);
  out.pad(32).raw(std::string(162, '\1'));
  return out.str();
}

TEST(GgufHostile, EveryPrefixIsRefused) {
  const std::string text = small_file();
  ASSERT_EQ(testing::fault_of<GgufFile>(text).kind, "");
  for (std::size_t length = 0; length < text.size(); ++length)
    EXPECT_NE(testing::fault_of<GgufFile>(text.substr(0, length)).kind, "") << length;
}

TEST(GgufHostile, EveryByteFlipIsReadOrRefused) {
  const std::string text = small_file();
  int refused = 0;
  for (std::size_t at = 0; at < text.size(); ++at)
    for (const int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(value);
      const AllocationMeter meter;
      refused += testing::fault_of<GgufFile>(flipped).kind != "";
      EXPECT_LT(meter.peak_bytes(), 16 * text.size() + 16'384);
    }
  EXPECT_GT(refused, 500);
}

TEST(GgufHostile, RandomBytesBehindAGoodHeader) {
  std::mt19937 random(11);
  const std::string text = small_file();
  for (int round = 0; round < 20'000; ++round) {
    std::string broken = text;
    for (unsigned i = 0; i < 1 + random() % 6; ++i)
      broken[8 + random() % (broken.size() - 8)] = static_cast<char>(random());
    testing::fault_of<GgufFile>(broken);
  }
}

TEST(GgufHostile, ALongKeyCostsNoMemory) {
  const std::string text = header(0, 1).u64(kMax).str() + std::string(64, 'a');
  const AllocationMeter meter;
  EXPECT_EQ(testing::fault_of<GgufFile>(text).kind, "E_STRLEN");
  EXPECT_LT(meter.peak_bytes(), 16'384u);
}

TEST(GgufHostile, FilesThatAreNoFiles) {
  testing::TemporaryFolder folder;
  const auto kind_of = [](const std::string& path) -> std::string {
    try {
      GgufFile file(path);
    } catch (const FileError& error) {
      EXPECT_EQ(error.code(), Errc::io);
      EXPECT_EQ(error.fault().file, path);
      return error.fault().kind;
    }
    return "";
  };
  {
    std::FILE* empty = std::fopen((folder / "empty").c_str(), "w");
    std::fclose(empty);
  }
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  for (const char* name : {"empty", "fifo", "absent", "."})
    EXPECT_EQ(kind_of(folder / name), "E_IO") << name;
  EXPECT_EQ(kind_of("/dev/zero"), "E_IO");
}

}  // namespace
}  // namespace bitnet
