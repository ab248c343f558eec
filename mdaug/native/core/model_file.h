// SPDX-License-Identifier: MIT
// The content of a model.pt: its manifest, and every tensor by name in float64.
// Indices of the baseline are in float64, too, and not checked yet.

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace mdaug::core {

class StoredModule;

struct Array {
    std::vector<double> data;  // row-major
    std::vector<int64_t> shape;
};

struct ModelFile {
    std::string path, manifest, dtype;  // `path` also names the network, if the file contains several
    std::vector<std::string> symbols;
    double cutoff, energy_scale, spacing;
    double prior_spacing;  // > 0: there is a tensor "prior_table" (n_elements, n_elements, n_rows)
    int n_interactions;
    int n_networks;  // of the committee in the file; 1 without
    std::map<std::string, Array> tensors;
    std::vector<std::map<std::string, Array>> baseline;  // arrays of each template; empty without a baseline

    const Array& at(const std::string& name) const;
    const Array& block(int l, const std::string& name) const;  // of interaction block l
    int64_t n_species() const;                                 // rows of the embedding
    int64_t n_vectors() const;                                 // vector channels; 0 without
    bool has_statistics() const { return tensors.contains("feature_whitening"); }  // of the training frames

    void keep_only(const std::set<std::string>& names);  // frees all other tensors and the baseline

    // Network 0, or another one of the committee in the file. Throws std::runtime_error with one line that states the
    // problem and its remedy.
    static ModelFile read(const std::string& path, int network = 0);

  private:
    void fill(const StoredModule& module);
};

}  // namespace mdaug::core
