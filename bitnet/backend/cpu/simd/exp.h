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

/// Which powers of two occur: any, those of normal numbers, or none above 2^63.
enum class Powers { any, normal, low };

/// x = n ln2 + r, |r| <= ln2 / 2, ln2 in two parts; the first step is exact.
template <class V, Powers kPowers>
struct ExpReduced {
  // Adding it rounds to an integer n; the lowest bits of the sum are then n and exponents' bias, of
  // `any` twice. Ties do not occur: no 24 bits of x times those of log2(e) end in a half.
  static constexpr float kOffset = 0x1.8p23f + (kPowers == Powers::any      ? 254.0f
                                                : kPowers == Powers::normal ? 127.0f
                                                                            : 127.0f + 64.0f);
  V shifted, n, r;

  explicit ExpReduced(V x)
      : shifted(V::fma(x, V::set1(0x1.715476p+0f), V::set1(kOffset))),
        n(shifted - V::set1(kOffset)),
        r(V::fma(n, V::set1(0x1.05c610p-29f), V::fma(n, V::set1(-0x1.62e430p-1f), x))) {}

  // p 2^n, rounded once: products before the last are exact.
  V scale(V p) const {
    if constexpr (V::kScales)
      return V::scale(p, n);
    else if constexpr (kPowers == Powers::any)
      return V::scale_by_halves(p, shifted);
    else if constexpr (kPowers == Powers::normal)
      return p * V::power_of_2(shifted);
    else
      return p * V::power_of_2(shifted) * V::set1(0x1p-64f);
  }
};

// Beyond these bounds exp is 0 or inf already; both keep NaN.
template <class V>
static inline V exp_clamp_low(V x) {
  return V::max(V::set1(-105.0f), x);
}
template <class V>
static inline V exp_clamp(V x) {
  return V::min(V::set1(90.0f), exp_clamp_low(x));
}

/// Within 0.9 ulp of e^x for every float; overflow gives +inf, underflow passes through the
/// denormals to +0, NaN gives NaN.
template <class V>
static inline V exp(V x) {
  const ExpReduced<V, Powers::any> e(exp_clamp(x));
  return e.scale(exp_polynomial(e.r));
}

/// e^(x + low), |low| a few units in the last place of x: for arguments that one float cannot hold.
template <class V>
static inline V exp(V x, V low) {
  const ExpReduced<V, Powers::any> e(exp_clamp(x));
  return e.scale(exp_polynomial(e.r + low));
}

// The same bits in fewer steps where the range of x is known.

/// e^(x + low) for x in [-87, 87] or NaN.
template <class V>
static inline V exp_normal(V x, V low) {
  const ExpReduced<V, Powers::normal> e(x);
  return e.scale(exp_polynomial(e.r + low));
}

/// e^x for x in [-125, 43] or NaN.
template <class V>
static inline V exp_low(V x) {
  const ExpReduced<V, Powers::low> e(x);
  return e.scale(exp_polynomial(e.r));
}

/// e^(x + low), likewise.
template <class V>
static inline V exp_low(V x, V low) {
  const ExpReduced<V, Powers::low> e(x);
  return e.scale(exp_polynomial(e.r + low));
}

/// e^(x + low scale), likewise.
template <class V>
static inline V exp_low(V x, V low, V scale) {
  const ExpReduced<V, Powers::low> e(x);
  return e.scale(exp_polynomial(V::fma(low, scale, e.r)));
}

/// e^x for every x <= 0 and NaN.
template <class V>
static inline V exp_of_negative(V x) {
  return exp_low(exp_clamp_low(x));
}

}  // namespace bitnet::cpu
