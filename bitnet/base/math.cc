// SPDX-License-Identifier: MIT OR Apache-2.0
#include "bitnet/base/math.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace bitnet {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
// ln 2 in two parts; the first has 20 trailing zero bits, so that its product with an exponent is
// exact.
constexpr double kLn2High = 0x1.62e42fee00000p-1;
constexpr double kLn2Low = 0x1.a39ef35793c76p-33;
constexpr double kRound = 0x1.8p52;  // adding it rounds to an integer, half to even

double power_of_2(std::int64_t n) noexcept {  // -1022 <= n <= 1023
  return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52);
}

// c[0] + x c[1] + x^2 c[2] + …
template <std::size_t N>
double polynomial(const double (&c)[N], double x) noexcept {
  double p = c[N - 1];
  for (std::size_t i = N - 1; i-- > 0;) p = p * x + c[i];
  return p;
}

// 1/2!, 1/3!, …, 1/14!: the next term is 5e-20 at ln(2) / 2.
constexpr double kExp[] = {1.0 / 2,          1.0 / 6,        1.0 / 24,        1.0 / 120,
                           1.0 / 720,        1.0 / 5040,     1.0 / 40320,     1.0 / 362880,
                           1.0 / 3628800,    1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800,
                           1.0 / 87178291200};
// atanh(s) / s = 1 + s^2/3 + s^4/5 + …: the next term is 6e-20 at s = 0.1716.
constexpr double kAtanh[] = {1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13,
                             1.0 / 15, 1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23};
// sin(x) = x + x^3 kSin(x^2), cos(x) = 1 - x^2/2 + x^4 kCos(x^2); next terms < 1e-20 at pi/4.
constexpr double kSin[] = {
    -1.0 / 6,        1.0 / 120,        -1.0 / 5040,          1.0 / 362880,
    -1.0 / 39916800, 1.0 / 6227020800, -1.0 / 1307674368000, 1.0 / 355687428096000};
constexpr double kCos[] = {
    1.0 / 24,        -1.0 / 720,         1.0 / 40320,          -1.0 / 3628800,
    1.0 / 479001600, -1.0 / 87178291200, 1.0 / 20922789888000, -1.0 / 6402373705728000};

}  // namespace

double det_exp(double x) noexcept {
  if (!(x > -746.0)) return x <= -746.0 ? 0.0 : x;
  if (x > 710.0) return kInf;
  const double n = (x * 0x1.71547652b82fep+0 + kRound) - kRound;
  const double high = x - n * kLn2High;  // exact
  const double low = n * kLn2Low;
  const double r = high - low;
  // e^r = 1 + (high + (r^2 P(r) - low)): what is added to 1 carries its own rounding error only.
  const double p = 1.0 + (high + (r * r * polynomial(kExp, r) - low));
  const auto k = static_cast<std::int64_t>(n);
  return p * power_of_2(k / 2) * power_of_2(k - k / 2);
}

double det_log(double x) noexcept {
  if (!(x > 0.0)) return x == 0.0 ? -kInf : kNan;
  if (x == kInf) return x;
  const bool denormal = x < 0x1p-1022;
  const auto bits = std::bit_cast<std::uint64_t>(denormal ? x * 0x1p54 : x);
  // x = m * 2^e with sqrt(1/2) <= m < sqrt(2): moving the cut to the exponent's edge.
  constexpr std::uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  const auto e = static_cast<std::int64_t>(bits - kSqrtHalf) >> 52;
  const double m = std::bit_cast<double>(bits - (static_cast<std::uint64_t>(e) << 52));
  const double n = static_cast<double>(denormal ? e - 54 : e);
  // log(1 + f) = 2 atanh(s), s = f / (2 + f), and 2s = f - s f: the leading f is exact.
  const double f = m - 1.0;
  const double s = f / (2.0 + f);
  const double z = s * s;
  const double half = 0.5 * f * f;
  const double tail = s * (half + 2.0 * z * polynomial(kAtanh, z));
  return n * kLn2High - ((half - (tail + n * kLn2Low)) - f);
}

void det_sincos(double x, double* sine, double* cosine) noexcept {
  if (!(x > -0x1p30 && x < 0x1p30)) {
    *sine = *cosine = kNan;
    return;
  }
  // x = n pi/2 + (r + low), pi/2 in three parts. The first step is exact: what remains is below 1
  // and a multiple of 2^-53.
  const double n = (x * 0x1.45f306dc9c883p-1 + kRound) - kRound;
  const double a = __builtin_fma(-n, 0x1.921fb54442d18p+0, x);
  const double b = n * 0x1.1a62633145c07p-54;
  const double b_low = __builtin_fma(n, 0x1.1a62633145c07p-54, -b);
  const double r = a - b;
  const double back = a - r;
  const double r_low = (a - (r + back)) + (back - b);  // a - b - r without error
  const double low = (r_low - b_low) - n * -0x1.f1976b7ed8fbcp-110;
  const double z = r * r;
  const double s = r + (r * z * polynomial(kSin, z) + low * (1.0 - 0.5 * z));
  const double h = 0.5 * z;
  const double w = 1.0 - h;
  const double c = w + (((1.0 - w) - h) + (z * z * polynomial(kCos, z) - r * low));
  const auto quadrant = static_cast<std::int64_t>(n) & 3;
  *sine = quadrant == 0 ? s : quadrant == 1 ? c : quadrant == 2 ? -s : -c;
  *cosine = quadrant == 0 ? c : quadrant == 1 ? -s : quadrant == 2 ? -c : s;
}

}  // namespace bitnet
