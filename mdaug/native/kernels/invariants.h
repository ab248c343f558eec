// SPDX-License-Identifier: MIT
// The invariants of vectors, q = Σ_xyz (U₁ v) ∘ (U₂ v), their gradient, and the derivatives of both, for training.
//
// The vectors of all atoms are rows (3 atoms, n) of one matrix, and [U₁; U₂] is one matrix (2n, n), so that each product
// with them is one. Names: lr = [U₁ v | U₂ v], (3 atoms, 2n); the gradient of ⟨gq, q⟩ in lr is glr = [gq ∘ U₂ v | gq ∘
// U₁ v], that in v is gv = glr [U₁; U₂]. q and gq are the last n columns of wider rows of atoms.

#pragma once

#include <ATen/Functions.h>

#include <cstdint>

#include "tensors.h"

namespace mdaug::training {

// Calls body(columns of q of an atom, the two halves of lr and of another array like it) for each row of each atom.
template <typename Body>
void for_each_component(int64_t n_atoms, int64_t n, int64_t width, const Body& body) {
    for (int64_t atom = 0; atom < n_atoms; ++atom)
        for (int64_t x = 0; x < 3; ++x) {
            const int64_t row = (3 * atom + x) * 2 * n;
            body(atom * width + width - n, row, row + n);
        }
}

// q, written to the last columns of `rows`.
template <typename T>
void write_invariants(int64_t n_atoms, int64_t n, int64_t width, const T* __restrict lr, T* __restrict rows) {
    for_each_component(n_atoms, n, width, [&](int64_t q, int64_t left, int64_t right) {
#pragma omp simd
        for (int64_t c = 0; c < n; ++c) rows[q + c] += lr[left + c] * lr[right + c];
    });
}

// glr.
template <typename T>
void invariant_gradient(int64_t n_atoms, int64_t n, int64_t width, const T* __restrict g_rows, const T* __restrict lr,
                        T* __restrict glr) {
    for_each_component(n_atoms, n, width, [&](int64_t q, int64_t left, int64_t right) {
#pragma omp simd
        for (int64_t c = 0; c < n; ++c) {
            glr[left + c] = g_rows[q + c] * lr[right + c];
            glr[right + c] = g_rows[q + c] * lr[left + c];
        }
    });
}

// Of glr: the derivative in gq is added to the last columns of `bar_g_rows`, that in lr is written.
template <typename T>
void invariant_gradient_backward(int64_t n_atoms, int64_t n, int64_t width, const T* __restrict g_rows,
                                 const T* __restrict lr, const T* __restrict bar_glr, T* __restrict bar_g_rows,
                                 T* __restrict bar_lr) {
    for_each_component(n_atoms, n, width, [&](int64_t q, int64_t left, int64_t right) {
#pragma omp simd
        for (int64_t c = 0; c < n; ++c) {
            bar_g_rows[q + c] += bar_glr[left + c] * lr[right + c] + bar_glr[right + c] * lr[left + c];
            bar_lr[left + c] = bar_glr[right + c] * g_rows[q + c];
            bar_lr[right + c] = bar_glr[left + c] * g_rows[q + c];
        }
    });
}

// Of q: added to the derivative in lr.
template <typename T>
void invariants_backward(int64_t n_atoms, int64_t n, int64_t width, const T* __restrict bar_rows,
                         const T* __restrict lr, T* __restrict bar_lr) {
    for_each_component(n_atoms, n, width, [&](int64_t q, int64_t left, int64_t right) {
#pragma omp simd
        for (int64_t c = 0; c < n; ++c) {
            bar_lr[left + c] += bar_rows[q + c] * lr[right + c];
            bar_lr[right + c] += bar_rows[q + c] * lr[left + c];
        }
    });
}

}  // namespace mdaug::training
