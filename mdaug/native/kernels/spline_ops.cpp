// SPDX-License-Identifier: MIT
// Messages through B-spline filters as operations that autograd differentiates, for training on the CPU; pair_batch.h
// has the equations.

#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "pair_batch.h"

namespace {

using namespace mdaug::training;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

std::unique_ptr<PairBatch> saved_batch(AutogradContext* ctx, const Tensor& idx_i, const Tensor& idx_j, const Tensor& d,
                                       const Tensor& table) {
    return make_pair_batch({idx_i, idx_j, d, {}, ctx->saved_data["spacing"].toDouble()}, table.size(0), 0);
}

struct SplineMessage : torch::autograd::Function<SplineMessage> {
    static Tensor forward(AutogradContext* ctx, const Tensor& table, const Tensor& a, const Tensor& d,
                          const Tensor& idx_i, const Tensor& idx_j, double spacing) {
        ctx->save_for_backward({table, a, d, idx_i, idx_j});
        ctx->saved_data["spacing"] = spacing;
        return saved_batch(ctx, idx_i, idx_j, d, table)->messages(table, a).m;
    }

    static variable_list backward(AutogradContext* ctx, variable_list grads) {
        const auto saved = ctx->get_saved_variables();
        const auto &table = saved[0], &a = saved[1];
        auto bar_table = at::zeros_like(table), bar_a = at::zeros_like(a);
        saved_batch(ctx, saved[3], saved[4], saved[2], table)
            ->messages_backward(table, a, {grads[0].contiguous(), {}}, bar_a, bar_table);
        return {bar_table, bar_a, Tensor(), Tensor(), Tensor(), Tensor()};
    }
};

struct MessageGradient : torch::autograd::Function<MessageGradient> {
    static variable_list forward(AutogradContext* ctx, const Tensor& table, const Tensor& g, const Tensor& a,
                                 const Tensor& d, const Tensor& idx_i, const Tensor& idx_j, double spacing) {
        ctx->save_for_backward({table, g, a, d, idx_i, idx_j});
        ctx->saved_data["spacing"] = spacing;
        const auto result = saved_batch(ctx, idx_i, idx_j, d, table)->gradient(table, g, {}, a);
        return {result.ga, result.slope};
    }

    static variable_list backward(AutogradContext* ctx, variable_list grads) {
        const auto saved = ctx->get_saved_variables();
        const auto &table = saved[0], &g = saved[1], &a = saved[2], &d = saved[3];
        const auto bar_ga = grads[0].defined() ? grads[0].contiguous() : at::zeros_like(a);
        const auto bar_slope = grads[1].defined() ? grads[1].contiguous() : at::zeros_like(d);
        auto bar_table = at::zeros_like(table), bar_g = at::zeros_like(g), bar_a = at::zeros_like(a);
        saved_batch(ctx, saved[4], saved[5], d, table)
            ->gradient_backward(table, g, {}, a, {bar_ga, bar_slope, {}}, bar_g, {}, bar_a, bar_table);
        return {bar_table, bar_g, bar_a, Tensor(), Tensor(), Tensor(), Tensor()};
    }
};

Tensor spline_message(const Tensor& table, const Tensor& a, const Tensor& d, const Tensor& idx_i, const Tensor& idx_j,
                      double spacing) {
    return SplineMessage::apply(table.contiguous(), a.contiguous(), d.contiguous(), idx_i.contiguous(), idx_j.contiguous(),
                           spacing);
}

std::tuple<Tensor, Tensor> spline_message_gradient(const Tensor& table, const Tensor& g, const Tensor& a,
                                                   const Tensor& d, const Tensor& idx_i, const Tensor& idx_j,
                                                   double spacing) {
    auto results = MessageGradient::apply(table.contiguous(), g.contiguous(), a.contiguous(), d.contiguous(),
                                          idx_i.contiguous(), idx_j.contiguous(), spacing);
    return {results[0], results[1]};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mdaug, m) {
    m.def("spline_message(Tensor table, Tensor a, Tensor d_ij, Tensor idx_i, Tensor idx_j, float spacing) -> Tensor",
          spline_message);
    m.def(
        "spline_message_gradient(Tensor table, Tensor g, Tensor a, Tensor d_ij, Tensor idx_i, Tensor idx_j, "
        "float spacing) -> (Tensor, Tensor)",
        spline_message_gradient);
}
