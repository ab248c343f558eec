// SPDX-License-Identifier: MIT
// The activation function (common/activation.h) on whole vectors, by series instead of libm: three to four times faster.
// Errors are below two units in the last place, down to arguments of −87 (float) and −708 (double).

#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "common/vectors.h"

namespace mdaug::core {

template <typename T>
struct SeriesOf {
    static constexpr bool is_float = std::is_same_v<T, float>;
    using Integer = std::conditional_t<is_float, int32_t, int64_t>;
    using Integers = typename VecOf<Integer>::type;
    static constexpr int mantissa_bits = is_float ? 23 : 52;
    static constexpr int exp_terms = is_float ? 7 : 13, log_terms = is_float ? 7 : 16;
    static constexpr T largest = is_float ? T(87) : T(708);  // of a in exp(−a), so that the result is a normal number
    static constexpr T rounding = is_float ? T(12582912) : T(6755399441055744);  // 1.5 · 2^mantissa_bits
    static constexpr T ln2_high = is_float ? T(0.693359375) : T(0.6931471803691238);
    static constexpr T ln2_low = is_float ? T(-2.12194440054690583e-4) : T(1.9082149292705877e-10);
};

// exp(−a) for a ≥ 0: 2ⁿ Σ rᵏ / k! with −a = n ln 2 + r.
template <typename T>
inline Vec<T> exp_of_minus(Vec<T> a) {
    using S = SeriesOf<T>;
    a = a > S::largest ? Vec<T>{} + S::largest : a;
    const Vec<T> shifted = a * T(-1.4426950408889634) + S::rounding, n = shifted - S::rounding;
    const Vec<T> r = (-a - n * S::ln2_high) - n * S::ln2_low;
    Vec<T> sum = Vec<T>{} + T(1);
#pragma GCC unroll 16
    for (int k = S::exp_terms; k > 0; --k) sum = sum * r * (T(1) / k) + T(1);
    const auto bits = (typename S::Integers)shifted;  // the last ones are those of n
    const Vec<T> power = (Vec<T>)((bits << S::mantissa_bits) + (typename S::Integers)(Vec<T>{} + T(1)));
    return sum * power;
}

// h = ln(½ eᵘ + ½), and its slope s, the sigmoid; n is a whole number of vectors.
// ln(1 + e) = 2 (t + t³/3 + t⁵/5 + …) with t = e / (2 + e) ≤ 1/3.
template <typename T>
inline void shifted_softplus(int64_t n, const T* u, T* h, T* s) {
    using S = SeriesOf<T>;
    for (int64_t k = 0; k < n; k += LANES<T>) {
        const Vec<T> x = load<Vec<T>>(u + k), zero = {};
        const Vec<T> e = exp_of_minus<T>(x < zero ? -x : x), one = e + T(1), two = e + T(2);
        const Vec<T> inverse = T(1) / (one * two), t = e * one * inverse, square = t * t;
        Vec<T> sum = Vec<T>{} + T(1) / (2 * S::log_terms + 1);
#pragma GCC unroll 16
        for (int m = S::log_terms - 1; m >= 0; --m) sum = sum * square + T(1) / (2 * m + 1);
        store(h + k, (x > zero ? x : zero) + (T(2) * t * sum - T(M_LN2)));
        store(s + k, (x < zero ? e : Vec<T>{} + T(1)) * two * inverse);
    }
}

}  // namespace mdaug::core
