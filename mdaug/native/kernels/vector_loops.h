// SPDX-License-Identifier: MIT
// Derivatives of the vectors summed over the neighbors of an atom and of their gradient (common/vector_pairs.h), for
// training:
//
//     v_i = Σ_j (w b_j) ⊗ r_ij,   r_ij the unit vector from i to j
//     of ⟨g, v⟩:  gb_j = Σ_i w (r_ij · g_i);  u = b_j g_i − b_i g_j of each pair gives its slope ⟨w′, r · u⟩
//                 and p = ⟨w, u⟩, whose part perpendicular to r_ij, over d_ij, is the transverse gradient
//
// Rows [a | b] of atoms and rows of the table are table.width wide; b and w begin at feature `columns.begin`. Vectors v
// and g have the shape (atom, 3, n). `bar_x` is the derivative of the loss in x; results are added to what is there.

#pragma once

#include "common/pairs.h"
#include "common/vector_pairs.h"

namespace mdaug::training {

template <typename V, typename T>
inline V dot(const T* r, const V (&a)[3]) {
    return r[0] * a[0] + r[1] * a[1] + r[2] * a[2];
}
template <typename V>
inline V dot(const V (&a)[3], const V (&b)[3]) {
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

// The components of vectors lie n numbers apart.
template <typename V, typename T>
inline void load_vectors(const T* p, int64_t n, V (&v)[3]) {
    for (int k = 0; k < 3; ++k) v[k] = load<V>(p + k * n);
}
template <typename V, typename T>
inline void add_to_vectors(T* p, int64_t n, const V (&v)[3]) {
    for (int k = 0; k < 3; ++k) store(p + k * n, load<V>(p + k * n) + v[k]);
}

template <typename V, typename T>
inline void add_to(T* p, V v) {
    store(p, load<V>(p) + v);
}

// A pair from one feature on: places of its atoms' numbers in rows [a | b] and in vectors, and its filter.
template <typename T>
struct Place {
    const Pair<T>& pair;
    int64_t i, j, vi, vj;
    FilterRows<T> filter;
    int64_t in_table;
};

// The pairs of a chunk at the features of vectors.
template <typename T>
struct VectorPairs {
    const Pair<T>* pairs;
    int64_t n;
    Table<T> table;
    Features columns, features;  // all of the vectors; those to do

    int64_t n_vectors() const { return columns.end - columns.begin; }

    Place<T> place(int64_t p, int64_t f) const {
        const auto& pair = pairs[p];
        const int64_t of_vectors = f - columns.begin, width = table.width;
        return {pair,
                pair.i * width + f,
                pair.j * width + f,
                pair.i * 3 * n_vectors() + of_vectors,
                pair.j * 3 * n_vectors() + of_vectors,
                FilterRows<T>(table, pair, f),
                pair.row * width + f};
    }

    // Calls body.operator()<V>(p, place, l), one vector of features at a time: those from l on after the place's.
    template <typename Body>
    void for_each(const Body& body) const {
        for_each_block<T>(features, [&]<typename V, int N>(int64_t f) {
            constexpr int64_t lanes = sizeof(V) / sizeof(T);
            for (int64_t p = 0; p < n; ++p) {
                const auto at = place(p, f);
                for (int64_t l = 0; l < N * lanes; l += lanes) body.template operator()<V>(p, at, l);
            }
        });
    }
};

// Of v: derivatives of ⟨bar_v, v⟩.
template <typename T>
struct VectorMessagesBackward {
    const T *unit, *b, *bar_v;
    T *bar_b, *bar_table;

    void run(const VectorPairs<T>& all) const {
        all.for_each([&]<typename V>(int64_t p, const Place<T>& at, int64_t l) {
            const T* r = unit + 3 * p;
            const V w = at.filter.template at<V>(at.pair.value, l);
            V bar_vi[3], bar_vj[3];
            load_vectors(bar_v + at.vi + l, all.n_vectors(), bar_vi);
            load_vectors(bar_v + at.vj + l, all.n_vectors(), bar_vj);
            const V along_i = dot(r, bar_vi), along_j = dot(r, bar_vj);
            const V bar_w = load<V>(b + at.j + l) * along_i - load<V>(b + at.i + l) * along_j;
            add_to<V>(bar_b + at.j + l, w * along_i);
            add_to<V>(bar_b + at.i + l, -w * along_j);
            for (int64_t m = 0; m < 4; ++m)
                add_to<V>(bar_table + at.in_table + l + m * all.table.width, at.pair.value[m] * bar_w);
        });
    }
};

// Of gb, slope and p: derivatives of ⟨bar_gb, gb⟩ + ⟨bar_slope, slope⟩ + ⟨bar_p, p⟩.
template <typename T>
struct VectorGradientBackward {
    const T *unit, *b, *g, *bar_gb, *bar_slope, *bar_p;
    T *bar_g, *bar_b, *bar_table;

    void run(const VectorPairs<T>& all) const {
        all.for_each([&]<typename V>(int64_t p, const Place<T>& at, int64_t l) {
            const T *r = unit + 3 * p, *of_p = bar_p + 3 * p;
            T slope[4];
            for (int m = 0; m < 4; ++m) slope[m] = bar_slope[p] * at.pair.slope[m];
            const V w = at.filter.template at<V>(at.pair.value, l), dw = at.filter.template at<V>(slope, l);
            const V bi = load<V>(b + at.i + l), bj = load<V>(b + at.j + l);
            const V yi = load<V>(bar_gb + at.i + l), yj = load<V>(bar_gb + at.j + l);
            V gi[3], gj[3], u[3], bar_u[3], to_i[3], to_j[3];
            load_vectors(g + at.vi + l, all.n_vectors(), gi);
            load_vectors(g + at.vj + l, all.n_vectors(), gj);
            for (int k = 0; k < 3; ++k) {
                u[k] = bj * gi[k] - bi * gj[k];
                bar_u[k] = dw * r[k] + w * of_p[k];
                to_i[k] = w * yj * r[k] + bj * bar_u[k];
                to_j[k] = -w * yi * r[k] - bi * bar_u[k];
            }
            add_to_vectors(bar_g + at.vi + l, all.n_vectors(), to_i);
            add_to_vectors(bar_g + at.vj + l, all.n_vectors(), to_j);
            add_to<V>(bar_b + at.j + l, dot(bar_u, gi));
            add_to<V>(bar_b + at.i + l, -dot(bar_u, gj));
            const V bar_w = yj * dot(r, gi) - yi * dot(r, gj) + dot(of_p, u), bar_dw = dot(r, u);
            for (int64_t m = 0; m < 4; ++m)
                add_to<V>(bar_table + at.in_table + l + m * all.table.width,
                          at.pair.value[m] * bar_w + slope[m] * bar_dw);
        });
    }
};

}  // namespace mdaug::training
