// SPDX-License-Identifier: MIT
// Cubic B-splines of the distance, W(d) = Σ_m w_m c[row + m], m = 0..3, read from a table c of rows.
//
// A table over n intervals of [0, cutoff] has n + 3 rows; the last three are zero, so that W vanishes at the cutoff
// with two derivatives (mdaug/models/spline.py makes the tables).

#pragma once

#include <bit>
#include <cstdint>

namespace mdaug {

// Weights of the four rows for value and slope at t (0 … 1) within an interval of length `spacing`; computed in D,
// returned in T.
template <typename D, typename T>
inline void spline_weights(D t, D spacing, T* value, T* slope) {
    const D u = 1 - t, h = 1 / spacing;
    value[0] = static_cast<T>(u * u * u / 6);
    value[1] = static_cast<T>((3 * t * t * t - 6 * t * t + 4) / 6);
    value[2] = static_cast<T>((3 * u * u * u - 6 * u * u + 4) / 6);
    value[3] = static_cast<T>(t * t * t / 6);
    slope[0] = static_cast<T>(-u * u / 2 * h);
    slope[1] = static_cast<T>((3 * t * t - 4 * t) / 2 * h);
    slope[2] = static_cast<T>((4 * u - 3 * u * u) / 2 * h);
    slope[3] = static_cast<T>(t * t / 2 * h);
}

// Tests the bits: -ffinite-math-only lets the compiler assume that x != x is false.
inline bool is_nan(float x) { return (std::bit_cast<uint32_t>(x) << 1) > 0xff000000u; }
inline bool is_nan(double x) { return (std::bit_cast<uint64_t>(x) << 1) > 0xffe0000000000000u; }

// A pair of atoms and the place of its distance in a table.
template <typename T>
struct Pair {
    int32_t i, j;
    int32_t row;  // first of four rows
    T value[4], slope[4];
};

// All weights are zero at and beyond the end of the table, and NaN for a distance that is NaN.
template <typename T, typename D>
inline Pair<T> locate(int32_t i, int32_t j, D d, D spacing, int64_t n_rows) {
    Pair<T> pair{i, j, 0, {}, {}};
    const D s = d / spacing;
    const bool nan = is_nan(s);
    if (!nan && s >= static_cast<D>(n_rows - 3)) return pair;
    pair.row = nan ? 0 : static_cast<int32_t>(s);
    spline_weights(s - static_cast<D>(pair.row), spacing, pair.value, pair.slope);
    return pair;
}

}  // namespace mdaug
