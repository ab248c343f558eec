// SPDX-License-Identifier: MIT
// One evaluation of the model, stage by stage: pairs (common/pairs.h) and atoms (atomwise.h) in turn.
//
// Stages 0 … L − 1 go up: m = messages of a_l, h_l = activation(H m + b), a_{l+1}; the last one goes through the
// readout and down to g = ∂E/∂m of block L − 1. Stages L … 2L − 1 go down: ∂E/∂a_l = messages of g, slopes ∂E/∂d of all pairs,
// and g of the block below. What neighbors need of an atom is one row per stage: a_{l+1}, or g; with vector channels
// (vector_channels.h) [a | b]_{l+1}, or [gm | G].

#pragma once

#include <omp.h>

#include <utility>

#include "any_evaluation.h"
#include "atomwise.h"
#include "extrapolation.h"
#include "common/pairs.h"
#include "prior.h"
#include "softplus.h"
#include "vector3.h"
#include "vector_channels.h"

namespace mdaug::core {

constexpr int64_t ROW_BLOCK = 60;  // atoms at a time: their rows stay in cache from one product to the next

struct Displacement {
    double x, y, z, d;  // r_ij and its length
};

template <typename T>
class Evaluation final : public AnyEvaluation {
  public:
    // elements: of each species, as in Molecules.
    Evaluation(const ModelFile& file, const std::vector<int>& elements, int threads)
        : network_(file), vectors_(network_), prior_(file), statistics_(file, elements), sent_(network_.n_blocks),
          kept_(network_.n_blocks), act_slopes_(network_.n_blocks), elements_(elements), cutoff_(file.cutoff),
          spacing_(file.spacing), energy_scale_(file.energy_scale), threads_(threads) {
        n_stages = 2 * network_.n_blocks;
        scratch_.reserve(threads * ROW_BLOCK * scratch_width());
        for (const int element : elements_) energy_offsets_.push_back(file.at("reference_energies").data[element]);
        output_scales_.assign(elements_.size(), 1.0);
        if (file.tensors.contains("output_scales")) output_scales_ = file.at("output_scales").data;
    }

    int64_t row_width() const override { return network_.n_gradient; }
    size_t element_size() const override { return sizeof(T); }
    size_t bytes() const override;

    void begin(int64_t n_local, int64_t n_total, int64_t max_pairs) override;
    void set_species(int64_t atom, int64_t species) override { species_.get()[atom] = static_cast<int32_t>(species); }
    void add_pair(int64_t i, int64_t j, double x, double y, double z) override;
    void end_of_atom(int64_t i) override { first_.get()[i + 1] = n_pairs_; }
    void start(bool directed) override;
    ExchangedRows stage(int stage) override;
    void finish(double* energies, double* forces, double* strain, double* atomic_strains) const override;
    void set_energy_offsets(const std::vector<double>& offsets) override { energy_offsets_ = offsets; }
    bool has_extrapolation() const override { return !statistics_.empty(); }
    void compute_extrapolation(bool on) override { extrapolates_ = on && !statistics_.empty(); }
    const double* extrapolation() const override { return extrapolates_ ? extrapolation_.get() : nullptr; }

  private:
    // Scratch of a block of rows: u, t or the readout's value and slope; then that of the vector channels.
    int64_t scratch_width() const { return own_scratch_width() + vectors_.scratch_width(); }
    int64_t own_scratch_width() const { return 2 * std::max(network_.n_basis, network_.n_readout); }
    int64_t kept_width() const { return std::max(network_.n_basis, network_.n_sent); }

    template <typename Body>
    void each_row_block(const Body& body);
    void send(int block);
    template <bool WITH_GA>
    void send_gradient(int block);
    void up(int block, int64_t row, int64_t n, T* scratch);
    void read_out(int64_t row, int64_t n, T* scratch);
    void down(int block, int64_t row, int64_t n, T* scratch);
    // m, or [m | v], then ∂E/∂m, or [gm | G], of a block; two alternate.
    T* gradient(int block) { return gradients_[block % 2].get(); }

