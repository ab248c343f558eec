/* SPDX-License-Identifier: GPL-2.0-only
 *
 * pair_style mdaug: which atoms form the molecules of a model with a baseline. The atoms of each molecule have
 * consecutive IDs in the order of one of the model's templates. This is found out before a run, by the first rank.
 */

#include "pair_mdaug_image.h"
#include "pair_mdaug_model.h"

#include "atom.h"
#include "comm.h"
#include "domain.h"
#include "error.h"
#include "group.h"
#include "neighbor.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace LAMMPS_NS;

namespace {

constexpr double LONGEST = 1.5;    // of a bond at the beginning, mean lengths
constexpr size_t SHOWN = 40;

const char *const REMEDY =
    "the atoms of each molecule need consecutive IDs in the order of the model's training frames, and unbroken bonds "
    "at the beginning; 'mdaug lammps data' writes such files";

// An atom of the model, anywhere.
struct ModelAtom {
  tagint id;
  int element;
  std::array<double, 3> x;
};

double distance(const Domain &domain, const ModelAtom &a, const ModelAtom &b)
{
  double r[3] = {b.x[0] - a.x[0], b.x[1] - a.x[1], b.x[2] - a.x[2]};
  nearest_image(domain, r);
  return std::hypot(r[0], r[1], r[2]);
}

// Of the atoms' IDs and elements (FNV-1a).
std::string hash_of(const std::vector<ModelAtom> &atoms)
{
  uint64_t hash = 0xcbf29ce484222325u;
  const auto add = [&](uint64_t value) {
    for (int byte = 0; byte < 8; ++byte, value >>= 8) hash = (hash ^ (value & 255)) * 0x100000001b3u;
  };
  for (const auto &atom : atoms) add(atom.id), add(atom.element);
  return fmt::format("{:016x}", hash);
}

}    // namespace

// ---- templates, when a model is loaded ----------------------------------------------------------------------------

void PairMDAug::set_templates()
{
  Model &m = *model;
  m.templates.clear();
  for (int t = 0; t < mdaug_n_templates(m.core); ++t) {
    Template one;
    for (int64_t k = 0; k < mdaug_template_size(m.core, t); ++k) {
      int element = 0;
      while (mdaug_atomic_number(m.core, element) != mdaug_template_atomic_number(m.core, t, k)) ++element;
      one.elements.push_back(element);
      one.species.push_back(mdaug_template_species(m.core, t, k));
    }
    for (int64_t b = 0; b < mdaug_template_n_bonds(m.core, t); ++b) {
      std::array<int64_t, 2> ends{};
      Template::Bond bond{};
      mdaug_template_bond(m.core, t, b, ends.data(), &bond.length);
      bond.ends = {static_cast<int>(ends[0]), static_cast<int>(ends[1])};
      one.bonds.push_back(bond);
    }
    one.set_tree();
    m.templates.push_back(one);
  }
}

// A tree of bonds that connects all atoms, breadth first from the first one, as mdaug/geometry/matching.py has it. With
// it every rank places the atoms at the same images. Parts without a bond to others are joined by their first atoms.
void PairMDAug::Template::set_tree()
{
  const int n = size();
  std::vector<std::vector<int>> bonded(n);
  for (const auto &bond : bonds) {
    bonded[bond.ends[0]].push_back(bond.ends[1]);
    bonded[bond.ends[1]].push_back(bond.ends[0]);
  }
  tree.assign(n, {});
  std::vector<char> reached(n, 0);
  const auto connect = [&](int parent, int atom) {
    tree[parent].push_back(atom);
    tree[atom].push_back(parent);
  };
  for (int root = 0; root < n; ++root) {
    if (reached[root]) continue;
    if (root > 0) connect(0, root);
    reached[root] = 1;
    std::vector<int> queue{root};
    for (size_t k = 0; k < queue.size(); ++k)
      for (const int atom : bonded[queue[k]]) {
        if (reached[atom]) continue;
        reached[atom] = 1;
        connect(queue[k], atom);
        queue.push_back(atom);
      }
  }
}

