// SPDX-License-Identifier: MIT
// mdaug.models.schnet.Network as one operation with a hand-written gradient, for training on the CPU: the same function
// as the Python module, without the overhead of some 300 small operations per step.
//
// Names follow schnet.py. Upwards, block by block: a = x A', m = messages(a), u = m M' + b, (h, s) = activation
// and its slope, x += h O' + b. Downwards, from the readout: g = dE/dx; t = g O, gh = t * s, gm = gh M,
// (ga, slope) = gradient(gm, a), g += ga A. `bar_y` is the derivative of the loss in y. With vectors, rows of a are
// [a | b] and rows of m [m | q], A is [A; B], and invariants.h has the equations of q.

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <vector>

#include "common/activation.h"
#include "invariants.h"
#include "pair_batch.h"
#include "tensors.h"
#include "weights.h"

namespace {

using namespace mdaug::training;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Intermediate results of a block that the backward pass needs.
struct Kept {
    Tensor x, a, m, h, s, g, t, gh, gm, ga;
    Tensor v, lr, glr, gv;  // of vectors
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

// Body is called with <T>(atoms, vectors, width of `rows`).
template <typename Body>
void for_vectors(const Tensor& rows, const Tensor& turn, const Body& body) {
    with_dtype_of(rows,
                  [&]<typename T>() { body.template operator()<T>(rows.size(0), turn.size(1), rows.size(1)); });
}

// v (atom, 3, n) -> lr; writes q to the last columns of m.
Tensor add_invariants(const Tensor& v, const Tensor& turn, const Tensor& m) {
    const auto lr = at::mm(v.view({-1, turn.size(1)}), turn.t());
    for_vectors(m, turn, [&]<typename T>(int64_t n_atoms, int64_t n, int64_t width) {
        write_invariants(n_atoms, n, width, in<T>(lr), out<T>(m));
    });
    return lr;
}

struct SchNetFunction : torch::autograd::Function<SchNetFunction> {
    static variable_list forward(AutogradContext* ctx, const Tensor& species, const Tensor& d, const Tensor& unit,
                                 const Tensor& idx_i, const Tensor& idx_j, double spacing, int64_t n_blocks,
                                 TensorList list) {
        at::AutoDispatchBelowADInplaceOrView guard;
        const auto w = Weights::from(list, n_blocks);
        const int64_t n_vectors = w.n_vectors();
        const auto pairs = make_pair_batch({idx_i, idx_j, d, unit, spacing}, w.tables[0].size(0), n_vectors);
        std::vector<Kept> kept(n_blocks);

        auto x = w.embedding.index_select(0, species);
        for (int64_t b = 0; b < n_blocks; ++b) {
            auto& k = kept[b];
            k.x = x;
            k.a = b == 0 && n_vectors > 0 ? of_elements(w).index_select(0, species) : at::mm(x, w.blocks[b].inward.t());
            const auto received = pairs->messages(w.tables[b], k.a);
            k.m = received.m, k.v = received.v;
            if (n_vectors > 0) k.lr = add_invariants(k.v, w.blocks[b].turn, k.m);
            std::tie(k.h, k.s) = activation(at::addmm(w.blocks[b].hidden_bias, k.m, w.blocks[b].hidden.t()));
            x = at::addmm(w.blocks[b].out_bias, k.h, w.blocks[b].out.t()).add_(x);
        }
        const auto [h, s] = activation(at::addmm(w.readout_hidden_bias, x, w.readout_hidden.t()));
        const auto energies = at::addmm(w.readout_bias, h, w.readout.t()).squeeze(-1);

        auto g = at::mm(s * w.readout, w.readout_hidden);
        auto slope = at::zeros_like(d), transverse = at::zeros_like(unit);
        for (int64_t b = n_blocks - 1; b >= 0; --b) {
            auto& k = kept[b];
            k.g = g;
            k.t = at::mm(g, w.blocks[b].out);
            k.gh = k.t * k.s;
            k.gm = at::mm(k.gh, w.blocks[b].hidden);
            if (n_vectors > 0) differentiate_invariants(k, w.blocks[b].turn);
            const auto of_block = pairs->gradient(w.tables[b], k.gm, k.gv, k.a);
            k.ga = of_block.ga;
            slope += of_block.slope;
            if (n_vectors > 0) transverse += of_block.transverse;
            if (b > 0) g = at::addmm(g, k.ga, w.blocks[b].inward);
        }
        save(ctx, {species, d, unit, idx_i, idx_j, x, h, s}, kept, w);
        ctx->saved_data["spacing"] = spacing;
        ctx->saved_data["n_blocks"] = n_blocks;
        return {energies, slope, transverse};
    }

