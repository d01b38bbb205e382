// SPDX-License-Identifier: MIT OR Apache-2.0
// Products of tiles of lookups with AVX-512 VNNI, for CPUs without VBMI.
#include "bitnet/backend/cpu/kernels/ternary_lookup/x86_gemm512.h"
#include "bitnet/backend/cpu/kernels/ternary_lookup/x86_pack256.h"

namespace bitnet::cpu::avx512vnni {
namespace {

// By the parts of entries, as tables of a shuffle have 16 places.
struct Decoder {
  __m512i low0 = table(kParts.low), low1 = table(kParts.low + 16);
  __m512i high = table(kParts.high), special = table(kParts.special);

  static __m512i table(const std::uint8_t* p) noexcept {
    return _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(p)));
  }
  void entries(__m512i code, __m512i& four, __m512i& last) const noexcept {
    const __m512i slot = _mm512_srli_epi16(code, 1) & _mm512_set1_epi8(31);
    const __m512i bits = code & _mm512_set1_epi8(0x41);
    const __m512i block = bits | _mm512_srli_epi16(bits, 5);
    const __mmask64 small = _mm512_cmpgt_epi8_mask(slot, _mm512_set1_epi8(26));
    const __m512i from =
        _mm512_mask_add_epi8(slot, small, slot, _mm512_shuffle_epi8(special, block));
    const __mmask64 upper = _mm512_cmpgt_epi8_mask(from, _mm512_set1_epi8(15));
    const __m512i three =
        _mm512_mask_shuffle_epi8(_mm512_shuffle_epi8(low0, from), upper, low1, from);
    const __m512i two =
        _mm512_mask_blend_epi8(small, _mm512_shuffle_epi8(high, block), _mm512_set1_epi8(0x41));
    four = three | (two & _mm512_set1_epi8(static_cast<char>(0xC0)));
    last = two & _mm512_set1_epi8(3);
  }
};

}  // namespace

const TernaryLookupFns ternary_lookup{nullptr, nullptr, nullptr, gemm<Decoder>, pack, 1};

}  // namespace bitnet::cpu::avx512vnni
