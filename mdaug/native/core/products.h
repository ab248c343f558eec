// SPDX-License-Identifier: MIT
// Matrix products y += x W of a few rows. W is stored in panels of columns, one after another, so that memory is read in the
// order in which it lies and a panel stays in the first-level cache for all rows. The result of a row depends on that row
// alone, bit for bit.
//
// x and y are row-major without gaps; all widths are whole vectors.

#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "common/vectors.h"

namespace mdaug::core {

constexpr int PANEL_VECTORS = 2;
constexpr int64_t PANEL_DEPTH = 128;  // rows of W at a time: with two vectors 16 KiB with AVX-512

// y (ROWS of n_columns, `width` apart) += x (ROWS of n, `depth` apart) times n rows of a panel.
template <typename T, int ROWS, int VECTORS>
void tile_of_product(int64_t n, int64_t depth, int64_t width, const T* __restrict x, const T* __restrict w,
                     T* __restrict y) {
    constexpr int L = LANES<T>;
    Vec<T> sum[ROWS][VECTORS];
    for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < VECTORS; ++v) sum[r][v] = load<Vec<T>>(y + r * width + v * L);
    for (int64_t k = 0; k < n; ++k, w += VECTORS * L) {
        Vec<T> row[VECTORS];
        for (int v = 0; v < VECTORS; ++v) row[v] = load<Vec<T>>(w + v * L);
        for (int r = 0; r < ROWS; ++r)
            for (int v = 0; v < VECTORS; ++v) sum[r][v] += x[r * depth + k] * row[v];
    }
    for (int r = 0; r < ROWS; ++r)
        for (int v = 0; v < VECTORS; ++v) store(y + r * width + v * L, sum[r][v]);
}

// All rows times n rows of a panel.
template <typename T, int VECTORS>
void panel_product(int64_t n_rows, int64_t n, int64_t depth, int64_t width, const T* x, const T* w, T* y) {
    using Tile = void (*)(int64_t, int64_t, int64_t, const T*, const T*, T*);
    static constexpr auto by_rows = []<size_t... R>(std::index_sequence<R...>) {
        return std::array<Tile, sizeof...(R)>{tile_of_product<T, R + 1, VECTORS>...};
    }(std::make_index_sequence<MAX_TILE_ROWS>());
    for (int64_t begin = 0; begin < n_rows;) {
        const int64_t left = n_rows - begin, tiles = (left + MAX_TILE_ROWS - 1) / MAX_TILE_ROWS;
        const int64_t rows = (left + tiles - 1) / tiles;
        by_rows[rows - 1](n, depth, width, x + begin * depth, w, y + begin * width);
        begin += rows;
    }
}

template <typename T>
class PackedMatrix {
  public:
    PackedMatrix() = default;

    // Copies W (depth, width), row-major.
    PackedMatrix(int64_t depth, int64_t width, const T* w) : depth_(depth), width_(width) {
        panels_.reserve(depth * width);
        T* to = panels_.get();
        for (int64_t c = 0; c < width; c += n_columns(c))
            for (int64_t k = 0; k < depth; ++k, to += n_columns(c)) std::copy_n(w + k * width + c, n_columns(c), to);
    }

    // y (n, width) += x (n, depth) W
    void add_product(int64_t n, const T* x, T* y) const {
        for (int64_t c = 0; c < width_; c += n_columns(c)) {
            const T* panel = panels_.get() + c * depth_;
            for (int64_t k = 0; k < depth_; k += PANEL_DEPTH) {
                const int64_t n_rows = std::min(PANEL_DEPTH, depth_ - k);
                if (n_columns(c) == WIDEST)
                    panel_product<T, PANEL_VECTORS>(n, n_rows, depth_, width_, x + k, panel + k * WIDEST, y + c);
                else
                    panel_product<T, 1>(n, n_rows, depth_, width_, x + k, panel + k * LANES<T>, y + c);
            }
        }
    }

    size_t bytes() const { return panels_.bytes(); }

  private:
    static constexpr int64_t WIDEST = PANEL_VECTORS * LANES<T>;

    int64_t n_columns(int64_t c) const { return c + WIDEST <= width_ ? WIDEST : LANES<T>; }  // of the panel at column c

    Buffer<T> panels_;
    int64_t depth_ = 0, width_ = 0;
};

// A matrix W (rows, columns) for y += x Wᵀ on the way up and y += x W on the way down. Each has a copy of its own: both from one
// copy would take sums over lanes, a third of the time of the products.
template <typename T>
struct TwoWayMatrix {
    PackedMatrix<T> up, down;

    size_t bytes() const { return up.bytes() + down.bytes(); }
};

}  // namespace mdaug::core
