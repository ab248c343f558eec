// SPDX-License-Identifier: MIT
// The pairs of a training batch: messages along them and their gradient, and the derivatives of both.
//
//     m, v = messages(a):                 m_i = Σ_j W_ij a_j
//     ga, slope, … = gradient(g, gv, a):  ga_j = Σ_i W_ij g_i, the gradient of ⟨g, m⟩ + ⟨gv, v⟩ in a;
//                                         slope_ij = ⟨g_i a_j + g_j a_i, dW_ij/dd⟩, that in d_ij
//
// With vectors the last columns of tables and of rows of atoms belong to them: rows of a are [a | b], and v, slope and
// the transverse gradients are those of vector_loops.h; `messages` leaves these columns of m zero. Without vectors v, gv
// and the transverse gradients are undefined tensors.
//
// Both are differentiable once in the table, g, gv and a, which is all that training on closed-form forces needs;
// distances are data. `bar_x` is the derivative of the loss in x; results named bar_… are added to what is there.

#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

namespace mdaug::training {

using at::Tensor;

struct Messages {
    Tensor m, v;  // v (atom, 3, vector)
};

struct PairGradients {
    Tensor ga, slope, transverse;  // transverse (pair, 3)
};

class PairBatch {
  public:
    virtual ~PairBatch() = default;
    virtual Messages messages(const Tensor& table, const Tensor& a) const = 0;
    virtual PairGradients gradient(const Tensor& table, const Tensor& g, const Tensor& gv, const Tensor& a) const = 0;
    virtual void messages_backward(const Tensor& table, const Tensor& a, const Messages& bar, const Tensor& bar_a,
                                   const Tensor& bar_table) const = 0;
    virtual void gradient_backward(const Tensor& table, const Tensor& g, const Tensor& gv, const Tensor& a,
                                   const PairGradients& bar, const Tensor& bar_g, const Tensor& bar_gv,
                                   const Tensor& bar_a, const Tensor& bar_table) const = 0;
};

// The pairs as data: idx_i, idx_j (n_pairs), every unordered pair once; d_ij (n_pairs), whose number type is that of all
// other tensors; unit_ij (n_pairs, 3), undefined where there are no vectors.
struct PairData {
    Tensor idx_i, idx_j, d_ij, unit_ij;
    double spacing;
};

// All tables have n_rows rows. Tensors are contiguous.
std::unique_ptr<PairBatch> make_pair_batch(const PairData& data, int64_t n_rows, int64_t n_vectors);

}  // namespace mdaug::training