    AtomwiseNetwork<T> network_;
    VectorChannels<T> vectors_;
    Prior prior_;
    Extrapolation<T> statistics_;
    std::vector<Buffer<T>> sent_;        // a_l, all rows
    std::vector<Buffer<T>> kept_;        // h_l on the way up, ∂E/∂a_l on the way down; owned rows
    std::vector<Buffer<T>> act_slopes_;  // slopes of the activations, owned rows
    Buffer<T> features_;                 // y on the way up, ∂E/∂y on the way down, owned rows; if sums_features
    Buffer<T> readout_slopes_, gradients_[2], scratch_, slopes_;
    Buffer<int32_t> species_;
    Buffer<int64_t> first_;
    Buffer<Pair<T>> pairs_;
    Buffer<Displacement> displacements_;
    Buffer<double> energies_, extrapolation_;
    std::vector<int> elements_;           // of each species
    std::vector<double> energy_offsets_;  // of each species, eV
    std::vector<double> output_scales_;   // factors on the network's energies, of each species
    double cutoff_, spacing_, energy_scale_;
    int64_t n_local_ = 0, n_total_ = 0, n_pairs_ = 0;
    int threads_;
    bool directed_ = false, extrapolates_ = false;
};

template <typename T>
size_t Evaluation<T>::bytes() const {
    size_t sum = network_.bytes() + vectors_.bytes() + prior_.bytes() + features_.bytes() + readout_slopes_.bytes() +
                 gradients_[0].bytes() + gradients_[1].bytes() + scratch_.bytes() + slopes_.bytes() + species_.bytes() +
                 first_.bytes() + pairs_.bytes() + displacements_.bytes() + energies_.bytes() + statistics_.bytes() +
                 extrapolation_.bytes();
    for (const auto* list : {&sent_, &kept_, &act_slopes_})
        for (const auto& buffer : *list) sum += buffer.bytes();
    return sum;
}

template <typename T>
void Evaluation<T>::begin(int64_t n_local, int64_t n_total, int64_t max_pairs) {
    n_local_ = n_local, n_total_ = n_total, n_pairs_ = 0;
    const int64_t n_rows = std::max<int64_t>(n_total, 1);  // ranks without atoms return rows, too
    for (auto& sent : sent_) sent.reserve(n_rows * network_.n_sent);
    for (auto& kept : kept_) kept.reserve(n_local * kept_width());
    for (auto& slopes : act_slopes_) slopes.reserve(n_local * network_.n_basis);
    for (auto& gradient : gradients_) gradient.reserve(n_rows * network_.n_gradient);
    vectors_.reserve(n_local, max_pairs);
    readout_slopes_.reserve(n_local * network_.n_readout);
    if (network_.sums_features) features_.reserve(n_local * network_.n_basis);
    species_.reserve(n_total);
    energies_.reserve(n_local);
    if (extrapolates_) extrapolation_.reserve(std::max<int64_t>(n_local, 1));
    first_.reserve(n_local + 1);
    first_.get()[0] = 0;
    pairs_.reserve(max_pairs);
    displacements_.reserve(max_pairs);
    slopes_.reserve(max_pairs);
}

template <typename T>
void Evaluation<T>::add_pair(int64_t i, int64_t j, double x, double y, double z) {
    const double d = std::sqrt(x * x + y * y + z * z);
    if (d >= cutoff_) return;  // NaN passes, so that the results are NaN, as they are for two atoms at one place
    pairs_.get()[n_pairs_] =
        locate<T>(static_cast<int32_t>(i), static_cast<int32_t>(j), d > 0 ? d : NAN, spacing_, network_.n_table_rows);
    displacements_.get()[n_pairs_] = {x, y, z, d};
    if (!vectors_.empty()) vectors_.set_pair(n_pairs_, x, y, z, d);
    ++n_pairs_;
}

template <typename T>
void Evaluation<T>::start(bool directed) {
    directed_ = directed;
    std::fill_n(slopes_.get(), n_pairs_, T(0));
    look_up(n_total_, network_.n_sent, species_.get(), network_.sent_start[0].get(), sent_[0].get());
}

template <typename T>
ExchangedRows Evaluation<T>::stage(int stage) {
    const int n_blocks = network_.n_blocks;
    if (stage < n_blocks) {
        send(stage);
        each_row_block([&](int64_t row, int64_t n, T* scratch) { up(stage, row, n, scratch); });
        if (stage + 1 < n_blocks) return {sent_[stage + 1].get(), network_.n_sent};
        return {gradient(stage), network_.n_gradient};
    }
    const int block = 2 * n_blocks - 1 - stage;
    if (block == 0) {  // its messages depend on elements alone, not on positions
        send_gradient<false>(0);
        return {nullptr, network_.n_gradient};
    }
    send_gradient<true>(block);
    each_row_block([&](int64_t row, int64_t n, T* scratch) { down(block - 1, row, n, scratch); });
    return {gradient(block - 1), network_.n_gradient};
}

template <typename T>
template <typename Body>
void Evaluation<T>::each_row_block(const Body& body) {
#pragma omp parallel for num_threads(threads_) if (threads_ > 1 && n_local_ > ROW_BLOCK)
    for (int64_t row = 0; row < n_local_; row += ROW_BLOCK)
        body(row, std::min(ROW_BLOCK, n_local_ - row),
             scratch_.get() + omp_get_thread_num() * ROW_BLOCK * scratch_width());
}

// Messages of a: m, into where g of the same block will be.
template <typename T>
void Evaluation<T>::send(int block) {
    const Table<T> table = network_.table(block);
    const Features features{0, network_.n_filters};
    const int64_t width = network_.n_gradient;
    const T* a = sent_[block].get();
    T* m = gradient(block);
    if (!directed_) {
        std::fill_n(m, n_local_ * width, T(0));
        return for_each_chunk(pairs_.get(), n_pairs_, [&](int64_t first, const Pair<T>* pairs, int64_t n) {
            add_messages(pairs, n, table, a, m, features, width);
            if (!vectors_.empty()) vectors_.send(block, pairs, first, n, a, m);
        });
    }
    each_row_block([&](int64_t row, int64_t n, T*) {
        const DirectedPairs<T> pairs{pairs_.get(), first_.get(), row, row + n};
        directed_messages(pairs, table, a, m, features, width);
        if (!vectors_.empty()) vectors_.send(block, pairs, a, m);
    });
}

// Slopes of the pairs and, if WITH_GA, the gradient ∂E/∂a of the messages that the block sent.
template <typename T>
template <bool WITH_GA>
void Evaluation<T>::send_gradient(int block) {
    const Table<T> table = network_.table(block);
    const Features features{0, network_.n_filters};
    const int64_t width = network_.n_gradient;
    const T *a = sent_[block].get(), *g = gradient(block);
    T* ga = kept_[block].get();
    if (!directed_) {
        if (WITH_GA) std::fill_n(ga, n_local_ * table.width, T(0));
        return for_each_chunk(pairs_.get(), n_pairs_, [&](int64_t first, const Pair<T>* pairs, int64_t n) {
            add_gradient<WITH_GA>(pairs, n, table, a, g, ga, slopes_.get() + first, features, width);
            if (!vectors_.empty()) vectors_.template send_gradient<WITH_GA>(block, pairs, first, n, a, g, ga);
        });
    }
    each_row_block([&](int64_t row, int64_t n, T*) {
        const DirectedPairs<T> pairs{pairs_.get(), first_.get(), row, row + n};
        directed_gradient<WITH_GA>(pairs, table, a, g, ga, slopes_.get(), features, width);
        if (!vectors_.empty()) vectors_.template send_gradient<WITH_GA>(block, pairs, a, g, ga);
    });
}

template <typename T>
void Evaluation<T>::up(int block, int64_t row, int64_t n, T* u) {
    const int64_t basis = network_.n_basis, sent = network_.n_sent;
    const T* m = gradient(block) + row * network_.n_gradient;
    if (!vectors_.empty()) m = vectors_.invariants(block, row, n, m, u + n * own_scratch_width());
    fill_rows(n, basis, network_.hidden_bias[block].get(), u);
    network_.hidden[block].up.add_product(n, m, u);
    shifted_softplus<T>(n * basis, u, kept_[block].get() + row * basis, act_slopes_[block].get() + row * basis);
    const int next = block + 1;
    if (next == network_.n_blocks) return read_out(row, n, u);
    T* a = sent_[next].get() + row * sent;
    look_up(n, sent, species_.get() + row, network_.sent_start[next].get(), a);
    if (network_.sums_features) {
        T* y = features_.get() + row * basis;
        if (block == 0) std::fill_n(y, n * basis, T(0));
        network_.out[block].up.add_product(n, kept_[block].get() + row * basis, y);
        return network_.inward[next].up.add_product(n, y, a);
    }
    for (int m = 0; m < next; ++m)
        network_.between[next][m].up.add_product(n, kept_[m].get() + row * basis, a);
}

// Atomic energies, and down to the last block.
template <typename T>
void Evaluation<T>::read_out(int64_t row, int64_t n, T* u) {
    const int64_t basis = network_.n_basis, width = network_.n_readout;
    T *h = u + n * width, *s = readout_slopes_.get() + row * width;
    look_up(n, width, species_.get() + row, network_.readout_start.get(), u);
    if (network_.sums_features)
        network_.readout_hidden.up.add_product(n, features_.get() + row * basis, u);
    for (int m = network_.sums_features ? network_.n_blocks - 1 : 0; m < network_.n_blocks; ++m)
        network_.to_readout[m].up.add_product(n, kept_[m].get() + row * basis, u);
    shifted_softplus<T>(n * width, u, h, s);
    for (int64_t r = 0; r < n && extrapolates_; ++r)
        extrapolation_.get()[row + r] = statistics_.of(species_.get()[row + r], u + r * width);
    const T* w = network_.readout.get();
    for (int64_t r = 0; r < n; ++r) {
        const int32_t species = species_.get()[row + r];
        const double scale = output_scales_[species];
        const T slope_scale = static_cast<T>(scale);
        T sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t k = 0; k < width; ++k) {
            sum += h[r * width + k] * w[k];
            s[r * width + k] *= w[k] * slope_scale;
        }
        energies_.get()[row + r] = (sum + network_.readout_bias) * scale * energy_scale_ + energy_offsets_[species];
    }
    down(network_.n_blocks - 1, row, n, u);
}

