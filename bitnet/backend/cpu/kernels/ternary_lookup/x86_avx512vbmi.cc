// SPDX-License-Identifier: MIT OR Apache-2.0
// Products by lookup with AVX-512 VBMI: vpermi2b takes 64 numbers out of a table of 128 at once.
// Of 64 rows, for five weights each: two lookups (low and high bytes of the sums), the sign, and
// the additions of 16-bit sums. From L2 90 GB/s of weights a core on a Zen 5 server, 450 G weights
// a second, where tables are there, 280 G where they are made on the way; vpdpbusd multiplies 530 G
// at best.
#include <immintrin.h>

#include <algorithm>

#include "bitnet/backend/cpu/kernels/ternary_lookup/digits.h"
#include "bitnet/backend/cpu/kernels/ternary_lookup/ternary_lookup.h"
#include "bitnet/backend/cpu/kernels/ternary_lookup/x86_gemm512.h"

namespace bitnet::cpu::avx512vbmi {
namespace {

using namespace lookup_tiles;

// 16-bit sums of 5 * 128 * 48 at most.
constexpr std::int64_t kNarrowGroups = 48;
// --- tables ---

struct Slots {
  alignas(64) std::int16_t from[3][32];
};

// Slots 27 to 31 of block b hold the sums m = 5b..5b+4 of w0 to w2 alone.
constexpr Slots slots() noexcept {
  Slots s{};
  for (int block = 0; block < 3; ++block)
    for (int i = 27; i < 32; ++i)
      s.from[block][i] = static_cast<std::int16_t>(13 + 5 * block + i - 27);
  return s;
}
constexpr Slots kSlots = slots();

// Of the 64 rows of a strip: rows 0-7, 16-23, 32-39, 48-55, and the others.
struct Narrow {
  __m512i even, odd;
};

struct Table {
  __m512i low[2], high[2];

