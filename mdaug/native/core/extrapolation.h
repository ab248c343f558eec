// SPDX-License-Identifier: MIT
// How unlike those of the training frames the features of an atom are: x = |W (u − m)|, with the features u of the last
// layer before its activation, and mean m and matrix W of the atom's species; 1 is the largest x of the training frames
// (mdaug/deployment/feature_statistics.py). Files of format versions before 7 have them of each element only.

#pragma once

#include <cmath>
#include <vector>

#include "model_file.h"
#include "common/vectors.h"

namespace mdaug::core {

template <typename T>
class Extrapolation {
  public:
    // elements: of each species, as in Molecules.
    Extrapolation(const ModelFile& file, const std::vector<int>& elements) {
        if (!file.has_statistics()) return;
        const auto &means = file.at("feature_means"), &whitening = file.at("feature_whitening");
        n_features_ = means.shape[1];
        width_ = padded<T>(n_features_);
        means_.reserve(means.shape[0] * width_);
        columns_.reserve(means.shape[0] * n_features_ * width_);
        const int64_t n = n_features_, n_species = static_cast<int64_t>(elements.size());
        for (int64_t k = 0; k < n_species; ++k) rows_.push_back(means.shape[0] == n_species ? k : elements[k]);
        for (int64_t row = 0; row < means.shape[0] * n; ++row) {  // of all matrices
            means_.get()[row / n * width_ + row % n] = static_cast<T>(means.data[row]);
            for (int64_t k = 0; k < n; ++k)
                columns_.get()[(row / n * n + k) * width_ + row % n] = static_cast<T>(whitening.data[row * n + k]);
        }
    }

    bool empty() const { return n_features_ == 0; }
    size_t bytes() const { return means_.bytes() + columns_.bytes(); }

    // u: features of an atom.
    double of(int32_t species, const T* u) const {
        const T* mean = means_.get() + rows_[species] * width_;
        const T* columns = columns_.get() + rows_[species] * n_features_ * width_;
        double sum = 0;
        for (int64_t m = 0; m < width_; m += LANES<T>) {
            Vec<T> along{};
            for (int64_t k = 0; k < n_features_; ++k) along += (u[k] - mean[k]) * load<Vec<T>>(columns + k * width_ + m);
            for (int lane = 0; lane < LANES<T>; ++lane) sum += static_cast<double>(along[lane]) * along[lane];
        }
        return std::sqrt(sum);
    }

  private:
    int64_t n_features_ = 0, width_ = 0;  // padded
    std::vector<int64_t> rows_;           // of each species, in the following
    Buffer<T> means_, columns_;           // m (n_rows, width), and Wᵀ (n_rows, n_features, width)
};

}  // namespace mdaug::core