// ∂E/∂m of a block from the readout's slopes and the gradients in what all blocks above it sent.
template <typename T>
void Evaluation<T>::down(int block, int64_t row, int64_t n, T* t) {
    const int64_t basis = network_.n_basis, sent = network_.n_sent, width = network_.n_readout;
    const bool last = block == network_.n_blocks - 1;
    const T* read = readout_slopes_.get() + row * width;
    std::fill_n(t, n * basis, T(0));
    if (last || !network_.sums_features) network_.to_readout[block].down.add_product(n, read, t);
    if (network_.sums_features) {
        T* gy = features_.get() + row * basis;  // ∂E/∂y overwrites y
        if (last) {
            std::fill_n(gy, n * basis, T(0));
            network_.readout_hidden.down.add_product(n, read, gy);
        } else {
            const T* ga = kept_[block + 1].get() + row * sent;
            network_.inward[block + 1].down.add_product(n, ga, gy);
            network_.out[block].down.add_product(n, gy, t);
        }
    } else {
        for (int m = block + 1; m < network_.n_blocks; ++m)
            network_.between[m][block].down.add_product(n, kept_[m].get() + row * sent, t);
    }
    const T* __restrict s = act_slopes_[block].get() + row * basis;
#pragma omp simd
    for (int64_t k = 0; k < n * basis; ++k) t[k] *= s[k];
    T *rows = gradient(block) + row * network_.n_gradient, *g = vectors_.empty() ? rows : t + n * own_scratch_width();
    std::fill_n(g, n * sent, T(0));
    network_.hidden[block].down.add_product(n, t, g);
    if (!vectors_.empty()) vectors_.gradient_rows(block, row, n, g, rows);
}

