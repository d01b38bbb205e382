// SPDX-License-Identifier: MIT OR Apache-2.0
// What this machine can do at best, measured beside the kernels: reading, and 8-bit dot products
// and float multiply-adds on registers alone. Rates of all threads: measured_limits.h.
#pragma once

#include <cstdint>
#include <string_view>

namespace bitnet::cpu {

/// Reads `bytes` (a multiple of 64) once, fetching ahead; the result depends on all of them.
std::uint64_t read_once(const std::uint8_t* data, std::int64_t bytes) noexcept;

/// Runs the dot instruction that a kernel is built on, 12 independent sums of them, and returns how
/// many integer operations that was (a product and an addition are two). 0 where no loop is known.
std::int64_t dot_peak(std::string_view kernel) noexcept;

/// Runs fused multiply-adds of the kernel's ISA, 12 or 16 independent chains, and returns how many
/// float operations that was (a product and an addition are two). 0 where no loop is known.
std::int64_t fma_peak(std::string_view kernel) noexcept;

}  // namespace bitnet::cpu
