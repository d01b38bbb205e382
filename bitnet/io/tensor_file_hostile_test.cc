// SPDX-License-Identifier: MIT OR Apache-2.0
// Tensor files that are damaged, foreign, or lie: errors that name the rule, and no memory taken.
#include <functional>

#include "bitnet/base/hash.h"
#include "bitnet/io/allocation_meter.h"
#include "bitnet/io/tensor_file.h"
#include "bitnet/io/tensor_file_testing.h"
#include "bitnet/io/test_bytes.h"
#include "bitnet/memory/storage/numbers.h"

namespace bitnet {
namespace {

using testing::random_tensor;

constexpr std::size_t kFooter = 48, kEntry = 160;

// A quantized matrix, a blocked one and an empty tensor.
std::string small_file() {
  const testing::TemporaryFolder folder;
  std::vector<Tensor> tensors{random_tensor(DType::i8, {2, 6}, "q", 1)};
  tensors[0].set_quantization({ScaleGranularity::group, 4, {1, 2, 3, 4}, {5, 6, 7, 8}});
  tensors.push_back(relayout(random_tensor(DType::u16, {3, 5}, "", 2), Layout::blocked(2, 2)));
  tensors[1].set_name("b");
  tensors.push_back(random_tensor(DType::f32, {0, 3}, "e", 3));
  write_tensor_file(folder / "a", tensors);
  return os::read_file(folder / "a", 1 << 20);
}

// Opens, reads and verifies everything; the kind of fault, "" for none.
std::string fault_of(std::string_view text) {
  const auto heap = std::make_unique<char[]>(text.size());
  std::copy(text.begin(), text.end(), heap.get());
  try {
    const TensorFile file(testing::as_bytes({heap.get(), text.size()}), "hostile");
    for (const TensorFileEntry& entry : file.entries()) {
      EXPECT_EQ(file.read(entry).size_bytes(), entry.bytes);
      EXPECT_EQ(file.map(entry).name(), entry.name);
    }
    file.verify();
  } catch (const FileError& error) {
    EXPECT_EQ(error.fault().file, "hostile");
    EXPECT_LE(error.fault().offset, text.size());
    return error.fault().kind;
  }
  return "";
}

void put_at(std::string& text, std::size_t at, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) text[at + i] = static_cast<char>(value >> (8 * i));
}

// Makes the checksums of directory and footer fit, as a hostile writer would.
std::string sealed(std::string text) {
  const std::size_t footer = text.size() - kFooter;
  const auto bytes = storage::bytes_of(text);
  const auto count = storage::get<std::uint64_t>(bytes, footer + 8),
             names = storage::get<std::uint64_t>(bytes, footer + 16);
  if (count * kEntry + names <= footer) {
    const std::size_t begin = footer - names - count * kEntry;
    put_at(text, footer + 24, xxh64(bytes.subspan(begin, footer - begin)), 8);
  }
  put_at(text, footer + 32, xxh64(storage::bytes_of(text).subspan(footer, 32)), 8);
  return text;
}

TEST(TensorFileHostile, EveryPrefixIsRefused) {
  const std::string text = small_file();
  ASSERT_EQ(fault_of(text), "");
  for (std::size_t length = 0; length < text.size(); ++length)
    EXPECT_NE(fault_of(text.substr(0, length)), "") << length;
  EXPECT_NE(fault_of(text + '\0'), "");
}

TEST(TensorFileHostile, EveryFlippedByteIsRefused) {
  const std::string text = small_file();
  for (std::size_t at = 0; at < text.size(); ++at)
    for (const int flip : {1, 0x40, 0xff}) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(flipped[at] ^ flip);
      EXPECT_NE(fault_of(flipped), "") << at;
    }
}

