// SPDX-License-Identifier: MIT OR Apache-2.0
// exp, log, sin and cos of doubles that give the same bits on every machine: only + - * /, and one
// fused multiply-add in the reduction of angles. libm gives no such promise across machines.
// Kernels have their own exp of floats (backend/cpu/simd/exp.h).
#pragma once

namespace bitnet {

/// e^x, relative error below 4e-16; +inf above 709.79, denormals down to 0 below -745.2, NaN of
/// NaN.
double det_exp(double x) noexcept;

/// Natural logarithm, relative error below 4e-16; -inf of 0, NaN of negatives and NaN, inf of inf.
double det_log(double x) noexcept;

/// Sine and cosine of x radians, relative error below 4e-16 for |x| < 2^30; beyond that, and for
/// NaN, both are NaN.
void det_sincos(double x, double* sine, double* cosine) noexcept;

inline float det_exp_f32(float x) noexcept { return static_cast<float>(det_exp(double{x})); }
inline float det_log_f32(float x) noexcept { return static_cast<float>(det_log(double{x})); }

}  // namespace bitnet
