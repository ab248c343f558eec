/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Kinds of molecules: those of a structure, those of the training frames, and how they differ, as in
 * mdaug/calculators/applicability.py.
 */

#ifndef LMP_PAIR_MDAUG_KINDS_H
#define LMP_PAIR_MDAUG_KINDS_H

#include "core/mdaug_core.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace mdaug::plugin {    // not LAMMPS', whose symbols a plugin shares

// The bond graph of all atoms of the model, on the first rank.
struct BondGraph {
  std::vector<int> species;     // of each atom
  std::vector<int64_t> ends;    // i, j of each bond in turn
};

// Symbols and atomic numbers of the elements of the model.
struct Elements {
  std::vector<std::string> symbols;
  std::vector<int> numbers;

  explicit Elements(const mdaug_core *core)
  {
    for (int k = 0; k < mdaug_n_elements(core); ++k) {
      symbols.emplace_back(mdaug_symbol(core, k));
      numbers.push_back(mdaug_atomic_number(core, k));
    }
  }
  int size() const { return static_cast<int>(symbols.size()); }
  std::string pair_name(int a, int b) const
  {
    if (numbers[a] > numbers[b]) std::swap(a, b);
    return symbols[a] + "-" + symbols[b];
  }
};

struct MoleculeKind {
  std::string formula, graph, bonds;    // `graph` is empty for a network, such as a crystal
};

// Words as in "a, b and c".
std::string join(const std::vector<std::string> &words);

// The kinds of molecules in the structure; the whole structure is one network if training had one.
std::vector<MoleculeKind> molecules_of(const BondGraph &graph, const Elements &elements,
                                       const std::vector<MoleculeKind> &trained);

// Those of the training frames, from their record in the manifest.
std::vector<MoleculeKind> trained_molecules(const std::string &training, const Elements &elements);

// How the molecules differ from the trained ones; "" if they do not.
std::string difference(const std::vector<MoleculeKind> &molecules, const std::vector<MoleculeKind> &trained);

}    // namespace mdaug::plugin

#endif
