// SPDX-License-Identifier: MIT
// The pairs of a training batch: messages along them and their gradient, and the derivatives of both.
//
//     v = messages(a):              v_i = Σ_j W_ij a_j
//     ga, slope = gradient(g, a):   ga_j = Σ_i W_ij g_i, the gradient of ⟨g, v⟩ in a;
//                                   slope_ij = ⟨g_i a_j + g_j a_i, dW_ij/dd⟩, that in d_ij
//
// Both are differentiable once in the table, g and a, which is all that training on closed-form forces needs;
// distances are data. `bar_x` is the derivative of the loss in x; results named bar_… are added to what is there.

#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <utility>

namespace mdaug::training {

using at::Tensor;

class PairBatch {
  public:
    virtual ~PairBatch() = default;
    virtual Tensor messages(const Tensor& table, const Tensor& a) const = 0;
    virtual std::pair<Tensor, Tensor> gradient(const Tensor& table, const Tensor& g, const Tensor& a) const = 0;
    virtual void messages_backward(const Tensor& table, const Tensor& a, const Tensor& bar_v, const Tensor& bar_a,
                                   const Tensor& bar_table) const = 0;
    virtual void gradient_backward(const Tensor& table, const Tensor& g, const Tensor& a, const Tensor& bar_ga,
                                   const Tensor& bar_slope, const Tensor& bar_g, const Tensor& bar_a,
                                   const Tensor& bar_table) const = 0;
};

// idx_i, idx_j (n_pairs): every unordered pair once; d_ij (n_pairs), whose number type is that of all other tensors.
// All tables have n_rows rows. Tensors are contiguous.
std::unique_ptr<PairBatch> make_pair_batch(const Tensor& idx_i, const Tensor& idx_j, const Tensor& d_ij, double spacing,
                                           int64_t n_rows);

}  // namespace mdaug::training
