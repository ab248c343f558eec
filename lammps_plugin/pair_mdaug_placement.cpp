/* SPDX-License-Identifier: GPL-2.0-only
 *
 * pair_style mdaug: the molecules of a rank, in each step of a model with a baseline. Each rank evaluates the molecules
 * of its atoms; their other atoms are found by the atom map, and placed at the nearest image of the atom they are bonded
 * to.
 */

#include "pair_mdaug_image.h"
#include "pair_mdaug_model.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "neighbor.h"

#include <algorithm>
#include <cmath>

using namespace LAMMPS_NS;

namespace {

constexpr double BROKEN = 2.0;        // from this many mean lengths on a bond counts as broken
constexpr int BONDS_OF_A_TERM = 3;    // the atoms of a term are at most as many bonds apart

}    // namespace

void PairMDAug::add_molecules()
{
  Model &m = *model;
  if (m.templates.empty()) return;
  m.covered.assign(m.n_owned, 0);
  for (int row = 0; row < m.n_owned; ++row) {
    if (m.covered[row]) continue;
    const int place = place_of(atom->tag[m.atoms[row]]);
    if (place < 0)
      error->one(FLERR, "pair_style mdaug: atom ID {} was not an atom of the model when the run was prepared; a model "
                        "with a baseline needs the same molecules during a run",
                 atom->tag[m.atoms[row]]);
    const int molecule = m.molecule_of[place], t = m.molecule_template[molecule];
    place_molecule(m.templates[t], m.molecule_first[molecule], place - m.molecule_first[molecule], row);
    check(mdaug_add_molecule(m.core, t, m.rows.data(), m.positions.data()));
  }
}

// Index in the sorted IDs of the model's atoms, −1 for an ID that is not among them.
int PairMDAug::place_of(tagint id) const
{
  const auto &ids = model->molecule_ids;
  if (ids.empty() || id < ids.front() || id > ids.back()) return -1;
  const tagint guess = id - ids.front();
  if (guess < static_cast<tagint>(ids.size()) && ids[guess] == id) return static_cast<int>(guess);
  const auto found = std::lower_bound(ids.begin(), ids.end(), id);
  return *found == id ? static_cast<int>(found - ids.begin()) : -1;
}

// The species of a LAMMPS atom, owned or ghost, by its place in a molecule. Where it has no place, or another element has
// it, which `claim_row` refuses later, this is the species of its own element.
int PairMDAug::species_in_molecule(int i, int element) const
{
  const Model &m = *model;
  const int place = m.templates.empty() ? -1 : place_of(atom->tag[i]);
  if (place < 0) return element;
  const int molecule = m.molecule_of[place], k = place - m.molecule_first[molecule];
  const auto &one = m.templates[m.molecule_template[molecule]];
  return one.elements[k] == element ? one.species[k] : element;
}

// Fills m.rows and m.positions with the molecule around the image of its atom `anchor` that this rank owns.
void PairMDAug::place_molecule(const Template &one, int first, int anchor, int anchor_row)
{
  Model &m = *model;
  const int n = one.size();
  m.rows.assign(n, -1);
  m.positions.resize(3 * n);
  m.queue.clear();
  m.queue.push_back({anchor, anchor, anchor});
  bool all_present = true;
  for (size_t k = 0; k < m.queue.size(); ++k) {
    const auto [atom_k, parent, present] = m.queue[k];
    int nearest = present;    // the last atom on the way that is not absent
    const int j = k == 0 ? m.atoms[anchor_row] : atom->map(m.molecule_ids[first + atom_k]);
    if (j >= 0) {
      m.rows[atom_k] = place_atom(j, k == 0 ? nullptr : &m.positions[3 * present], &m.positions[3 * atom_k]);
      if (m.rows[atom_k] < m.n_owned) claim_row(one, first, atom_k);
      nearest = atom_k;
    } else {
      all_present = false;
    }
    for (const int next : one.tree[atom_k])
      if (next != parent) m.queue.push_back({next, atom_k, nearest});
  }
  if (!all_present) check_absent(one, first);
}

