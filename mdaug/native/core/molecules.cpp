// SPDX-License-Identifier: MIT
// The baseline of a system.

#include "molecules.h"

#include <omp.h>

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <string>

namespace mdaug::core {

namespace {

constexpr int64_t MOLECULES_PER_THREAD = 4;  // fewer are not worth a thread

[[noreturn]] void refuse(const std::string& problem) { throw std::runtime_error(problem); }

template <typename List>
size_t bytes_of(const List& list) {
    return list.capacity() * sizeof(list[0]);
}

}  // namespace

Molecules::Molecules(const ModelFile& file, int threads) {
    std::vector<int> model_numbers;
    for (const double number : file.at("atomic_numbers").data) model_numbers.push_back(static_cast<int>(number));
    for (size_t t = 0; t < file.baseline.size(); ++t)
        templates_.push_back(MoleculeTerms::from_arrays(file.baseline[t], model_numbers, file.n_species(),
                                                        file.path + ": baseline." + std::to_string(t)));
    set_elements(model_numbers, file.n_species());
    if (templates_.empty()) return;
    workers_.assign(threads, Worker{MoleculeEvaluation(file.cutoff), {}, {}, {}});
    for (auto& worker : workers_)
        for (const auto& terms : templates_) {
            worker.evaluation.reserve(terms);
            worker.positions.resize(std::max<size_t>(worker.positions.size(), 3 * terms.n_atoms()));
            worker.absent.resize(std::max<size_t>(worker.absent.size(), terms.n_atoms()));
        }
}

void Molecules::set_elements(const std::vector<int>& model_numbers, int64_t n_species) {
    const auto n_elements = static_cast<int>(model_numbers.size());
    elements_.assign(n_species, 0);
    std::iota(elements_.begin(), elements_.begin() + n_elements, 0);
    for (const auto& terms : templates_)
        for (int k = 0; k < terms.n_atoms(); ++k) {
            if (terms.species[k] < n_elements) continue;
            const auto element = std::find(model_numbers.begin(), model_numbers.end(), terms.atomic_numbers[k]);
            elements_[terms.species[k]] = static_cast<int>(element - model_numbers.begin());
        }
    for (const int element : elements_) atomic_numbers_.push_back(model_numbers[element]);
}

size_t Molecules::bytes() const {
    size_t sum = bytes_of(atoms_) + bytes_of(offsets_) + bytes_of(molecules_) + bytes_of(staged_) +
                 bytes_of(staged_rows_) + bytes_of(staged_positions_) + bytes_of(claimed_) + bytes_of(species_) +
                 bytes_of(elements_) + bytes_of(atomic_numbers_) + bytes_of(workers_);
    for (const auto& terms : templates_) sum += sizeof(terms) + terms.bytes();
    for (const auto& worker : workers_)
        sum += worker.evaluation.bytes() + bytes_of(worker.positions) + bytes_of(worker.absent);
    return sum;
}

const MoleculeTerms& Molecules::template_at(int64_t number) const {
    if (number < 0 || number >= static_cast<int64_t>(templates_.size()))
        refuse("template " + std::to_string(number) + " of a molecule: the model has " +
               std::to_string(templates_.size()) + " templates");
    return templates_[number];
}

void Molecules::check_element(int64_t atom, int64_t species, const MoleculeTerms& terms, int place) const {
    if (atomic_numbers_[species] != terms.atomic_numbers[place])
        refuse("atom " + std::to_string(atom) + " has atomic number " + std::to_string(atomic_numbers_[species]) +
               ", but its place in the molecule, atom " + std::to_string(place) + " of the template, has " +
               std::to_string(terms.atomic_numbers[place]) + "; give each molecule's atoms in the template's order");
}

// Runs body(worker, n) for 0 <= n < n_molecules, in several threads if that is worth it. The same thread always gets
// the same molecules.
template <typename Body>
void Molecules::each(int64_t n, const Body& body) {
    const int threads = static_cast<int>(
        std::clamp<int64_t>(n / MOLECULES_PER_THREAD, 1, static_cast<int64_t>(workers_.size())));
    for (auto& worker : workers_) worker.strain.fill(0.0);
#pragma omp parallel for schedule(static) num_threads(threads) if (threads > 1)
    for (int64_t m = 0; m < n; ++m) body(workers_[omp_get_thread_num()], m);
}

// ---- Whole systems ---------------------------------------------------------------------------------------------

void Molecules::set(int64_t n_molecules, const int64_t* templates, const int64_t* atoms, const double* offsets,
                    int64_t n_atoms) {
    n_atoms_ = NOT_SET;
    molecules_.clear();
    if (n_molecules == 0 && n_atoms == 0) {
        n_atoms_ = LEFT_OUT;
        return;
    }
    int64_t n_members = 0;
    for (int64_t m = 0; m < n_molecules; ++m) {
        molecules_.push_back({templates[m], n_members});
        n_members += template_at(templates[m]).n_atoms();
    }
    if (n_members != n_atoms)
        refuse("the molecules have " + std::to_string(n_members) + " atoms, but the system has " +
               std::to_string(n_atoms) + "; with a baseline every atom must be in one molecule");
    atoms_.assign(atoms, atoms + n_atoms);
    claimed_.assign(n_atoms, 0);
    for (const int64_t atom : atoms_) {
        if (atom < 0 || atom >= n_atoms)
            refuse("atom " + std::to_string(atom) + " of a molecule: expected 0 to n_atoms - 1");
        if (claimed_[atom]++) refuse("atom " + std::to_string(atom) + " is in two molecules, or twice in one");
    }
    offsets_.clear();
    if (offsets)
        for (const int64_t atom : atoms_) offsets_.insert(offsets_.end(), offsets + 3 * atom, offsets + 3 * atom + 3);
    n_atoms_ = n_atoms;
}

void Molecules::set_species(int64_t n_systems, int64_t n_atoms, const int64_t* species, AnyEvaluation& evaluation) const {
    if (without_baseline() || n_atoms_ == LEFT_OUT) return;
    if (n_atoms_ == NOT_SET)
        refuse("the model has a baseline, which needs to know which atoms form its molecules; set the molecules first");
    if (n_atoms != n_atoms_)
        refuse("the molecules that were set have " + std::to_string(n_atoms_) + " atoms, but this system has " +
               std::to_string(n_atoms) + "; set the molecules of this system first");
    for (const auto& [number, first] : molecules_)
        for (int k = 0; k < templates_[number].n_atoms(); ++k) {
            const int64_t atom = atoms_[first + k];
            check_element(atom, species[atom], templates_[number], k);
            for (int64_t s = 0; s < n_systems; ++s)
                evaluation.set_species(s * n_atoms + atom, templates_[number].species[k]);
        }
}

void Molecules::add(int64_t n_systems, const double* positions, double* energies, double* forces, double* strain) {
    if (without_baseline() || n_atoms_ == LEFT_OUT) return;
    const auto n_molecules = static_cast<int64_t>(molecules_.size());
    each(n_systems * n_molecules, [&](Worker& worker, int64_t n) {
        const auto& [number, first] = molecules_[n % n_molecules];
        const auto& terms = templates_[number];
        const int64_t system = n / n_molecules * n_atoms_;
        for (int k = 0; k < terms.n_atoms(); ++k)
            for (int x = 0; x < 3; ++x)
                worker.positions[3 * k + x] = positions[3 * (system + atoms_[first + k]) + x] +
                                              (offsets_.empty() ? 0.0 : offsets_[3 * (first + k) + x]);
        worker.evaluation.evaluate(terms, worker.positions.data());
        for (int k = 0; k < terms.n_atoms(); ++k) {
            const int64_t atom = system + atoms_[first + k];
            energies[atom] += worker.evaluation.energies()[k];
            for (int x = 0; x < 3; ++x) forces[3 * atom + x] -= worker.evaluation.gradient()[3 * k + x];
        }
        for (int k = 0; k < 6; ++k) worker.strain[k] += worker.evaluation.strain()[k];
    });
    if (strain)
        for (const auto& worker : workers_)
            for (int k = 0; k < 6; ++k) strain[k] += worker.strain[k];
}

// ---- One rank's share ------------------------------------------------------------------------------------------

namespace {

constexpr int64_t GHOST = -1, ABSENT = -2;

}  // namespace

void Molecules::begin(int64_t n_local, const int32_t* species) {
    if (without_baseline()) return;
    n_local_ = n_local;
    n_claimed_ = 0;
    staged_.clear();
    staged_rows_.clear();
    staged_positions_.clear();
    species_.assign(species, species + n_local);
    claimed_.assign(n_local, 0);
}

void Molecules::add_molecule(int64_t number, const int64_t* rows, const double* positions) {
    const auto& terms = template_at(number);
    const int n_atoms = terms.n_atoms();
    const auto is_absent = [](int64_t row) { return row < 0; };
    if (std::any_of(rows, rows + n_atoms, is_absent)) check_absent(number, rows);
    staged_.push_back({number, static_cast<int64_t>(staged_rows_.size())});
    for (int k = 0; k < n_atoms; ++k) {
        const int64_t row = rows[k];
        staged_rows_.push_back(is_absent(row) ? ABSENT : row < n_local_ ? row : GHOST);
        if (is_absent(row) || row >= n_local_) continue;
        check_element(row, species_[row], terms, k);
        if (species_[row] != terms.species[k])
            refuse("row " + std::to_string(row) + " has species " + std::to_string(species_[row]) +
                   ", but its place in the molecule has " + std::to_string(terms.species[k]));
        if (claimed_[row]) refuse("row " + std::to_string(row) + " is in two molecules, or twice in one");
        claimed_[row] = 1;
        ++n_claimed_;
    }
    staged_positions_.insert(staged_positions_.end(), positions, positions + 3 * n_atoms);
}

// Terms of owned atoms that need an absent atom must be off: one of their gates is that of a bond to an absent atom.
void Molecules::check_absent(int64_t number, const int64_t* rows) const {
    const auto& terms = templates_[number];
    const auto is_owned = [&](int atom) { return rows[atom] >= 0 && rows[atom] < n_local_; };
    const auto is_absent = [&](int atom) { return rows[atom] < 0; };
    const auto is_broken = [&](int bond) {
        return bond < terms.n_bonds() && (is_absent(terms.edges[bond].from) || is_absent(terms.edges[bond].to));
    };
    for (const auto& group : terms.groups) {
        const auto atoms = terms.atoms_of(group);
        if (std::any_of(atoms.begin(), atoms.end(), is_absent) && std::any_of(atoms.begin(), atoms.end(), is_owned) &&
            std::none_of(std::begin(group.gates), std::end(group.gates), is_broken))
            refuse("a term of template " + std::to_string(number) +
                   " needs an absent atom, and no broken bond switches it off");
    }
}

void Molecules::add_staged(Worker& worker, const Molecule& molecule, double* energies, double* forces,
                           double* atomic_strains) const {
    const auto& terms = templates_[molecule.template_number];
    const int64_t* rows = staged_rows_.data() + molecule.first;
    const int n_atoms = terms.n_atoms();
    auto& evaluation = worker.evaluation;
    for (int k = 0; k < n_atoms; ++k) worker.absent[k] = rows[k] == ABSENT;
    const bool whole = std::all_of(rows, rows + n_atoms, [](int64_t row) { return row >= 0; });
    evaluation.evaluate(terms, staged_positions_.data() + 3 * molecule.first, worker.absent.data());
    for (int k = 0; k < n_atoms; ++k) {
        if (rows[k] < 0) continue;
        energies[rows[k]] += evaluation.energies()[k];
        for (int x = 0; x < 3; ++x) forces[3 * rows[k] + x] -= evaluation.gradient()[3 * k + x];
    }
    if (whole)
        for (int x = 0; x < 6; ++x) worker.strain[x] += evaluation.strain()[x];
    if (whole && !atomic_strains) return;
    const double* strains = evaluation.atomic_strains(terms);
    for (int k = 0; k < n_atoms; ++k)
        for (int x = 0; x < 6 && rows[k] >= 0; ++x) {
            if (!whole) worker.strain[x] += strains[6 * k + x];
            if (atomic_strains) atomic_strains[6 * rows[k] + x] += strains[6 * k + x];
        }
}

void Molecules::finish(double* energies, double* forces, double* strain, double* atomic_strains) {
    if (without_baseline()) return;
    if (n_claimed_ != n_local_)
        refuse(std::to_string(n_local_ - n_claimed_) + " of " + std::to_string(n_local_) +
               " owned rows are in no molecule; with a baseline every atom must be in one molecule");
    each(static_cast<int64_t>(staged_.size()), [&](Worker& worker, int64_t n) {
        add_staged(worker, staged_[n], energies, forces, atomic_strains);
    });
    if (strain)
        for (const auto& worker : workers_)
            for (int k = 0; k < 6; ++k) strain[k] += worker.strain[k];
}

}  // namespace mdaug::core
