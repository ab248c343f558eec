/* SPDX-License-Identifier: GPL-2.0-only
 *
 * pair_style mdaug: compares the structure with the record of the training frames in the manifest of the model, as
 * mdaug/calculators/applicability.py does.
 */

#include "pair_mdaug_kinds.h"
#include "pair_mdaug_model.h"

#include "atom.h"
#include "comm.h"
#include "error.h"

#include "core/json.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace LAMMPS_NS;
using namespace mdaug::plugin;
using mdaug::core::json_number;
using mdaug::core::json_numbers;
using mdaug::core::json_value;

namespace {

constexpr double CLOSER = 0.9;    // atoms may be this times as far apart as the closest in training

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