// Puts LAMMPS' atom j at its image nearest to a point. Returns its row if this is an atom that the rank owns, otherwise
// the number of a ghost.
int PairMDAug::place_atom(int j, const double *point, double *position) const
{
  const double *x = atom->x[j];
  bool is_image = false;
  std::copy(x, x + 3, position);
  if (point != nullptr) {
    double r[3] = {x[0] - point[0], x[1] - point[1], x[2] - point[2]};
    const auto shift = nearest_image(*domain, r);
    is_image = shift[0] != 0 || shift[1] != 0 || shift[2] != 0;
    if (is_image)
      for (int a = 0; a < 3; ++a) position[a] = point[a] + r[a];
  }
  return is_image || j >= atom->nlocal || model->row[j] < 0 ? model->n_owned : model->row[j];
}

void PairMDAug::claim_row(const Template &one, int first, int k)
{
  Model &m = *model;
  const int64_t row = m.rows[k];
  if (m.row_elements[row] != one.elements[k])
    error->one(FLERR, "pair_style mdaug: atom ID {} has another element than when the run was prepared ({} instead of "
                      "{}); a model with a baseline needs the same molecules during a run",
               m.molecule_ids[first + k], mdaug_symbol(m.core, m.row_elements[row]),
               mdaug_symbol(m.core, one.elements[k]));
  m.covered[row] = 1;
}

// An absent atom is beyond the ghosts. Where a bond from a present atom to it switches off a term of an owned atom, the
// bond must be broken for certain.
void PairMDAug::check_absent(const Template &one, int first) const
{
  const Model &m = *model;
  std::vector<int> from_owned(one.size(), BONDS_OF_A_TERM + 1);    // bonds between each atom and the next owned one
  for (int k = 0; k < one.size(); ++k)
    if (m.rows[k] >= 0 && m.rows[k] < m.n_owned) from_owned[k] = 0;
  for (int round = 0; round < BONDS_OF_A_TERM; ++round)
    for (const auto &bond : one.bonds)
      for (const auto &[a, b] : {std::pair(bond.ends[0], bond.ends[1]), std::pair(bond.ends[1], bond.ends[0])})
        from_owned[b] = std::min(from_owned[b], from_owned[a] + 1);
  for (const auto &bond : one.bonds)
    for (const auto &[near, far] : {std::pair(bond.ends[0], bond.ends[1]), std::pair(bond.ends[1], bond.ends[0])}) {
      if (m.rows[near] < 0 || m.rows[far] >= 0 || from_owned[near] >= BONDS_OF_A_TERM) continue;
      const double at_least = distance_to_absent(&m.positions[3 * near]);
      if (at_least < BROKEN * bond.length)
        error->one(FLERR, "pair_style mdaug: atom ID {}, bonded to atom ID {} of this rank or near it, is not among "
                          "the ghosts; set 'comm_modify cutoff {:.1f}'",
                   m.molecule_ids[first + far], m.molecule_ids[first + near],
                   std::ceil(ghost_cutoff() + BROKEN * bond.length - at_least + 1.0));
    }
}

double PairMDAug::ghost_cutoff() const
{
  const double own = mdaug_cutoff(model->core) + neighbor->skin;
  return comm->mode == 0 ? MAX(own, MAX(comm->cutghostuser, neighbor->cutneighmax)) : own;
}

// The least distance between a position and an atom that was no ghost when the neighbor lists were built. It was beyond
// the rank's box, enlarged by the ghost cutoff, in one of the three directions; it may have moved by half the skin.
double PairMDAug::distance_to_absent(const double *position) const
{
  const Domain &box = *domain;
  double outside = 0;    // of the rank's box, at most, in one direction
  std::array<double, 3> x{position[0], position[1], position[2]}, height{1, 1, 1};
  const double *low = box.sublo, *high = box.subhi;
  if (box.triclinic) {
    domain->x2lamda(x.data(), x.data());
    low = box.sublo_lamda, high = box.subhi_lamda;
    height = {1 / std::hypot(box.h_inv[0], box.h_inv[5], box.h_inv[4]), 1 / std::hypot(box.h_inv[1], box.h_inv[3]),
              1 / box.h_inv[2]};
  }
  for (int k = 0; k < 3; ++k) outside = MAX(outside, height[k] * MAX(low[k] - x[k], x[k] - high[k]));
  return ghost_cutoff() - outside - 0.5 * neighbor->skin;
}
