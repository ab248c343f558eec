// SPDX-License-Identifier: MIT
// The activation function of SchNet, the shifted softplus.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace mdaug {

// h = ln(½ eᵘ + ½), and its slope s, the sigmoid.
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
