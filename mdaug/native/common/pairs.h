// SPDX-License-Identifier: MIT
// Messages between atoms and their gradients, for the deployed model and for training.
//
// The filters of a pair are read from the spline table where they are used and never stored. Loops run over features
// in blocks narrow enough for the block's columns of the table to stay in the first-level cache, and over unordered
// pairs in chunks whose atoms' rows stay in the second-level cache. i == j is an atom and its own periodic image.

#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "common/spline.h"
#include "common/vectors.h"

namespace mdaug {

// Rows of v and g may be wider than those of the table, a and ga: v_width and g_width below, 0 for as wide.
// A table is row-major, or in panels of `columns` features, one after another: rows at a distance of a power of two would
// share few sets of the first-level cache.
template <typename T>
struct Table {
    const T* data;
    int64_t width;           // also that of the rows of atoms
    int64_t columns, panel;  // of a panel; numbers from one panel to the next
    int64_t step;            // numbers from one row to the next

    Table(const T* data, int64_t width) : data(data), width(width), columns(width), panel(width), step(width) {}
    Table(const T* panels, int64_t width, int64_t n_rows)
        : data(panels), width(width), columns(panel_columns()), panel(n_rows * panel_columns()), step(panel_columns()) {}

    static constexpr int64_t panel_columns();
    const T* column(int64_t feature) const { return data + feature / columns * panel + feature % columns; }
};

struct Features {
    int64_t begin, end;
};

constexpr int VECTORS_PER_BLOCK = 4;
constexpr int64_t PAIRS_PER_CHUNK = 2048;

template <typename T>
constexpr int64_t Table<T>::panel_columns() {
    return VECTORS_PER_BLOCK * LANES<T>;
}

// The four rows of a pair's filter, from one feature on.
template <typename T>
struct FilterRows {
    const T* c;
    int64_t step;
    FilterRows(const Table<T>& table, const Pair<T>& pair, int64_t feature)
        : c(table.column(feature) + pair.row * table.step), step(table.step) {}
    template <typename V>
    V at(const T (&weights)[4], int64_t offset) const {
        const T* p = c + offset;
        return weights[0] * load<V>(p) + weights[1] * load<V>(p + step) + weights[2] * load<V>(p + 2 * step) +
               weights[3] * load<V>(p + 3 * step);
    }
};

// a b + c d, unchanged to the last bit when the products are exchanged: the pair force on i is minus that on j.
template <typename V>
inline V symmetric_sum(V a, V b, V c, V d) {
    V ab = a * b, cd = c * d;
#if defined(__x86_64__)
    __asm__("" : "+v"(ab), "+v"(cd));  // otherwise the compiler fuses one of the products with the sum
#elif defined(__aarch64__)
    __asm__("" : "+w"(ab), "+w"(cd));
#endif
    return ab + cd;
}

// Calls body.operator()<V, n>(f) for blocks of n vectors V of features from f on; the last features of a range that is
// not a whole number of vectors come one by one.
template <typename T, int N_VECTORS = VECTORS_PER_BLOCK, typename Body>
void for_each_block(const Features& features, const Body& body) {
    constexpr int64_t lanes = LANES<T>, block = N_VECTORS * lanes;
    int64_t f = features.begin;
    for (; f + block <= features.end; f += block) body.template operator()<Vec<T>, N_VECTORS>(f);
    for (; f + lanes <= features.end; f += lanes) body.template operator()<Vec<T>, 1>(f);
    for (; f < features.end; ++f) body.template operator()<T, 1>(f);
}

template <typename T, typename Body>
void for_each_chunk(const Pair<T>* pairs, int64_t n, const Body& body) {
    for (int64_t p = 0; p < n; p += PAIRS_PER_CHUNK) body(p, pairs + p, std::min(PAIRS_PER_CHUNK, n - p));
}

// ---- Unordered pairs: each sends messages both ways --------------------------------------------------------------

// v_i += W a_j and v_j += W a_i.
template <typename T>
void add_messages(const Pair<T>* pairs, int64_t n, const Table<T>& table, const T* a, T* v, const Features& features,
                  int64_t v_width = 0) {
    const int64_t width = table.width;
    if (v_width == 0) v_width = width;
    for_each_block<T>(features, [&]<typename V, int N>(int64_t f) {
        constexpr int64_t lanes = sizeof(V) / sizeof(T);
        for (int64_t p = 0; p < n; ++p) {
            const auto& pair = pairs[p];
            const FilterRows<T> rows(table, pair, f);
            const T *ai = a + pair.i * width + f, *aj = a + pair.j * width + f;
            T *vi = v + pair.i * v_width + f, *vj = v + pair.j * v_width + f;
            V w[N];
            for (int k = 0; k < N; ++k) w[k] = rows.template at<V>(pair.value, k * lanes);
            for (int64_t k = 0, l = 0; k < N; ++k, l += lanes) store(vi + l, load<V>(vi + l) + w[k] * load<V>(aj + l));
            for (int64_t k = 0, l = 0; k < N; ++k, l += lanes) store(vj + l, load<V>(vj + l) + w[k] * load<V>(ai + l));
        }
    });
}

// ga_i += W g_j and ga_j += W g_i (unless WITH_GA is false); slope_p += ⟨g_i a_j + g_j a_i, dW/dd⟩.
template <bool WITH_GA, typename T>
void add_gradient(const Pair<T>* pairs, int64_t n, const Table<T>& table, const T* a, const T* g, T* ga, T* slopes,
                  const Features& features, int64_t g_width = 0) {
    const int64_t width = table.width;
    if (g_width == 0) g_width = width;
    for_each_block<T>(features, [&]<typename V, int N>(int64_t f) {
        constexpr int64_t lanes = sizeof(V) / sizeof(T);
        for (int64_t p = 0; p < n; ++p) {
            const auto& pair = pairs[p];
            const FilterRows<T> rows(table, pair, f);
            const T *ai = a + pair.i * width + f, *aj = a + pair.j * width + f;
            const T *gi = g + pair.i * g_width + f, *gj = g + pair.j * g_width + f;
            V sum = {}, w[N];
            for (int64_t k = 0, l = 0; k < N; ++k, l += lanes) {
                sum += rows.template at<V>(pair.slope, l) *
                       symmetric_sum(load<V>(gi + l), load<V>(aj + l), load<V>(gj + l), load<V>(ai + l));
                if constexpr (WITH_GA) w[k] = rows.template at<V>(pair.value, l);
            }
            slopes[p] += sum_of_lanes<T>(sum);
            if constexpr (WITH_GA) {
                T *gai = ga + pair.i * width + f, *gaj = ga + pair.j * width + f;
                for (int64_t k = 0, l = 0; k < N; ++k, l += lanes)
                    store(gai + l, load<V>(gai + l) + w[k] * load<V>(gj + l));
                for (int64_t k = 0, l = 0; k < N; ++k, l += lanes)
                    store(gaj + l, load<V>(gaj + l) + w[k] * load<V>(gi + l));
            }
        }
    });
}

// ---- Directed pairs, sorted by owned atom: only row i is written -------------------------------------------------

// The pairs of atom i are pairs[first[i]] … pairs[first[i + 1] − 1].
template <typename T>
struct DirectedPairs {
    const Pair<T>* pairs;
    const int64_t* first;
    int64_t i_begin, i_end;  // the atoms to do
};

// v_i = Σ_j W a_j.
template <typename T>
void directed_messages(const std::type_identity_t<DirectedPairs<T>>& directed, const Table<T>& table, const T* a, T* v,
                       const Features& features, int64_t v_width) {
    const Pair<T>* pairs = directed.pairs;
    const int64_t *first = directed.first, i_begin = directed.i_begin, i_end = directed.i_end;
    const int64_t width = table.width;
    for_each_block<T>(features, [&]<typename V, int N>(int64_t f) {
        constexpr int64_t lanes = sizeof(V) / sizeof(T);
        for (int64_t i = i_begin; i < i_end; ++i) {
            V sum[N] = {};
            for (int64_t p = first[i]; p < first[i + 1]; ++p) {
                const FilterRows<T> rows(table, pairs[p], f);
                const T* aj = a + pairs[p].j * width + f;
                for (int64_t k = 0, l = 0; k < N; ++k, l += lanes)
                    sum[k] += rows.template at<V>(pairs[p].value, l) * load<V>(aj + l);
            }
            for (int64_t k = 0; k < N; ++k) store(v + i * v_width + f + k * lanes, sum[k]);
        }
    });
}

// ga_i = Σ_j W g_j (unless WITH_GA is false); slope_p += ⟨g_i a_j + g_j a_i, dW/dd⟩, the slope of the energy in the
// whole (unordered) pair.
template <bool WITH_GA, typename T>
void directed_gradient(const std::type_identity_t<DirectedPairs<T>>& directed, const Table<T>& table, const T* a,
                       const T* g, T* ga, T* slopes, const Features& features, int64_t g_width) {
    const Pair<T>* pairs = directed.pairs;
    const int64_t *first = directed.first, i_begin = directed.i_begin, i_end = directed.i_end;
    const int64_t width = table.width;
    for_each_block<T>(features, [&]<typename V, int N>(int64_t f) {
        constexpr int64_t lanes = sizeof(V) / sizeof(T);
        for (int64_t i = i_begin; i < i_end; ++i) {
            const T *ai = a + i * width + f, *gi = g + i * g_width + f;
            V sum[N] = {};
            for (int64_t p = first[i]; p < first[i + 1]; ++p) {
                const FilterRows<T> rows(table, pairs[p], f);
                const T *aj = a + pairs[p].j * width + f, *gj = g + pairs[p].j * g_width + f;
                V slope = {};
                for (int64_t k = 0, l = 0; k < N; ++k, l += lanes) {
                    const V g_j = load<V>(gj + l);
                    if constexpr (WITH_GA) sum[k] += rows.template at<V>(pairs[p].value, l) * g_j;
                    slope += rows.template at<V>(pairs[p].slope, l) *
                             symmetric_sum(load<V>(gi + l), load<V>(aj + l), g_j, load<V>(ai + l));
                }
                slopes[p] += sum_of_lanes<T>(slope);
            }
            if constexpr (WITH_GA)
                for (int64_t k = 0; k < N; ++k) store(ga + i * width + f + k * lanes, sum[k]);
        }
    });
}

}  // namespace mdaug
