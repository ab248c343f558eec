/* SPDX-License-Identifier: GPL-2.0-only
 *
 * pair_style mdaug: compares the structure with the record of the training frames in the manifest of the model, as
 * mdaug/calculators/applicability.py does.
 */

#include "pair_mdaug_model.h"

#include "atom.h"
#include "comm.h"
#include "error.h"

#include "core/json.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

using namespace LAMMPS_NS;
using mdaug::core::json_number;
using mdaug::core::json_numbers;
using mdaug::core::json_objects;
using mdaug::core::json_strings;
using mdaug::core::json_value;
using mdaug::core::printable;

namespace {

constexpr double CLOSER = 0.9;    // atoms may be this times as far apart as the closest in training
constexpr size_t LARGEST = 150;    // atoms of a molecule up to which each atom is singled out
constexpr size_t HASH_LENGTH = 32;
constexpr size_t NAMED = 3;

// The bond graph of all atoms of the model, on the first rank.
struct BondGraph {
  std::vector<int> species;     // of each atom
  std::vector<int64_t> ends;    // i, j of each bond in turn
};

struct MoleculeKind {
  std::string formula, graph, bonds;    // `graph` is empty for a network, such as a crystal
};

std::string join(const std::vector<std::string> &words)
{
  std::string text;
  for (size_t k = 0; k < words.size(); ++k) text += (k == 0 ? "" : k + 1 < words.size() ? ", " : " and ") + words[k];
  return text;
}

std::string hill_formula(std::map<std::string, int64_t> counts, int64_t divisor = 1)
{
  std::string formula;
  const auto add = [&](const std::string &symbol, int64_t count) {
    formula += symbol + (count > divisor ? std::to_string(count / divisor) : "");
  };
  for (const char *symbol : {"C", "H"})
    if (counts.count(symbol)) add(symbol, counts[symbol]), counts.erase(symbol);
  for (const auto &[symbol, count] : counts) add(symbol, count);
  return formula;
}

std::string bonds_text(const std::map<std::string, int64_t> &bonds)
{
  std::vector<std::string> words;
  for (const auto &[name, count] : bonds) words.push_back(std::to_string(count) + " " + name);
  return words.empty() ? "no bonds" : join(words);
}

// The finalizer of splitmix64.
uint64_t mix(uint64_t x)
{
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

// The hash of mdaug/geometry/graph_hash.py, equal for any order of the atoms: Weisfeiler and Lehman's refinement,
// repeated with each atom singled out in turn.
std::string graph_hash(const std::vector<int> &numbers, const std::vector<size_t> &ends)
{
  const size_t n = numbers.size();
  std::vector<uint64_t> labels(n), neighbors(n);
  uint64_t first = 0, second = 0;
  for (size_t singled = 0; singled < (n <= LARGEST ? n : 1); ++singled) {
    for (size_t i = 0; i < n; ++i) labels[i] = numbers[i];
    if (n <= LARGEST) labels[singled] += uint64_t{1} << 32;
    for (size_t round = 0; round < n; ++round) {
      neighbors.assign(n, 0);
      for (size_t b = 0; b < ends.size(); b += 2) {
        neighbors[ends[b]] += mix(labels[ends[b + 1]]);
        neighbors[ends[b + 1]] += mix(labels[ends[b]]);
      }
      for (size_t i = 0; i < n; ++i) labels[i] = mix(labels[i] + 0x9E3779B97F4A7C15u) + mix(neighbors[i]);
    }
    uint64_t graph = 0;
    for (const uint64_t label : labels) graph += mix(label);
    first += mix(graph), second += mix(graph + 0x94D049BB133111EBu);
  }
  return fmt::format("{:016x}{:016x}", first, second);
}

// The molecule of each atom, by its first atom.
std::vector<int64_t> molecule_of_atom(const BondGraph &graph)
{
  std::vector<int64_t> parent(graph.species.size());
  std::iota(parent.begin(), parent.end(), 0);
  const auto root = [&](int64_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  for (size_t b = 0; b < graph.ends.size(); b += 2) {
    const int64_t i = root(graph.ends[b]), j = root(graph.ends[b + 1]);
    parent[std::max(i, j)] = std::min(i, j);
  }
  for (size_t i = 0; i < parent.size(); ++i) parent[i] = root(i);
  return parent;
}

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

std::string empirical_formula(const BondGraph &graph, const Elements &elements)
{
  std::map<std::string, int64_t> counts;
  for (const int species : graph.species) ++counts[elements.symbols[species]];
  int64_t divisor = 0;
  for (const auto &[symbol, count] : counts) divisor = std::gcd(divisor, count);
  return hill_formula(counts, std::max<int64_t>(divisor, 1));
}

// The kinds of molecules in the structure; the whole structure is one network if training had one.
std::vector<MoleculeKind> molecules_of(const BondGraph &graph, const Elements &elements,
                                       const std::vector<MoleculeKind> &trained)
{
  if (std::any_of(trained.begin(), trained.end(), [](const auto &one) { return one.graph.empty(); }))
    return {{empirical_formula(graph, elements), "", ""}};
  struct Molecule {
    std::vector<int> numbers;
    std::vector<size_t> ends;
    std::map<std::string, int64_t> atoms, bonds;
  };
  const auto molecule = molecule_of_atom(graph);
  std::vector<size_t> place(molecule.size());
  std::map<int64_t, Molecule> molecules;
  for (size_t i = 0; i < molecule.size(); ++i) {
    auto &one = molecules[molecule[i]];
    place[i] = one.numbers.size();
    one.numbers.push_back(elements.numbers[graph.species[i]]);
    ++one.atoms[elements.symbols[graph.species[i]]];
  }
  for (size_t b = 0; b < graph.ends.size(); b += 2) {
    const int64_t i = graph.ends[b], j = graph.ends[b + 1];
    auto &one = molecules[molecule[i]];
    one.ends.insert(one.ends.end(), {place[i], place[j]});
    ++one.bonds[elements.pair_name(graph.species[i], graph.species[j])];
  }
  std::map<std::string, MoleculeKind> kinds;
  for (const auto &[first, one] : molecules) {
    const auto formula = hill_formula(one.atoms);
    const bool is_known =
        std::any_of(trained.begin(), trained.end(), [&](const auto &t) { return t.formula == formula; });
    const auto hash = is_known ? graph_hash(one.numbers, one.ends) : "";    // long for large molecules
    kinds.try_emplace(formula + hash, MoleculeKind{formula, hash, bonds_text(one.bonds)});
  }
  std::vector<MoleculeKind> list;
  for (const auto &[name, kind] : kinds) list.push_back(kind);
  return list;
}

// Whether two molecules are of one kind; by formula and bonds if the record's hash is of another length.
bool is_like(const MoleculeKind &one, const MoleculeKind &trained)
{
  if (!trained.graph.empty() && trained.graph.size() != HASH_LENGTH)
    return one.formula == trained.formula && one.bonds == trained.bonds;
  return one.formula == trained.formula && one.graph == trained.graph;
}

std::vector<MoleculeKind> trained_molecules(const std::string &training, const Elements &elements)
{
  std::vector<MoleculeKind> molecules;
  for (const auto &entry : json_objects(json_value(training, "molecules"))) {
    const auto formula = json_strings(json_value(entry, "formula")), graph = json_strings(json_value(entry, "graph"));
    if (formula.empty() || graph.empty()) continue;
    std::map<std::string, int64_t> bonds;
    const auto recorded = json_value(entry, "bonds");
    for (int a = 0; a < elements.size(); ++a)
      for (int b = a; b < elements.size(); ++b) {
        const auto count = json_value(recorded, elements.pair_name(a, b));
        if (!count.empty()) bonds[elements.pair_name(a, b)] = std::llround(json_number(count));
      }
    molecules.push_back({printable(formula[0]), graph[0], bonds_text(bonds)});
  }
  return molecules;
}

std::string formulas(const std::vector<MoleculeKind> &molecules)
{
  std::vector<std::string> names;
  for (const auto &one : molecules)
    if (std::find(names.begin(), names.end(), one.formula) == names.end()) names.push_back(one.formula);
  if (names.size() > NAMED) {
    const size_t more = names.size() - NAMED;
    names.resize(NAMED);
    names.push_back(std::to_string(more) + " more");
  }
  return join(names);
}

// How the molecules differ from the trained ones; "" if they do not.
std::string difference(const std::vector<MoleculeKind> &molecules, const std::vector<MoleculeKind> &trained)
{
  const auto like = [&](const MoleculeKind &one) {
    return std::find_if(trained.begin(), trained.end(), [&](const auto &t) { return t.formula == one.formula; });
  };
  std::vector<MoleculeKind> others;
  std::copy_if(molecules.begin(), molecules.end(), std::back_inserter(others),
               [&](const auto &one) { return like(one) == trained.end(); });
  if (!others.empty()) {
    const bool single =
        std::all_of(trained.begin(), trained.end(), [&](const auto &one) { return one.formula == trained[0].formula; });
    return fmt::format("trained on {}; this is {}: {}", formulas(trained), formulas(others),
                       single ? "a model of one molecule describes only that molecule"
                              : "a model describes only the molecules of its training frames");
  }
  for (const auto &one : molecules) {
    if (std::any_of(trained.begin(), trained.end(), [&](const auto &t) { return is_like(one, t); })) continue;
    const auto &t = *like(one);
    return fmt::format("trained on {} with {}; this {} has {}: an isomer or a broken molecule, which is not in "
                       "the training frames",
                       t.formula, t.bonds, one.formula,
                       one.bonds == t.bonds ? "the same bonds in another arrangement" : one.bonds);
  }
  return "";
}

// Gathers the species of owned atoms and the bonds of all ranks on the first rank.
BondGraph gather_bonds(MPI_Comm world, const std::vector<int32_t> &row_elements, int n_owned,
                       const std::vector<int64_t> &bonds)
{
  int rank, n_ranks;
  MPI_Comm_rank(world, &rank);
  MPI_Comm_size(world, &n_ranks);
  const auto gather = [&](const auto &mine, MPI_Datatype type) {
    std::vector<int> sizes(n_ranks), first(n_ranks, 0);
    const int size = static_cast<int>(mine.size());
    MPI_Gather(&size, 1, MPI_INT, sizes.data(), 1, MPI_INT, 0, world);
    std::partial_sum(sizes.begin(), sizes.end() - 1, first.begin() + 1);
    std::decay_t<decltype(mine)> all(rank == 0 ? first.back() + sizes.back() : 0);
    MPI_Gatherv(mine.data(), size, type, all.data(), sizes.data(), first.data(), type, 0, world);
    return all;
  };
  return {gather(std::vector<int>(row_elements.begin(), row_elements.begin() + n_owned), MPI_INT),
          gather(bonds, MPI_INT64_T)};
}

// The longest bond and the shortest distance in training of each pair of elements, Å; 0 where none is recorded.
struct PairRecord {
  int n;
  std::vector<double> longest_bond, shortest;

  explicit PairRecord(int n) : n(n), longest_bond(n * n), shortest(n * n) {}

  void read(const std::string &training, const Elements &elements)
  {
    const auto limits = json_value(training, "bond_limits_A"), ranges = json_value(training, "distance_range_A");
    const auto number = [](const std::string &text) { return text.empty() ? 0.0 : json_number(text); };
    for (int a = 0; a < n; ++a)
      for (int b = 0; b < n; ++b) {
        const auto name = elements.pair_name(a, b);
        const auto range = json_numbers(json_value(ranges, name));
        longest_bond[a * n + b] = number(json_value(limits, name));
        shortest[a * n + b] = range.empty() ? 0.0 : range[0];
      }
  }

  // The pairs of elements that are closer than in training; `closest` has the distances of the structure.
  std::vector<std::string> closer_pairs(const std::vector<double> &closest, const Elements &elements) const
  {
    std::vector<std::string> texts;
    for (int a = 0; a < n; ++a)
      for (int b = a; b < n; ++b) {
        const double d = std::min(closest[a * n + b], closest[b * n + a]), limit = shortest[a * n + b];
        if (d < CLOSER * limit)
          texts.push_back(
              fmt::format("two atoms ({}) are {:.2f} Å apart; the shortest {} distance in training is {:.2f} Å",
                          elements.pair_name(a, b), d, elements.pair_name(a, b), limit));
      }
    return texts;
  }
};

}    // namespace

void PairMDAug::compare_with_training()
{
  Model &m = *model;
  m.compared = true;
  const auto training = json_value(mdaug_manifest(m.core), "training");
  const Elements elements(m.core);
  const int n = elements.size();
  PairRecord record(n);
  std::vector<MoleculeKind> trained;
  try {
    record.read(training, elements);
    trained = trained_molecules(training, elements);
  } catch (const std::exception &problem) {
    error->all(FLERR, "pair_style mdaug: {}: the record of the training frames in its manifest cannot be read ({}); "
               "export the model again", m.path, problem.what());
  }

  // number the atoms of all ranks; ghosts get the numbers of their owners
  bigint n_owned = m.n_owned, end = 0;
  MPI_Scan(&n_owned, &end, 1, MPI_LMP_BIGINT, MPI_SUM, world);
  std::vector<double> ids(m.row_elements.size());
  for (int k = 0; k < m.n_owned; ++k) ids[k] = static_cast<double>(end - n_owned + k);
  m.exchanged = {ids.data(), 1, sizeof(double)};
  comm->forward_comm(this);

  std::vector<int64_t> bonds;
  std::vector<double> closest(n * n, INFINITY), closest_of_all(n * n);
  for (int k = 0; k < m.n_owned; ++k)
    for (int64_t p = m.first[k]; p < m.first[k + 1]; ++p) {
      const int j = m.idx_j[p], pair = m.row_elements[k] * n + m.row_elements[j];
      const double d = std::hypot(m.r_ij[3 * p], m.r_ij[3 * p + 1], m.r_ij[3 * p + 2]);
      closest[pair] = std::min(closest[pair], d);
      if (d < record.longest_bond[pair] && ids[k] < ids[j])
        bonds.insert(bonds.end(), {static_cast<int64_t>(ids[k]), static_cast<int64_t>(ids[j])});
    }
  MPI_Allreduce(closest.data(), closest_of_all.data(), n * n, MPI_DOUBLE, MPI_MIN, world);
  const auto graph = gather_bonds(world, m.row_elements, m.n_owned, bonds);

  auto differences = record.closer_pairs(closest_of_all, elements);
  if (comm->me == 0 && !trained.empty() && !graph.species.empty()) {
    const auto text = difference(molecules_of(graph, elements, trained), trained);
    if (!text.empty()) differences.insert(differences.begin(), text);
  }
  int n_differences = static_cast<int>(differences.size());
  MPI_Bcast(&n_differences, 1, MPI_INT, 0, world);
  if (n_differences > 0 && m.strict)
    error->all(FLERR, "pair_style mdaug: {} (refused by 'strict yes')", join(differences));
  if (comm->me == 0)
    for (const auto &text : differences) error->warning(FLERR, "pair_style mdaug: {}", text);
}
