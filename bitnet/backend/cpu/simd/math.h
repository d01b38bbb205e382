// SPDX-License-Identifier: MIT OR Apache-2.0
// log, tanh, sigmoid, GELU and pow of 16 floats: the same bits on every ISA. Errors are stated in
// units in the last place of the result, measured over all floats (elementwise_accuracy_test.cc).
// Polynomials are by Remez' exchange, their errors those before coefficients were rounded.
#pragma once

#include "bitnet/backend/cpu/simd/exp.h"

namespace bitnet::cpu {

template <class V>
static inline V abs(V x) {
  return x & V::set1(__builtin_bit_cast(float, 0x7fffffffu));
}

template <class V>
static inline V minus_abs(V x) {
  return x | V::set1(-0.0f);
}

template <class V>
static inline V sign_of(V x) {
  return x & V::set1(-0.0f);
}

/// As std::copysign for magnitude >= 0.
template <class V>
static inline V with_sign(V magnitude, V x) {
  return magnitude | sign_of(x);
}

template <class V, unsigned kTerms>
static inline V polynomial(V x, const float (&highest_first)[kTerms]) {
  V p = V::set1(highest_first[0]);
  for (unsigned i = 1; i < kTerms; ++i) p = V::fma(p, x, V::set1(highest_first[i]));
  return p;
}

/// x * y to the bit, by the multiply-add unit: Zen 5 takes some 20 cycles more for a product of
/// denormals, and none for a sum of it and -0, which changes nothing.
template <class V>
static inline V product(V x, V y) {
  return V::fma(x, y, V::set1(-0.0f));
}

/// sqrt(x) to the bit. Roots of denormals take 2.4 times the time of others, so they are taken of
/// 2^24 x; both steps are exact.
template <class V>
static inline V root(V x) {
  const V one = V::set1(1.0f);
  const auto tiny = V::less(x, V::set1(0x1p-126f));
  return V::sqrt(product(x, V::select(tiny, V::set1(0x1p24f), one))) *
         V::select(tiny, V::set1(0x1p-12f), one);
}

/// x / y to the bit. A tiny y is brought into the range of normal numbers, and x with it: exact,
/// unless x overflows, as the quotient then does.
template <class V>
static inline V quotient(V x, V y) {
  const auto tiny = V::less(abs(y), V::set1(0x1p-100f));
  const V up = V::select(tiny, V::set1(0x1p48f), V::set1(1.0f));
  return product(x, up) / product(y, up);
}

/// Brings denormals into the range of split(): x = m * 2^e for positive finite x.
template <class V>
static inline void split_positive(V x, V* m, V* e) {
  const auto tiny = V::less(x, V::set1(0x1p-126f));
  V::split(V::select(tiny, product(x, V::set1(0x1p23f)), x), m, e);
  *e = *e - V::select(tiny, V::set1(23.0f), V::zero());
}

/// Natural logarithm; -inf of 0, NaN of negatives. log(1 + f) = f - f^2/2 + f^3 P(f), |f| <= 1/3,
/// relative error 5e-9.
template <class V>
static inline V log(V x) {
  V m, e;
  split_positive(x, &m, &e);
  const V f = m - V::set1(1.0f);
  const V p = polynomial(f, {-0x1.0e2ac4p-3f, 0x1.1df348p-3f, -0x1.f03c16p-4f, 0x1.1ef19ap-3f,
                             -0x1.55b7e6p-3f, 0x1.99ce42p-3f, -0x1.fffe5ep-3f, 0x1.55550cp-2f});
  V y = V::fma(f * f, V::fma(f, p, V::set1(-0.5f)), f);
  y = V::fma(e, V::set1(0x1.62e430p-1f), V::fma(e, V::set1(-0x1.05c610p-29f), y));
  y = V::select(V::less(V::set1(0x1.fffffep127f), x), x, y);  // +inf
  const V outside =
      V::select(V::equal(x, V::zero()), V::set1(-__builtin_inff()), V::set1(__builtin_nanf("")));
  return V::select(V::less(V::zero(), x), y, outside);
}

/// tanh: x + x^3 P(x^2) below 0.6 (relative error 2.6e-9), 1 - 2 / (e^(2 |x|) + 1) above.
template <class V>
static inline V tanh(V x) {
  const V t = abs(x), u = product(t, t);
  const V p = polynomial(
      u, {-0x1.830c0ap-8f, 0x1.54e01cp-6f, -0x1.b89edap-5f, 0x1.1109dcp-3f, -0x1.55553ep-2f});
  const V one = V::set1(1.0f);
  // From 9.01 on it is 1, so e^40 is as good as more.
  const V large = one - V::set1(2.0f) / (exp_low(V::min(V::set1(40.0f), t + t)) + one);
  const V small = V::fma(product(t, u), p, t);
  return with_sign(V::select(V::less(t, V::set1(0.6f)), small, large), x);
}

/// 1 / (1 + e^-x) and its complement 1 / (1 + e^x), both to a few ulp also where they are tiny.
template <class V>
static inline void sigmoids(V x, V* of_x, V* of_minus_x) {
  const auto negative = V::less(x, V::zero());
  const V e = exp_of_negative(minus_abs(x));
  const V near_one = V::set1(1.0f) / (V::set1(1.0f) + e);
  const V near_zero = e * near_one;
  *of_x = V::select(negative, near_zero, near_one);
  *of_minus_x = V::select(negative, near_one, near_zero);
}

template <class V>
static inline V sigmoid(V x) {
  V s, complement;
  sigmoids(x, &s, &complement);
  return s;
}

/// x within [-bound, bound], NaN kept.
template <class V>
static inline V clamp_magnitude(V x, float bound) {
  return V::max(V::set1(-bound), V::min(V::set1(bound), x));
}

/// Of the normal distribution: its density at x and its tail P(|x| < X).
/// tail(t) = e^(-t^2/2) (1 - z) H(z), z = (t-2.5)/(t+2.5), relative error of H 1.6e-8 for t
/// <= 14.5, where the tail is below the smallest denormal. 1 - z is 5/(t+2.5) without a second
/// division.
template <class V>
static inline V normal_tail(V x, V* density) {
  // In this order, so that NaN stays.
  const V t = V::min(V::set1(14.5f), abs(x));
  const V c = V::set1(2.5f), z = (t - c) / (t + c);
  const V h = polynomial(
      z, {-0x1.07d9bep-15f, -0x1.04c5e2p-14f, 0x1.1f08f6p-13f, 0x1.089644p-11f, -0x1.4fbef0p-12f,
          -0x1.ad8c9cp-9f, 0x1.e43a1ap-10f, 0x1.b07eaep-6f, -0x1.6347cep-4f, 0x1.217252p-3f});
  const V square = product(t, t), low = V::fma(t, t, -square), half = V::set1(-0.5f);
  const V e = exp_low(square * half, low, half);
  *density = e * V::set1(0x1.988454p-2f);  // 1 / sqrt(2 pi)
  return e * ((V::set1(1.0f) - z) * h);
}

/// x P(X < x), X normal.
template <class V>
static inline V gelu(V x) {
  V density;
  const V tail = normal_tail(x, &density);
  return product(x, V::select(V::less(x, V::zero()), tail, V::set1(1.0f) - tail));
}

template <class V>
static inline V gelu_slope(V x) {
  V density;
  const V tail = normal_tail(x, &density);
  const V below = V::select(V::less(x, V::zero()), tail, V::set1(1.0f) - tail);
  return V::fma(clamp_magnitude(x, 14.5f), density, below);
}

// -u of u = 2 sqrt(2/pi) (t + 0.044715 t^3) as a pair of floats, 0 <= t <= 11, and the slope of u.
// p = c1 t^2 + c0, where c0 has 10 bits, so that p - c0 is exact.
template <class V>
static inline V gelu_tanh_argument(V t, V* low, V* slope) {
  const V c0 = V::set1(-0x1.988p+0f), c0_low = V::set1(-0x1.14cf50p-14f);
  const V c1 = V::set1(-0x1.2444f2p-4f), c1_low = V::set1(-0x1.49b16ap-29f);
  const V a = product(t, t), a_low = V::fma(t, t, -a);
  const V p = V::fma(c1, a, c0);
  const V p_low = V::fma(c1, a, c0 - p) + V::fma(c1, a_low, V::fma(c1_low, a, c0_low));
  const V minus_u = product(t, p);
  *low = V::fma(t, p_low, V::fma(t, p, -minus_u));
  *slope = V::fma(V::set1(0x1.b6676cp-3f), a, V::set1(0x1.988454p+0f));
  return minus_u;
}

// 1 / (1 + e^-u) with u of the sign of x, its complement and the slope of u.
template <class V>
static inline V gelu_tanh_factor(V x, V* complement, V* slope) {
  V low;
  const V one = V::set1(1.0f);
  // Beyond 11 the smaller one is 0. In this order, so that NaN stays.
  const V minus_u = gelu_tanh_argument(V::min(V::set1(11.0f), abs(x)), &low, slope);
  const V e = exp_low(minus_u, low), near_one = one / (one + e), near_zero = e * near_one;
  const auto negative = V::less(x, V::zero());
  *complement = V::select(negative, near_one, near_zero);
  return V::select(negative, near_zero, near_one);
}

/// x / (1 + e^-u), u = 2 sqrt(2/pi) (x + 0.044715 x^3): 0.5 x (1 + tanh(u / 2)).
template <class V>
static inline V gelu_tanh(V x) {
  V complement, slope;
  return product(x, gelu_tanh_factor(x, &complement, &slope));
}

template <class V>
static inline V gelu_tanh_slope(V x) {
  V complement, slope;
  const V s = gelu_tanh_factor(x, &complement, &slope);
  return V::fma(clamp_magnitude(x, 11.0f) * s * complement, slope, s);
}

/// Derivative of x / (1 + e^-x).
template <class V>
static inline V silu_slope(V x) {
  V s, complement;
  sigmoids(x, &s, &complement);
  return V::fma(clamp_magnitude(x, 128.0f) * s, complement, s);
}

template <class V>
static inline V tanh_slope(V x) {
  const V t = minus_abs(x);
  const V e = exp_of_negative(t + t), sum = V::set1(1.0f) + e;
  return V::set1(4.0f) * e / (sum * sum);
}

/// ln(m) + e ln2 as a pair of floats, m in [2/3, 4/3): 2 artanh(s), s = (m - 1) / (m + 1),
/// = 2 s + s^3 Q(s^2) (relative error 2.3e-11).
template <class V>
static inline V log_pair(V m, V e, V* low) {
  const V one = V::set1(1.0f), two = V::set1(2.0f), above = m - one;  // exact
  const V sum = m + one, sum_low = m - (sum - one);
  const V r = one / sum, s = above * r;
  const V s_low = V::fma(-s, sum_low, V::fma(-s, sum, above)) * r;
  const V u = s * s;
  const V q = polynomial(u, {0x1.eda3a8p-3f, 0x1.23e8dap-2f, 0x1.999be0p-2f, 0x1.555554p-1f});
  const V twice = s + s;
  // e ln2 in two parts, the first exact: e has 8 bits, its factor 15. It is 0 or more than twice.
  const V whole = e * V::set1(0x1.62e4p-1f);
  const V high = whole + twice, lost = twice - (high - whole);
  const V small = V::fma(e, V::set1(0x1.7f7d1cp-20f),
                         V::fma(s * u, q, V::fma(V::fma(two, u, two), s_low, lost)));
  const V sum_of_all = high + small;
  *low = small - (sum_of_all - high);
  return sum_of_all;
}

/// pow() of any numbers.
template <class V>
static inline V pow_of_all(V x, V y) {
  const V zero = V::zero(), one = V::set1(1.0f), inf = V::set1(__builtin_inff());
  const V nan = V::set1(__builtin_nanf(""));
  const V magnitude = abs(x);
  const auto finite = V::less(magnitude, inf);
  const auto normal = finite & V::less(zero, magnitude);
  V m, e, low;
  split_positive(V::select(normal, magnitude, one), &m, &e);
  const V high = log_pair(m, e, &low);
  // Beyond +-200 the result is 0 or inf whatever the exact exponent is, and products stay finite.
  const V times = clamp_magnitude(y, 0x1p40f);
  const V product = times * high;
  const auto within = V::less(abs(product), V::set1(200.0f));
  const V rest = V::select(within, V::fma(times, high, -product) + times * low, zero);
  V result = exp(product, rest);
  // 0 and inf.
  const auto grows = V::less(zero, y);
  const V of_zero = V::select(grows, zero, inf), of_inf = V::select(grows, inf, zero);
  result = V::select(V::equal(magnitude, zero), of_zero, result);
  result = V::select(V::equal(magnitude, inf), of_inf, result);
  const auto integral = V::equal(V::floor(y), y);
  const V half = y * V::set1(0.5f);
  const auto odd = integral & !V::equal(V::floor(half), half) & V::less(abs(y), V::set1(0x1p24f));
  const auto minus = V::less(with_sign(one, x), zero);  // -0 too
  result = V::select(minus & odd, -result, result);
  result = V::select(V::less(x, zero) & finite & !integral, nan, result);
  result = V::select(V::equal(x, x) & V::equal(y, y), result, nan);
  // (-1)^inf = 1 as well
  const auto unit = V::equal(x, one) | (V::equal(magnitude, one) & V::equal(abs(y), inf));
  return V::select(V::equal(y, zero) | unit, one, result);
}

/// x^y as IEEE 754 says: pow(x, 0) = pow(1, y) = 1; negative x needs an integral y. Where all x are
/// normal and positive and all results far from overflow: what is left of pow_of_all() then.
template <class V>
static inline V pow(V x, V y) {
  V m, e, low;
  V::split(x, &m, &e);
  const V high = log_pair(m, e, &low), exponent = y * high;
  const auto plain = V::less(V::set1(0x0.fffffep-126f), x) & V::less(x, V::set1(__builtin_inff())) &
                     V::less(abs(exponent), V::set1(87.0f));
  if (!plain.all()) return pow_of_all(x, y);
  return exp_normal(exponent, V::fma(y, high, -exponent) + y * low);
}

}  // namespace bitnet::cpu
