/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Kinds of molecules by formula and bond graph.
 */

#include "pair_mdaug_kinds.h"

#include "pointers.h"

#include "core/json.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace mdaug::plugin {

using core::json_number;
using core::json_objects;
using core::json_strings;
using core::json_value;
using core::printable;

namespace {

constexpr size_t LARGEST = 150;    // atoms of a molecule up to which each atom is singled out
constexpr size_t HASH_LENGTH = 32;
constexpr size_t NAMED = 3;

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

std::string empirical_formula(const BondGraph &graph, const Elements &elements)
{
  std::map<std::string, int64_t> counts;
  for (const int species : graph.species) ++counts[elements.symbols[species]];
  int64_t divisor = 0;
  for (const auto &[symbol, count] : counts) divisor = std::gcd(divisor, count);
  return hill_formula(counts, std::max<int64_t>(divisor, 1));
}

// Whether two molecules are of one kind; by formula and bonds if the record's hash is of another length.
bool is_like(const MoleculeKind &one, const MoleculeKind &trained)
{
  if (!trained.graph.empty() && trained.graph.size() != HASH_LENGTH)
    return one.formula == trained.formula && one.bonds == trained.bonds;
  return one.formula == trained.formula && one.graph == trained.graph;
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

}    // namespace

std::string join(const std::vector<std::string> &words)
{
  std::string text;
  for (size_t k = 0; k < words.size(); ++k) text += (k == 0 ? "" : k + 1 < words.size() ? ", " : " and ") + words[k];
  return text;
}

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

}    // namespace mdaug::plugin