  static Table at(const std::uint8_t* p) noexcept {
    return {{load(p), load(p + 64)}, {load(p + 128), load(p + 192)}};
  }
  // Of five activations x[k * stride], k = 0..4.
  static Table of(const std::int16_t* x, std::int64_t stride) noexcept {
    const auto digit = [&](int k) { return _mm512_set1_epi16(x[k * stride]); };
    const auto product = [&](int k) {
      return _mm512_mullo_epi16(load(kDigitsOfSlots.w[k]), digit(k));
    };
    const __m512i first = _mm512_add_epi16(_mm512_add_epi16(product(0), product(1)), product(2));
    const __m512i w3 = digit(3), w4 = digit(4);
    const auto block = [&](int from, __m512i more) {
      constexpr __mmask32 kOwn = (1u << 27) - 1;
      return _mm512_mask_add_epi16(_mm512_permutexvar_epi16(load(kSlots.from[from]), first), kOwn,
                                   first, more);
    };
    Table table;
    table.set(0, block(0, w3), block(1, _mm512_sub_epi16(w4, w3)));
    table.set(1, block(2, w4), _mm512_add_epi16(first, _mm512_add_epi16(w4, w3)));
    return table;
  }
  // Two blocks of 16-bit sums as bytes, slot by slot in turn.
  void set(int half, __m512i even, __m512i odd) noexcept {
    // (a & 0xff) | (b & ~0xff)
    const auto blend = [&](__m512i a, __m512i b) {
      return _mm512_ternarylogic_epi32(_mm512_set1_epi16(0xff), a, b, 0xCA);
    };
    low[half] = blend(even, _mm512_slli_epi16(odd, 8));
    high[half] = blend(_mm512_srli_epi16(even, 8), odd);
  }
  void store(std::uint8_t* p) const noexcept {
    _mm512_store_si512(p, low[0]), _mm512_store_si512(p + 64, low[1]);
    _mm512_store_si512(p + 128, high[0]), _mm512_store_si512(p + 192, high[1]);
  }
  // sum + (sign ? ~found : found)
  void add(Narrow& sum, __m512i codes, __m512i sign) const noexcept {
    const __m512i found_low = _mm512_permutex2var_epi8(low[0], codes, low[1]) ^ sign;
    const __m512i found_high = _mm512_permutex2var_epi8(high[0], codes, high[1]) ^ sign;
    sum.even = _mm512_add_epi16(sum.even, _mm512_unpacklo_epi8(found_low, found_high));
    sum.odd = _mm512_add_epi16(sum.odd, _mm512_unpackhi_epi8(found_low, found_high));
  }
};

// `count` activations, of which `there` may be read, the others being 0.
inline void widen_activations(const std::int8_t* from, std::int64_t there, std::int64_t count,
                              std::int16_t* to) noexcept {
  for (std::int64_t i = 0; i < count; i += 32) {
    const std::int64_t left = there - i;
    const __mmask32 valid = left >= 32 ? ~0u : left <= 0 ? 0 : (1u << left) - 1;
    _mm512_storeu_si512(to + i, _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(valid, from + i)));
  }
}

void tables(const LookupTablesArgs& a) noexcept {
  constexpr std::int64_t kRun = 64;
  for (std::int64_t begin = 0; begin < a.count; begin += kRun) {
    const std::int64_t count = std::min(kRun, a.count - begin);
    alignas(64) std::int16_t x[kDigits * kRun];
    for (std::int64_t k = 0; k < kDigits; ++k) {
      const std::int64_t at = k * a.groups + a.first + begin;
      widen_activations(a.activations + at, a.places - at, kRun, x + kRun * k);
    }
    for (std::int64_t g = 0; g < count; ++g) {
      fetch(a.next + 64 * (begin + g));
      Table::of(x + g, kRun).store(a.tables + 256 * (begin + g));
    }
  }
}

// --- sums ---

// To 64 sums of 32 bits in the order of rows.
inline void widen(const Narrow& narrow, std::int32_t* sums, bool more) noexcept {
  const __m512i low = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
  const __m512i high = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
  const __m512i halves[2] = {_mm512_permutex2var_epi64(narrow.even, low, narrow.odd),
                             _mm512_permutex2var_epi64(narrow.even, high, narrow.odd)};
  for (int i = 0; i < 4; ++i) {
    const __m256i part =
        i % 2 ? _mm512_extracti64x4_epi64(halves[i / 2], 1) : _mm512_castsi512_si256(halves[i / 2]);
    __m512i sum = _mm512_cvtepi16_epi32(part);
    if (more) sum = _mm512_add_epi32(sum, load(sums + 16 * i));
    _mm512_store_si512(sums + 16 * i, sum);
  }
}

// A run of at most kNarrowGroups groups, tables made before.
struct Run {
  const std::uint8_t* codes;  // of the first strip
  const std::uint8_t* next;   // as far apart as codes, fetched by the first tokens
  std::int64_t stride, count;
  const std::uint8_t* tables;  // of the first token
  std::int64_t table_stride;   // from one token to the next
  std::int32_t* sums;          // of the first strip and token
  std::int64_t sums_stride;
  bool more;
};

// kStrips * kTokens * 2 sums and 4 * kTokens vectors of tables stay in registers.
template <int kStrips, int kTokens, bool kFetch>
void tile(const Run& a) noexcept {
  const __m512i spread = _mm512_set1_epi64(static_cast<long long>(0x8080808080808080ull));
  Narrow sum[std::size_t{kTokens}][std::size_t{kStrips}];
#pragma GCC unroll 8
  for (int i = 0; i < kTokens * kStrips; ++i)
    sum[i / kStrips][i % kStrips] = {_mm512_setzero_si512(), _mm512_setzero_si512()};
  const std::uint8_t *tables = a.tables, *codes = a.codes, *next = a.next;
  for (std::int64_t g = 0; g < a.count; ++g, tables += 256, codes += a.stride, next += a.stride) {
    const Table first = Table::at(tables);
    const Table second = Table::at(kTokens > 1 ? tables + a.table_stride : tables);
#pragma GCC unroll 8
    for (int i = 0; i < kStrips; ++i) {
      if constexpr (kFetch) fetch(next + 64 * i);
      const __m512i code = load(codes + 64 * i);
      const __m512i sign = _mm512_gf2p8affine_epi64_epi8(code, spread, 0);  // bit 7 to all bits
      first.add(sum[0][i], code, sign);
      if constexpr (kTokens > 1) second.add(sum[1][i], code, sign);
    }
  }
#pragma GCC unroll 2
  for (int t = 0; t < kTokens; ++t)
#pragma GCC unroll 8
    for (int i = 0; i < kStrips; ++i)
      widen(sum[t][i], a.sums + t * a.sums_stride + kStripRows * i, a.more);
}

using TileFn = void(const Run&) noexcept;
constexpr TileFn* kOneToken[] = {tile<1, 1, false>, tile<2, 1, false>, tile<3, 1, false>,
                                 tile<4, 1, false>, tile<5, 1, false>, tile<6, 1, false>,
                                 tile<7, 1, false>, tile<8, 1, false>};
constexpr TileFn* kTwoTokens[][4] = {
    {tile<1, 2, false>, tile<2, 2, false>, tile<3, 2, false>, tile<4, 2, false>},
    {tile<1, 2, true>, tile<2, 2, true>, tile<3, 2, true>, tile<4, 2, true>}};

// Run after run, so that a run's codes (24 KB) stay in the first cache for all tokens; while the
// first tokens are computed, the next run's come.
void sums(const LookupSumsArgs& a) noexcept {
  for (std::int64_t begin = 0; begin < a.count; begin += kNarrowGroups) {
    const std::int64_t count = std::min(kNarrowGroups, a.count - begin);
    const std::uint8_t* const codes = a.codes + begin * a.stride;
    const bool last = begin + count == a.count;
    Run run{codes,
            last ? a.next : codes + count * a.stride,
            a.stride,
            count,
            a.tables + 256 * begin,
            256 * a.count,
            a.sums,
            a.sums_stride,
            a.more || begin > 0};
    std::int64_t token = 0;
    for (; token + 2 <= a.tokens; token += 2) {
      for (std::int64_t strip = 0; strip < a.strips; strip += 4) {
        const std::int64_t here = std::min(std::int64_t{4}, a.strips - strip);
        Run part = run;
        part.codes += kStripRows * strip;
        part.next += kStripRows * strip;
        part.sums += kStripRows * strip;
        kTwoTokens[token == 0][here - 1](part);
      }
      run.tables += 2 * run.table_stride;
      run.sums += 2 * run.sums_stride;
    }
    if (token < a.tokens) kOneToken[a.strips - 1](run);
  }
}

// --- one token ---

// Tables are made where they are used, again for each 8 strips: 30 instructions beside 80, where
// memory sets the pace. Reading them from L2 instead (256 bytes beside 512 of weights) took 8 to 13
// % of the rate at which memory gives weights.
template <int kStrips, bool kSecondCache>
void tile_of_one(const LookupOneArgs& a) noexcept {
  const __m512i spread = _mm512_set1_epi64(static_cast<long long>(0x8080808080808080ull));
  const std::int64_t ahead = std::min(a.fetch.bytes / (kStripRows * kStrips), a.groups);
  constexpr std::int64_t kRun = 64;
  for (std::int64_t begin = 0; begin < a.groups; begin += kNarrowGroups) {
    alignas(64) std::int16_t x[kDigits * kRun];
    for (std::int64_t k = 0; k < kDigits; ++k) {
      const std::int64_t at = k * a.groups + begin;
      widen_activations(a.activations + at, a.places - at, kRun, x + kRun * k);
    }
    Narrow sum[std::size_t{kStrips}];
#pragma GCC unroll 8
    for (Narrow& s : sum) s = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    const std::int64_t end = std::min(begin + kNarrowGroups, a.groups);
    std::int64_t g = begin;
    for (const bool within : {true, false}) {
      const std::uint8_t* codes = a.codes + g * a.stride;
      const std::uint8_t* next =
          within ? codes + ahead * a.stride : a.next + (g + ahead - a.groups) * a.stride;
      const std::int64_t part_end = within ? std::min(end, a.groups - ahead) : end;
      for (; g < part_end; ++g, codes += a.stride, next += a.stride) {
        const Table table = Table::of(x + (g - begin), kRun);
#pragma GCC unroll 8
        for (int i = 0; i < kStrips; ++i) {
          fetch_ahead<kSecondCache>(next + 64 * i);
          const __m512i code = load(codes + 64 * i);
          table.add(sum[i], code, _mm512_gf2p8affine_epi64_epi8(code, spread, 0));
        }
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < kStrips; ++i) widen(sum[i], a.sums + kStripRows * i, begin > 0);
  }
}

using OneFn = void(const LookupOneArgs&) noexcept;
template <bool kSecondCache>
constexpr OneFn* kTilesOfOne[] = {tile_of_one<1, kSecondCache>, tile_of_one<2, kSecondCache>,
                                  tile_of_one<3, kSecondCache>, tile_of_one<4, kSecondCache>,
                                  tile_of_one<5, kSecondCache>, tile_of_one<6, kSecondCache>,
                                  tile_of_one<7, kSecondCache>, tile_of_one<8, kSecondCache>};

void one(const LookupOneArgs& a) noexcept {
  (a.fetch.second_cache ? kTilesOfOne<true> : kTilesOfOne<false>)[a.strips - 1](a);
}

// --- many tokens ---

struct Decoder {
  __m512i four[2] = {load(kUnpacked.four), load(kUnpacked.four + 64)};
  __m512i last[2] = {load(kUnpacked.last), load(kUnpacked.last + 64)};

  // Weights + 1 of the bytes without their signs.
  void entries(__m512i code, __m512i& to_four, __m512i& to_last) const noexcept {
    to_four = _mm512_permutex2var_epi8(four[0], code, four[1]);
    to_last = _mm512_permutex2var_epi8(last[0], code, last[1]);
  }
};

// --- packing ---

// Rows of 64 bytes to columns of 64 bytes: six rounds, each of which halves the distance between
// the rows that exchange.
inline void transpose(const std::uint8_t* rows, std::int64_t row_stride, std::uint8_t* columns,
                      std::int64_t stride) noexcept {
  alignas(64) std::uint8_t a[2][64][64], lower[64], upper[64];
  for (int i = 0; i < 64; ++i) {
    lower[i] = static_cast<std::uint8_t>(i / 2 + (i % 2 ? 64 : 0));
    upper[i] = static_cast<std::uint8_t>(32 + i / 2 + (i % 2 ? 64 : 0));
  }
  const __m512i low = load(lower), high = load(upper);
  for (int i = 0; i < 64; ++i) _mm512_store_si512(a[0][i], load(rows + i * row_stride));
  // A perfect shuffle of the concatenation of rows i and i + 32, six times: index bits turn by one
  // each time, and after six rounds row and column have changed places.
  for (int round = 0; round < 6; ++round) {
    const auto& from = a[round % 2];
    auto& to = a[(round + 1) % 2];
    for (int i = 0; i < 32; ++i) {
      const __m512i x = load(from[i]), y = load(from[i + 32]);
      _mm512_store_si512(to[2 * i], _mm512_permutex2var_epi8(x, low, y));
      _mm512_store_si512(to[2 * i + 1], _mm512_permutex2var_epi8(x, high, y));
    }
  }
  for (int i = 0; i < 64; ++i) _mm512_storeu_si512(columns + i * stride, load(a[0][i]));
}

// One row's bytes in the order of groups; returns how many have bit 7. `digits`: 5 * groups + 64.
std::int32_t pack_row(const LookupPackArgs& a, std::int64_t row, std::int64_t count,
                      std::uint8_t* digits, std::uint8_t* out) noexcept {
  const std::int64_t blocks = (a.cols + 127) / 128, pairs = (blocks + 1) / 2;
  const std::uint8_t* codes = a.rows_of_codes + row * a.row_bytes;
  const __m512i one = _mm512_set1_epi8(1), three = _mm512_set1_epi8(3);
  for (std::int64_t i = 0; i < pairs; ++i) {
    // Half a pair at the end: codes of weights 0.
    const __mmask64 valid = 2 * i + 1 < blocks ? ~0ull : 0xffffffffull;
    const __m512i packed = _mm512_mask_loadu_epi8(_mm512_set1_epi8(0x55), valid, codes + 64 * i);
    for (int plane = 0; plane < 4; ++plane) {
      const __m512i code = _mm512_srl_epi16(packed, _mm_cvtsi32_si128(6 - 2 * plane)) & three;
      _mm512_storeu_si512(digits + 256 * i + 64 * plane, _mm512_sub_epi8(code, one));
    }
  }
  for (std::int64_t at = pairs * 256; at < kDigits * count + 64; ++at) digits[at] = 0;
  const __m512i entry0 = load(kEntryOf.of), entry1 = load(kEntryOf.of + 64);
  const __m512i sign = _mm512_set1_epi8(static_cast<char>(0x80));
  std::int32_t negatives = 0;
  for (std::int64_t g = 0; g < count; g += 64) {
    __m512i m = _mm512_setzero_si512();
    for (std::int64_t k = kDigits; k-- > 0;)
      m = _mm512_add_epi8(_mm512_add_epi8(m, _mm512_add_epi8(m, m)),
                          _mm512_loadu_si512(digits + k * count + g));
    const std::int64_t left = count - g;
    const __mmask64 valid = left >= 64 ? ~0ull : (1ull << left) - 1;
    const __mmask64 negative = _mm512_movepi8_mask(m) & valid;
    const __m512i found = _mm512_permutex2var_epi8(entry0, _mm512_abs_epi8(m), entry1);
    _mm512_store_si512(out + g, found | (m & sign));
    negatives += static_cast<std::int32_t>(__builtin_popcountll(negative));
  }
  return negatives;
}

void pack(const LookupPackArgs& a) noexcept {
  const std::int64_t count = groups(a.cols), wide = (count + 63) / 64 * 64;
  std::uint8_t* const strip_bytes = a.scratch;                 // [64][wide]
  std::uint8_t* const digits = a.scratch + kStripRows * wide;  // [5 * count + 64]
  for (std::int64_t strip = a.begin; strip < a.end; ++strip) {
    const StripPlace at = place(strip, a.rows, count);
    for (std::int64_t i = 0; i < kStripRows; ++i) {
      const std::int64_t row = strip * kStripRows + i;
      std::int32_t negatives = 0;
      if (row < a.rows)
        negatives = pack_row(a, row, count, digits, strip_bytes + i * wide);
      else
        for (std::int64_t g = 0; g < count; ++g) strip_bytes[i * wide + g] = byte_of(0);
      __builtin_memcpy(a.out + code_bytes(a.rows, a.cols) + 4 * row, &negatives, 4);
    }
    for (std::int64_t g = 0; g < count; g += 64) {
      if (count - g >= 64) {
        transpose(strip_bytes + g, wide, a.out + at.offset + g * at.stride, at.stride);
        continue;
      }
      alignas(64) std::uint8_t last[64][64];
      transpose(strip_bytes + g, wide, last[0], 64);
      for (std::int64_t i = 0; i < count - g; ++i)
        __builtin_memcpy(a.out + at.offset + (g + i) * at.stride, last[i], 64);
    }
  }
}

}  // namespace

const TernaryLookupFns ternary_lookup{tables, sums, one, gemm<Decoder>, pack, 24};

}  // namespace bitnet::cpu::avx512vbmi
