// SPDX-License-Identifier: MIT
// Checks the arrays of a template and arranges its terms.

#include "molecule_terms.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>
#include <utility>

namespace mdaug::core {

namespace {

constexpr int64_t MAX_ROWS = 1 << 26;

// Arrays of one template by name; every access checks shape and values.
class Arrays {
  public:
    Arrays(const std::map<std::string, Array>& arrays, const std::string& where) : arrays_(arrays), where_(where) {}

    [[noreturn]] void refuse(const std::string& name, const std::string& problem) const {
        throw std::runtime_error(where_ + "." + name + " " + problem + "; export the model again");
    }

    // A matrix with this many columns, or a vector if there is one column; n_rows −1: any number.
    const Array& matrix(const std::string& name, int64_t columns, int64_t n_rows = -1) const {
        const auto item = arrays_.find(name);
        if (item == arrays_.end()) refuse(name, "is missing");
        const auto& shape = item->second.shape;
        const bool right = columns == 1 ? shape.size() == 1 : shape.size() == 2 && shape[1] == columns;
        if (!right || shape[0] > MAX_ROWS || (n_rows >= 0 && shape[0] != n_rows))
            refuse(name, "has a wrong shape, expected " + (n_rows < 0 ? "any number of" : std::to_string(n_rows)) +
                             " rows of " + std::to_string(columns));
        return item->second;
    }

    std::vector<double> numbers(const std::string& name, int64_t columns, int64_t n_rows) const {
        const auto& data = matrix(name, columns, n_rows).data;
        for (const double value : data)
            if (!std::isfinite(value)) refuse(name, "contains a number that is not finite");
        return data;
    }

    bool has(const std::string& name) const { return arrays_.count(name) > 0; }

    std::vector<int> indices(const std::string& name, int64_t columns, int64_t limit, int64_t n_rows = -1) const {
        std::vector<int> result;
        for (const double value : matrix(name, columns, n_rows).data) {
            if (!(value >= 0 && value < static_cast<double>(limit)))
                refuse(name, "contains the index " + std::to_string(value) + ", expected 0 to " +
                                 std::to_string(limit - 1));
            result.push_back(static_cast<int>(value));
        }
        return result;
    }

  private:
    const std::map<std::string, Array>& arrays_;
    std::string where_;
};

// Numbers edges and products, each at its first use.
class Arrangement {
  public:
    explicit Arrangement(MoleculeTerms& terms) : terms_(terms) {}

    // The scalar product of the unit vectors a → b and c → d.
    MoleculeTerms::SignedProduct product(int a, int b, int c, int d) {
        const auto [first, first_sign] = edge(a, b);
        const auto [second, second_sign] = edge(c, d);
        const std::pair<int, int> key{std::min(first, second), std::max(first, second)};
        const auto [item, is_new] = product_of_.try_emplace(key, static_cast<int>(terms_.products.size()));
        if (is_new) terms_.products.push_back({key.first, key.second});
        return {item->second, first_sign * second_sign};
    }

    void add_bond(int a, int b) {
        edge_of_.try_emplace({a, b}, static_cast<int>(terms_.edges.size()));
        terms_.edges.push_back({a, b});
    }

  private:
    std::pair<int, double> edge(int a, int b) {
        if (const auto item = edge_of_.find({a, b}); item != edge_of_.end()) return {item->second, 1.0};
        if (const auto item = edge_of_.find({b, a}); item != edge_of_.end()) return {item->second, -1.0};
        add_bond(a, b);
        return {static_cast<int>(terms_.edges.size()) - 1, 1.0};
    }

