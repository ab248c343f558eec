/* SPDX-License-Identifier: GPL-2.0-only
 *
 * pair_style mdaug: refuses other commands of an input that would silently make its results wrong.
 */

#include "pair_mdaug_model.h"

#include "atom.h"
#include "comm.h"
#include "compute.h"
#include "error.h"
#include "fix.h"
#include "force.h"
#include "modify.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"
#include "utils.h"

#include <algorithm>
#include <cstring>

using namespace LAMMPS_NS;

namespace {

// The group of comm_modify group (0: all) is a protected member of Comm.
struct Borders : Comm {
  static int group(const Comm *comm) { return comm->*(&Borders::bordergroup); }
};

}    // namespace

// ---- before a run ---------------------------------------------------------------------------------------------

std::array<bigint, 4> PairMDAug::this_run()
{
  return {update->firststep, update->laststep, modify->nfix, modify->ncompute};
}

void PairMDAug::check_commands()
{
  if (Borders::group(comm))
    error->all(FLERR, "pair_style mdaug: comm_modify group leaves out ghosts that the model needs; remove it");
  check_fixes();
  model->checked_run = this_run();
  for (int k = 0; k < modify->ncompute; ++k)
    if (strcmp(modify->compute[k]->style, "heat/flux") == 0)
      error->all(FLERR, "pair_style mdaug: compute heat/flux is wrong for many-body forces; take conductivities from a "
                        "gradient of temperature (fix ehex, fix thermal/conductivity)");
}

// These fixes compare the energy of the system with and without an atom. They leave a deleted atom in the system
// without neighbors, so its energy must be zero then: true of `reference no`, but not of whole molecules. A baseline
// has no energy of molecules with too few atoms.
void PairMDAug::check_fixes()
{
  Model &m = *model;
  m.insertion_style.clear();
  m.n_model_atoms = -1;
  for (int k = 0; k < modify->nfix; ++k) {
    const std::string style = modify->fix[k]->style;
    const bool deletes = utils::strmatch(style, "^gcmc") || utils::strmatch(style, "^charge/regulation");
    if (!deletes && !utils::strmatch(style, "^widom")) continue;
    if (m.templates.empty() && !m.reference && !(deletes && atom->nmolecule > 0)) continue;
    m.insertion_style = style;
    const bool only_model_types = std::find(m.species.begin() + 1, m.species.end(), -1) == m.species.end();
    if (only_model_types) refuse_insertions();
  }
}

void PairMDAug::refuse_insertions()
{
  if (!model->templates.empty())
    error->all(FLERR,
               "pair_style mdaug: fix {} cannot insert or delete atoms of a model with a baseline, which describes "
               "whole molecules; it may insert and delete atoms of type NULL",
               model->insertion_style);
  if (!model->reference)
    error->all(FLERR,
               "pair_style mdaug: fix {} counts a deleted molecule with the energy of a lone molecule, so its moves do "
               "not balance; it may insert and delete single atoms of the model, or molecules of type NULL",
               model->insertion_style);
  error->all(FLERR,
             "pair_style mdaug: fix {} counts the energies of lone atoms in the moves by which it inserts or deletes "
             "atoms of the model, so they do not balance; use 'pair_style mdaug reference no'",
             model->insertion_style);
}

// If the elements are in another order than the types, a lighter element has the larger mass. Isotopes and
// repartitioned masses differ by less; argon and potassium, tellurium and iodine are within the 5 %.
void PairMDAug::check_masses()
{
  if (atom->mass == nullptr || comm->me != 0) return;
  const auto number = [&](int type) { return mdaug_atomic_number(model->core, model->species[type]); };
  for (int i = 1; i <= atom->ntypes; ++i)
    for (int j = 1; j <= atom->ntypes; ++j)
      if (number(i) > 0 && number(i) < number(j) && atom->mass[i] > 1.05 * atom->mass[j])
        error->warning(FLERR,
                       "pair_style mdaug: atom type {} is {} by pair_coeff, but heavier (mass {}) than type {}, {} "
                       "(mass {}); are the elements in the order of the types?",
                       i, model->symbols[i - 1], atom->mass[i], j, model->symbols[j - 1], atom->mass[j]);
}

// ---- in a run -------------------------------------------------------------------------------------------------

// LAMMPS ensures this when it prepares a run; 'pre no' skips that.
void PairMDAug::check_prepared()
{
  if (model->checked_run != this_run()) check_commands();
  const double ghost_cutoff = MAX(comm->cutghostuser, neighbor->cutneighmax);
  const double cutoff = model->core ? mdaug_cutoff(model->core) : 0.0;
  if (ghost_cutoff < cutoff)
    error->all(FLERR, "pair_style mdaug: ghost cutoff {} is below the model's cutoff {}; run without 'pre no'",
               ghost_cutoff, cutoff);
  if (comm_forward == 0)
    error->all(FLERR, "pair_style mdaug: its settings or its model have changed; run without 'pre no'");
}

