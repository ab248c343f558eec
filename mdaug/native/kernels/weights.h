// SPDX-License-Identifier: MIT
// The parameters of the network and the tables of its filters, by name or one after another.

#pragma once

#include <ATen/Functions.h>
#include <ATen/core/Tensor.h>

#include <vector>

namespace mdaug::training {

using at::Tensor;
using at::TensorList;

// The matrices of a block; A and B are one matrix, and so are U₁ and U₂, undefined without vectors.
struct Block {
    Tensor inward, turn, hidden, hidden_bias, out, out_bias;
};

struct Weights {
    Tensor embedding;
    std::vector<Block> blocks;
    Tensor readout_hidden, readout_hidden_bias, readout, readout_bias;
    std::vector<Tensor> tables;

    // Given the network's parameters (embedding; A, [B, U₁, U₂,] M, O with biases of each block; readout), and tables.
    static Weights from(TensorList w, int64_t n_blocks) {
        const bool with_vectors = static_cast<int64_t>(w.size()) == 5 + 9 * n_blocks;
        std::vector<Tensor> joined{w[0]};
        auto next = w.begin() + 1;
        for (int64_t b = 0; b < n_blocks; ++b, next += 5) {
            joined.push_back(with_vectors ? at::cat({next[0], next[1]}) : next[0]);
            joined.push_back(with_vectors ? at::cat({next[2], next[3]}) : Tensor());
            next += with_vectors ? 3 : 0;
            joined.insert(joined.end(), next + 1, next + 5);
        }
        joined.insert(joined.end(), next, w.end());
        return from_joined(joined.begin(), n_blocks);
    }

    template <typename Iterator>
    static Weights from_joined(Iterator next, int64_t n_blocks) {
        Weights weights{*next++, {}, {}, {}, {}, {}, {}};
        for (int64_t b = 0; b < n_blocks; ++b, next += 6)
            weights.blocks.push_back({next[0], next[1], next[2], next[3], next[4], next[5]});
        weights.readout_hidden = next[0], weights.readout_hidden_bias = next[1];
        weights.readout = next[2], weights.readout_bias = next[3];
        weights.tables.assign(next + 4, next + 4 + n_blocks);
        return weights;
    }

    // One after another, for `from_joined`.
    std::vector<Tensor> joined() const {
        std::vector<Tensor> all{embedding};
        for (const auto& b : blocks)
            all.insert(all.end(), {b.inward, b.turn, b.hidden, b.hidden_bias, b.out, b.out_bias});
        all.insert(all.end(), {readout_hidden, readout_hidden_bias, readout, readout_bias});
        all.insert(all.end(), tables.begin(), tables.end());
        return all;
    }

    int64_t n_vectors() const { return blocks[0].turn.defined() ? blocks[0].turn.size(1) : 0; }

    // One after another, as `from` is given them.
    std::vector<Tensor> list() const {
        std::vector<Tensor> all{embedding};
        const int64_t n = n_vectors();
        for (const auto& b : blocks) {
            const int64_t n_scalars = b.inward.size(0) - n;
            if (n == 0) all.push_back(b.inward);
            if (n > 0)
                all.insert(all.end(), {b.inward.narrow(0, 0, n_scalars), b.inward.narrow(0, n_scalars, n),
                                       b.turn.narrow(0, 0, n), b.turn.narrow(0, n, n)});
            all.insert(all.end(), {b.hidden, b.hidden_bias, b.out, b.out_bias});
        }
        all.insert(all.end(), {readout_hidden, readout_hidden_bias, readout, readout_bias});
        all.insert(all.end(), tables.begin(), tables.end());
        return all;
    }
};

}  // namespace mdaug::training
