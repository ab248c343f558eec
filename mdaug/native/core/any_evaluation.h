// SPDX-License-Identifier: MIT
// What the C ABI needs of an evaluation, whatever the number type of its network.

#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace mdaug::core {

// Rows of atoms to exchange; nullptr: none.
struct ExchangedRows {
    void* data;
    int64_t width;
};

class AnyEvaluation {
  public:
    virtual ~AnyEvaluation() = default;
    virtual int64_t row_width() const = 0;  // the largest of all stages
    virtual size_t element_size() const = 0;
    virtual size_t bytes() const = 0;

    // Sizes first, then species, then all pairs; then stages; then results.
    virtual void begin(int64_t n_local, int64_t n_total, int64_t max_pairs) = 0;
    virtual void set_species(int64_t atom, int64_t species) = 0;
    virtual void add_pair(int64_t i, int64_t j, double x, double y, double z) = 0;
    virtual void end_of_atom(int64_t i) = 0;  // directed pairs only: all pairs of i have been added
    virtual void start(bool directed) = 0;
    virtual ExchangedRows stage(int stage) = 0;
    virtual void finish(double* energies, double* forces, double* strain, double* atomic_strains) const = 0;

    // Added to the energy of each atom of a species: reference energies, unless set otherwise.
    virtual void set_energy_offsets(const std::vector<double>& offsets) = 0;

    // Extrapolation of atoms (extrapolation.h): whether the model has it, whether evaluations compute it, and the values
    // (n_local) of the last one, nullptr if it did not.
    virtual bool has_extrapolation() const = 0;
    virtual void compute_extrapolation(bool on) = 0;
    virtual const double* extrapolation() const = 0;

    int n_stages = 0;
};

}  // namespace mdaug::core
