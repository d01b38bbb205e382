// SPDX-License-Identifier: MIT OR Apache-2.0
// Tiles that come from a file: checked, and back to block128.
#include <algorithm>
#include <cstring>

#include "bitnet/ternary/block128.h"
#include "bitnet/ternary/lookup_tiles.h"

namespace bitnet::lookup_tiles {
namespace {

constexpr std::uint8_t kZeros = byte_of(0);

// Whether byte_of() never gives this byte: slots 27 to 31 of block 3, slot 31 of block 2, and -0.
constexpr std::uint8_t is_foreign(std::uint8_t byte) noexcept {
  const std::uint8_t e = byte & 0x7f;
  return static_cast<std::uint8_t>(((e >= 119) & ((e & 1) | (e == 126))) |
                                   (byte == (kZeros | 0x80)));
}

constexpr bool knows_all_bytes() noexcept {
  bool given[256] = {};
  for (int m = -121; m <= 121; ++m) given[byte_of(m)] = true;
  for (int b = 0; b < 256; ++b)
    if (given[b] == (is_foreign(static_cast<std::uint8_t>(b)) != 0)) return false;
  return true;
}
static_assert(knows_all_bytes());

// 16 rows at a time: what every x86-64 and every 64-bit Arm has. Comparisons give -1 and 0.
using Rows = signed char __attribute__((vector_size(16)));
using Unsigned = unsigned char __attribute__((vector_size(16)));
using Pairs = std::uint16_t __attribute__((vector_size(16)));  // bytes have no shifts
constexpr std::int64_t kVectors = kStripRows / 16;

Rows load(const std::uint8_t* from) noexcept {
  Rows rows;
  std::memcpy(&rows, from, sizeof rows);
  return rows;
}

// Codes times 4^power.
Rows shifted(const Rows& codes, int power) noexcept {
  return reinterpret_cast<Rows>(reinterpret_cast<Pairs>(codes) << (2 * power));
}

// Of a strip: is there a foreign byte, and how many bytes of each row have bit 7.
struct Counts {
  bool foreign_byte = false;
  std::int32_t negatives[kStripRows] = {};

