// SPDX-License-Identifier: MIT
// Checks the sizes of a model before it is evaluated, because the evaluation reads its tensors without checks of its own.

#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "model_file.h"

namespace mdaug::core {

class ShapeCheck {
  public:
    // Throws std::runtime_error if a tensor has another shape than the others need, or a number is impossible.
    static void run(const ModelFile& file) { ShapeCheck(file).all(); }

  private:
    explicit ShapeCheck(const ModelFile& file) : file_(file) {}

    static constexpr int64_t ANY = -1, MAX_BLOCKS = 1000, FEWEST_ROWS = 4;

    const ModelFile& file_;

    [[noreturn]] static void fail(const std::string& reason) { throw std::runtime_error(reason); }

    void all() const {
        for (const double length : {file_.cutoff, file_.spacing})
            if (!(length > 0) || !std::isfinite(length)) fail("its cutoff or spacing is no positive number");
        if (!std::isfinite(file_.energy_scale) || !std::isfinite(file_.prior_spacing)) fail("a scale is no number");
        const int64_t n_blocks = file_.n_interactions, n_elements = static_cast<int64_t>(file_.symbols.size());
        if (n_blocks < 1 || n_blocks > MAX_BLOCKS) fail("it has " + std::to_string(n_blocks) + " interactions");

        const auto table = shape("filters.table", {ANY, ANY});
        check_rows(table[0]);
        if (table[1] % n_blocks != 0) fail("the width of filters.table is no multiple of its interactions");
        const auto embedding = shape("network.embedding.weight", {ANY, ANY});
        if (embedding[0] < n_elements) fail("network.embedding.weight has fewer rows than elements");
        const int64_t basis = embedding[1];
        const int64_t vectors = file_.n_vectors(), filters = table[1] / n_blocks - vectors;
        if (filters < 1) fail("filters.table has no more columns than vector channels");
        for (int64_t l = 0; l < n_blocks; ++l) {
            const auto block = "network.interactions." + std::to_string(l) + ".";
            shape(block + "inward.weight", {filters, basis});
            check_vectors(block, vectors, basis);
            shape(block + "hidden.weight", {basis, filters + vectors});
            shape(block + "hidden.bias", {basis});
            shape(block + "out.weight", {basis, basis});
            shape(block + "out.bias", {basis});
        }
        const int64_t readout = shape("network.readout_hidden.weight", {ANY, basis})[0];
        shape("network.readout_hidden.bias", {readout});
        shape("network.readout.weight", {1, readout});
        shape("network.readout.bias", {1});
        shape("reference_energies", {n_elements});
        if (file_.tensors.contains("output_scales")) shape("output_scales", {embedding[0]});
        shape("atomic_numbers", {n_elements});
        if (file_.has_statistics()) {
            const int64_t n = shape("feature_means", {ANY, readout})[0];
            if (n != n_elements && n != embedding[0]) fail("feature_means has rows of neither the elements nor the types");
            shape("feature_whitening", {n, readout, readout});
        }
        if (file_.prior_spacing > 0) check_rows(shape("prior_table", {n_elements, n_elements, ANY})[2]);
    }

    void check_vectors(const std::string& block, int64_t n, int64_t basis) const {
        for (const char* name : {"vector_inward.weight", "left.weight", "right.weight"}) {
            if (n > 0)
                shape(block + name, {n, name[0] == 'v' ? basis : n});
            else if (file_.tensors.contains(block + name))
                fail(block + name + " is there, but the first interaction has no vector channels");
        }
    }

    static void check_rows(int64_t n) {
        if (n < FEWEST_ROWS || n > std::numeric_limits<int32_t>::max()) fail("a table has " + std::to_string(n) + " rows");
    }

    std::vector<int64_t> shape(const std::string& name, const std::vector<int64_t>& expected) const {
        const auto& found = file_.at(name).shape;
        bool fits = found.size() == expected.size();
        for (size_t k = 0; fits && k < found.size(); ++k) fits = found[k] > 0 && (expected[k] == ANY || found[k] == expected[k]);
        if (!fits) fail(name + " has a shape that does not fit the other tensors");
        return found;
    }
};

}  // namespace mdaug::core
