// SPDX-License-Identifier: MIT
// Vectors that atoms receive from their neighbors, v_i = Σ_j (w(d_ij) ∘ b_j) ⊗ r̂_ij, and their gradients.
//
// Loops as in pairs.h. v and G = ∂E/∂v have rows (3, n_channels). With P_c = b_jc G_ic − b_ic G_jc the gradient of a pair is
//     ∂E/∂r_ij = Σ_c w′_c (P_c·r̂) r̂ + (p − (p·r̂) r̂) / d,   p = Σ_c w_c P_c,
// of which the loops give the slope Σ_c w′_c (P_c·r̂) and p.

#pragma once

#include <cstdint>

#include "common/pairs.h"
#include "common/spline.h"
#include "common/vectors.h"

namespace mdaug {

// Rows of atoms: row(i) has the numbers of atom i that a loop reads or writes.
template <typename T>
struct Rows {
    T* data;
    int64_t width;
    T* row(int64_t i) const { return data + i * width; }
};

// r̂, from atom i to atom j.
template <typename T>
struct Direction {
    T x, y, z;
};

template <typename T>
struct PairGradient {
    T slope, x, y, z;  // the slope and p
};

// What the loops read of the network. Filters w have the columns of the table from table.data on.
template <typename T>
struct VectorMessages {
    Table<T> table;
    Rows<const T> b;
    int64_t n_channels;
};

#if defined(__AVX512F__)
constexpr int VECTOR_CHANNELS_PER_BLOCK = 4;
#else
constexpr int VECTOR_CHANNELS_PER_BLOCK = 2;  // three sums for each of these vectors must be in registers
#endif

// The lanes of a vector of at least four added up to four.
template <typename T, typename V>
inline auto sums_of_every_fourth_lane(V v) {
    if constexpr (sizeof(V) == 4 * sizeof(T))
        return v;
    else
        return sums_of_every_fourth_lane<T>(sum_of_halves<T>(v));
}

// Adds the sums over the lanes of four vectors to a pair's gradient.
template <typename T, typename V>
inline void add_sums(V slope, V x, V y, V z, PairGradient<T>& gradient) {
    if constexpr (sizeof(V) >= 4 * sizeof(T)) {
        const V both = interleaved_sums<T, 1>(slope, x), others = interleaved_sums<T, 1>(y, z);
        const auto four = sums_of_every_fourth_lane<T>(interleaved_sums<T, 2>(both, others));
        store(&gradient.slope, load<std::remove_const_t<decltype(four)>>(&gradient.slope) + four);
    } else {
        gradient.slope += sum_of_lanes<T>(slope);
        gradient.x += sum_of_lanes<T>(x);
        gradient.y += sum_of_lanes<T>(y);
        gradient.z += sum_of_lanes<T>(z);
    }
}

// ---- Unordered pairs ---------------------------------------------------------------------------------------------

// v_i += (w b_j) r̂ and v_j −= (w b_i) r̂.
template <typename T>
void add_vectors(const Pair<T>* pairs, const Direction<T>* directions, int64_t n, const VectorMessages<T>& sent,
                 const Rows<T>& v, const Features& channels) {
    static_assert(VECTORS_PER_BLOCK % VECTOR_CHANNELS_PER_BLOCK == 0);  // a block is within a panel of the table
    const int64_t n_channels = sent.n_channels;
    for_each_block<T, VECTOR_CHANNELS_PER_BLOCK>(channels, [&]<typename V, int N>(int64_t f) {
        constexpr int64_t lanes = sizeof(V) / sizeof(T);
        for (int64_t p = 0; p < n; ++p) {
            const auto& pair = pairs[p];
            const T unit[] = {directions[p].x, directions[p].y, directions[p].z};
            const FilterRows<T> rows(sent.table, pair, f);
            const T *bi = sent.b.row(pair.i) + f, *bj = sent.b.row(pair.j) + f;
            T *vi = v.row(pair.i) + f, *vj = v.row(pair.j) + f;
            V to_i[N], to_j[N];
#pragma GCC unroll 4
            for (int64_t k = 0, l = 0; k < N; ++k, l += lanes) {
                const V w = rows.template at<V>(pair.value, l);
                to_i[k] = w * load<V>(bj + l), to_j[k] = w * load<V>(bi + l);
            }
            for (int x = 0; x < 3; ++x, vi += n_channels)
                for (int64_t k = 0, l = 0; k < N; ++k, l += lanes) store(vi + l, load<V>(vi + l) + unit[x] * to_i[k]);
            for (int x = 0; x < 3; ++x, vj += n_channels)
                for (int64_t k = 0, l = 0; k < N; ++k, l += lanes) store(vj + l, load<V>(vj + l) - unit[x] * to_j[k]);
        }
    });
}

// gb_j += w (G_i·r̂) and gb_i −= w (G_j·r̂) (unless WITH_GB is false), and gradients of the pairs.
template <bool WITH_GB, typename T>
void add_vector_gradient(const Pair<T>* pairs, const Direction<T>* directions, int64_t n, const VectorMessages<T>& sent,
                         const Rows<const T>& g, const Rows<T>& gb, PairGradient<T>* gradients,
                         const Features& channels) {
    const int64_t n_channels = sent.n_channels;
    for_each_block<T, VECTOR_CHANNELS_PER_BLOCK>(channels, [&]<typename V, int N>(int64_t f) {
        constexpr int64_t lanes = sizeof(V) / sizeof(T);
        for (int64_t p = 0; p < n; ++p) {
            const auto& pair = pairs[p];
            const auto [x, y, z] = directions[p];
            const FilterRows<T> rows(sent.table, pair, f);
            const T *bi = sent.b.row(pair.i) + f, *bj = sent.b.row(pair.j) + f;
            const T *gi = g.row(pair.i) + f, *gj = g.row(pair.j) + f;
            V slope = {}, px = {}, py = {}, pz = {}, to_i[N], to_j[N];
#pragma GCC unroll 4
            for (int64_t k = 0, l = 0; k < N; ++k, l += lanes) {
                const V w = rows.template at<V>(pair.value, l), b_i = load<V>(bi + l), b_j = load<V>(bj + l);
                const V ix = load<V>(gi + l), iy = load<V>(gi + n_channels + l), iz = load<V>(gi + 2 * n_channels + l);
                const V jx = load<V>(gj + l), jy = load<V>(gj + n_channels + l), jz = load<V>(gj + 2 * n_channels + l);
                const V along_i = x * ix + y * iy + z * iz, along_j = x * jx + y * jy + z * jz;
                const V w_i = w * b_i, w_j = w * b_j;
                slope += rows.template at<V>(pair.slope, l) * (b_j * along_i - b_i * along_j);
                px += w_j * ix - w_i * jx, py += w_j * iy - w_i * jy, pz += w_j * iz - w_i * jz;
                if constexpr (WITH_GB) to_i[k] = w * along_j, to_j[k] = w * along_i;
            }
            add_sums<T>(slope, px, py, pz, gradients[p]);
            if constexpr (WITH_GB) {
                T *gbi = gb.row(pair.i) + f, *gbj = gb.row(pair.j) + f;
                for (int64_t k = 0, l = 0; k < N; ++k, l += lanes) store(gbi + l, load<V>(gbi + l) - to_i[k]);
                for (int64_t k = 0, l = 0; k < N; ++k, l += lanes) store(gbj + l, load<V>(gbj + l) + to_j[k]);
            }
        }
    });
}

// ---- Directed pairs, sorted by owned atom: only row i is written -------------------------------------------------

// v_i = Σ_j (w b_j) r̂.
template <typename T>
void directed_vectors(const std::type_identity_t<DirectedPairs<T>>& directed, const Direction<T>* directions,
                      const VectorMessages<T>& sent, const Rows<T>& v) {
    const int64_t n_channels = sent.n_channels;
    for_each_block<T, VECTOR_CHANNELS_PER_BLOCK>({0, n_channels}, [&]<typename V, int N>(int64_t f) {
        constexpr int64_t lanes = sizeof(V) / sizeof(T);
        for (int64_t i = directed.i_begin; i < directed.i_end; ++i) {
            V sum[3][N] = {};
            for (int64_t p = directed.first[i]; p < directed.first[i + 1]; ++p) {
                const auto& pair = directed.pairs[p];
                const auto [x, y, z] = directions[p];
                const FilterRows<T> rows(sent.table, pair, f);
                const T* bj = sent.b.row(pair.j) + f;
#pragma GCC unroll 4
                for (int64_t k = 0, l = 0; k < N; ++k, l += lanes) {
                    const V from_j = rows.template at<V>(pair.value, l) * load<V>(bj + l);
                    sum[0][k] += x * from_j, sum[1][k] += y * from_j, sum[2][k] += z * from_j;
                }
            }
            T* vi = v.row(i) + f;
            for (int x = 0; x < 3; ++x)
                for (int64_t k = 0; k < N; ++k) store(vi + x * n_channels + k * lanes, sum[x][k]);
        }
    });
}

// gb_i = −Σ_j w (G_j·r̂) (unless WITH_GB is false), and gradients of the whole (unordered) pairs: that of the opposite
// pair is the same with all signs of p changed, to the last bit.
template <bool WITH_GB, typename T>
void directed_vector_gradient(const std::type_identity_t<DirectedPairs<T>>& directed, const Direction<T>* directions,
                              const VectorMessages<T>& sent, const Rows<const T>& g, const Rows<T>& gb,
                              PairGradient<T>* gradients) {
    const int64_t n_channels = sent.n_channels;
    for_each_block<T, VECTOR_CHANNELS_PER_BLOCK>({0, n_channels}, [&]<typename V, int N>(int64_t f) {
        constexpr int64_t lanes = sizeof(V) / sizeof(T);
        for (int64_t i = directed.i_begin; i < directed.i_end; ++i) {
            const T *bi = sent.b.row(i) + f, *gi = g.row(i) + f;
            V sum[N] = {};
            for (int64_t p = directed.first[i]; p < directed.first[i + 1]; ++p) {
                const auto& pair = directed.pairs[p];
                const auto [x, y, z] = directions[p];
                const FilterRows<T> rows(sent.table, pair, f);
                const T *bj = sent.b.row(pair.j) + f, *gj = g.row(pair.j) + f;
                V slope = {}, px = {}, py = {}, pz = {};
#pragma GCC unroll 4
                for (int64_t k = 0, l = 0; k < N; ++k, l += lanes) {
                    const V w = rows.template at<V>(pair.value, l), b_i = load<V>(bi + l), b_j = load<V>(bj + l);
                    const V ix = load<V>(gi + l), iy = load<V>(gi + n_channels + l),
                            iz = load<V>(gi + 2 * n_channels + l);
                    const V jx = load<V>(gj + l), jy = load<V>(gj + n_channels + l),
                            jz = load<V>(gj + 2 * n_channels + l);
                    const V along_i = x * ix + y * iy + z * iz, along_j = x * jx + y * jy + z * jz;
                    const V w_j = w * b_j, minus_w_i = -w * b_i;
                    slope += rows.template at<V>(pair.slope, l) * symmetric_sum(b_j, along_i, -b_i, along_j);
                    px += symmetric_sum(w_j, ix, minus_w_i, jx);
                    py += symmetric_sum(w_j, iy, minus_w_i, jy);
                    pz += symmetric_sum(w_j, iz, minus_w_i, jz);
                    if constexpr (WITH_GB) sum[k] -= w * along_j;
                }
                add_sums<T>(slope, px, py, pz, gradients[p]);
            }
            if constexpr (WITH_GB)
                for (int64_t k = 0; k < N; ++k) store(gb.row(i) + f + k * lanes, sum[k]);
        }
    });
}

}  // namespace mdaug
