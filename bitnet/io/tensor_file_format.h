// SPDX-License-Identifier: MIT OR Apache-2.0
// What reading and writing .bnt files share (tensor_file.h has the layout).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#include "bitnet/base/error.h"
#include "bitnet/tensor/dtype.h"

namespace bitnet::tensor_file {

inline constexpr std::string_view kMagic = "BNTENSOR", kEnd = "BNTEND\r\n";
inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::uint64_t kHeaderBytes = 64, kEntryBytes = 160, kFooterBytes = 48;
inline constexpr std::uint64_t kAlignment = 64, kPageBytes = 4096, kLarge = 65536;
inline constexpr std::size_t kMaxNameBytes = 4096;

/// The number of a type is its place here plus 1; for good, whatever becomes of the enum.
inline constexpr std::array kTypes{
    DType::f32,      DType::f16,        DType::bf16, DType::f64,  DType::i8,  DType::u8,
    DType::u16,      DType::i32,        DType::i64,  DType::i4,   DType::i2,  DType::i1,
    DType::ternary2, DType::ternary1_6, DType::q8_0, DType::q4_0, DType::q6_k};

/// Where a tensor of so many bytes begins behind byte `at`.
constexpr std::uint64_t alignment_of(std::uint64_t bytes) noexcept {
  return bytes >= kLarge ? kPageBytes : kAlignment;
}

inline void require_little_endian_host() {
  require(std::endian::native == std::endian::little,
          "tensor file: elements are little-endian, this machine is not", Errc::unsupported);
}

}  // namespace bitnet::tensor_file
