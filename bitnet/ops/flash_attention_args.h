// SPDX-License-Identifier: MIT OR Apache-2.0
// What general multi-head attention and its gradient are told, and the exact meaning of both.
#pragma once

#include <cstdint>

namespace bitnet {

/// Rows of floats [batch][head][row][columns]: the columns lie side by side, the other strides are
/// anything, counted in floats.
template <class T>
struct HeadRows {
  T* data;
  std::int64_t batch_stride, head_stride, row_stride;
};

/// Attention with grouped heads: query head h uses kv head h / (heads / kv_heads).
/// Query t sees the keys j of [first, end): without `causal` all; with it
///   end = clamp(t + keys - queries + 1, 0, keys),  first = window > 0 ? max(0, end - window) : 0.
/// For each batch, head and query t, with fma chains from +0 in rising order of their index:
///   s[j] = (chain over d of q[d] * k[j][d]) * scale
/// Keys are taken in chunks of 1024 and, inside a chunk, in blocks of 64, from key 0 on; of both
/// only the keys that t sees count, and a chunk or block of which it sees none does not occur.
///   a chunk begins with m = -FLT_MAX, l = 0, acc[d] = 0; each of its blocks:
///     n = max(m, s[j] of the block),  a = exp(m - n),  p[j] = exp(s[j] - n)
///     l = l * a + sum16(p)    (sum16: lane i adds p of keys i, i + 16, … of the block in order,
///     acc[d] = (chain over j of p[j] * v[j][d] from acc[d] * a)       then the tree of V::sum())
///     m = n
///   the row begins with M = -FLT_MAX, L = 0, O[d] = 0; each chunk:
///     n = max(M, m),  a = exp(M - n),  b = exp(m - n)
///     L = fma(l, b, L * a),  O[d] = fma(acc[d], b, O[d] * a),  M = n
///   out[d] = O[d] / L,  logsumexp = float(double(M) + log(double(L)))
/// exp is that of backend/cpu/simd/exp.h, log that of base/math.h.
/// Where L = 0, that is for a row that sees no key or none but those with s = -inf, out is +0 and
/// logsumexp -inf. A score of -inf weighs 0; of +inf or NaN makes the rows that see it NaN. What a
/// row does not see has no influence on it.
struct FlashAttentionArgs {
  HeadRows<const float> q;    // [batch][heads][queries][dim]
  HeadRows<const float> k;    // [batch][kv_heads][keys][dim]
  HeadRows<const float> v;    // [batch][kv_heads][keys][value_dim]
  HeadRows<float> out;        // [batch][heads][queries][value_dim]; overlaps no input
  HeadRows<float> logsumexp;  // [batch][heads][queries][1]; data null: not wanted
  std::int64_t batch, heads, kv_heads, queries, keys, dim, value_dim;
  std::int64_t window;  // 0: none; needs causal
  bool causal;
  float scale;
};

/// The gradient of sum(out * dout) with respect to q, k and v, from what the forward pass saved.
/// p is computed again, so that memory beyond inputs and outputs is one float a query:
///   p[t][j] = exp(s[t][j] - logsumexp[t])
///   delta[t] = dot16(dout[t], out[t])   (lane i: fma chain over d = i, i + 16, …; tree of
///   V::sum()) ds[t][j] = p[t][j] * ((chain over d of dout[t][d] * v[j][d]) - delta[t]) dq[t][d] =
///   (chain over j of ds[t][j] * k[j][d]) * scale dk[j][d] = (chain over r of ds[r][j] * q[r][d]) *
///   scale dv[j][d] = (chain over r of p[r][j] * dout[r][d])
/// r runs over the queries of the kv head's group that see j: by t, then by head. A row whose
/// logsumexp is -inf counts as seeing no key. Sums of nothing are +0.
struct FlashAttentionBackwardArgs {
  FlashAttentionArgs forward;  // out and logsumexp as the forward pass left them, read only
  HeadRows<const float> dout;  // [batch][heads][queries][value_dim]
  HeadRows<float> dq;          // as q; none of the three overlaps an input or another
  HeadRows<float> dk;          // as k
  HeadRows<float> dv;          // as v
};

}  // namespace bitnet
