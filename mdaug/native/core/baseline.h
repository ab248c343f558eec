// SPDX-License-Identifier: MIT
// Energy, gradient and virial of the baseline of one molecule, in double. The formula is that of
// mdaug/models/molecule_terms.py. The gradient is written by hand: from positions to primitives, gates and energy, then back
// from ∂E/∂primitive and ∂E/∂gate to products, lengths and unit vectors, and once for each edge to positions.

#pragma once

#include <array>
#include <span>
#include <vector>

#include "molecule_terms.h"
#include "vector3.h"

namespace mdaug::core {

// Results and scratch of one molecule at a time; each thread has its own.
class MoleculeEvaluation {
  public:
    explicit MoleculeEvaluation(double cutoff) : cutoff_(cutoff) {}

    void reserve(const MoleculeTerms& terms);  // after that, evaluations of this template allocate nothing
    size_t bytes() const;

    // positions (n_atoms, 3), Å, of the whole molecule. absent (n_atoms), or nullptr: atoms so far from those bonded to
    // them that these bonds are broken; their positions are not read.
    void evaluate(const MoleculeTerms& terms, const double* positions, const char* absent = nullptr);

    // Of the last molecule evaluated.
    const double* energies() const { return energies_.data(); }  // (n_atoms), eV: of each term in equal parts
    const double* gradient() const { return gradient_.data(); }  // (n_atoms, 3), eV/Å
    const double* strain() const { return strain_.data(); }      // (6), ∂E/∂ε, eV
    // (n_atoms, 6), eV: the strain derivative of each term in equal parts to its atoms. Computed by this call.
    const double* atomic_strains(const MoleculeTerms& terms);

  private:
    using Six = std::array<double, 6>;  // ∂/∂ε
    struct Edge {
        Vector3 unit;
        double length, slope;  // ∂E/∂length
        Vector3 pull;          // ∂E/∂unit
    };
    struct Stretch {  // a bond's energy, its slope and those of its primitive and gate
        double energy, slope, primitive_slope, gate_slope;
    };
    struct Value {
        double value, slope;  // ∂E/∂value
    };
    struct PairPull {
        Vector3 r_ij;
        double pull, energy;  // ∂E/∂d / d
    };

    void set_edges(const MoleculeTerms& terms, const double* positions, const char* absent);
    void set_bonds(const MoleculeTerms& terms);
    void set_angles_and_torsions(const MoleculeTerms& terms);
    void set_pairs(const MoleculeTerms& terms, const double* positions, const char* absent);
    void add_groups(const MoleculeTerms& terms);
    void add_slopes_of_products(const MoleculeTerms& terms);
    void add_edges(const MoleculeTerms& terms);
    void add_pairs(const MoleculeTerms& terms);
    void set_virials(const MoleculeTerms& terms);
    Six group_virial(const MoleculeTerms& terms, const MoleculeTerms::Group& group) const;
    void share(const Six& virial, std::span<const int> atoms);

    double product(const MoleculeTerms::SignedProduct& signed_product) const {
        return signed_product.sign * products_[signed_product.product].value;
    }

    double cutoff_;
    std::vector<Edge> edges_;
    std::vector<Stretch> stretches_;
    std::vector<Value> products_;
    std::vector<Value> primitives_, gates_;  // followed by the constant 1
    std::vector<double> bend_slopes_;        // ∂primitive/∂cos θ of each angle
    std::vector<PairPull> pairs_;
    std::vector<double> energies_, gradient_, atomic_strains_;
    std::vector<Six> length_virials_, product_virials_, primitive_virials_;
    Six strain_{};
};

}  // namespace mdaug::core