  Counts(const std::uint8_t* codes, std::int64_t stride, std::int64_t count) noexcept {
    // Of a foreign byte that is odd, less bit 7, 7 more are 126 at least, as are even ones; of
    // other bytes 124 at most.
    for (std::int64_t row = 0; row < kStripRows; row += 16) {
      Unsigned most{};
      Rows zeros{};
      for (std::int64_t begin = 0; begin < count; begin += 255) {
        Rows some{};
        const std::int64_t end = std::min(begin + 255, count);
        for (std::int64_t g = begin; g < end; ++g) {
          const Rows bytes = load(codes + g * stride + row);
          const auto e = reinterpret_cast<Unsigned>(bytes & 0x7f);
          const Unsigned raised = e + ((0 - (e & 1)) & 7);
          most = raised > most ? raised : most;
          zeros |= bytes == static_cast<signed char>(kZeros | 0x80);
          some -= bytes < 0;
        }
        for (int r = 0; r < 16; ++r) negatives[row + r] += static_cast<std::uint8_t>(some[r]);
      }
      for (int r = 0; r < 16; ++r) foreign_byte = foreign_byte || most[r] > 125 || zeros[r] != 0;
    }
  }
};

// Whether the byte of group g of a row is what pack() may write there.
bool is_right(std::uint8_t byte, std::int64_t row, std::int64_t rows, std::int64_t g,
              std::int64_t count, std::int64_t cols) noexcept {
  if (is_foreign(byte)) return false;
  if (row >= rows) return byte == kZeros;
  const Weights& w = weights_of_bytes()[byte];
  for (std::int64_t k = 0; k < kDigits; ++k)
    if (w[static_cast<std::size_t>(k)] != 0 && column_at(k * count + g) >= cols) return false;
  return true;
}

// Codes of digit k of 16 bytes: m + 121 is the sum of (w + 1) 3^k, whose digits are taken off from
// the highest.
template <int k>
Rows digit_of(Rows bytes) noexcept {
  const Rows odd = (bytes & 1) != 0, upper = (bytes & 0x40) != 0;  // of the block's number
  const Rows slot = reinterpret_cast<Rows>(reinterpret_cast<Pairs>(bytes) >> 1) & 31;
  const Rows own = slot < 27;
  const Rows m = (own & (slot + 14 + (odd & 27) + (upper & 54))) |
                 (~own & (slot - 27 + (odd & 5) + (upper & 10)));
  const Rows sign = bytes < 0;
  constexpr signed char kBias = -128;  // a byte has no room for 242
  Rows rest = (m ^ sign) - sign + static_cast<signed char>(121 + kBias);
  Rows once = rest >= static_cast<signed char>(81 + kBias);
  Rows twice = rest >= static_cast<signed char>(162 + kBias);
  rest = rest - (once & 81) - (twice & 81) - kBias;
  signed char power = 27;
#pragma GCC unroll 4
  for (int i = k; i < 4; ++i, power /= 3) {
    once = rest >= power, twice = rest >= static_cast<signed char>(2 * power);
    rest = rest - (once & power) - (twice & power);
  }
  return -(once + twice);
}

template <int k>
void digits_of(const std::uint8_t* group, Rows (&codes)[kVectors]) noexcept {
  for (std::int64_t v = 0; v < kVectors; ++v) codes[v] = digit_of<k>(load(group + 16 * v));
}
constexpr decltype(&digits_of<0>) kDigitsOf[] = {digits_of<0>, digits_of<1>, digits_of<2>,
                                                 digits_of<3>, digits_of<4>};

// Rows and columns change places: four times, each line and the one eight further on are
// interleaved.
void transpose(Rows (&m)[16]) noexcept {
  for (int round = 0; round < 4; ++round) {
    Rows to[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      to[2 * i] = __builtin_shufflevector(m[i], m[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21,
                                          6, 22, 7, 23);
      to[2 * i + 1] = __builtin_shufflevector(m[i], m[i + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28,
                                              13, 29, 14, 30, 15, 31);
    }
    std::memcpy(m, to, sizeof to);
  }
}

// 256 places of 64 rows, the places of two blocks of block128, to `bytes` bytes of each of `rows`
// rows: digits, four of them in a byte, and the bytes of a row side by side.
void unpack_pair(const Rows (&codes)[kPairColumns][kVectors], std::int64_t rows, std::int64_t bytes,
                 std::int64_t row_bytes, std::uint8_t* out) noexcept {
  for (std::int64_t v = 0; v < kVectors; ++v)
    for (std::int64_t i = 0; i < bytes; i += 16) {
      Rows four[16];
      for (std::int64_t j = 0; j < 16; ++j)
        four[j] = shifted(codes[i + j][v], 3) | shifted(codes[64 + i + j][v], 2) |
                  shifted(codes[128 + i + j][v], 1) | codes[192 + i + j][v];
      transpose(four);
      for (std::int64_t r = 16 * v; r < std::min(16 * v + 16, rows); ++r)
        std::memcpy(out + r * row_bytes + i, &four[r - 16 * v], 16);
    }
}

}  // namespace

std::optional<TernaryFault> find_fault(const std::uint8_t* tiles, std::int64_t rows,
                                       std::int64_t cols, std::int64_t begin,
                                       std::int64_t end) noexcept {
  const std::int64_t count = groups(cols);
  const std::int64_t first_padding = cols / kPairColumns * kPairColumns;  // at the earliest
  for (std::int64_t strip = begin; strip < end; ++strip) {
    const StripPlace at = place(strip, rows, count);
    const std::uint8_t* codes = tiles + at.offset;
    const Counts counts(codes, at.stride, count);
    const std::int64_t first = strip * kStripRows;
    const bool whole = first + kStripRows <= rows;
    const auto right = [&](std::int64_t r, std::int64_t g) {
      return is_right(codes[g * at.stride + r], first + r, rows, g, count, cols);
    };
    bool good = !counts.foreign_byte;
    if (!whole)
      for (std::int64_t g = 0; good && g < count; ++g)
        for (std::int64_t r = 0; r < kStripRows; ++r) good = good && right(r, g);
    for (std::int64_t at_place = first_padding; good && at_place < kDigits * count; ++at_place)
      if (column_at(at_place) >= cols)
        for (std::int64_t r = 0; r < kStripRows; ++r) good = good && right(r, at_place % count);
    for (std::int64_t r = 0; r < kStripRows; ++r) {
      for (std::int64_t g = 0; !good && g < count; ++g)
        if (!right(r, g))
          return TernaryFault{TernaryFault::Kind::code, first + r, column_at(g),
                              static_cast<double>(codes[g * at.stride + r])};
      std::int32_t stored;
      std::memcpy(&stored, tiles + code_bytes(rows, cols) + 4 * (first + r), 4);
      if (stored != counts.negatives[r])
        return TernaryFault{TernaryFault::Kind::count, first + r, 0, static_cast<double>(stored)};
    }
  }
  return std::nullopt;
}

void unpack(const std::uint8_t* tiles, std::int64_t rows, std::int64_t cols, std::int64_t begin,
            std::int64_t end, std::uint8_t* block128_rows) noexcept {
  const std::int64_t count = groups(cols), row_bytes = block128::row_bytes(cols);
  for (std::int64_t strip = begin; strip < end; ++strip) {
    const StripPlace at = place(strip, rows, count);
    const std::int64_t first = strip * kStripRows, here = std::min(kStripRows, rows - first);
    std::int64_t k = 0, g = 0;
    for (std::int64_t byte = 0; byte < row_bytes; byte += 64) {
      Rows codes[kPairColumns][kVectors];
      for (auto& of_place : codes) {
        kDigitsOf[k](tiles + at.offset + g * at.stride, of_place);
        if (++g == count) g = 0, ++k;
      }
      unpack_pair(codes, here, std::min(std::int64_t{64}, row_bytes - byte), row_bytes,
                  block128_rows + first * row_bytes + byte);
    }
  }
}

}  // namespace bitnet::lookup_tiles
