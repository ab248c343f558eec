// SPDX-License-Identifier: MIT
// What a model.pt holds: its manifest, and every tensor by name in float64.

#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace mdaug {

struct Array {
    std::vector<double> data;  // row-major
    std::vector<int64_t> shape;
};

struct ModelFile {
    std::string manifest, dtype;
    std::vector<std::string> symbols;
    double cutoff, energy_scale, spacing;
    double prior_spacing;  // of the tensor "prior_table" (n_elements, n_elements, n_rows), which is there if it is > 0
    int n_interactions;
    std::map<std::string, Array> tensors;

    const Array& at(const std::string& name) const;
    const Array& block(int l, const std::string& name) const;  // of interaction block l

    // Throws std::runtime_error with one line saying what is wrong with the file and what to do.
    static ModelFile read(const std::string& path);
};

}  // namespace mdaug
