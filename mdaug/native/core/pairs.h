// SPDX-License-Identifier: MIT
// Messages between atoms and their gradients. A filter is a cubic B-spline of the distance, W(d) = Σ_m w_m c[k + m],
// m = 0..3: four rows of a small table c, read where they are used and never stored per pair.
//
// Loops run over features in blocks narrow enough for the block's table columns to stay in the first-level cache.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "spline.h"
#include "vectors.h"

namespace mdaug {

// A pair and where its distance falls in the table.
template <typename T>
struct Pair {
    int32_t i, j;
    int32_t row;  // first of four rows
    T value[4], slope[4];
};

struct Vector {
    double x, y, z, d;  // r_ij and its length
};

// The weights of four rows; NaN where the distance is no number or zero, so that nobody takes the result for one.
template <typename T>
Pair<T> locate(int32_t i, int32_t j, double d, double spacing, int64_t n_rows) {
    Pair<T> pair{i, j, 0, {}, {}};
    double t = NAN;
    if (d > 0) {
        const double s = d / spacing;
        pair.row = static_cast<int32_t>(std::min(s, static_cast<double>(n_rows - 4)));
        t = s - pair.row;
    }
    spline_weights(t, spacing, pair.value, pair.slope);
    return pair;
}

template <typename T>
struct Table {
    const T* data;
    int64_t width;
};

constexpr int BLOCK = 4;  // vectors of features

// The four rows of a pair's filter, from one feature on.
template <typename T>
struct Rows {
    const T* c;
    int64_t width;
    Rows(const Table<T>& table, const Pair<T>& pair, int64_t feature)
        : c(table.data + pair.row * table.width + feature), width(table.width) {}
    Vec<T> at(const T (&w)[4], int v) const {
        const T* p = c + v * LANES<T>;
        return w[0] * load(p) + w[1] * load(p + width) + w[2] * load(p + 2 * width) + w[3] * load(p + 3 * width);
    }
};

// a b + c d, the same to the last bit when the products are exchanged: the pair force on i is minus that on j.
template <typename V>
inline V symmetric_sum(V a, V b, V c, V d) {
    V ab = a * b, cd = c * d;
#if defined(__x86_64__)
    __asm__("" : "+v"(ab), "+v"(cd));  // or the compiler would fuse one product with the sum
#elif defined(__aarch64__)
    __asm__("" : "+w"(ab), "+w"(cd));
#endif
    return ab + cd;
}

// Runs body.operator()<n>(feature): n vectors of features from there on.
template <typename T, typename Body>
void each_block(int64_t width, const Body& body) {
    int64_t f = 0;
    for (; f + BLOCK * LANES<T> <= width; f += BLOCK * LANES<T>) body.template operator()<BLOCK>(f);
    for (; f < width; f += LANES<T>) body.template operator()<1>(f);
}

// ---- Unordered pairs: each sends messages both ways --------------------------------------------------------------

// v_i += W a_j and v_j += W a_i.
template <typename T>
void add_messages(const Pair<T>* pairs, int64_t n, const Table<T>& table, const T* a, T* v) {
    const int64_t width = table.width;
    each_block<T>(width, [&]<int N>(int64_t f) {
        for (int64_t p = 0; p < n; ++p) {
            const auto& pair = pairs[p];
            const Rows<T> rows(table, pair, f);
            const T *ai = a + pair.i * width + f, *aj = a + pair.j * width + f;
            T *vi = v + pair.i * width + f, *vj = v + pair.j * width + f;
            Vec<T> w[N];
            for (int k = 0; k < N; ++k) w[k] = rows.at(pair.value, k);
            for (int k = 0, l = 0; k < N; ++k, l += LANES<T>) store(vi + l, load(vi + l) + w[k] * load(aj + l));
            for (int k = 0, l = 0; k < N; ++k, l += LANES<T>) store(vj + l, load(vj + l) + w[k] * load(ai + l));
        }
    });
}

// ga_i += W g_j and ga_j += W g_i (if ga is wanted); slope_p += ⟨g_i a_j + g_j a_i, dW/dd⟩.
template <bool WANTED, typename T>
void add_gradient(const Pair<T>* pairs, int64_t n, const Table<T>& table, const T* a, const T* g, T* ga, T* slopes) {
    const int64_t width = table.width;
    each_block<T>(width, [&]<int N>(int64_t f) {
        for (int64_t p = 0; p < n; ++p) {
            const auto& pair = pairs[p];
            const Rows<T> rows(table, pair, f);
            const T *ai = a + pair.i * width + f, *aj = a + pair.j * width + f;
            const T *gi = g + pair.i * width + f, *gj = g + pair.j * width + f;
            Vec<T> sum = {}, w[N];
            for (int k = 0, l = 0; k < N; ++k, l += LANES<T>) {
                sum += rows.at(pair.slope, k) *
                       symmetric_sum(load(gi + l), load(aj + l), load(gj + l), load(ai + l));
                if constexpr (WANTED) w[k] = rows.at(pair.value, k);
            }
            slopes[p] += sum_of_lanes<T>(sum);
            if constexpr (WANTED) {
                T *gai = ga + pair.i * width + f, *gaj = ga + pair.j * width + f;
                for (int k = 0, l = 0; k < N; ++k, l += LANES<T>) store(gai + l, load(gai + l) + w[k] * load(gj + l));
                for (int k = 0, l = 0; k < N; ++k, l += LANES<T>) store(gaj + l, load(gaj + l) + w[k] * load(gi + l));
            }
        }
    });
}

// ---- Directed pairs, sorted by owned atom: only row i is written -------------------------------------------------

// v_i = Σ_j W a_j for atoms i_begin … i_end.
template <typename T>
void directed_messages(const Pair<T>* pairs, const int64_t* first, const Table<T>& table, const T* a, T* v,
                       int64_t i_begin, int64_t i_end) {
    const int64_t width = table.width;
    each_block<T>(width, [&]<int N>(int64_t f) {
        for (int64_t i = i_begin; i < i_end; ++i) {
            Vec<T> sum[N] = {};
            for (int64_t p = first[i]; p < first[i + 1]; ++p) {
                const Rows<T> rows(table, pairs[p], f);
                const T* aj = a + pairs[p].j * width + f;
                for (int k = 0; k < N; ++k) sum[k] += rows.at(pairs[p].value, k) * load(aj + k * LANES<T>);
            }
            for (int k = 0; k < N; ++k) store(v + i * width + f + k * LANES<T>, sum[k]);
        }
    });
}

// ga_i = Σ_j W g_j (if ga is wanted); slope_p += ⟨g_i a_j + g_j a_i, dW/dd⟩, the slope of the energy in the whole
// (unordered) pair.
template <bool WANTED, typename T>
void directed_gradient(const Pair<T>* pairs, const int64_t* first, const Table<T>& table, const T* a, const T* g,
                       T* ga, T* slopes, int64_t i_begin, int64_t i_end) {
    const int64_t width = table.width;
    each_block<T>(width, [&]<int N>(int64_t f) {
        for (int64_t i = i_begin; i < i_end; ++i) {
            const T *ai = a + i * width + f, *gi = g + i * width + f;
            Vec<T> sum[N] = {};
            for (int64_t p = first[i]; p < first[i + 1]; ++p) {
                const Rows<T> rows(table, pairs[p], f);
                const T *aj = a + pairs[p].j * width + f, *gj = g + pairs[p].j * width + f;
                Vec<T> slope = {};
                for (int k = 0, l = 0; k < N; ++k, l += LANES<T>) {
                    const Vec<T> g_j = load(gj + l);
                    if constexpr (WANTED) sum[k] += rows.at(pairs[p].value, k) * g_j;
                    slope += rows.at(pairs[p].slope, k) *
                             symmetric_sum(load(gi + l), load(aj + l), g_j, load(ai + l));
                }
                slopes[p] += sum_of_lanes<T>(slope);
            }
            if constexpr (WANTED)
                for (int k = 0; k < N; ++k) store(ga + i * width + f + k * LANES<T>, sum[k]);
        }
    });
}

}  // namespace mdaug
