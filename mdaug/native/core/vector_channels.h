// SPDX-License-Identifier: MIT
// Angular features: the part of an evaluation that only models with vector channels have (mdaug/models/vectors.py).
//
// Upwards v_i = Σ_j (w b_j) ⊗ r̂ and q = Σ_xyz (U₁ v) ∘ (U₂ v); downwards G = ∂E/∂v = U₁ᵀ (gq ∘ U₂ v) + U₂ᵀ (gq ∘ U₁ v),
// ∂E/∂b and gradients of pairs (common/vector_pairs.h). Rows of atoms hold scalars (F numbers) first, then channels (C):
// [a | b] and [m | q] have F + C numbers, [m | v] and [gm | G] F + 3 C.

#pragma once

#include <cstring>
#include <vector>

#include "atomwise.h"
#include "vector3.h"
#include "common/vector_pairs.h"

namespace mdaug::core {

template <typename T>
class VectorChannels {
  public:
    explicit VectorChannels(const AtomwiseNetwork<T>& network)
        : network_(network), n_scalars_(network.n_filters), n_channels_(network.n_vectors),
          factors_(n_channels_ ? network.n_blocks : 0) {}

    bool empty() const { return n_channels_ == 0; }
    size_t bytes() const;
    int64_t scratch_width() const { return empty() ? 0 : n_scalars_ + 4 * n_channels_; }  // of one atom

    void reserve(int64_t n_local, int64_t max_pairs);
    void set_pair(int64_t p, double x, double y, double z, double d);
    Vector3 pair_gradient(int64_t p, const Vector3& r, double d, double scale) const;  // scale · ∂E/∂r_ij

    // Messages of the block: its sent rows [a | b] give v in rows [m | v].
    void send(int block, const Pair<T>* pairs, int64_t first, int64_t n, const T* sent, T* rows) const;
    void send(int block, const DirectedPairs<T>& pairs, const T* sent, T* rows) const;

    // The gradient rows [gm | G] give ∂E/∂b (unless WITH_GB is false) in rows [ga | gb], and gradients of pairs.
    template <bool WITH_GB>
    void send_gradient(int block, const Pair<T>* pairs, int64_t first, int64_t n, const T* sent, const T* gradient,
                       T* sent_gradient);
    template <bool WITH_GB>
    void send_gradient(int block, const DirectedPairs<T>& pairs, const T* sent, const T* gradient, T* sent_gradient);

    // [m | q] of n atoms, in scratch, from their rows [m | v].
    T* invariants(int block, int64_t row, int64_t n, const T* rows, T* scratch);
    // Rows [gm | G] of n atoms from [gm | gq], where `invariants` left [m | q]; overwrites what it keeps.
    void gradient_rows(int block, int64_t row, int64_t n, T* scratch, T* rows);

  private:
    int64_t sent_width() const { return n_scalars_ + n_channels_; }
    int64_t gradient_width() const { return n_scalars_ + 3 * n_channels_; }
    VectorMessages<T> sent_of(int block, const T* sent) const {
        return {network_.vector_table(block), {sent + n_scalars_, sent_width()}, n_channels_};
    }
    template <typename Number>
    Rows<Number> vectors_of(Number* rows) const {
        return {rows + n_scalars_, gradient_width()};
    }