    MoleculeTerms& terms_;
    std::map<std::pair<int, int>, int> edge_of_, product_of_;
};

// The atoms of each row (of bonded chains or pairs); neighbors in a row, and the next ones, must differ.
std::vector<int> chains(const Arrays& arrays, const std::string& name, int64_t length, int64_t n_atoms) {
    auto atoms = arrays.indices(name, length, n_atoms);
    for (int64_t k = 0; k < static_cast<int64_t>(atoms.size()); ++k)
        for (int64_t back = 1; back <= std::min<int64_t>(2, k % length); ++back)
            if (atoms[k] == atoms[k - back]) arrays.refuse(name, "names the same atom twice in a row");
    return atoms;
}

void add_atomic_numbers(MoleculeTerms& terms, const Arrays& arrays, const std::vector<int>& model_numbers) {
    terms.atomic_numbers = arrays.indices("atomic_numbers", 1, 119);
    if (terms.atomic_numbers.empty()) arrays.refuse("atomic_numbers", "is empty");
    for (const int number : terms.atomic_numbers)
        if (std::find(model_numbers.begin(), model_numbers.end(), number) == model_numbers.end())
            arrays.refuse("atomic_numbers", "contains " + std::to_string(number) + ", not an element of the model");
}

// Files of earlier versions have no atom types; -1 stands for none.
void add_species(MoleculeTerms& terms, const Arrays& arrays, const std::vector<int>& model_numbers, int64_t n_species) {
    for (const int number : terms.atomic_numbers)
        terms.species.push_back(
            static_cast<int>(std::find(model_numbers.begin(), model_numbers.end(), number) - model_numbers.begin()));
    if (!arrays.has("atom_types")) return;
    const auto types = arrays.numbers("atom_types", 1, terms.n_atoms());
    const auto n_elements = static_cast<int64_t>(model_numbers.size());
    for (int k = 0; k < terms.n_atoms(); ++k) {
        if (types[k] == -1) continue;
        if (!(types[k] >= 0 && types[k] < static_cast<double>(n_species - n_elements)))
            arrays.refuse("atom_types", "contains a type without a row of the embedding");
        terms.species[k] = static_cast<int>(n_elements + static_cast<int64_t>(types[k]));
    }
}

void add_bonds(MoleculeTerms& terms, const Arrays& arrays, Arrangement& arrangement) {
    const auto atoms = chains(arrays, "bonds", 2, terms.n_atoms());
    const auto p = arrays.numbers("bond_parameters", 9, static_cast<int64_t>(atoms.size() / 2));
    for (size_t b = 0; b < atoms.size() / 2; ++b) {
        const double* v = p.data() + 9 * b;
        if (!(v[0] > 0 && v[2] > 0)) arrays.refuse("bond_parameters", "has a length that is not positive");
        terms.bonds.push_back({v[0], v[1], v[2], {v[3], v[4], v[5]}, {v[6], v[7], v[8]}});
        arrangement.add_bond(atoms[2 * b], atoms[2 * b + 1]);
    }
}

void add_angles(MoleculeTerms& terms, const Arrays& arrays, Arrangement& arrangement) {
    const auto atoms = chains(arrays, "angles", 3, terms.n_atoms());
    const auto means = arrays.numbers("mean_cosines", 1, static_cast<int64_t>(atoms.size() / 3));
    std::vector<int> forms(means.size(), 0);  // files of version 3 have none
    if (arrays.has("angle_forms")) forms = arrays.indices("angle_forms", 1, 2, static_cast<int64_t>(means.size()));
    for (size_t n = 0; n < means.size(); ++n) {
        const int* a = atoms.data() + 3 * n;
        if (!(std::abs(means[n]) <= 1)) arrays.refuse("mean_cosines", "contains a number that is not a cosine");
        const bool in_radians = forms[n] == 1;
        terms.angles.push_back({arrangement.product(a[1], a[0], a[1], a[2]),
                                in_radians ? std::acos(means[n] / COSINE_SCALE) : means[n], in_radians});
    }
}

void add_torsions(MoleculeTerms& terms, const Arrays& arrays, Arrangement& arrangement) {
    const auto atoms = chains(arrays, "torsions", 4, terms.n_atoms());
    for (size_t n = 0; n < atoms.size() / 4; ++n) {
        const int* a = atoms.data() + 4 * n;
        terms.torsions.push_back({arrangement.product(a[0], a[1], a[1], a[2]),
                                  arrangement.product(a[1], a[2], a[2], a[3]),
                                  arrangement.product(a[0], a[1], a[2], a[3])});
    }
}

void add_pairs(MoleculeTerms& terms, const Arrays& arrays) {
    const auto atoms = chains(arrays, "pairs", 2, terms.n_atoms());
    const auto p = arrays.numbers("pair_parameters", 4, static_cast<int64_t>(atoms.size() / 2));
    for (size_t n = 0; n < atoms.size() / 2; ++n) {
        const double* v = p.data() + 4 * n;
        terms.pairs.push_back({atoms[2 * n], atoms[2 * n + 1], v[0], v[1], v[2], v[3]});
    }
}

// Atoms that determine each primitive; none for the 1.
std::vector<std::vector<int>> atoms_of_primitives(const MoleculeTerms& terms, const Arrays& arrays) {
    std::vector<std::vector<int>> result;
    for (int b = 0; b < terms.n_bonds(); ++b) result.push_back({terms.edges[b].from, terms.edges[b].to});
    const auto angles = arrays.indices("angles", 3, terms.n_atoms());
    for (auto a = angles.begin(); a != angles.end(); a += 3) result.emplace_back(a, a + 3);
    const auto torsions = arrays.indices("torsions", 4, terms.n_atoms());
    for (auto a = torsions.begin(); a != torsions.end(); a += 4)
        for (int fold = 0; fold < 3; ++fold) result.emplace_back(a, a + 4);
    result.emplace_back();
    return result;
}

void add_terms(MoleculeTerms& terms, const Arrays& arrays) {
    const auto coefficients = arrays.numbers("coefficients", 1, -1);
    const auto n_terms = static_cast<int64_t>(coefficients.size());
    const auto factors = arrays.indices("factors", 3, terms.n_primitives() + 1, n_terms);
    auto gates = arrays.indices("gates", 4, terms.n_bonds() + 1, n_terms);
    const auto atoms_of = atoms_of_primitives(terms, arrays);
    std::map<std::pair<std::vector<int>, std::set<int>>, std::vector<int64_t>> groups;  // by gates and atoms
    for (int64_t t = 0; t < n_terms; ++t) {
        const auto gate = gates.begin() + 4 * t;
        std::sort(gate, gate + 4);
        std::set<int> atoms;
        for (int k = 0; k < 3; ++k) {
            const auto& own = atoms_of[factors[3 * t + k]];
            atoms.insert(own.begin(), own.end());
        }
        for (int k = 0; k < 4; ++k)
            if (gate[k] < terms.n_bonds()) atoms.insert({terms.edges[gate[k]].from, terms.edges[gate[k]].to});
        if (atoms.empty()) arrays.refuse("factors", "has a term that depends on no atom");
        groups[{{gate, gate + 4}, atoms}].push_back(t);
    }
    for (const auto& [key, members] : groups) {
        const auto& [gate, atoms] = key;
        const int first_term = static_cast<int>(terms.terms.size());
        const int first_atom = static_cast<int>(terms.group_atoms.size());
        for (const int64_t t : members)
            terms.terms.push_back({{factors[3 * t], factors[3 * t + 1], factors[3 * t + 2]}, coefficients[t]});
        terms.group_atoms.insert(terms.group_atoms.end(), atoms.begin(), atoms.end());
        terms.groups.push_back({{gate[0], gate[1], gate[2], gate[3]},
                                first_term, static_cast<int>(terms.terms.size()),
                                first_atom, static_cast<int>(terms.group_atoms.size())});
    }
}

template <typename... Lists>
size_t bytes_of(const Lists&... lists) {
    return (0 + ... + (lists.capacity() * sizeof(typename Lists::value_type)));
}

}  // namespace

size_t MoleculeTerms::bytes() const {
    return bytes_of(atomic_numbers, species, edges, bonds, products, angles, torsions, pairs, terms, groups, group_atoms);
}

MoleculeTerms MoleculeTerms::from_arrays(const std::map<std::string, Array>& arrays,
                                         const std::vector<int>& model_numbers, int64_t n_species,
                                         const std::string& where) {
    const Arrays checked(arrays, where);
    MoleculeTerms terms;
    Arrangement arrangement(terms);
    add_atomic_numbers(terms, checked, model_numbers);
    add_species(terms, checked, model_numbers, n_species);
    add_bonds(terms, checked, arrangement);
    add_angles(terms, checked, arrangement);
    add_torsions(terms, checked, arrangement);
    add_pairs(terms, checked);
    add_terms(terms, checked);
    return terms;
}

}  // namespace mdaug::core
