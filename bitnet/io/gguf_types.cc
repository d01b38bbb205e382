// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/io/gguf_types.h"

#include <array>

#include "bitnet/base/checked.h"

namespace bitnet {
namespace {

constexpr std::array kReadable{
    GgmlTypeInfo{GgmlType::f32, "F32", 1, 4, 0, DType::f32, {}},
    GgmlTypeInfo{GgmlType::f16, "F16", 1, 2, 0, DType::f16, {}},
    GgmlTypeInfo{GgmlType::q4_0, "Q4_0", 32, 18, 0, DType::q4_0, {}},
    GgmlTypeInfo{GgmlType::q8_0, "Q8_0", 32, 34, 0, DType::q8_0, {}},
    GgmlTypeInfo{GgmlType::q6_k, "Q6_K", 256, 210, 0, DType::q6_k, {}},
    GgmlTypeInfo{GgmlType::i8, "I8", 1, 1, 0, DType::i8, {}},
    GgmlTypeInfo{GgmlType::i32, "I32", 1, 4, 0, DType::i32, {}},
    GgmlTypeInfo{GgmlType::i64, "I64", 1, 8, 0, DType::i64, {}},
    GgmlTypeInfo{GgmlType::f64, "F64", 1, 8, 0, DType::f64, {}},
    GgmlTypeInfo{GgmlType::bf16, "BF16", 1, 2, 0, DType::bf16, {}},
    GgmlTypeInfo{GgmlType::tq1_0, "TQ1_0", 256, 54, 0, {}, PackedFormat::tq1_0},
    GgmlTypeInfo{GgmlType::tq2_0, "TQ2_0", 256, 66, 0, {}, PackedFormat::tq2_0},
    // ggml_nbytes of bitnet.cpp: elements / 4 + 32, whatever the row length; 4 elements are the
    // least whole byte.
    GgmlTypeInfo{GgmlType::i2_s, "I2_S", 4, 1, 32, {}, PackedFormat::i2_s_x86},
    GgmlTypeInfo{GgmlType::lt1_6, "LT1_6", 1, 0, 64, {}, PackedFormat::lookup_tiles},
};

struct KnownId {
  std::uint32_t id;
  std::string_view what;
};

// ggml.h of llama.cpp, of microsoft/BitNet's fork and of ik_llama.cpp.
constexpr std::array kKnown{
    KnownId{3, "Q4_1 (llama.cpp)"},
    KnownId{4, "Q4_2 (llama.cpp, removed 2023)"},
    KnownId{5, "Q4_3 (llama.cpp, removed 2023)"},
    KnownId{6, "Q5_0 (llama.cpp)"},
    KnownId{7, "Q5_1 (llama.cpp)"},
    KnownId{9, "Q8_1 (llama.cpp)"},
    KnownId{10, "Q2_K (llama.cpp)"},
    KnownId{11, "Q3_K (llama.cpp)"},
    KnownId{12, "Q4_K (llama.cpp)"},
    KnownId{13, "Q5_K (llama.cpp)"},
    KnownId{15, "Q8_K (llama.cpp)"},
    KnownId{16, "IQ2_XXS (llama.cpp)"},
    KnownId{17, "IQ2_XS (llama.cpp)"},
    KnownId{18, "IQ3_XXS (llama.cpp)"},
    KnownId{19, "IQ1_S (llama.cpp)"},
    KnownId{20, "IQ4_NL (llama.cpp)"},
    KnownId{21, "IQ3_S (llama.cpp)"},
    KnownId{22, "IQ2_S (llama.cpp)"},
    KnownId{23, "IQ4_XS (llama.cpp)"},
    KnownId{25, "I16 (llama.cpp)"},
    KnownId{29, "IQ1_M (llama.cpp)"},
    KnownId{31, "Q4_0_4_4 (llama.cpp, removed 2024)"},
    KnownId{32, "Q4_0_4_8 (llama.cpp, removed 2024)"},
    KnownId{33, "Q4_0_8_8 (llama.cpp, removed 2024)"},
    KnownId{37, "I8_S (bitnet.cpp, activations only)"},
    KnownId{38, "TL1 (bitnet.cpp; its tiling is not in the file)"},
    KnownId{39, "MXFP4 (llama.cpp) or TL2 (bitnet.cpp; its tiling is not in the file)"},
    KnownId{40, "NVFP4 (llama.cpp)"},
    KnownId{41, "Q1_0 (llama.cpp)"},
    KnownId{42, "a ternary type of Ternary-Bonsai's fork, two group sizes under one number"},
    KnownId{134, "IQ1_BN (ik_llama.cpp)"},
    KnownId{135, "IQ2_BN (ik_llama.cpp)"},
    KnownId{335, "IQ2_BN_R4 (ik_llama.cpp)"},
};

}  // namespace

std::string_view name(GgufValueType type) noexcept {
  constexpr std::array<std::string_view, kGgufValueTypes> kNames{
      "u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
      "bool", "string", "array", "u64", "i64", "f64"};
  return kNames[static_cast<std::size_t>(type)];
}

std::uint64_t size_bytes(GgufValueType type) noexcept {
  constexpr std::array<std::uint64_t, kGgufValueTypes> kSizes{1, 1, 2, 2, 4, 4, 4,
                                                              1, 0, 0, 8, 8, 8};
  return kSizes[static_cast<std::size_t>(type)];
}

std::optional<std::uint64_t> tensor_bytes(const GgmlTypeInfo& type, std::int64_t columns,
                                          std::int64_t rows) noexcept {
  const auto elements = static_cast<std::uint64_t>(columns) * static_cast<std::uint64_t>(rows);
  // An I2_S stream ignores rows: only the whole must fill bytes.
  const std::uint64_t unit =
      type.type == GgmlType::i2_s ? elements : static_cast<std::uint64_t>(columns);
  if (unit % type.block_elements != 0) return std::nullopt;
  const auto payload = type.block_bytes == 0
                           ? packed_bytes(*type.packed, rows, columns)
                           : checked_mul(elements / type.block_elements, type.block_bytes);
  return payload ? checked_add(*payload, type.trailer_bytes) : std::nullopt;
}

const GgmlTypeInfo* find_ggml_type(std::uint32_t id) noexcept {
  for (const GgmlTypeInfo& row : kReadable)
    if (static_cast<std::uint32_t>(row.type) == id) return &row;
  return nullptr;
}

const GgmlTypeInfo& info(GgmlType type) noexcept {
  return *find_ggml_type(static_cast<std::uint32_t>(type));
}

std::string describe_ggml_id(std::uint32_t id) {
  if (const GgmlTypeInfo* row = find_ggml_type(id)) return std::string(row->name);
  for (const KnownId& known : kKnown)
    if (known.id == id) return std::string(known.what);
  return "unknown";
}

}  // namespace bitnet