// The same behind checksums that fit: refused or read, never more memory than the file is long.
TEST(TensorFileHostile, EveryFlippedByteOfTheDirectoryIsReadOrRefused) {
  const std::string text = small_file();
  int refused = 0;
  for (std::size_t at = text.size() - kFooter - 3 * kEntry - 3; at < text.size() - 8; ++at)
    for (unsigned value = 0; value < 256; value += 5) {
      std::string flipped = text;
      flipped[at] = static_cast<char>(value);
      const AllocationMeter meter;
      refused += fault_of(sealed(flipped)) != "";
      EXPECT_LT(meter.peak_bytes(), 65'536u) << at;
    }
  EXPECT_GT(refused, 15'000);
}

TEST(TensorFileHostile, ForeignFilesAreNamed) {
  const std::string good = small_file();
  const auto with = [&](const std::function<void(std::string&)>& bend) {
    std::string text = good;
    bend(text);
    return fault_of(text);
  };
  EXPECT_EQ(with([](std::string& t) { t[0] = 'X'; }), "E_MAGIC");
  EXPECT_EQ(with([](std::string& t) { std::reverse(t.begin() + 8, t.begin() + 12); }), "E_ENDIAN");
  EXPECT_EQ(with([](std::string& t) { t[8] = 9; }), "E_ENDIAN");
  EXPECT_EQ(with([](std::string& t) { t[12] = 2; }), "E_VERSION");
  EXPECT_EQ(with([](std::string& t) { t.back() = 0; }), "E_TRUNCATED");
  // A big-endian writer's file, by hand: every number turned around.
  std::string other = "BNTENSOR";
  for (const std::uint32_t number : {0x0A0B0C0Du, 1u})
    for (int shift = 24; shift >= 0; shift -= 8)
      other.push_back(static_cast<char>(number >> shift));
  other.resize(64 + kFooter);
  EXPECT_EQ(fault_of(other), "E_ENDIAN");
}

TEST(TensorFileHostile, LyingDirectoriesAreRefused) {
  const std::string good = small_file();
  const std::size_t footer = good.size() - kFooter, names = footer - 3, first = names - 3 * kEntry,
                    second = first + kEntry;
  struct Case {
    std::size_t at;
    std::uint64_t value;
    std::size_t bytes;
    const char* kind;
  };
  const Case cases[] = {
      {footer, good.size() + 1, 8, "E_SIZE"},
      {footer + 8, 4, 8, "E_KEY"},
      {footer + 8, 100, 8, "E_COUNT"},
      {footer + 8, ~0ull, 8, "E_COUNT"},
      {footer + 16, ~0ull, 8, "E_COUNT"},
      {first, 128, 8, "E_OFFSET"},  // its scales over the second
      {first, 65, 8, "E_OFFSET"},
      {first, 0, 8, "E_OFFSET"},
      {first, ~0ull - 63, 8, "E_OFFSET"},
      {second, 64, 8, "E_OFFSET"},  // over the first
      {first + 8, 13, 8, "E_SIZE"},
      {first + 24, 1, 8, "E_CHECKSUM"},
      {first + 32, 0, 8, "E_HEADER"},
      {first + 32, 1ull << 62, 8, "E_HEADER"},
      {first + 32, 1, 8, "E_OFFSET"},  // more scales than there is room for
      {first + 40, 0, 4, "E_KEY"},
      {first + 40, 4, 4, "E_KEY"},
      {first + 40, 0xffffffff, 4, "E_KEY"},
      {first + 44, 0, 1, "E_DTYPE"},
      {first + 44, 18, 1, "E_DTYPE"},
      {first + 45, 9, 1, "E_NDIMS"},
      {first + 45, 1, 1, "E_SHAPE"},
      {first + 46, 4, 1, "E_HEADER"},
      {first + 46, 1, 1, "E_SHAPE"},
      {first + 47, 4, 1, "E_HEADER"},
      {first + 47, 2, 1, "E_HEADER"},
      {first + 48, 2, 1, "E_HEADER"},
      {first + 49, 1, 1, "E_PADDING"},
      {first + 56, ~0ull, 8, "E_SHAPE"},
      {first + 56, (1ull << 62) - 1, 8, "E_SHAPE"},
      {first + 120, 1, 8, "E_SHAPE"},
      {second + kEntry, 1ull << 40, 8, "E_OFFSET"},
      {second + 24, 1, 8, "E_HEADER"},
      {second + 47, 1, 1, "E_OFFSET"},
      {second + 136, 3, 8, "E_SHAPE"},
      {second + 136, 0, 8, "E_SHAPE"},
      {second + 152, 2, 8, "E_SHAPE"},
      {names, 0xff, 1, "E_KEY"},
      {names, 'b', 1, "E_DUPTENSOR"},
  };
  for (const Case& test : cases) {
    std::string text = good;
    put_at(text, test.at, test.value, test.bytes);
    const AllocationMeter meter;
    EXPECT_EQ(fault_of(sealed(text)), test.kind) << &test - cases;
    EXPECT_LT(meter.peak_bytes(), 65'536u) << &test - cases;
  }
}

}  // namespace
}  // namespace bitnet
