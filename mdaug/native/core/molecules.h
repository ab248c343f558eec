// SPDX-License-Identifier: MIT
// The baseline of a system: which atoms form which molecules, and the sum over molecules.

#pragma once

#include <cstdint>
#include <vector>

#include "any_evaluation.h"
#include "baseline.h"
#include "model_file.h"
#include "molecule_terms.h"

namespace mdaug::core {

class Molecules {
  public:
    Molecules(const ModelFile& file, int threads);

    bool without_baseline() const { return templates_.empty(); }
    const std::vector<MoleculeTerms>& templates() const { return templates_; }
    // The element of each species. Elements have the species 0, 1, …; the atom types of all templates follow them.
    const std::vector<int>& elements() const { return elements_; }
    size_t bytes() const;

    // ---- Whole systems and replicas (arguments as in mdaug_set_molecules)

    void set(int64_t n_molecules, const int64_t* templates, const int64_t* atoms, const double* offsets,
             int64_t n_atoms);
    // Sets the species of the atoms of each system to those of their places in the molecules. Throws unless each atom is
    // in a molecule, at the place of an atom of its element.
    void set_species(int64_t n_systems, int64_t n_atoms, const int64_t* species, AnyEvaluation& evaluation) const;
    // Adds to energies (n_atoms), forces (n_atoms, 3) and strain (6, or nullptr) of each of n_systems systems.
    void add(int64_t n_systems, const double* positions, double* energies, double* forces, double* strain);

    // ---- One rank's share (arguments as in mdaug_add_molecule)

    void begin(int64_t n_local, const int32_t* species);  // species (n_local) are copied
    void add_molecule(int64_t number, const int64_t* rows, const double* positions);
    void finish(double* energies, double* forces, double* strain, double* atomic_strains);

  private:
    struct Molecule {
        int64_t template_number;
        int64_t first;  // its first atom in atoms_, offsets_ or staged_rows_, staged_positions_
    };

    // Scratch of a thread.
    struct Worker {
        MoleculeEvaluation evaluation;
        std::vector<double> positions;
        std::vector<char> absent;
        std::array<double, 6> strain;
    };

    void set_elements(const std::vector<int>& model_numbers, int64_t n_species);
    const MoleculeTerms& template_at(int64_t number) const;
    void check_element(int64_t atom, int64_t species, const MoleculeTerms& terms, int place) const;
    void check_absent(int64_t number, const int64_t* rows) const;
    template <typename Body>
    void each(int64_t n, const Body& body);
    void add_staged(Worker& worker, const Molecule& molecule, double* energies, double* forces,
                    double* atomic_strains) const;

    std::vector<MoleculeTerms> templates_;
    std::vector<int> elements_, atomic_numbers_;  // by species
    std::vector<Worker> workers_;

    static constexpr int64_t NOT_SET = -1, LEFT_OUT = -2;
    int64_t n_atoms_ = NOT_SET;  // of the molecules that were set; LEFT_OUT: evaluate without baseline
    std::vector<Molecule> molecules_;
    std::vector<int64_t> atoms_;
    std::vector<double> offsets_;  // (3) for each of atoms_; empty: all zero

    int64_t n_local_ = 0, n_claimed_ = 0;
    std::vector<Molecule> staged_;
    std::vector<int64_t> staged_rows_;  // owned rows, GHOST or ABSENT
    std::vector<double> staged_positions_;
    std::vector<int32_t> species_;  // (n_local)
    std::vector<char> claimed_;     // of each atom or owned row: whether it is in a molecule
};

}  // namespace mdaug::core
