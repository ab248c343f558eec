/* SPDX-License-Identifier: GPL-2.0-only
 *
 * State of pair_style mdaug: the core with its settings, the molecules of a baseline, buffers of one evaluation.
 */

#ifndef LMP_PAIR_MDAUG_MODEL_H
#define LMP_PAIR_MDAUG_MODEL_H

#include "pair_mdaug.h"

#include "core/mdaug_core.h"

#include <array>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

namespace LAMMPS_NS {

// A kind of molecule in the baseline of a model.
struct PairMDAug::Template {
  struct Bond {
    std::array<int, 2> ends;
    double length;    // mean, Å
  };
  std::vector<int> elements;    // of each atom: the species of its element
  std::vector<int> species;     // of each atom: that of its atom type, if it has one
  std::vector<Bond> bonds;
  std::vector<std::vector<int>> tree;    // neighbors of each atom in a tree of bonds

  int size() const { return static_cast<int>(elements.size()); }
  void set_tree();
  std::string text(const mdaug_core *) const;
};

struct PairMDAug::Model {
  mdaug_core *core = nullptr;
  int threads = 1;
  std::string precision;    // "": that of the manifest
  bool reference = true;    // energies include reference energies
  bool strict = false;      // refuse structures that differ from the training frames
  std::vector<std::string> committee_paths;    // of the option; if empty, the networks in the file of `core` are used
  std::vector<mdaug_core *> committee;         // other models, whose forces are compared with those of `core`
  bool committee_requested = false;            // by a fix pair
  std::string path;
  std::string weights;                 // hash of the weights, from the manifest
  std::vector<std::string> symbols;    // by atom type − 1; "NULL" for types that the model ignores
  std::vector<int> species;            // by atom type; −1 for those
  double energy_unit = 1.0;            // eV in LAMMPS' unit of energy

  bool compared = false;                  // with the training frames, since the model was loaded
  std::array<bigint, 4> checked_run{};    // steps, fixes and computes of the run whose commands have been checked
  std::string insertion_style;            // of a fix that must not insert or delete atoms of the model; "": no such fix
  bigint n_model_atoms = -1;              // on all ranks, at the first evaluation of the run; -1: not counted yet

  // molecules of a model with a baseline, all of the system; the sorted IDs of its atoms are cut into molecules
  std::vector<Template> templates;
  std::string molecules_hash;            // of IDs and elements whose bonds were intact at a beginning
  std::vector<tagint> molecule_ids;      // of all atoms of the model
  std::vector<int> molecule_of;          // of each of these atoms
  std::vector<int> molecule_first;       // first atom of each molecule
  std::vector<int> molecule_template;    // of each molecule

  // one molecule of this rank
  struct Placed {
    int atom, parent, present;
  };
  std::vector<Placed> queue;
  std::vector<int64_t> rows;
  std::vector<double> positions;
  std::vector<char> covered;    // of each owned row: whether its molecule has been added

  // rows of the core: owned atoms of the model, then ghosts
  std::vector<int> row;      // of each owned and ghost atom of LAMMPS, −1 if the model ignores it
  std::vector<int> atoms;    // the LAMMPS index of each row
  int n_owned = 0;
  std::vector<int32_t> row_elements, row_species, idx_j;    // as in Template
  std::vector<int64_t> first;
  std::vector<double> r_ij;

  std::vector<double> energies, forces, atomic_strains;
  int wants_extrapolation = 0;          // set by fix pair in the steps in which it reads the values
  std::vector<double> extrapolation;    // of each owned atom of LAMMPS; 0 for those that the model ignores
  int wants_deviation = 0;              // as for the extrapolation
  std::vector<double> deviation;        // of the forces of the committee, for each owned atom of LAMMPS
  std::array<double, 3> virial_deviation{};    // largest, least and mean of the committee, for compute pair
  std::array<double, 6> strain{};
  mdaug_rows exchanged{};    // rows that forward communication exchanges now

  ~Model()
  {
    mdaug_free(core);
    for (auto *other : committee) mdaug_free(other);
  }
  // rows are sent as doubles
  static int doubles_for(size_t n_bytes) { return static_cast<int>((n_bytes + sizeof(double) - 1) / sizeof(double)); }
  size_t row_bytes() const { return exchanged.width * exchanged.element_size; }
  char *row_data(int k) const { return static_cast<char *>(exchanged.data) + k * row_bytes(); }
  size_t memory() const
  {
    const size_t integers =
        row.capacity() + atoms.capacity() + row_elements.capacity() + row_species.capacity() + idx_j.capacity();
    const size_t numbers = r_ij.capacity() + extrapolation.capacity() + deviation.capacity() + energies.capacity() +
        forces.capacity() + atomic_strains.capacity() + first.capacity();
    const size_t molecules = molecule_of.capacity() + molecule_first.capacity() + molecule_template.capacity();
    return (integers + molecules) * sizeof(int) + molecule_ids.capacity() * sizeof(tagint) +
        numbers * sizeof(double) + (core ? mdaug_memory(core) : 0) +
        std::accumulate(committee.begin(), committee.end(), size_t{0},
                        [](size_t sum, const mdaug_core *other) { return sum + mdaug_memory(other); });
  }
};

}    // namespace LAMMPS_NS

#endif
