// SPDX-License-Identifier: MIT
// Matrix products y += x W and y += x Wᵀ of a few rows, both from one stored W, so that all matrices of a model stay
// in the second-level cache. The result of a row depends on that row alone, bit for bit.
//
// Matrices are row-major without gaps; all widths are whole vectors.

#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "common/vectors.h"

namespace mdaug::core {

template <typename T, int ROWS, int VECTORS>
inline void tile_of_product(int64_t depth, int64_t width, const T* __restrict x, const T* __restrict w,
                            T* __restrict y) {
    constexpr int L = LANES<T>;
    Vec<T> sum[ROWS][VECTORS];
    for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < VECTORS; ++v) sum[r][v] = load<Vec<T>>(y + r * width + v * L);
    for (int64_t k = 0; k < depth; ++k) {
        Vec<T> row[VECTORS];
        for (int v = 0; v < VECTORS; ++v) row[v] = load<Vec<T>>(w + k * width + v * L);
        for (int r = 0; r < ROWS; ++r)
            for (int v = 0; v < VECTORS; ++v) sum[r][v] += x[r * depth + k] * row[v];
    }
    for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < VECTORS; ++v) store(y + r * width + v * L, sum[r][v]);
}

template <typename T, int ROWS>
void rows_of_product(int64_t depth, int64_t width, const T* x, const T* w, T* y) {
    constexpr int L = LANES<T>;
    int64_t c = 0;
    for (; c + 2 * L <= width; c += 2 * L) tile_of_product<T, ROWS, 2>(depth, width, x, w + c, y + c);
    if (c < width) tile_of_product<T, ROWS, 1>(depth, width, x, w + c, y + c);
}

// y (n, width) += x (n, depth) W (depth, width)
template <typename T>
void add_product(int64_t n, int64_t depth, int64_t width, const T* x, const T* w, T* y) {
    using RowsOfProduct = void (*)(int64_t, int64_t, const T*, const T*, T*);
    static constexpr auto by_rows = []<size_t... R>(std::index_sequence<R...>) {
        return std::array<RowsOfProduct, sizeof...(R)>{rows_of_product<T, R + 1>...};
    }(std::make_index_sequence<MAX_TILE_ROWS>());
    for (int64_t begin = 0; begin < n;) {
        const int64_t left = n - begin, tiles = (left + MAX_TILE_ROWS - 1) / MAX_TILE_ROWS;
        const int64_t rows = (left + tiles - 1) / tiles;
        by_rows[rows - 1](depth, width, x + begin * depth, w, y + begin * width);
        begin += rows;
    }
}

// Lane l of the result: the sum of the lanes of v[l].
template <typename T, int STEP = 1>
inline Vec<T> transposed_sums(const Vec<T>* v) {
    constexpr int L = LANES<T>;
    if constexpr (STEP == L) {
        return v[0];
    } else {
        constexpr int N = L / STEP / 2;
        Vec<T> half[N];
        for (int n = 0; n < N; ++n) half[n] = interleaved_sums<T, STEP>(v[2 * n], v[2 * n + 1]);
        return transposed_sums<T, 2 * STEP>(half);
    }
}

// y (n, width) += x (n, depth) Wᵀ with W (width, depth)
template <typename T>
void add_product_transposed(int64_t n, int64_t depth, int64_t width, const T* __restrict x, const T* __restrict w,
                            T* __restrict y) {
    constexpr int L = LANES<T>;
    for (int64_t c = 0; c < width; c += L) {
        for (int64_t r = 0; r < n; ++r) {
            const T* __restrict xr = x + r * depth, * __restrict wc = w + c * depth;
            Vec<T> sum[L] = {};
            for (int64_t k = 0; k < depth; k += L) {
                const Vec<T> xk = load<Vec<T>>(xr + k);
#pragma GCC unroll 16
                for (int l = 0; l < L; ++l) sum[l] += xk * load<Vec<T>>(wc + l * depth + k);
            }
            T* out = y + r * width + c;
            store(out, load<Vec<T>>(out) + transposed_sums<T>(sum));
        }
    }
}

}  // namespace mdaug::core
