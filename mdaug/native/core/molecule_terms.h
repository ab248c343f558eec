// SPDX-License-Identifier: MIT
// The terms of the baseline for one kind of molecule, a template: read from a model.pt, checked, and arranged for
// evaluation. mdaug/models/molecule_terms.py has the formula.
//
// Lengths, angles and torsions are functions of two things: `edges`, vectors between two atoms (the bonds, and others
// that angles need), and `products`, scalar products of the unit vectors of two edges. With e1, e2, e3 along a torsion
// n1·n2 = (e1·e2)(e2·e3) − e1·e3 and |n1|² = 1 − (e1·e2)².
//
// Terms with the same gates and the same atoms form a group, so that their gates are multiplied once.

#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "model_file.h"

namespace mdaug::core {

constexpr double COSINE_SCALE = 1.005;

struct MoleculeTerms {
    struct Edge {
        int from, to;  // atoms; the vector is r_to − r_from
    };
    struct Bond {  // the edge of the same number
        double mean_length, plateau, r0, beta[3], delta[3];
    };
    struct Product {
        int first, second;  // edges
    };
    struct SignedProduct {
        int product;
        double sign;  // −1 where one of the edges points the other way
    };
    struct Angle {
        SignedProduct cosine;
        double mean;      // of cos θ, or of arccos(cos θ / COSINE_SCALE)
        bool in_radians;  // described by θ, not by cos θ
    };
    struct Torsion {
        SignedProduct first, second, outer;  // e1·e2, e2·e3, e1·e3
    };
    struct Pair {
        int i, j;
        double wall, steepness, contact, soft;  // A, B, R, a
    };
    struct Term {
        int factors[3];  // primitives; n_primitives stands for 1
        double coefficient;
    };
    struct Group {
        int gates[4];  // bonds; n_bonds stands for a bond that does not break
        int term_begin, term_end;
        int atom_begin, atom_end;  // in group_atoms
    };

    std::vector<int> atomic_numbers;
    std::vector<int> species;  // of each atom: that of its atom type, or of its element
    std::vector<Edge> edges;
    std::vector<Bond> bonds;
    std::vector<Product> products;
    std::vector<Angle> angles;
    std::vector<Torsion> torsions;
    std::vector<Pair> pairs;
    std::vector<Term> terms;
    std::vector<Group> groups;
    std::vector<int> group_atoms;

    int n_atoms() const { return static_cast<int>(atomic_numbers.size()); }
    int n_bonds() const { return static_cast<int>(bonds.size()); }
    int first_angle() const { return n_bonds(); }
    int first_torsion() const { return n_bonds() + static_cast<int>(angles.size()); }
    int n_primitives() const { return first_torsion() + 3 * static_cast<int>(torsions.size()); }
    std::span<const int> atoms_of(const Group& group) const {
        return {group_atoms.data() + group.atom_begin, static_cast<size_t>(group.atom_end - group.atom_begin)};
    }
    size_t bytes() const;

    // Throws std::runtime_error with one line if the arrays do not fit together, an index is out of range, a number is
    // not finite, or the model lacks an element or a species. `where` begins the line.
    static MoleculeTerms from_arrays(const std::map<std::string, Array>& arrays, const std::vector<int>& model_numbers,
                                     int64_t n_species, const std::string& where);
};

}  // namespace mdaug::core