std::string PairMDAug::Template::text(const mdaug_core *core) const
{
  std::string text;
  for (size_t k = 0; k < std::min(elements.size(), SHOWN); ++k)
    text += (k ? " " : "") + std::string(mdaug_symbol(core, elements[k]));
  return text + (elements.size() > SHOWN ? " …" : "");
}

// ---- which IDs form molecules, before a run --------------------------------------------------------------------

namespace {

// All atoms of the model by ID, on the first rank.
template <class Template> struct Assignment {
  const mdaug_core *core;
  const Domain &domain;
  const std::vector<Template> &templates;
  const std::vector<ModelAtom> &atoms;
  bool any_length;    // accept broken bonds

  // The number of atoms from `first` on that are the first ones of a template.
  size_t n_in_order(size_t first, const Template &one) const
  {
    size_t k = 0;
    while (k < one.elements.size() && first + k < atoms.size() && atoms[first + k].element == one.elements[k]) ++k;
    return k;
  }

  // The bond that is longest compared to its mean, and the ratio.
  std::pair<int, double> longest_bond(size_t first, const Template &one) const
  {
    std::pair<int, double> longest{-1, 0.0};
    for (size_t b = 0; b < one.bonds.size(); ++b) {
      const auto &[ends, length] = one.bonds[b];
      const double ratio = distance(domain, atoms[first + ends[0]], atoms[first + ends[1]]) / length;
      if (ratio > longest.second) longest = {static_cast<int>(b), ratio};
    }
    return longest;
  }

  // The largest template whose atoms and bonds are those from `first` on; of several the one with the shortest bonds.
  int best_template(size_t first) const
  {
    int best = -1;
    std::array<double, 3> best_score{};    // whether bonds are intact, size, −(longest bond)
    for (size_t t = 0; t < templates.size(); ++t) {
      if (n_in_order(first, templates[t]) < templates[t].elements.size()) continue;
      const double longest = longest_bond(first, templates[t]).second;
      const auto size = static_cast<double>(templates[t].elements.size());
      const std::array<double, 3> score{longest < LONGEST ? 1.0 : 0.0, size, -longest};
      if (best < 0 || score > best_score) best = static_cast<int>(t), best_score = score;
    }
    return best;
  }

  std::string wrong_element(size_t first) const
  {
    size_t k = 0, t = 0;
    for (size_t n = 0; n < templates.size(); ++n)
      if (n_in_order(first, templates[n]) > k) k = n_in_order(first, templates[n]), t = n;
    const std::string molecule = templates[t].text(core);
    if (first + k >= atoms.size())
      return fmt::format("the molecule that begins at atom ID {} ends too early; in the model it is {}",
                         atoms[first].id, molecule);
    return fmt::format("atom ID {} is {}, where a molecule of the model ({}) has {}", atoms[first + k].id,
                       mdaug_symbol(core, atoms[first + k].element), molecule,
                       mdaug_symbol(core, templates[t].elements[k]));
  }

  std::string wrong_bond(size_t first, const Template &one) const
  {
    const auto &[ends, length] = one.bonds[longest_bond(first, one).first];
    const auto &a = atoms[first + std::min(ends[0], ends[1])], &b = atoms[first + std::max(ends[0], ends[1])];
    return fmt::format("atom IDs {} and {} are {:.2f} Å apart, but in a molecule of the model ({}) that begins at atom "
                       "ID {} they are bonded ({:.2f} Å)",
                       a.id, b.id, distance(domain, a, b), one.text(core), atoms[first].id, length);
  }

  // Returns the template of each molecule, or sets `problem`.
  std::vector<int> run(std::string &problem) const
  {
    std::vector<int> result;
    for (size_t first = 0; first < atoms.size();) {
      const int t = best_template(first);
      if (t < 0)
        problem = wrong_element(first);
      else if (!any_length && longest_bond(first, templates[t]).second >= LONGEST)
        problem = wrong_bond(first, templates[t]);
      if (!problem.empty()) return {};
      result.push_back(t);
      first += templates[t].elements.size();
    }
    return result;
  }
};

// Gathers lists of all ranks on the first one.
template <class T> std::vector<T> gather(MPI_Comm world, const std::vector<T> &mine)
{
  int rank, n_ranks;
  MPI_Comm_rank(world, &rank);
  MPI_Comm_size(world, &n_ranks);
  MPI_Datatype item;
  MPI_Type_contiguous(sizeof(T), MPI_BYTE, &item);
  MPI_Type_commit(&item);
  std::vector<int> sizes(n_ranks), first(n_ranks, 0);
  const int size = static_cast<int>(mine.size());
  MPI_Gather(&size, 1, MPI_INT, sizes.data(), 1, MPI_INT, 0, world);
  std::partial_sum(sizes.begin(), sizes.end() - 1, first.begin() + 1);
  std::vector<T> all(rank == 0 ? first.back() + sizes.back() : 0);
  MPI_Gatherv(mine.data(), size, item, all.data(), sizes.data(), first.data(), item, 0, world);
  MPI_Type_free(&item);
  return all;
}

template <class List> void broadcast(MPI_Comm world, List &list)
{
  int size = static_cast<int>(list.size());
  MPI_Bcast(&size, 1, MPI_INT, 0, world);
  list.resize(size);
  MPI_Bcast(list.data(), size * static_cast<int>(sizeof(list[0])), MPI_BYTE, 0, world);
}

}    // namespace

