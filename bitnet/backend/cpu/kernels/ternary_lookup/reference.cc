// SPDX-License-Identifier: MIT OR Apache-2.0
// The definition of products by lookup.
#include "bitnet/backend/cpu/kernels/ternary_lookup/ternary_lookup.h"

namespace bitnet::cpu::reference {
namespace {

using namespace lookup_tiles;

std::int32_t activation(const LookupTablesArgs& a, std::int64_t place) noexcept {
  return place < a.places ? a.activations[place] : 0;
}

void tables(const LookupTablesArgs& a) noexcept {
  for (std::int64_t g = 0; g < a.count; ++g)
    for (int m = 0; m <= 121; ++m) {
      const Weights& w = weights_of_bytes()[byte_of(m)];
      std::int32_t sum = 0;
      for (std::int64_t k = 0; k < kDigits; ++k)
        sum += w[static_cast<std::size_t>(k)] * activation(a, k * a.groups + a.first + g);
      std::uint8_t* table = a.tables + 256 * g + entry(m);
      table[0] = static_cast<std::uint8_t>(sum);
      table[kEntries] = static_cast<std::uint8_t>(sum >> 8);
    }
}

void sums(const LookupSumsArgs& a) noexcept {
  for (std::int64_t t = 0; t < a.tokens; ++t)
    for (std::int64_t row = 0; row < kStripRows * a.strips; ++row) {
      std::int32_t sum = 0;
      for (std::int64_t g = 0; g < a.count; ++g) {
        const unsigned code = a.codes[g * a.stride + row];
        const std::uint8_t* table = a.tables + 256 * (t * a.count + g) + (code & 127);
        const std::int32_t found = static_cast<std::int8_t>(table[kEntries]) * 256 + table[0];
        sum += code & 0x80 ? ~found : found;
      }
      std::int32_t& to = a.sums[t * a.sums_stride + row];
      to = a.more ? to + sum : sum;
    }
}

void one(const LookupOneArgs& a) noexcept {
  for (std::int64_t row = 0; row < kStripRows * a.strips; ++row) {
    std::int32_t sum = 0;
    for (std::int64_t g = 0; g < a.groups; ++g) {
      const std::uint8_t code = a.codes[g * a.stride + row];
      const Weights& w = weights_of_bytes()[code];
      for (std::int64_t k = 0; k < kDigits; ++k)
        if (k * a.groups + g < a.places)
          sum += w[static_cast<std::size_t>(k)] * a.activations[k * a.groups + g];
      sum -= code >> 7;
    }
    a.sums[row] = sum;
  }
}

void gemm(const LookupGemmArgs& a) noexcept {
  for (std::int64_t t = 0; t < a.tokens; ++t)
    for (std::int64_t row = 0; row < kStripRows; ++row) {
      const std::int8_t* q = a.activations + t * a.activation_stride;
      std::int32_t sum = 0;
      for (std::int64_t g = 0; g < a.groups; ++g) {
        const Weights& w = weights_of_bytes()[a.codes[g * a.stride + row]];
        for (std::int64_t k = 0; k < kDigits; ++k)
          sum += (w[static_cast<std::size_t>(k)] + 1) * q[k * a.groups + g];
      }
      a.sums[t * kStripRows + row] = sum;
    }
}

void pack(const LookupPackArgs& a) noexcept {
  lookup_tiles::pack(a.rows_of_codes, a.row_bytes, a.rows, a.cols, a.begin, a.end, a.out);
}

}  // namespace

const TernaryLookupFns ternary_lookup{tables, sums, one, gemm, pack, 24};

}  // namespace bitnet::cpu::reference
