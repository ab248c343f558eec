// SPDX-License-Identifier: MIT
// mdaug.models.schnet.Network as one operation with a hand-written gradient, for training on the CPU: the same function
// as the Python module, without the overhead of some 300 small operations per step.
//
// Names follow schnet.py. Upwards, block by block: a = x A', v = messages(a), u = v M' + b, (h, s) = activation
// and its slope, x += h O' + b. Downwards, from the readout: g = dE/dx; t = g O, gh = t * s, gv = gh M,
// (ga, slope) = gradient(gv, a), g += ga A. `bar_y` is the derivative of the loss in y.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <vector>

#include "common/activation.h"
#include "pair_batch.h"
#include "tensors.h"

namespace {

using namespace mdaug::training;
using at::TensorList;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Positions of the tensors in the list of weights: embedding, blocks, readout, tables.
constexpr int64_t PER_BLOCK = 5;
struct Block {
    Tensor inward, hidden, hidden_bias, out, out_bias;
};
struct Weights {
    Tensor embedding;
    std::vector<Block> blocks;
    Tensor readout_hidden, readout_hidden_bias, readout, readout_bias;
    std::vector<Tensor> tables;

    template <typename List>
    static Weights from(const List& w, int64_t n_blocks) {
        Weights weights{w[0], {}, {}, {}, {}, {}, {}};
        int64_t k = 1;
        for (int64_t b = 0; b < n_blocks; ++b, k += PER_BLOCK)
            weights.blocks.push_back({w[k], w[k + 1], w[k + 2], w[k + 3], w[k + 4]});
        weights.readout_hidden = w[k], weights.readout_hidden_bias = w[k + 1];
        weights.readout = w[k + 2], weights.readout_bias = w[k + 3];
        for (int64_t b = 0; b < n_blocks; ++b) weights.tables.push_back(w[k + 4 + b]);
        return weights;
    }

    variable_list list() const {
        variable_list all{embedding};
        for (const auto& b : blocks) all.insert(all.end(), {b.inward, b.hidden, b.hidden_bias, b.out, b.out_bias});
        all.insert(all.end(), {readout_hidden, readout_hidden_bias, readout, readout_bias});
        all.insert(all.end(), tables.begin(), tables.end());
        return all;
    }
};

// Intermediate results of a block that the backward pass needs.
struct Kept {
    Tensor x, a, v, h, s, g, t, gh, gv, ga;
};

std::pair<Tensor, Tensor> activation(const Tensor& u) {
    auto value = at::empty_like(u), slope = at::empty_like(u);
    with_dtype_of(u, [&]<typename T>() { mdaug::activate(u.numel(), in<T>(u), out<T>(value), out<T>(slope)); });
    return {value, slope};
}

// Derivative of the loss in u from those in the activation's value and slope: s (bar_h + bar_s (1 - s)).
template <typename T>
void activate_backward(int64_t n, const T* __restrict bar_h, const T* __restrict bar_s, const T* __restrict s,
                       T* __restrict bar_u) {
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) bar_u[k] = s[k] * (bar_h[k] + bar_s[k] * (1 - s[k]));
}

Tensor activation_backward(const Tensor& bar_h, const Tensor& bar_s, const Tensor& slope) {
    auto bar_u = at::empty_like(slope);
    with_dtype_of(slope, [&]<typename T>() {
        activate_backward(slope.numel(), in<T>(bar_h), in<T>(bar_s), in<T>(slope), out<T>(bar_u));
    });
    return bar_u;
}