    static variable_list backward(AutogradContext* ctx, variable_list grads) {
        at::AutoDispatchBelowADInplaceOrView guard;
        const int64_t n_blocks = ctx->saved_data["n_blocks"].toInt();
        const auto saved = ctx->get_saved_variables();
        const Tensor &species = saved[0], &d = saved[1], &x = saved[5], &h = saved[6], &s = saved[7];
        const auto kept = restore(saved, n_blocks);
        const auto w = Weights::from_joined(saved.begin() + HEAD + n_blocks * KEPT, n_blocks);
        const PairData data{saved[3], saved[4], d, saved[2], ctx->saved_data["spacing"].toDouble()};
        const auto pairs = make_pair_batch(data, w.tables[0].size(0), w.n_vectors());
        auto bar = zeros_like(w);
        const auto bar_energies = (grads[0].defined() ? grads[0] : at::zeros_like(s.select(1, 0))).unsqueeze(1);
        PairGradients bar_pairs{{}, grads[1].defined() ? grads[1].contiguous() : at::zeros_like(d), {}};
        bar_pairs.transverse = grads[2].defined() ? grads[2].contiguous() : at::zeros_like(data.unit_ij);

        std::vector<BarOfBlock> bars(n_blocks);
        const auto bar_g = down_backward(*pairs, w, kept, bar_pairs, bar, bars);
        const auto q = s * w.readout;
        bar.readout_hidden = at::mm(q.t(), bar_g);
        const auto bar_q = at::mm(bar_g, w.readout_hidden.t());
        bar.readout = at::addmm((bar_q * s).sum(0, true), bar_energies.t(), h);
        bar.readout_bias = bar_energies.sum(0);
        const auto bar_u = activation_backward(bar_energies * w.readout, bar_q * w.readout, s);
        bar.readout_hidden.addmm_(bar_u.t(), x);
        bar.readout_hidden_bias = bar_u.sum(0);
        up_backward(*pairs, w, kept, bars, at::mm(bar_u, w.readout_hidden), species, bar);

        variable_list result(7);
        const auto all = bar.list();
        result.insert(result.end(), all.begin(), all.end());
        return result;
    }

  private:
    static constexpr int64_t HEAD = 8, KEPT = 14;

    // Derivatives in what the upward pass kept, from the way back along the downward pass.
    struct BarOfBlock {
        Tensor a, s, lr;
    };

    static void save(AutogradContext* ctx, variable_list head, const std::vector<Kept>& kept, const Weights& w) {
        for (const auto& k : kept)
            head.insert(head.end(), {k.x, k.a, k.m, k.h, k.s, k.g, k.t, k.gh, k.gm, k.ga, k.v, k.lr, k.glr, k.gv});
        const auto weights = w.joined();
        head.insert(head.end(), weights.begin(), weights.end());
        ctx->save_for_backward(std::move(head));
    }

    static std::vector<Kept> restore(const variable_list& saved, int64_t n_blocks) {
        std::vector<Kept> kept;
        for (int64_t b = 0; b < n_blocks; ++b) {
            const auto k = saved.begin() + HEAD + b * KEPT;
            kept.push_back({k[0], k[1], k[2], k[3], k[4], k[5], k[6], k[7], k[8], k[9], k[10], k[11], k[12], k[13]});
        }
        return kept;
    }

    static Weights zeros_like(const Weights& w) {
        Weights bar{at::zeros_like(w.embedding), std::vector<Block>(w.blocks.size()), {}, {}, {}, {}, {}};
        for (const auto& table : w.tables) bar.tables.push_back(at::zeros_like(table));
        return bar;
    }

    // Rows a of the first block by element, whose derivative `embedding_backward` takes: faster than atom by atom. (Not
    // without vectors, where the last bits of the results would change.)
    static Tensor of_elements(const Weights& w) { return at::mm(w.embedding, w.blocks[0].inward.t()); }

    static void embedding_backward(const Weights& w, const Tensor& species, const Tensor& bar_x, const Tensor& bar_a,
                                   Weights& bar) {
        const auto atoms_of = at::zeros({w.embedding.size(0), species.size(0)}, bar_x.options());
        atoms_of.scatter_(0, species.unsqueeze(0), 1);
        const auto bar_of_elements = at::mm(atoms_of, bar_a);
        bar.blocks[0].inward.addmm_(bar_of_elements.t(), w.embedding);
        bar.embedding = at::mm(atoms_of, bar_x).addmm_(bar_of_elements, w.blocks[0].inward);
    }

    // gm -> glr and gv.
    static void differentiate_invariants(Kept& k, const Tensor& turn) {
        k.glr = at::empty_like(k.lr);
        for_vectors(k.gm, turn, [&]<typename T>(int64_t n_atoms, int64_t n, int64_t width) {
            invariant_gradient(n_atoms, n, width, in<T>(k.gm), in<T>(k.lr), out<T>(k.glr));
        });
        k.gv = at::mm(k.glr, turn).view_as(k.v);
    }

    // bar_gv -> bar_gm (added to its last columns), bar_lr, and the derivative in [U₁; U₂].
    static void invariants_down_backward(const Kept& k, const Tensor& turn, const Tensor& bar_gv, const Tensor& bar_gm,
                                         BarOfBlock& bar, Tensor& bar_turn) {
        const auto rows = bar_gv.view({-1, turn.size(1)});
        const auto bar_glr = at::mm(rows, turn.t());
        bar_turn = at::mm(k.glr.t(), rows);
        bar.lr = at::empty_like(k.lr);
        for_vectors(k.gm, turn, [&]<typename T>(int64_t n_atoms, int64_t n, int64_t width) {
            invariant_gradient_backward(n_atoms, n, width, in<T>(k.gm), in<T>(k.lr), in<T>(bar_glr), out<T>(bar_gm),
                                        out<T>(bar.lr));
        });
    }