template <typename T>
void Evaluation<T>::finish(double* energies, double* forces, double* strain, double* atomic_strains) const {
    std::copy_n(energies_.get(), n_local_, energies);
    std::fill_n(forces, 3 * n_local_, 0.0);
    if (atomic_strains) std::fill_n(atomic_strains, 6 * n_local_, 0.0);
    double sum[6] = {};
    const double share = directed_ ? 0.5 : 1.0;
    for (int64_t p = 0; p < n_pairs_; ++p) {
        const auto [x, y, z, d] = displacements_.get()[p];
        const int64_t i = pairs_.get()[p].i, j = pairs_.get()[p].j;
        double slope = slopes_.get()[p] * energy_scale_;
        if (!prior_.empty()) {
            const auto prior = prior_.at(elements_[species_.get()[i]], elements_[species_.get()[j]], d);
            slope += prior.slope;
            energies[i] += 0.5 * prior.energy;
            if (!directed_) energies[j] += 0.5 * prior.energy;
        }
        const double pull = slope / d;
        double* fi = forces + 3 * i;
        fi[0] += pull * x, fi[1] += pull * y, fi[2] += pull * z;
        if (!directed_) {
            double* fj = forces + 3 * j;
            fj[0] -= pull * x, fj[1] -= pull * y, fj[2] -= pull * z;
        }
        const double half = share * pull;
        const double six[] = {half * x * x, half * y * y, half * z * z, half * x * y, half * x * z, half * y * z};
        for (int k = 0; k < 6; ++k) sum[k] += six[k];
        if (atomic_strains)
            for (int k = 0; k < 6; ++k) atomic_strains[6 * i + k] += six[k];
        if (vectors_.empty()) continue;
        const Vector3 r = {x, y, z}, gradient = vectors_.pair_gradient(p, r, d, energy_scale_);
        add_to(fi, 1, gradient);
        if (!directed_) add_to(forces + 3 * j, -1, gradient);
        add_symmetric_product(sum, share, r, gradient);
        if (atomic_strains) add_symmetric_product(atomic_strains + 6 * i, share, r, gradient);
    }
    if (strain) std::copy_n(sum, 6, strain);
}

}  // namespace mdaug::core