// Fixes keep the types that they insert to themselves, so atoms of the model are counted. A fix that tries a deletion
// takes the atom out of the group `all`.
void PairMDAug::check_insertions()
{
  Model &m = *model;
  if (m.insertion_style.empty()) return;
  bigint n_owned = 0, n_atoms = 0;
  for (int n = 0; n < m.n_owned; ++n) n_owned += atom->mask[m.atoms[n]] & 1;
  MPI_Allreduce(&n_owned, &n_atoms, 1, MPI_LMP_BIGINT, MPI_SUM, world);
  if (m.n_model_atoms >= 0 && n_atoms != m.n_model_atoms) refuse_insertions();
  m.n_model_atoms = n_atoms;
}

// A neighbor list that has just been built must contain all pairs of the model's atoms.
void PairMDAug::check_list()
{
  if (neighbor->ago != 0) return;
  check_special_bonds();
  check_hybrid();
  check_exclusions();
  check_molecules();
}

void PairMDAug::check_special_bonds()
{
  if (atom->molecular == Atom::ATOMIC) return;
  const bool alone = force->pair == this;    // then the weights apply to the model, which cannot scale pairs
  int lost = 0;
  for (int k = 1; k <= 3; ++k) {
    if (neighbor->special_flag[k] != 0 && !(alone && force->special_lj[k] != 1.0)) continue;
    for (int n = 0; n < model->n_owned; ++n) {
      const int *n_special = atom->nspecial ? atom->nspecial[model->atoms[n]] : nullptr;    // 1-2; with 1-3; with 1-4
      lost |= n_special == nullptr || n_special[k - 1] > (k > 1 ? n_special[k - 2] : 0);
    }
  }
  if (on_any_rank(lost))
    error->all(FLERR,
               "pair_style mdaug: special_bonds scales or drops bonded pairs, but the model needs all of them; set "
               "special_bonds lj/coul 1 1 1, or under hybrid weights above 0 and 'pair_modify pair mdaug special "
               "lj/coul 1 1 1'");
}

void PairMDAug::check_hybrid()
{
  if (list->iskip == nullptr) return;
  for (int i = 1; i <= atom->ntypes; ++i)
    for (int j = i; j <= atom->ntypes; ++j)
      if (model->species[i] >= 0 && model->species[j] >= 0 && (list->iskip[i] || list->iskip[j] || list->ijskip[i][j]))
        error->all(FLERR,
                   "pair_style mdaug: a pair_coeff gives atom types {} and {} to another style, but the model needs "
                   "all pairs of its atoms; use hybrid/overlay, or NULL for one of them",
                   i, j);
}

// neigh_modify exclude may separate the atoms of the model into non-interacting sets, each a system of its own.
void PairMDAug::check_exclusions()
{
  if (!neighbor->exclude) return;
  bool lost = false;
  for (int k = 0; k < neighbor->nex_type; ++k)
    lost |= model->species[neighbor->ex1_type[k]] >= 0 && model->species[neighbor->ex2_type[k]] >= 0;
  for (int k = 0; k < neighbor->nex_group; ++k) {
    const auto [neither, one, other, both] = occupied(neighbor->ex1_bit[k], neighbor->ex2_bit[k]);
    lost |= (one || both) && (other || both) && (neither || both);
  }
  for (int k = 0; k < neighbor->nex_mol; ++k) {
    const auto inside = occupied(neighbor->ex_mol_bit[k], 0);
    lost |= inside[1] && (neighbor->ex_mol_intra[k] || inside[0]);
  }
  if (lost)
    error->all(FLERR,
               "pair_style mdaug: neigh_modify exclude drops pairs that the model needs; it may only separate all "
               "atoms of the model into two groups or into molecules (molecule/inter)");
}

// Whether there are atoms of the model, on any rank, in neither group, the one, the other, and both.
std::array<int, 4> PairMDAug::occupied(int one, int other)
{
  std::array<int, 4> here{}, all{};
  for (int n = 0; n < model->n_owned; ++n) {
    const int mask = atom->mask[model->atoms[n]];
    here[((mask & one) != 0) + 2 * ((mask & other) != 0)] = 1;
  }
  MPI_Allreduce(here.data(), all.data(), 4, MPI_INT, MPI_MAX, world);
  return all;
}

bool PairMDAug::on_any_rank(int here)
{
  int anywhere = 0;
  MPI_Allreduce(&here, &anywhere, 1, MPI_INT, MPI_MAX, world);
  return anywhere != 0;
}