void PairMDAug::assign_molecules()
{
  Model &m = *model;
  if (m.templates.empty()) return;
  if (atom->tag_enable == 0 || atom->map_style == 0)
    error->all(FLERR, "pair_style mdaug: a model with a baseline finds the atoms of molecules by their IDs; put "
                      "'atom_modify map array' before the box is created");
  const int group_bit = neighbor->includegroup ? group->bitmask[neighbor->includegroup] : ~0;
  std::vector<ModelAtom> mine;
  for (int i = 0; i < atom->nlocal; ++i)
    if (m.species[atom->type[i]] >= 0 && (atom->mask[i] & group_bit))
      mine.push_back({atom->tag[i], m.species[atom->type[i]], {atom->x[i][0], atom->x[i][1], atom->x[i][2]}});
  auto atoms = gather(world, mine);
  std::sort(atoms.begin(), atoms.end(), [](const auto &a, const auto &b) { return a.id < b.id; });

  // the bonds of the same atoms were intact at an earlier beginning, of this run or of the one that was restarted
  std::string problem, hash = hash_of(atoms);
  broadcast(world, hash);
  if (hash == m.molecules_hash && !m.molecule_template.empty()) return;
  std::vector<int> templates;
  std::vector<tagint> ids;
  if (comm->me == 0) {
    templates = Assignment<Template>{m.core, *domain, m.templates, atoms, hash == m.molecules_hash}.run(problem);
    for (const auto &one : atoms) ids.push_back(one.id);
  }
  broadcast(world, problem);
  if (!problem.empty()) error->all(FLERR, "pair_style mdaug: {}; {}", problem, REMEDY);
  broadcast(world, templates);
  broadcast(world, ids);
  m.molecules_hash = hash;
  m.molecule_template = templates;
  m.molecule_ids = ids;
  m.molecule_first.clear();
  m.molecule_of.clear();
  for (size_t number = 0; number < templates.size(); ++number) {
    m.molecule_first.push_back(static_cast<int>(m.molecule_of.size()));
    m.molecule_of.insert(m.molecule_of.end(), m.templates[templates[number]].size(), static_cast<int>(number));
  }
}

// When neighbor lists are built: fixes that insert or delete atoms do so before.
void PairMDAug::check_molecules()
{
  const Model &m = *model;
  if (m.templates.empty()) return;
  const bigint n_owned = m.n_owned, n_expected = static_cast<bigint>(m.molecule_ids.size());
  bigint n_atoms = 0;
  MPI_Allreduce(&n_owned, &n_atoms, 1, MPI_LMP_BIGINT, MPI_SUM, world);
  if (n_atoms != n_expected)
    error->all(FLERR, "pair_style mdaug: the system has {} atoms of the model, and had {} when the run was prepared; a "
                      "model with a baseline describes whole molecules, so that atoms must not be inserted or deleted "
                      "(nor lost) in a run",
               n_atoms, n_expected);
}
