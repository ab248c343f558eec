// Messages through B-spline filters as operations that autograd knows, for training on the CPU.
//
//   spline_message(c, x):              v_i = sum_j W_ij * x_j
//   spline_message_gradient(c, g, x):  gx_j = sum_i W_ij * g_i              (gradient of <g, v> in x)
//                                      f_ij = <g_i * x_j + g_j * x_i, dW_ij/dd>   (its gradient in d_ij)
//
// Both are differentiable once in c, g and x, which is all that training on closed-form forces needs;
// distances are data.

#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include "spline_pairs.h"

namespace {

using namespace mdaug;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Message : torch::autograd::Function<Message> {
    static Tensor forward(AutogradContext* ctx, const Tensor& c, const Tensor& x, const Tensor& d,
                          const Tensor& idx_i, const Tensor& idx_j, double spacing) {
        ctx->save_for_backward({c, x, d, idx_i, idx_j});
        ctx->saved_data["spacing"] = spacing;
        auto v = at::zeros_like(x);
        MDAUG_BY_DTYPE(x, add_messages(Pairs<T>(idx_i, idx_j, d, c, spacing), in<T>(c), in<T>(x), out<T>(v),
                                 x.size(1));)
        return v;
    }

    static variable_list backward(AutogradContext* ctx, variable_list grads) {
        const auto saved = ctx->get_saved_variables();
        const auto &c = saved[0], &x = saved[1];
        const auto gv = grads[0].contiguous();
        auto gc = at::zeros_like(c), gx = at::zeros_like(x);
        MDAUG_BY_DTYPE(x, add_message_backward(
                        Pairs<T>(saved[3], saved[4], saved[2], c, ctx->saved_data["spacing"].toDouble()),
                        in<T>(c), in<T>(x), in<T>(gv), out<T>(gx), out<T>(gc), x.size(1));)
        return {gc, gx, Tensor(), Tensor(), Tensor(), Tensor()};
    }
};

struct MessageGradient : torch::autograd::Function<MessageGradient> {
    static variable_list forward(AutogradContext* ctx, const Tensor& c, const Tensor& g, const Tensor& x,
                                 const Tensor& d, const Tensor& idx_i, const Tensor& idx_j, double spacing) {
        ctx->save_for_backward({c, g, x, d, idx_i, idx_j});
        ctx->saved_data["spacing"] = spacing;
        const int64_t width = x.size(1), block = features_per_thread(width);
        auto gx = at::zeros_like(x);
        auto slopes = at::zeros({(width + block - 1) / block, d.numel()}, d.options());
        MDAUG_BY_DTYPE(x, add_gradient(Pairs<T>(idx_i, idx_j, d, c, spacing), in<T>(c), in<T>(g), in<T>(x),
                                 out<T>(gx), out<T>(slopes), width);)
        return {gx, slopes.size(0) == 1 ? slopes[0] : slopes.sum(0)};
    }

    static variable_list backward(AutogradContext* ctx, variable_list grads) {
        const auto saved = ctx->get_saved_variables();
        const auto &c = saved[0], &g = saved[1], &x = saved[2], &d = saved[3];
        const auto gamma = grads[0].defined() ? grads[0].contiguous() : at::zeros_like(x);
        const auto lambda = grads[1].defined() ? grads[1].contiguous() : at::zeros_like(d);
        auto gc = at::zeros_like(c), gg = at::zeros_like(g), gx = at::zeros_like(x);
        MDAUG_BY_DTYPE(x, add_gradient_backward(
                        Pairs<T>(saved[4], saved[5], d, c, ctx->saved_data["spacing"].toDouble()), in<T>(c),
                        in<T>(g), in<T>(x), in<T>(gamma), in<T>(lambda), out<T>(gg), out<T>(gx), out<T>(gc),
                        x.size(1));)
        return {gc, gg, gx, Tensor(), Tensor(), Tensor(), Tensor()};
    }
};

Tensor spline_message(const Tensor& c, const Tensor& x, const Tensor& d, const Tensor& idx_i,
                      const Tensor& idx_j, double spacing) {
    return Message::apply(c.contiguous(), x.contiguous(), d.contiguous(), idx_i.contiguous(),
                          idx_j.contiguous(), spacing);
}

std::tuple<Tensor, Tensor> spline_message_gradient(const Tensor& c, const Tensor& g, const Tensor& x,
                                                   const Tensor& d, const Tensor& idx_i,
                                                   const Tensor& idx_j, double spacing) {
    auto out = MessageGradient::apply(c.contiguous(), g.contiguous(), x.contiguous(), d.contiguous(),
                                      idx_i.contiguous(), idx_j.contiguous(), spacing);
    return {out[0], out[1]};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mdaug, m) {
    m.def("spline_message(Tensor c, Tensor x, Tensor d_ij, Tensor idx_i, Tensor idx_j, float spacing) -> Tensor",
          spline_message);
    m.def("spline_message_gradient(Tensor c, Tensor g, Tensor x, Tensor d_ij, Tensor idx_i, Tensor idx_j, "
          "float spacing) -> (Tensor, Tensor)",
          spline_message_gradient);
}
