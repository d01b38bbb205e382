// SPDX-License-Identifier: MIT OR Apache-2.0
// Names of a decoder's tensors in GGUF files (llama.cpp's), and the row order of rotated matrices
// there.
#pragma once

#include <string>

#include "bitnet/model/weights.h"

namespace bitnet::gguf_names {

inline const char* base(Linear which) {
  switch (which) {
    case Linear::q:
      return "attn_q";
    case Linear::k:
      return "attn_k";
    case Linear::v:
      return "attn_v";
    case Linear::o:
      return "attn_output";
    case Linear::gate:
      return "ffn_gate";
    case Linear::up:
      return "ffn_up";
    case Linear::down:
      break;
  }
  return "ffn_down";
}

/// "blk.3.attn_q.weight" from (3, "attn_q.weight")
inline std::string in_block(std::int64_t index, const std::string& rest) {
  return "blk." + std::to_string(index) + "." + rest;
}

inline constexpr const char* kEmbedding = "token_embd.weight";
inline constexpr const char* kHead = "output.weight";
inline constexpr const char* kNorm = "output_norm.weight";
inline constexpr const char* kAttentionNorm = "attn_norm.weight";
inline constexpr const char* kAttentionSubNorm = "attn_sub_norm.weight";
inline constexpr const char* kFfnNorm = "ffn_norm.weight";
inline constexpr const char* kFfnSubNorm = "ffn_sub_norm.weight";

/// Row of a pairwise-stored matrix (llama.cpp's "llama") that holds row `row` of the Hugging Face
/// matrix: within a head, (half s, index i) lies at 2i + s.
constexpr std::int64_t permuted_row(std::int64_t row, std::int64_t head_dim) {
  const std::int64_t head = row / head_dim, in_head = row % head_dim, half = head_dim / 2;
  return head * head_dim + 2 * (in_head % half) + in_head / half;
}

}  // namespace bitnet::gguf_names