struct SchNetFunction : torch::autograd::Function<SchNetFunction> {
    static variable_list forward(AutogradContext* ctx, const Tensor& species, const Tensor& d, const Tensor& idx_i,
                                 const Tensor& idx_j, double spacing, int64_t n_blocks, TensorList list) {
        at::AutoDispatchBelowADInplaceOrView guard;
        const auto w = Weights::from(list, n_blocks);
        const auto pairs = make_pair_batch(idx_i, idx_j, d, spacing, w.tables[0].size(0));
        std::vector<Kept> kept(n_blocks);

        auto x = w.embedding.index_select(0, species);
        for (int64_t b = 0; b < n_blocks; ++b) {
            auto& k = kept[b];
            k.x = x;
            k.a = at::mm(x, w.blocks[b].inward.t());
            k.v = pairs->messages(w.tables[b], k.a);
            std::tie(k.h, k.s) = activation(at::addmm(w.blocks[b].hidden_bias, k.v, w.blocks[b].hidden.t()));
            x = at::addmm(w.blocks[b].out_bias, k.h, w.blocks[b].out.t()).add_(x);
        }
        const auto [h, s] = activation(at::addmm(w.readout_hidden_bias, x, w.readout_hidden.t()));
        const auto energies = at::addmm(w.readout_bias, h, w.readout.t()).squeeze(-1);

        auto g = at::mm(s * w.readout, w.readout_hidden);
        auto slope = at::zeros_like(d);
        for (int64_t b = n_blocks - 1; b >= 0; --b) {
            auto& k = kept[b];
            k.g = g;
            k.t = at::mm(g, w.blocks[b].out);
            k.gh = k.t * k.s;
            k.gv = at::mm(k.gh, w.blocks[b].hidden);
            Tensor slope_of_block;
            std::tie(k.ga, slope_of_block) = pairs->gradient(w.tables[b], k.gv, k.a);
            slope += slope_of_block;
            if (b > 0) g = at::addmm(g, k.ga, w.blocks[b].inward);
        }
        save(ctx, {species, d, idx_i, idx_j, x, h, s}, kept, list);
        ctx->saved_data["spacing"] = spacing;
        ctx->saved_data["n_blocks"] = n_blocks;
        return {energies, slope};
    }

    static variable_list backward(AutogradContext* ctx, variable_list grads) {
        at::AutoDispatchBelowADInplaceOrView guard;
        const int64_t n_blocks = ctx->saved_data["n_blocks"].toInt();
        const auto saved = ctx->get_saved_variables();
        const Tensor &species = saved[0], &d = saved[1], &x = saved[4], &h = saved[5], &s = saved[6];
        const auto kept = restore(saved, n_blocks);
        const auto w = Weights::from(variable_list(saved.begin() + HEAD + n_blocks * KEPT, saved.end()), n_blocks);
        const auto pairs =
            make_pair_batch(saved[2], saved[3], d, ctx->saved_data["spacing"].toDouble(), w.tables[0].size(0));
        auto bar = zeros_like(w);
        const auto bar_energies = (grads[0].defined() ? grads[0] : at::zeros_like(s.select(1, 0))).unsqueeze(1);
        const auto bar_slope = grads[1].defined() ? grads[1].contiguous() : at::zeros_like(d);

        std::vector<Tensor> bar_a(n_blocks), bar_s(n_blocks);
        const auto bar_g = down_backward(*pairs, w, kept, bar_slope, bar, bar_a, bar_s);
        const auto q = s * w.readout;
        bar.readout_hidden = at::mm(q.t(), bar_g);
        const auto bar_q = at::mm(bar_g, w.readout_hidden.t());
        bar.readout = at::addmm((bar_q * s).sum(0, true), bar_energies.t(), h);
        bar.readout_bias = bar_energies.sum(0);
        const auto bar_u = activation_backward(bar_energies * w.readout, bar_q * w.readout, s);
        bar.readout_hidden.addmm_(bar_u.t(), x);
        bar.readout_hidden_bias = bar_u.sum(0);
        const auto bar_x = up_backward(*pairs, w, kept, bar_a, bar_s, at::mm(bar_u, w.readout_hidden), bar);
        bar.embedding.index_add_(0, species, bar_x);

        variable_list result(6);
        const auto all = bar.list();
        result.insert(result.end(), all.begin(), all.end());
        return result;
    }

  private:
    static constexpr int64_t HEAD = 7, KEPT = 10;

    static void save(AutogradContext* ctx, variable_list head, const std::vector<Kept>& kept, TensorList list) {
        for (const auto& k : kept) head.insert(head.end(), {k.x, k.a, k.v, k.h, k.s, k.g, k.t, k.gh, k.gv, k.ga});
        head.insert(head.end(), list.begin(), list.end());
        ctx->save_for_backward(std::move(head));
    }

