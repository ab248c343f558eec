// SPDX-License-Identifier: MIT
// What training (mdaug/native) and the deployed model compute alike: weights of B-splines, and the activation.
// Needs nothing but the standard library.

#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace mdaug {

// Weights of four rows of a table of cubic B-splines for the value and the slope at place t (0 … 1) within an
// interval of length `spacing`; computed as T, kept as R.
template <typename T, typename R>
inline void spline_weights(T t, T spacing, R* value, R* slope) {
    const T u = 1 - t, h = 1 / spacing;
    value[0] = static_cast<R>(u * u * u / 6);
    value[1] = static_cast<R>((3 * t * t * t - 6 * t * t + 4) / 6);
    value[2] = static_cast<R>((3 * u * u * u - 6 * u * u + 4) / 6);
    value[3] = static_cast<R>(t * t * t / 6);
    slope[0] = static_cast<R>(-u * u / 2 * h);
    slope[1] = static_cast<R>((3 * t * t - 4 * t) / 2 * h);
    slope[2] = static_cast<R>((4 * u - 3 * u * u) / 2 * h);
    slope[3] = static_cast<R>(t * t / 2 * h);
}

// Read from the bits, as -ffinite-math-only lets a compiler take it that no number is NaN.
inline bool is_nan(float x) { return (std::bit_cast<uint32_t>(x) << 1) > 0xff000000u; }
inline bool is_nan(double x) { return (std::bit_cast<uint64_t>(x) << 1) > 0xffe0000000000000u; }

// h = ln(½ eᵘ + ½) and its slope s, the sigmoid.
template <typename T>
inline void activate(int64_t n, const T* __restrict u, T* __restrict h, T* __restrict s) {
    const T log2 = static_cast<T>(M_LN2);
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
        const T e = std::exp(-std::abs(u[k]));
        h[k] = std::max(u[k], T(0)) + std::log(1 + e) - log2;
        s[k] = (u[k] >= 0 ? T(1) : e) / (1 + e);
    }
}

}  // namespace mdaug
