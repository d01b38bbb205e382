// SPDX-License-Identifier: MIT OR Apache-2.0
// What an op is told: plain structs of pointers and sizes, checked by the front functions of ops/,
// trusted by kernels.
// "[a][b]" in a comment is a row-major array; a stride is counted in elements from one row to the
// next.
#pragma once

#include <compare>
#include <cstdint>

namespace bitnet {

/// How far ahead of what is read weights are fetched, and whether into the second cache or past it
/// into the first. It changes no result; what is faster depends on the machine
/// (backend/cpu/stream_fetch.h).
struct StreamFetch {
  std::int32_t bytes = 16384;
  bool second_cache = true;
};

/// One row of activations per token: symmetric int8, one scale a token (Hugging Face
/// integrations/bitnet.py):
///   s = 127 / max(max_k |x[k]|, 1e-5f);   q[k] = clamp(round_half_even(x[k] * s), -128, 127)
/// NaN counts as 0 in the maximum and quantizes to 0.
/// q is stored in pair order (ternary/activations.h): in each group of 256 columns, byte 64*g +
/// 32*h + p holds column 128*h + 32*g + p (g < 4 planes, h < 2 blocks, p < 32), so that one 64-byte
/// load meets the codes that one 64-byte load of two block128 weight blocks holds in bits
/// 7-2g:6-2g. Columns from `cols` to round_up(cols, 256) are stored as 0.
struct QuantizeArgs {
  const float* x;  // [tokens][x_stride]
  std::int64_t x_stride;
  std::int8_t* q;         // [tokens][q_stride], 64-byte aligned rows, pair order
  std::int64_t q_stride;  // >= round_up(cols, 256), a multiple of 64
  float* scale;           // [tokens]: s
  std::int32_t* sum;      // [tokens]: sum over k of q[k]
  std::int64_t tokens, cols;
};

/// out[t][r] = float(sum_k w[r][k] * q[t][k]) * token_scale[t], the sum exact in int32 (cols <=
/// 2^22). w are block128 rows (ternary/block128.h); with codes c = w + 1 the sum is sum_k c*q -
/// activation_sum[t].
struct TernaryLinearArgs {
  const std::uint8_t* weights;     // [rows][row_bytes]; no code 3; any alignment
  std::int64_t row_bytes;          // >= 32 * blocks
  const std::int8_t* activations;  // [tokens][activation_stride], pair order, 64-byte aligned rows
  std::int64_t activation_stride;
  const std::int32_t* activation_sum;  // [tokens]
  const float* token_scale;            // [tokens]
  float* out;                          // [tokens][out_stride]
  std::int64_t out_stride;
  std::int64_t rows, blocks, tokens;  // blocks = ceil(cols / 128)
  StreamFetch fetch = {};             // of one token
};

/// Up to kMaxParts products of the same activations, each as TernaryLinearArgs says: the same bits.
struct TernaryLookupArgs {
  static constexpr int kMaxParts = 3;
  struct Part {
    const std::uint8_t* tiles;  // ternary/lookup_tiles.h, 64-byte aligned
    const float* token_scale;   // [tokens]
    float* out;                 // [tokens][out_stride]
    std::int64_t out_stride, rows;
  };
  Part parts[kMaxParts];
  int num_parts;
  const std::int8_t* activations;  // [tokens][activation_stride], pair order
  std::int64_t activation_stride;
  std::int64_t tokens, cols;
};

/// block128 rows to tiles.
struct PackLookupArgs {
  const std::uint8_t* weights;  // [rows][row_bytes]; no code 3; any alignment
  std::int64_t row_bytes;
  std::uint8_t* tiles;  // [lookup_tiles::bytes(rows, cols)], 64-byte aligned
  std::int64_t rows, cols;
};

/// out[t][k] = weight[k] * (x[t][k] * r),  r = 1 / sqrt(sum16(x[t]^2) / divisor + eps)
/// (LlamaRMSNorm, where divisor is cols; columns that are 0 may have been left out since). sum16:
/// docs/ARCHITECTURE.md, "Four ideas".
struct RmsNormArgs {
  const float* x;  // [tokens][x_stride]
  std::int64_t x_stride;
  const float* weight;  // [cols]
  float* out;           // [tokens][out_stride], may be x
  std::int64_t out_stride;
  std::int64_t tokens, cols;
  float eps;
  std::int64_t divisor;
};

/// Dense weights times float activations: out[t][r] = dot16(w[r], x[t]).
/// Weights of every type are first turned into float exactly as io/ggml_blocks.h defines, then
/// multiplied.
struct DenseLinearArgs {
  const void* weights;  // [rows][row_bytes]
  std::int64_t row_bytes;
  std::uint8_t dtype;  // DType: f32, bf16, f16, q8_0, q4_0, q6_k
  const float* x;      // [tokens][x_stride]
  std::int64_t x_stride;
  float* out;  // [tokens][out_stride]
  std::int64_t out_stride;
  std::int64_t rows, cols, tokens;
  float* scratch;  // of the calling worker's own, dense_linear_scratch_floats() floats
};

/// Rows of weights w in 6 bits (ops/sketch_tiles.h): for each 64 columns d = the smallest half with
/// 31.5 * d >= max |w| (0 where that is no normal half), c = round(w / d - 0.5) + 32, halves to
/// even. With s = d * (2 * (c / 2) - 31) of the upper bits and f = d * (c - 31.5) of all, each
/// row's sums, as dot16 adds: sum w^2, sum s^2, sum (w - s)^2, sum (w - f)^2. Rows that fill up
/// the last strip have no sums and no last bits.
struct SketchArgs {
  static constexpr int kSums = 4;
  const void* weights;  // [rows][row_bytes]
  std::int64_t row_bytes;
  std::uint8_t dtype;       // DType: f32, bf16, f16
  std::uint8_t* out;        // [sketch_tiles::bytes(rows, cols)], 64-byte aligned
  std::uint8_t* last;       // [rows][sketch_tiles::last_row_bytes(cols)]
  float* squares;           // [rows][kSums]
  std::int64_t rows, cols;  // cols: a multiple of 32
};

/// Products with the upper bits of a sketch: with v[t][k] = 128 * high[t][k] + low[t][k] and b over
/// blocks of 64 columns,
///   out[t][r] = (fma chain over b of d[r][b] * float(sum over block b of (2 u[r][k] - 31) *
///               v[t][k])) * scale[t]
/// The sums are exact: 64 * 31 * 8000 is below 2^24.
struct SketchDotArgs {
  static constexpr std::int64_t kMaxTokens = 8;
  const std::uint8_t* sketch;  // strips of 16 rows, 64-byte aligned
  // Of each block and token 64 high, -63 to 63, and 64 low, -64 to 63; 0 beyond the columns.
  const std::int8_t* values;  // [2 * pairs][tokens][2][64]
  const std::int32_t* start;  // [2 * pairs][tokens]: -31 * sum of v
  const float* scale;         // [tokens]
  float* out;                 // [tokens][out_stride]
  std::int64_t out_stride;
  std::int64_t rows, pairs, tokens;  // sketch_tiles::pairs(cols), 1 to kMaxTokens
  StreamFetch fetch = {};
};

/// What the last bits add to some of these products: with p[i] = (fma chain over b of d[r][b] * sum
/// over i = k % 16 of block b of (c[r][k] % 2 ? v[t][k] : -v[t][k]), which is exact),
///   out[t][r] += sum16(p) * (scale[t] / 2)
struct SketchRefineArgs {
  struct Place {
    std::int32_t row, token;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  const std::uint8_t* last;  // [rows][sketch_tiles::last_row_bytes(cols)]
  const Place* places;       // [count], each once
  const float* values;       // [tokens][2 * pairs * 64]: v, 0 beyond the columns
  const float* scale;        // [tokens]
  float* out;                // [tokens][out_stride]
  std::int64_t out_stride;
  std::int64_t count, pairs;
};

/// out[t] = float(weights[ids[t]]): rows of the embedding, converted as in DenseLinearArgs.
struct EmbedArgs {
  const void* weights;  // [vocab][row_bytes]
  std::int64_t row_bytes;
  std::uint8_t dtype;
  const std::int32_t* ids;  // [tokens], each in [0, vocab)
  float* out;               // [tokens][out_stride]
  std::int64_t out_stride;
  std::int64_t cols, tokens;
};

enum class GatedActivation : std::uint8_t {
  relu2,  // relu(g)^2 * u
  silu,   // g / (1 + exp(-g)) * u
};

/// out[t][k] = act(gate[t][k]) * up[t][k]
struct GatedActivationArgs {
  const float* gate;  // [tokens][gate_stride]
  std::int64_t gate_stride;
  const float* up;  // [tokens][up_stride]
  std::int64_t up_stride;
  float* out;  // [tokens][out_stride], may be gate or up
  std::int64_t out_stride;
  std::int64_t tokens, cols;
  GatedActivation kind;
};

/// x[t][k] += y[t][k]
struct AddArgs {
  float* x;
  std::int64_t x_stride;
  const float* y;
  std::int64_t y_stride;
  std::int64_t tokens, cols;
};

/// Rotary embedding in place, "rotate_half" pairing: for i < dim/2, a = x[i], b = x[i + dim/2]:
///   x[i] = fma(-b, sin, a * cos),  x[i + dim/2] = fma(a, sin, b * cos)
/// cos, sin: rows of the position of each token (model/rope_table.h).
struct RopeArgs {
  float* x;  // [tokens][x_stride]; head h of a token starts at h * dim
  std::int64_t x_stride;
  const float* cos;  // [tokens][dim / 2]
  const float* sin;
  std::int64_t tokens, heads, dim;  // dim even
};

/// How a KV cache stores numbers.
enum class KvType : std::uint8_t {
  f32,
  bf16,  // rounded to nearest, halves to even
  int8,  // with a float32 scale for each position of a kv head, keys and values apart:
         //   a = max_k |x[k]|, NaN where one is;  a = 1e-30f where it is less
         //   s = a / 127;  q[k] = round_half_even(x[k] * (127 / a)), of NaN 0
};

/// Bytes of `capacity` positions of one kv head, keys or values: all numbers, behind them the
/// scales [capacity] of int8. Static: kernels call it and must not export weak symbols.
static constexpr std::int64_t kv_head_bytes(KvType type, std::int64_t capacity,
                                            std::int64_t dim) noexcept {
  return capacity * (type == KvType::f32 ? 4 * dim : type == KvType::bf16 ? 2 * dim : dim + 4);
}

/// Stores this step's keys and values of one layer in its cache. Each position is rounded by
/// itself, once.
/// keys: of each kv head [capacity / 16][dim][16] (blocks of 16 positions, transposed, so that a
/// vector holds 16 keys); values: of each kv head [capacity][dim]; kv_head_bytes() a head.
struct KvWriteArgs {
  const float* k;  // [tokens][k_stride], head h at h * dim
  std::int64_t k_stride;
  const float* v;
  std::int64_t v_stride;
  void* keys;
  void* values;
  std::int64_t capacity;  // positions, a multiple of 16
  std::int64_t first_position;
  std::int64_t tokens, kv_heads, dim;
  KvType type = KvType::f32;
};

/// Causal attention with grouped heads over the cache: query head h uses kv head h / (heads /
/// kv_heads). For token t at position p = first_position + t, over j in [0, p]:
///   s[j] = (fma chain over d of q[d] * key[j][d]) * scale
///   m = max s;  e[j] = exp(s[j] - m);  z = sum16(e)
///   out[d] = (fma chain over j = 0..p of e[j] * value[j][d]) / z
/// bf16 is widened, which is exact. Of an int8 cache key and value are the integers, and their
/// scales k[j], v[j] come in once for each position:
///   s[j] = ((fma chain over d of q[d] * key[j][d]) * k[j]) * scale
///   out[d] = (fma chain over j = 0..p of (e[j] * v[j]) * value[j][d]) / z
struct AttentionArgs {
  const float* q;  // [tokens][q_stride], head h at h * dim
  std::int64_t q_stride;
  const void* keys;    // as in KvWriteArgs
  const void* values;  // as in KvWriteArgs
  float* out;          // [tokens][out_stride], head h at h * dim
  std::int64_t out_stride;
  std::int64_t capacity, first_position, tokens, heads, kv_heads, dim;
  float scale;  // 1 / sqrt(dim)
  float*
      scratch;  // of the calling worker's own, attention_scratch_floats() floats, 64-byte aligned
  KvType type = KvType::f32;
};

}  // namespace bitnet