    static std::vector<Kept> restore(const variable_list& saved, int64_t n_blocks) {
        std::vector<Kept> kept;
        for (int64_t b = 0; b < n_blocks; ++b) {
            const auto k = saved.begin() + HEAD + b * KEPT;
            kept.push_back({k[0], k[1], k[2], k[3], k[4], k[5], k[6], k[7], k[8], k[9]});
        }
        return kept;
    }

    static Weights zeros_like(const Weights& w) {
        Weights bar{at::zeros_like(w.embedding), std::vector<Block>(w.blocks.size()), {}, {}, {}, {}, {}};
        for (const auto& table : w.tables) bar.tables.push_back(at::zeros_like(table));
        return bar;
    }

    // Back along the downward pass; returns the derivative in g at the readout.
    static Tensor down_backward(const PairBatch& pairs, const Weights& w, const std::vector<Kept>& kept,
                                const Tensor& bar_slope, Weights& bar, std::vector<Tensor>& bar_a,
                                std::vector<Tensor>& bar_s) {
        Tensor bar_g;
        for (size_t b = 0; b < kept.size(); ++b) {
            const auto& k = kept[b];
            const auto& block = w.blocks[b];
            auto& bar_block = bar.blocks[b];
            const auto bar_ga = b > 0 ? at::mm(bar_g, block.inward.t()) : at::zeros_like(k.a);
            bar_block.inward = b > 0 ? at::mm(k.ga.t(), bar_g) : at::zeros_like(block.inward);
            auto bar_gv = at::zeros_like(k.gv);
            bar_a[b] = at::zeros_like(k.a);
            pairs.gradient_backward(w.tables[b], k.gv, k.a, bar_ga, bar_slope, bar_gv, bar_a[b], bar.tables[b]);
            bar_block.hidden = at::mm(k.gh.t(), bar_gv);
            const auto bar_gh = at::mm(bar_gv, block.hidden.t());
            bar_s[b] = bar_gh * k.t;
            const auto bar_t = bar_gh * k.s;
            bar_block.out = at::mm(k.g.t(), bar_t);
            bar_g = b > 0 ? at::addmm(bar_g, bar_t, block.out.t()) : at::mm(bar_t, block.out.t());
        }
        return bar_g;
    }

    // Back along the upward pass; returns the derivative in the embedded features.
    static Tensor up_backward(const PairBatch& pairs, const Weights& w, const std::vector<Kept>& kept,
                              std::vector<Tensor>& bar_a, const std::vector<Tensor>& bar_s, Tensor bar_x,
                              Weights& bar) {
        for (int64_t b = static_cast<int64_t>(kept.size()) - 1; b >= 0; --b) {
            const auto& k = kept[b];
            const auto& block = w.blocks[b];
            auto& bar_block = bar.blocks[b];
            bar_block.out.addmm_(bar_x.t(), k.h);
            bar_block.out_bias = bar_x.sum(0);
            const auto bar_u = activation_backward(at::mm(bar_x, block.out), bar_s[b], k.s);
            bar_block.hidden.addmm_(bar_u.t(), k.v);
            bar_block.hidden_bias = bar_u.sum(0);
            const auto bar_v = at::mm(bar_u, block.hidden);
            pairs.messages_backward(w.tables[b], k.a, bar_v, bar_a[b], bar.tables[b]);
            bar_block.inward.addmm_(bar_a[b].t(), k.x);
            bar_x = at::addmm(bar_x, bar_a[b], block.inward);
        }
        return bar_x;
    }
};

std::tuple<Tensor, Tensor> schnet(const Tensor& species, const Tensor& d, const Tensor& idx_i, const Tensor& idx_j,
                                  double spacing, int64_t n_blocks, TensorList weights) {
    auto results = SchNetFunction::apply(species.contiguous(), d.contiguous(), idx_i.contiguous(), idx_j.contiguous(),
                                         spacing, n_blocks, weights);
    return {results[0], results[1]};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mdaug, m) {
    m.def(
        "schnet(Tensor species, Tensor d_ij, Tensor idx_i, Tensor idx_j, float spacing, int n_blocks, "
        "Tensor[] weights) -> (Tensor, Tensor)",
        schnet);
}
