// SPDX-License-Identifier: MIT
// Strain derivatives of the baseline atom by atom, from the values and slopes that the last evaluation left.

#include "baseline.h"

#include <algorithm>

namespace mdaug::core {

void MoleculeEvaluation::share(const Six& virial, std::span<const int> atoms) {
    for (const int atom : atoms)
        for (int k = 0; k < 6; ++k) atomic_strains_[6 * atom + k] += virial[k] / static_cast<double>(atoms.size());
}

const double* MoleculeEvaluation::atomic_strains(const MoleculeTerms& terms) {
    std::fill_n(atomic_strains_.begin(), 6 * terms.n_atoms(), 0.0);
    set_virials(terms);
    for (int b = 0; b < terms.n_bonds(); ++b) {
        Six virial{};
        for (int k = 0; k < 6; ++k) virial[k] = stretches_[b].slope * length_virials_[b][k];
        share(virial, std::array{terms.edges[b].from, terms.edges[b].to});
    }
    for (size_t p = 0; p < terms.pairs.size(); ++p) {
        Six virial{};
        add_symmetric_product(virial.data(), pairs_[p].pull, pairs_[p].r_ij, pairs_[p].r_ij);
        share(virial, std::array{terms.pairs[p].i, terms.pairs[p].j});
    }
    for (const auto& group : terms.groups)
        share(group_virial(terms, group), terms.atoms_of(group));
    return atomic_strains_.data();
}

// ∂/∂ε of lengths, products and primitives.
void MoleculeEvaluation::set_virials(const MoleculeTerms& terms) {
    const auto add = [](Six& sum, double factor, const Six& other) {
        for (int k = 0; k < 6; ++k) sum[k] += factor * other[k];
    };
    for (int b = 0; b < terms.n_bonds(); ++b) {
        const Edge& edge = edges_[b];
        length_virials_[b] = primitive_virials_[b] = {};
        add_symmetric_product(length_virials_[b].data(), edge.length, edge.unit, edge.unit);
        add(primitive_virials_[b], stretches_[b].primitive_slope, length_virials_[b]);
    }
    for (size_t p = 0; p < terms.products.size(); ++p) {
        const Vector3 &u = edges_[terms.products[p].first].unit, &v = edges_[terms.products[p].second].unit;
        double* virial = (product_virials_[p] = {}).data();
        add_symmetric_product(virial, 2.0, u, v);
        add_symmetric_product(virial, -products_[p].value, u, u);
        add_symmetric_product(virial, -products_[p].value, v, v);
    }
    const auto add_product = [&](Six& sum, double factor, const MoleculeTerms::SignedProduct& of) {
        add(sum, factor * of.sign, product_virials_[of.product]);
    };
    Six* virial = primitive_virials_.data() + terms.first_angle();
    const double* bend_slope = bend_slopes_.data();
    for (const auto& angle : terms.angles) add_product(*virial++ = {}, *bend_slope++, angle.cosine);
    for (const auto& torsion : terms.torsions) {
        const double a = product(torsion.first), b = product(torsion.second), c = product(torsion.outer);
        const double t = a * b - c, s = (1 - a * a) * (1 - b * b);
        const double by_t[3] = {1, 4 * t, 12 * t * t - 3 * s}, by_s[3] = {0, -1, -3 * t};
        for (int fold = 0; fold < 3; ++fold, ++virial) {
            *virial = {};
            add_product(*virial, by_t[fold] * b - 2 * by_s[fold] * a * (1 - b * b), torsion.first);
            add_product(*virial, by_t[fold] * a - 2 * by_s[fold] * b * (1 - a * a), torsion.second);
            add_product(*virial, -by_t[fold], torsion.outer);
        }
    }
    *virial = {};
}

MoleculeEvaluation::Six MoleculeEvaluation::group_virial(const MoleculeTerms& terms,
                                                         const MoleculeTerms::Group& group) const {
    Six virial{};
    const auto add = [&](double factor, const Six& other) {
        for (int k = 0; k < 6; ++k) virial[k] += factor * other[k];
    };
    double gate = 1, sum = 0;
    for (const int bond : group.gates) gate *= gates_[bond].value;
    if (gate == 0) return virial;
    for (int t = group.term_begin; t < group.term_end; ++t) {
        const auto& [factors, coefficient] = terms.terms[t];
        const double a = primitives_[factors[0]].value, b = primitives_[factors[1]].value;
        const double c = primitives_[factors[2]].value, weight = gate * coefficient;
        sum += coefficient * a * b * c;
        add(weight * b * c, primitive_virials_[factors[0]]);
        add(weight * a * c, primitive_virials_[factors[1]]);
        add(weight * a * b, primitive_virials_[factors[2]]);
    }
    for (int k = 0; k < 4; ++k) {
        const int bond = group.gates[k];
        if (bond == terms.n_bonds()) continue;
        double others = sum;
        for (int m = 0; m < 4; ++m)
            if (m != k) others *= gates_[group.gates[m]].value;
        add(others * stretches_[bond].gate_slope, length_virials_[bond]);
    }
    return virial;
}

}  // namespace mdaug::core
