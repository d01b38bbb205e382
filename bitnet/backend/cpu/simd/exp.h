// SPDX-License-Identifier: MIT OR Apache-2.0
// exp of 16 floats: the same bits on every ISA.
#pragma once

namespace bitnet::cpu {

/// e^r for |r| <= ln2 / 2: 1 + r + r^2 q(r), q of degree 4 by Remez' exchange (relative
/// error 3.1e-9 before its coefficients were rounded to float).
template <class V>
static inline V exp_polynomial(V r) {
  V p = V::set1(0x1.6a23d0p-10f);
  p = V::fma(p, r, V::set1(0x1.123a20p-7f));
  p = V::fma(p, r, V::set1(0x1.5558f2p-5f));
  p = V::fma(p, r, V::set1(0x1.555492p-3f));
  p = V::fma(p, r, V::set1(0x1.fffffcp-2f));
  p = V::fma(p, r, V::set1(1.0f));
  return V::fma(p, r, V::set1(1.0f));
}

/// x = n ln2 + r, |r| <= ln2 / 2, ln2 in two parts; the first step is exact.
template <class V>
static inline V exp_reduce(V x, V* n) {
  const V magic = V::set1(0x1.8p23f);  // adding it rounds to an integer, half to even
  *n = V::fma(x, V::set1(0x1.715476p+0f), magic) - magic;
  return V::fma(-*n, V::set1(-0x1.05c610p-29f), V::fma(-*n, V::set1(0x1.62e430p-1f), x));
}

// Beyond these bounds exp is 0 or inf already; both keep NaN.
template <class V>
static inline V exp_clamp(V x) {
  return V::min(V::set1(90.0f), V::max(V::set1(-105.0f), x));
}

/// Within 0.9 ulp of e^x for every float; overflow gives +inf, underflow passes through the
/// denormals to +0, NaN gives NaN.
template <class V>
static inline V exp(V x) {
  V n;
  const V r = exp_reduce(exp_clamp(x), &n);
  return V::scale_by_power_of_2(exp_polynomial(r), n);
}

/// e^(x + low) as below, for x in [-125, 87] or NaN.
template <class V>
static inline V exp_within(V x, V low) {
  V n;
  const V r = exp_reduce(x, &n) + low;
  return V::scale_by_power_of_2(exp_polynomial(r), n);
}

/// e^(x + low scale), likewise.
template <class V>
static inline V exp_within(V x, V low, V scale) {
  V n;
  const V r = V::fma(low, scale, exp_reduce(x, &n));
  return V::scale_by_power_of_2(exp_polynomial(r), n);
}

/// e^(x + low), |low| a few units in the last place of x: for arguments that one float cannot hold.
template <class V>
static inline V exp(V x, V low) {
  return exp_within(exp_clamp(x), low);
}

}  // namespace bitnet::cpu