    // bar_m -> bar_v; adds to the derivative in [U₁; U₂].
    static Tensor invariants_up_backward(const Kept& k, const Tensor& turn, const Tensor& bar_m, const Tensor& bar_lr,
                                         const Tensor& bar_turn) {
        for_vectors(bar_m, turn, [&]<typename T>(int64_t n_atoms, int64_t n, int64_t width) {
            invariants_backward(n_atoms, n, width, in<T>(bar_m), in<T>(k.lr), out<T>(bar_lr));
        });
        bar_turn.addmm_(bar_lr.t(), k.v.view({-1, turn.size(1)}));
        return at::mm(bar_lr, turn).view_as(k.v);
    }

    // Back along the downward pass; returns the derivative in g at the readout.
    static Tensor down_backward(const PairBatch& pairs, const Weights& w, const std::vector<Kept>& kept,
                                PairGradients bar_pairs, Weights& bar, std::vector<BarOfBlock>& bars) {
        const bool with_vectors = w.n_vectors() > 0;
        Tensor bar_g;
        for (size_t b = 0; b < kept.size(); ++b) {
            const auto& k = kept[b];
            const auto& block = w.blocks[b];
            auto& bar_block = bar.blocks[b];
            bar_pairs.ga = b > 0 ? at::mm(bar_g, block.inward.t()) : at::zeros_like(k.a);
            bar_block.inward = b > 0 ? at::mm(k.ga.t(), bar_g) : at::zeros_like(block.inward);
            const auto bar_gm = at::zeros_like(k.gm), bar_gv = with_vectors ? at::zeros_like(k.gv) : Tensor();
            bars[b].a = at::zeros_like(k.a);
            pairs.gradient_backward(w.tables[b], k.gm, k.gv, k.a, bar_pairs, bar_gm, bar_gv, bars[b].a, bar.tables[b]);
            if (with_vectors) invariants_down_backward(k, block.turn, bar_gv, bar_gm, bars[b], bar_block.turn);
            bar_block.hidden = at::mm(k.gh.t(), bar_gm);
            const auto bar_gh = at::mm(bar_gm, block.hidden.t());
            bars[b].s = bar_gh * k.t;
            const auto bar_t = bar_gh * k.s;
            bar_block.out = at::mm(k.g.t(), bar_t);
            bar_g = b > 0 ? at::addmm(bar_g, bar_t, block.out.t()) : at::mm(bar_t, block.out.t());
        }
        return bar_g;
    }

    // Back along the upward pass.
    static void up_backward(const PairBatch& pairs, const Weights& w, const std::vector<Kept>& kept,
                            const std::vector<BarOfBlock>& bars, Tensor bar_x, const Tensor& species, Weights& bar) {
        for (int64_t b = static_cast<int64_t>(kept.size()) - 1; b >= 0; --b) {
            const auto& k = kept[b];
            const auto& block = w.blocks[b];
            auto& bar_block = bar.blocks[b];
            bar_block.out.addmm_(bar_x.t(), k.h);
            bar_block.out_bias = bar_x.sum(0);
            const auto bar_u = activation_backward(at::mm(bar_x, block.out), bars[b].s, k.s);
            bar_block.hidden.addmm_(bar_u.t(), k.m);
            bar_block.hidden_bias = bar_u.sum(0);
            Messages bar_received{at::mm(bar_u, block.hidden), {}};
            if (w.n_vectors() > 0)
                bar_received.v =
                    invariants_up_backward(k, block.turn, bar_received.m, bars[b].lr, bar_block.turn);
            pairs.messages_backward(w.tables[b], k.a, bar_received, bars[b].a, bar.tables[b]);
            if (b == 0 && w.n_vectors() > 0) return embedding_backward(w, species, bar_x, bars[b].a, bar);
            bar_block.inward.addmm_(bars[b].a.t(), k.x);
            bar_x = at::addmm(bar_x, bars[b].a, block.inward);
        }
        bar.embedding.index_add_(0, species, bar_x);
    }
};

std::tuple<Tensor, Tensor, Tensor> schnet(const Tensor& species, const Tensor& d, const Tensor& unit,
                                          const Tensor& idx_i, const Tensor& idx_j, double spacing, int64_t n_blocks,
                                          TensorList weights) {
    auto results = SchNetFunction::apply(species.contiguous(), d.contiguous(), unit.contiguous(), idx_i.contiguous(),
                                         idx_j.contiguous(), spacing, n_blocks, weights);
    return {results[0], results[1], results[2]};
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(mdaug, m) {
    m.def(
        "schnet(Tensor species, Tensor d_ij, Tensor unit_ij, Tensor idx_i, Tensor idx_j, float spacing, int n_blocks, "
        "Tensor[] weights) -> (Tensor, Tensor, Tensor)",
        schnet);
}
