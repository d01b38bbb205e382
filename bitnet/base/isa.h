// SPDX-License-Identifier: MIT OR Apache-2.0
// Which instruction sets this machine has, and which one the kernels use.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bitnet::isa {

/// Sets of instructions that a kernel may need, as a bit mask. Kernel tables compare against
/// `active()`.
using Mask = std::uint32_t;
inline constexpr Mask kNone = 0;
inline constexpr Mask kAvx2 = 1u << 0;         // AVX2, FMA, F16C
inline constexpr Mask kAvxVnni = 1u << 1;      // 256-bit vpdpbusd, VEX-coded
inline constexpr Mask kAvx512 = 1u << 2;       // AVX-512 F, BW, VL, DQ
inline constexpr Mask kAvx512Vnni = 1u << 3;   // 512-bit vpdpbusd
inline constexpr Mask kNeon = 1u << 4;         // Armv8 Advanced SIMD
inline constexpr Mask kNeonDotprod = 1u << 5;  // sdot
inline constexpr Mask kNeonI8mm = 1u << 6;     // smmla
inline constexpr Mask kAvx512Vbmi = 1u << 7;   // 512-bit vpermi2b, and GFNI

/// A level that BITNET_ISA can name, lowest first: its name and all masks it allows.
struct Level {
  std::string_view name;
  Mask allows;
};

/// reference, then the levels of this architecture (x86: avx2, avxvnni, avx512vnni,
/// avx512vbmi; Arm: neon_dotprod, neon_i8mm).
std::span<const Level> levels() noexcept;

/// What CPU and operating system support together (CPUID and XGETBV; getauxval on Arm).
Mask detect() noexcept;

/// The mask kernels are chosen by: detect(), lowered by the environment variable BITNET_ISA, read
/// once. Throws Error{unsupported} where BITNET_ISA names an ISA this CPU lacks ("… this CPU lacks
/// …"), and Error{invalid_argument} for a name that is not an ISA of this architecture.
Mask active();

/// As active(), for a given name instead of the environment ("" = no limit). For tests and
/// `doctor`.
Mask limited_to(std::string_view name, Mask detected);

/// The best level that `mask` allows: "avx512vnni", "reference", …
std::string_view name_of(Mask mask) noexcept;

inline bool has(Mask mask, Mask needs) noexcept { return (mask & needs) == needs; }

/// Model name of the CPU as the system tells it; "unknown" where it does not.
std::string cpu_name();

}  // namespace bitnet::isa