    const AtomwiseNetwork<T>& network_;
    int64_t n_scalars_, n_channels_;  // padded
    std::vector<Buffer<T>> factors_;  // [U₁ v | U₂ v] of each block; owned atoms (3, 2 C)
    Buffer<Direction<T>> directions_;
    Buffer<PairGradient<T>> gradients_;
};

template <typename T>
size_t VectorChannels<T>::bytes() const {
    size_t sum = directions_.bytes() + gradients_.bytes();
    for (const auto& buffer : factors_) sum += buffer.bytes();
    return sum;
}

template <typename T>
void VectorChannels<T>::reserve(int64_t n_local, int64_t max_pairs) {
    if (empty()) return;
    for (auto& factors : factors_) factors.reserve(n_local * 6 * n_channels_);
    directions_.reserve(max_pairs);
    gradients_.reserve(max_pairs);
}

template <typename T>
void VectorChannels<T>::set_pair(int64_t p, double x, double y, double z, double d) {
    directions_.get()[p] = {static_cast<T>(x / d), static_cast<T>(y / d), static_cast<T>(z / d)};
    gradients_.get()[p] = {};
}

template <typename T>
Vector3 VectorChannels<T>::pair_gradient(int64_t p, const Vector3& r, double d, double scale) const {
    const auto& sums = gradients_.get()[p];
    const Vector3 across = {sums.x, sums.y, sums.z};
    const double along = dot(across, r) / (d * d);
    Vector3 gradient;
    for (int k = 0; k < 3; ++k) gradient[k] = scale / d * (sums.slope * r[k] + across[k] - along * r[k]);
    return gradient;
}

template <typename T>
void VectorChannels<T>::send(int block, const Pair<T>* pairs, int64_t first, int64_t n, const T* sent, T* rows) const {
    add_vectors(pairs, directions_.get() + first, n, sent_of(block, sent), vectors_of(rows),
                {0, n_channels_});
}

template <typename T>
void VectorChannels<T>::send(int block, const DirectedPairs<T>& pairs, const T* sent, T* rows) const {
    directed_vectors(pairs, directions_.get(), sent_of(block, sent), vectors_of(rows));
}

template <typename T>
template <bool WITH_GB>
void VectorChannels<T>::send_gradient(int block, const Pair<T>* pairs, int64_t first, int64_t n, const T* sent,
                                      const T* gradient, T* sent_gradient) {
    add_vector_gradient<WITH_GB>(pairs, directions_.get() + first, n, sent_of(block, sent), vectors_of(gradient),
                                 {sent_gradient + n_scalars_, sent_width()}, gradients_.get() + first,
                                 {0, n_channels_});
}

template <typename T>
template <bool WITH_GB>
void VectorChannels<T>::send_gradient(int block, const DirectedPairs<T>& pairs, const T* sent, const T* gradient,
                                      T* sent_gradient) {
    directed_vector_gradient<WITH_GB>(pairs, directions_.get(), sent_of(block, sent), vectors_of(gradient),
                                      {sent_gradient + n_scalars_, sent_width()}, gradients_.get());
}

template <typename T>
T* VectorChannels<T>::invariants(int block, int64_t row, int64_t n, const T* rows, T* scratch) {
    const int64_t c = n_channels_, width = sent_width();
    T *v = scratch + n * width, *factors = factors_[block].get() + row * 6 * c;
    for (int64_t r = 0; r < n; ++r, rows += gradient_width()) {
        std::memcpy(scratch + r * width, rows, n_scalars_ * sizeof(T));
        std::memcpy(v + r * 3 * c, rows + n_scalars_, 3 * c * sizeof(T));
    }
    std::fill_n(factors, n * 6 * c, T(0));
    network_.both_factors[block].add_product(3 * n, v, factors);
    for (int64_t r = 0; r < n; ++r, factors += 6 * c) {
        T* __restrict q = scratch + r * width + n_scalars_;
#pragma omp simd
        for (int64_t k = 0; k < c; ++k)
            q[k] = factors[k] * factors[c + k] + factors[2 * c + k] * factors[3 * c + k] +
                   factors[4 * c + k] * factors[5 * c + k];
    }
    return scratch;
}

template <typename T>
void VectorChannels<T>::gradient_rows(int block, int64_t row, int64_t n, T* scratch, T* rows) {
    const int64_t c = n_channels_, width = sent_width();
    T *g = scratch + n * width, *factors = factors_[block].get() + row * 6 * c;
    for (int64_t r = 0; r < n; ++r) {
        const T* __restrict gq = scratch + r * width + n_scalars_;
        for (int x = 0; x < 3; ++x) {
            T* __restrict both = factors + (3 * r + x) * 2 * c;
#pragma omp simd
            for (int64_t k = 0; k < c; ++k) {
                const T left = both[k];
                both[k] = gq[k] * both[c + k], both[c + k] = gq[k] * left;
            }
        }
    }
    std::fill_n(g, n * 3 * c, T(0));
    network_.both_transposed[block].add_product(3 * n, factors, g);
    for (int64_t r = 0; r < n; ++r, rows += gradient_width()) {
        std::memcpy(rows, scratch + r * width, n_scalars_ * sizeof(T));
        std::memcpy(rows + n_scalars_, g + r * 3 * c, 3 * c * sizeof(T));
    }
}

}  // namespace mdaug::core
