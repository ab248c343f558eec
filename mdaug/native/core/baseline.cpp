// SPDX-License-Identifier: MIT
// Energy and gradient of the baseline of one molecule: mdaug/models/molecule_terms.py has the formula and the constants.

#include "baseline.h"

#include <algorithm>
#include <cmath>

namespace mdaug::core {

namespace {

constexpr double STRETCH_SLOPE = 2.0, SOFT_DECAY = 2.0;       // 1/Å
constexpr double GATE_CENTER = 1.5, GATE_WIDTH = 0.15;        // mean lengths
constexpr double REACH = 0.25;                                // of z
constexpr double BOND_SWITCHED_FROM = 0.8, PAIR_SWITCHED_FROM = 0.6;  // cutoffs

struct Switch {
    double value, slope;
};

// 1 − 10t³ + 15t⁴ − 6t⁵ with t = (d / cutoff − from) / (1 − from) between 0 and 1; and its derivative by d.
Switch quintic_switch(double d, double cutoff, double from) {
    const double t = (d / cutoff - from) / (1 - from);
    if (t <= 0) return {1, 0};
    if (t >= 1) return {0, 0};
    const double u = 1 - t;
    return {1 - t * t * t * (10 - 15 * t + 6 * t * t), -30 * t * t * u * u / ((1 - from) * cutoff)};
}

// The primitive of an angle and its derivative in the cosine.
Switch bend(const MoleculeTerms::Angle& angle, double cosine) {
    if (!angle.in_radians) return {cosine - angle.mean, 1};
    const double scaled = cosine / COSINE_SCALE;
    return {angle.mean - std::acos(scaled), 1 / (COSINE_SCALE * std::sqrt(1 - scaled * scaled))};
}

// The expanded Morse oscillator V(r) less its plateau, and its slope.
Switch expanded_morse(const MoleculeTerms::Bond& bond, double r) {
    const auto &b = bond.beta, &own = bond.delta;
    const double z = (r - bond.r0) / (r + bond.r0), z_slope = 2 * bond.r0 / ((r + bond.r0) * (r + bond.r0));
    const double over = std::max(z, 0.0) / REACH, over3 = over * over * over;
    const double fade = over > 0 ? std::exp(-over3 * over) : 1.0;
    const double shape = own[0] + own[1] * z + own[2] * z * z;
    const double beta = b[0] + b[1] * z + b[2] * z * z + shape * fade;
    const double beta_slope =
        b[1] + 2 * b[2] * z + (own[1] + 2 * own[2] * z - shape * 4 * over3 / REACH) * fade;  // ∂β/∂z
    const double y = std::exp(-beta * (r - bond.r0));
    const double y_slope = -y * (beta + beta_slope * z_slope * (r - bond.r0));
    return {bond.plateau * y * (y - 2), 2 * bond.plateau * (y - 1) * y_slope};
}

}  // namespace

void MoleculeEvaluation::reserve(const MoleculeTerms& terms) {
    const auto grow = [](auto& list, size_t n) { list.resize(std::max(list.size(), n)); };
    grow(edges_, terms.edges.size());
    grow(stretches_, terms.bonds.size());
    grow(products_, terms.products.size());
    grow(primitives_, terms.n_primitives() + 1);
    grow(gates_, terms.n_bonds() + 1);
    grow(bend_slopes_, terms.angles.size());
    grow(pairs_, terms.pairs.size());
    grow(energies_, terms.n_atoms());
    grow(gradient_, 3 * terms.n_atoms());
    grow(atomic_strains_, 6 * terms.n_atoms());
    grow(length_virials_, terms.bonds.size());
    grow(product_virials_, terms.products.size());
    grow(primitive_virials_, terms.n_primitives() + 1);
}

size_t MoleculeEvaluation::bytes() const {
    const auto size = [](const auto&... lists) { return (0 + ... + (lists.capacity() * sizeof(lists[0]))); };
    return size(edges_, stretches_, products_, primitives_, gates_, bend_slopes_, pairs_, energies_, gradient_, atomic_strains_,
                length_virials_, product_virials_, primitive_virials_);
}

void MoleculeEvaluation::evaluate(const MoleculeTerms& terms, const double* positions, const char* absent) {
    std::fill_n(energies_.begin(), terms.n_atoms(), 0.0);
    std::fill_n(gradient_.begin(), 3 * terms.n_atoms(), 0.0);
    strain_.fill(0.0);
    set_edges(terms, positions, absent);
    set_bonds(terms);
    set_angles_and_torsions(terms);
    set_pairs(terms, positions, absent);
    add_groups(terms);
    add_slopes_of_products(terms);
    add_edges(terms);
    add_pairs(terms);
}

// ---- From positions to the energy ------------------------------------------------------------------------------

void MoleculeEvaluation::set_edges(const MoleculeTerms& terms, const double* positions, const char* absent) {
    for (size_t e = 0; e < terms.edges.size(); ++e) {
        const auto [i, j] = terms.edges[e];
        Edge& edge = edges_[e];
        edge.slope = 0;
        edge.pull = {};
        if (absent && (absent[i] || absent[j])) {  // as long as makes its terms vanish
            edge.unit = {};
            edge.length = cutoff_;
            continue;
        }
        const double *from = positions + 3 * i, *to = positions + 3 * j;
        const Vector3 r{to[0] - from[0], to[1] - from[1], to[2] - from[2]};
        edge.length = std::sqrt(dot(r, r));
        const double inverse = 1 / edge.length;
        edge.unit = {r[0] * inverse, r[1] * inverse, r[2] * inverse};
    }
}

// Energy, primitive and gate of each bond. A bond as long as the cutoff has its plateau and a gate of zero.
void MoleculeEvaluation::set_bonds(const MoleculeTerms& terms) {
    for (int b = 0; b < terms.n_bonds(); ++b) {
        const auto& bond = terms.bonds[b];
        const double r = edges_[b].length;
        const double decayed = std::exp(-STRETCH_SLOPE * (r - bond.mean_length));
        Stretch& stretch = stretches_[b];
        stretch = {bond.plateau, 0, STRETCH_SLOPE * decayed, 0};
        primitives_[b] = {1 - decayed, 0};
        gates_[b] = {0, 0};
        if (r >= cutoff_) continue;
        const auto on = quintic_switch(r, cutoff_, BOND_SWITCHED_FROM);
        const auto well = expanded_morse(bond, r);
        stretch.energy += on.value * well.value;
        stretch.slope = on.slope * well.value + on.value * well.slope;
        const double steepness = 2 / (GATE_WIDTH * bond.mean_length);
        const double gate = 1 / (1 + std::exp(steepness * (r - GATE_CENTER * bond.mean_length)));
        gates_[b].value = on.value * gate;
        stretch.gate_slope = gate * (on.slope - on.value * (1 - gate) * steepness);
    }
    gates_[terms.n_bonds()] = {1, 0};
}

void MoleculeEvaluation::set_angles_and_torsions(const MoleculeTerms& terms) {
    for (size_t p = 0; p < terms.products.size(); ++p) {
        const auto& [first, second] = terms.products[p];
        products_[p] = {dot(edges_[first].unit, edges_[second].unit), 0};
    }
    Value* primitive = primitives_.data() + terms.first_angle();
    double* bend_slope = bend_slopes_.data();
    for (const auto& angle : terms.angles) {
        const auto u = bend(angle, product(angle.cosine));
        *primitive++ = {u.value, 0};
        *bend_slope++ = u.slope;
    }
    for (const auto& torsion : terms.torsions) {
        const double a = product(torsion.first), b = product(torsion.second), c = product(torsion.outer);
        const double t = a * b - c, s = (1 - a * a) * (1 - b * b);
        *primitive++ = {t, 0};
        *primitive++ = {2 * t * t - s, 0};
        *primitive++ = {(4 * t * t - 3 * s) * t, 0};
    }
    *primitive = {1, 0};
}

void MoleculeEvaluation::set_pairs(const MoleculeTerms& terms, const double* positions, const char* absent) {
    for (size_t p = 0; p < terms.pairs.size(); ++p) {
        const auto& pair = terms.pairs[p];
        pairs_[p] = {};
        if (absent && (absent[pair.i] || absent[pair.j])) continue;
        const double *from = positions + 3 * pair.i, *to = positions + 3 * pair.j;
        const Vector3 r{to[0] - from[0], to[1] - from[1], to[2] - from[2]};
        const double d = std::sqrt(dot(r, r));
        if (d >= cutoff_) continue;
        const auto on = quintic_switch(d, cutoff_, PAIR_SWITCHED_FROM);
        const double wall = pair.wall * std::exp(-pair.steepness * (d - pair.contact));
        const double soft = pair.soft * std::exp(-SOFT_DECAY * (d - pair.contact));
        const double slope = on.slope * (wall + soft) - on.value * (pair.steepness * wall + SOFT_DECAY * soft);
        pairs_[p] = {r, slope / d, on.value * (wall + soft)};
    }
}

// Energies of the groups; ∂E/∂primitive and ∂E/∂gate.
void MoleculeEvaluation::add_groups(const MoleculeTerms& terms) {
    Value* p = primitives_.data();
    for (const auto& group : terms.groups) {
        Value &g0 = gates_[group.gates[0]], &g1 = gates_[group.gates[1]];
        Value &g2 = gates_[group.gates[2]], &g3 = gates_[group.gates[3]];
        const double first = g0.value * g1.value, last = g2.value * g3.value, gate = first * last;
        if (gate == 0) continue;  // a broken bond; the slope of its gate is zero, too
        double sum = 0;
        for (int t = group.term_begin; t < group.term_end; ++t) {
            const auto& term = terms.terms[t];
            Value &a = p[term.factors[0]], &b = p[term.factors[1]], &c = p[term.factors[2]];
            const double ka = term.coefficient * a.value, bc = b.value * c.value, weight = gate * term.coefficient;
            sum += ka * bc;
            a.slope += weight * bc;
            b.slope += gate * ka * c.value;
            c.slope += gate * ka * b.value;
        }
        g0.slope += sum * g1.value * last;
        g1.slope += sum * g0.value * last;
        g2.slope += sum * g3.value * first;
        g3.slope += sum * g2.value * first;
        const auto atoms = terms.atoms_of(group);
        const double part = gate * sum / static_cast<double>(atoms.size());
        for (const int atom : atoms) energies_[atom] += part;
    }
}

// ---- From slopes back to positions -----------------------------------------------------------------------------

// Through angles and torsions to ∂E/∂product, then to ∂E/∂unit; through bonds to ∂E/∂length.
void MoleculeEvaluation::add_slopes_of_products(const MoleculeTerms& terms) {
    const Value* primitive = primitives_.data() + terms.first_angle();
    const auto add = [&](const MoleculeTerms::SignedProduct& of, double slope) {
        products_[of.product].slope += of.sign * slope;
    };
    const double* bend_slope = bend_slopes_.data();
    for (const auto& angle : terms.angles) add(angle.cosine, (primitive++)->slope * *bend_slope++);
    for (const auto& torsion : terms.torsions) {
        const double a = product(torsion.first), b = product(torsion.second);
        const double t = primitive[0].value, s = (1 - a * a) * (1 - b * b);
        const double q1 = primitive[0].slope, q2 = primitive[1].slope, q3 = primitive[2].slope;
        const double by_t = q1 + 4 * t * q2 + (12 * t * t - 3 * s) * q3, by_s = -q2 - 3 * t * q3;
        add(torsion.first, by_t * b - 2 * by_s * a * (1 - b * b));
        add(torsion.second, by_t * a - 2 * by_s * b * (1 - a * a));
        add(torsion.outer, -by_t);
        primitive += 3;
    }
    for (size_t p = 0; p < terms.products.size(); ++p) {
        Edge &first = edges_[terms.products[p].first], &second = edges_[terms.products[p].second];
        const double slope = products_[p].slope;
        add_to(first.pull.data(), slope, second.unit);
        add_to(second.pull.data(), slope, first.unit);
    }
    for (int b = 0; b < terms.n_bonds(); ++b) {
        const auto& stretch = stretches_[b];
        edges_[b].slope = stretch.slope + stretch.primitive_slope * primitives_[b].slope +
                          stretch.gate_slope * gates_[b].slope;
        energies_[terms.edges[b].from] += 0.5 * stretch.energy;
        energies_[terms.edges[b].to] += 0.5 * stretch.energy;
    }
}

void MoleculeEvaluation::add_edges(const MoleculeTerms& terms) {
    for (size_t e = 0; e < terms.edges.size(); ++e) {
        const Edge& edge = edges_[e];
        const double inverse = 1 / edge.length, along = edge.slope - dot(edge.pull, edge.unit) * inverse;
        const Vector3 &u = edge.unit, &g = edge.pull;
        const Vector3 slope{along * u[0] + g[0] * inverse, along * u[1] + g[1] * inverse,
                            along * u[2] + g[2] * inverse};
        add_to(gradient_.data() + 3 * terms.edges[e].from, -1.0, slope);
        add_to(gradient_.data() + 3 * terms.edges[e].to, 1.0, slope);
        add_symmetric_product(strain_.data(), edge.length, u, slope);
    }
}

void MoleculeEvaluation::add_pairs(const MoleculeTerms& terms) {
    for (size_t p = 0; p < terms.pairs.size(); ++p) {
        const auto& [r, pull, energy] = pairs_[p];
        const int i = terms.pairs[p].i, j = terms.pairs[p].j;
        energies_[i] += 0.5 * energy;
        energies_[j] += 0.5 * energy;
        add_to(gradient_.data() + 3 * i, -pull, r);
        add_to(gradient_.data() + 3 * j, pull, r);
        add_symmetric_product(strain_.data(), pull, r, r);
    }
}

}  // namespace mdaug::core
