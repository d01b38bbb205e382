// SPDX-License-Identifier: MIT OR Apache-2.0
#include <cpuid.h>

#include "bitnet/base/isa.h"

namespace bitnet::isa {
namespace {

struct Cpuid {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};

Cpuid cpuid(unsigned leaf, unsigned subleaf) noexcept {
  Cpuid r;
  __get_cpuid_count(leaf, subleaf, &r.eax, &r.ebx, &r.ecx, &r.edx);
  return r;
}

std::uint64_t xgetbv() noexcept {
  unsigned low = 0, high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (std::uint64_t{high} << 32) | low;
}

constexpr bool bit(unsigned word, int index) noexcept { return (word >> index) & 1u; }

}  // namespace

Mask detect() noexcept {
  const Cpuid one = cpuid(1, 0);
  const bool osxsave = bit(one.ecx, 27);
  if (!osxsave) return kNone;
  const std::uint64_t state = xgetbv();
  const bool os_ymm = (state & 0x06) == 0x06;  // XMM and YMM state
  const bool os_zmm = (state & 0xe6) == 0xe6;  // and opmask, ZMM
  const Cpuid seven = cpuid(7, 0);
  const Cpuid seven_one = cpuid(7, 1);

  Mask mask = kNone;
  const bool avx2 = bit(one.ecx, 28) && bit(one.ecx, 12) && bit(one.ecx, 29) && bit(seven.ebx, 5);
  if (os_ymm && avx2) mask |= kAvx2;
  if (os_ymm && avx2 && bit(seven_one.eax, 4)) mask |= kAvxVnni;
  const bool avx512 =
      bit(seven.ebx, 16) && bit(seven.ebx, 17) && bit(seven.ebx, 30) && bit(seven.ebx, 31);
  if (os_zmm && avx2 && avx512) mask |= kAvx512;
  if (os_zmm && avx2 && avx512 && bit(seven.ecx, 11)) mask |= kAvx512Vnni;
  if (os_zmm && avx2 && avx512 && bit(seven.ecx, 1) && bit(seven.ecx, 8)) mask |= kAvx512Vbmi;
  return mask;
}

}  // namespace bitnet::isa
