// SPDX-License-Identifier: MIT OR Apache-2.0
// From one model format to another, with a proof that nothing changed.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bitnet/generate/open_model.h"
#include "bitnet/io/gguf_types.h"
#include "bitnet/runtime/runtime.h"

namespace bitnet {

enum class ConvertTarget : std::uint8_t {
  hf_folder,
  gguf_i2_s,
  gguf_tq1_0,
  gguf_tq2_0,
  gguf_lt1_6,  // of our own: what kernels that look sums up read in place (docs/FORMATS.md)
};

/// "hf", "i2_s", "tq1_0", "tq2_0", "lt1_6"
std::optional<ConvertTarget> convert_target_from_name(std::string_view name) noexcept;

struct ConvertOptions {
  ConvertTarget target = ConvertTarget::gguf_i2_s;
  /// Type of embedding and head in a GGUF result (f32, f16, bf16, q8_0, q6_k, q4_0); nullopt: as
  /// they are.
  std::optional<GgmlType> table_type;
  bool check = true;  // compare the logits of source and result
  OpenOptions open;   // how to read the source
  std::function<void(const char* step, std::uint64_t done, std::uint64_t total)> progress;
};

struct ConvertReport {
  std::uint64_t source_bytes = 0, result_bytes = 0;
  std::int64_t ternary_weights = 0, zero_weights = 0;
  double ternary_bits_per_weight = 0.0;  // scales included
  bool checked = false;
  bool identical = false;  // every logit of the check has the same bits
  double max_logit_difference = 0.0;
  std::vector<std::string> warnings;
};

/// Reads the model at `in` and writes it to `out`: a .gguf file, or a folder that is made. The
/// result appears whole or not at all; an existing file is replaced, an existing folder must be
/// empty. A GGUF result of a Hugging Face folder keeps that folder's documents (config.json,
/// tokenizer.json, …) and the headers of its safetensors files, so that the way back gives the same
/// bytes. Throws FileError, Error; Error{internal} where the check finds other logits than dense
/// types account for.
ConvertReport convert(const std::string& in, const std::string& out, const ConvertOptions& options,
                      Runtime& runtime);

}  // namespace bitnet
