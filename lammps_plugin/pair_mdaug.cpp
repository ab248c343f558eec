/* SPDX-License-Identifier: GPL-2.0-only
 *
 * pair_style mdaug: preparation of a run, and the evaluation in each step.
 */

#include "pair_mdaug_model.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"

#include <mpi.h>

#include <cmath>
#include <cstring>

using namespace LAMMPS_NS;

namespace {

// Variance of component `a` over the models.
template <typename Values>
double variance(const std::vector<Values> &of_models, int a)
{
  const double n = static_cast<double>(of_models.size());
  double mean = 0.0, sum = 0.0;
  for (const auto &values : of_models) mean += values[a] / n;
  for (const auto &values : of_models) sum += (values[a] - mean) * (values[a] - mean) / n;
  return sum;
}

}    // namespace

PairMDAug::PairMDAug(LAMMPS *lmp) : Pair(lmp), model(std::make_unique<Model>())
{
  one_coeff = 1;
  manybody_flag = 1;
  single_enable = 0;
  restartinfo = 1;
  no_virial_fdotr_compute = 1;    // the core gives the virial
  centroidstressflag = CENTROID_NOTAVAIL;
  nextra = static_cast<int>(model->virial_deviation.size());    // compute pair has these values
  pvector = model->virial_deviation.data();
}

PairMDAug::~PairMDAug()
{
  if (!allocated) return;
  memory->destroy(setflag);
  memory->destroy(cutsq);
}

void PairMDAug::allocate()
{
  const int n = atom->ntypes + 1;
  memory->create(setflag, n, n, "pair:setflag");
  memory->create(cutsq, n, n, "pair:cutsq");
  allocated = 1;
}

// ---- before a run ---------------------------------------------------------------------------------------------

void PairMDAug::init_style()
{
  if (model->core == nullptr) {
    if (model->path.empty()) error->all(FLERR, "pair_style mdaug: no pair_coeff names a model");
    load_again();
  }
  load_committee();    // if a fix has requested it since
  const std::string units = update->unit_style;
  if (units == "real")
    model->energy_unit = utils::get_conversion_factor(utils::ENERGY, utils::METAL2REAL);
  else if (units == "metal")
    model->energy_unit = 1.0;
  else
    error->all(FLERR, "pair_style mdaug: units {} are not supported; use real or metal", units);
  check_commands();
  check_masses();
  assign_molecules();
  neighbor->add_request(this, NeighConst::REQ_FULL);

  // the widest rows; hybrid reads the widths of its substyles only when they are created
  comm_forward = Model::doubles_for(mdaug_row_width(model->core) * mdaug_element_size(model->core));
  for (const auto *other : model->committee)
    comm_forward = MAX(comm_forward, Model::doubles_for(mdaug_row_width(other) * mdaug_element_size(other)));
  force->pair->comm_forward = MAX(force->pair->comm_forward, comm_forward);
}

double PairMDAug::init_one(int /*i*/, int /*j*/)
{
  return mdaug_cutoff(model->core);
}

// ---- one evaluation -------------------------------------------------------------------------------------------

void PairMDAug::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  check_prepared();
  gather_atoms();
  check_insertions();
  check_list();
  gather_neighbors();
  if (!model->compared) compare_with_training();
  evaluate();
  add_results();
  if (model->wants_deviation) evaluate_committee();
}

void PairMDAug::gather_atoms()
{
  Model &m = *model;
  const int n_all = atom->nlocal + atom->nghost;
  m.row.assign(n_all, -1);
  m.atoms.clear();
  m.row_elements.clear();
  m.row_species.clear();
  const auto add = [&](int i) {
    const int element = m.species[atom->type[i]];
    if (element < 0) return;
    m.row[i] = static_cast<int>(m.atoms.size());
    m.atoms.push_back(i);
    m.row_elements.push_back(element);
    m.row_species.push_back(species_in_molecule(i, element));
  };
  for (int ii = 0; ii < list->inum; ++ii) add(list->ilist[ii]);
  m.n_owned = static_cast<int>(m.atoms.size());
  for (int i = atom->nlocal; i < n_all; ++i) add(i);    // including those that are only forwarded to other ranks
  if (!m.atoms.empty()) return;
  m.row_elements.push_back(0);    // a dummy row: all ranks exchange rows
  m.row_species.push_back(0);
}

void PairMDAug::gather_neighbors()
{
  Model &m = *model;
  const double cutoff = mdaug_cutoff(m.core), cutoff_squared = cutoff * cutoff;
  m.first.assign(1, 0);
  m.idx_j.clear();
  m.r_ij.clear();
  for (int k = 0; k < m.n_owned; ++k) {
    const int i = m.atoms[k];
    const double *r_i = atom->x[i];
    for (int jj = 0; jj < list->numneigh[i]; ++jj) {
      const int j = list->firstneigh[i][jj] & NEIGHMASK;
      const double *r_j = atom->x[j];
      const double x = r_j[0] - r_i[0], y = r_j[1] - r_i[1], z = r_j[2] - r_i[2];
      if (m.row[j] < 0 || x * x + y * y + z * z >= cutoff_squared) continue;
      m.idx_j.push_back(m.row[j]);
      m.r_ij.insert(m.r_ij.end(), {x, y, z});
    }
    m.first.push_back(static_cast<int64_t>(m.idx_j.size()));
  }
}

void PairMDAug::evaluate()
{
  Model &m = *model;
  check(mdaug_compute_extrapolation(m.core, m.wants_extrapolation));
  evaluate_stages();
  m.energies.resize(m.n_owned);
  m.forces.resize(3 * m.n_owned);
  m.atomic_strains.resize(vflag_atom ? 6 * m.n_owned : 0);
  check(mdaug_finish(m.core, m.energies.data(), m.forces.data(), vflag_global || m.wants_deviation ? m.strain.data() : nullptr,
                     vflag_atom ? m.atomic_strains.data() : nullptr));
}

// All of an evaluation but its end, with the present core.
void PairMDAug::evaluate_stages()
{
  Model &m = *model;
  check(mdaug_begin(m.core, m.n_owned, static_cast<int64_t>(m.row_species.size()), m.row_species.data(), m.first.data(),
                    m.idx_j.data(), m.r_ij.data()));
  add_molecules();
  for (int stage = 0; stage < mdaug_n_stages(m.core); ++stage) {
    m.exchanged = mdaug_rows{};
    check(mdaug_stage(m.core, stage, &m.exchanged));
    if (m.exchanged.data != nullptr) comm->forward_comm(this);
  }
}

// √⟨|F_i − ⟨F_i⟩|²⟩ over the models for each owned atom, and the deviation of the virial.
void PairMDAug::evaluate_committee()
{
  Model &m = *model;
  if (m.committee.empty())
    error->all(FLERR, "pair_style mdaug: force_deviation needs a model of 'mdaug train --committee N', or other models by "
                      "the option committee, when a run is prepared (without 'pre no')");
  std::vector<std::vector<double>> forces{m.forces};
  std::vector<std::array<double, 6>> strains{m.strain};
  for (auto *&other : m.committee) {
    std::swap(m.core, other);
    evaluate_stages();
    check(mdaug_finish(m.core, m.energies.data(), m.forces.data(), m.strain.data(), nullptr));
    std::swap(m.core, other);
    forces.push_back(m.forces);
    strains.push_back(m.strain);
  }
  m.deviation.assign(atom->nlocal + 1, 0.0);    // never empty, so that its address is not null
  for (int k = 0; k < m.n_owned; ++k) {
    double squares = 0.0;
    for (int a = 3 * k; a < 3 * k + 3; ++a) squares += variance(forces, a);
    m.deviation[m.atoms[k]] = m.energy_unit * std::sqrt(squares);
  }
  set_virial_deviation(strains);
}

// Largest, least and root of the mean square of the standard deviations of the nine components of the virial, an atom.
void PairMDAug::set_virial_deviation(const std::vector<std::array<double, 6>> &of_rank)
{
  Model &m = *model;
  const double n_owned = m.n_owned;
  double n_atoms = 0.0;
  MPI_Allreduce(&n_owned, &n_atoms, 1, MPI_DOUBLE, MPI_SUM, world);
  auto strains = of_rank;
  MPI_Allreduce(of_rank.data(), strains.data(), 6 * static_cast<int>(of_rank.size()), MPI_DOUBLE, MPI_SUM, world);
  double largest = 0.0, least = 0.0, squares = 0.0;
  for (int a = 0; a < 6; ++a) {    // xx, yy, zz, and xy, xz, yz, which stand for two components each
    const double square = variance(strains, a), deviation = std::sqrt(square);
    largest = MAX(largest, deviation);
    least = a == 0 ? deviation : MIN(least, deviation);
    squares += (a < 3 ? 1.0 : 2.0) * square;
  }
  // compute pair adds up the values of all ranks
  const double unit = comm->me == 0 && n_atoms > 0.0 ? m.energy_unit / n_atoms : 0.0;
  m.virial_deviation = {unit * largest, unit * least, unit * std::sqrt(squares / 9.0)};
}

void PairMDAug::add_results()
{
  const Model &m = *model;
  for (int k = 0; k < m.n_owned; ++k) {
    const int i = m.atoms[k];
    for (int a = 0; a < 3; ++a) atom->f[i][a] += m.energy_unit * m.forces[3 * k + a];
    if (eflag_global) eng_vdwl += m.energy_unit * m.energies[k];
    if (eflag_atom) eatom[i] += m.energy_unit * m.energies[k];
    if (vflag_atom)    // LAMMPS' virial is −∂E/∂ε
      for (int a = 0; a < 6; ++a) vatom[i][a] -= m.energy_unit * m.atomic_strains[6 * k + a];
  }
  if (vflag_global)
    for (int a = 0; a < 6; ++a) virial[a] -= m.energy_unit * m.strain[a];
  set_extrapolation();
}

void PairMDAug::set_extrapolation()
{
  Model &m = *model;
  const double *values = mdaug_extrapolation(m.core);
  if (values == nullptr) return;
  m.extrapolation.assign(atom->nlocal + 1, 0.0);    // never empty, so that its address is not null
  for (int k = 0; k < m.n_owned; ++k) m.extrapolation[m.atoms[k]] = values[k];
}

// ---- extrapolation and deviation of each atom, for fix pair ---------------------------------------------------

void *PairMDAug::extract(const char *name, int &dim)
{
  dim = 0;
  if (strcmp(name, "force_deviation_flag") == 0) {
    model->committee_requested = true;    // init_style loads it
    return &model->wants_deviation;
  }
  return strcmp(name, "extrapolation_flag") == 0 ? &model->wants_extrapolation : nullptr;
}

void *PairMDAug::extract_peratom(const char *name, int &n_columns)
{
  n_columns = 0;
  if (strcmp(name, "extrapolation") != 0 && strcmp(name, "force_deviation") != 0) return nullptr;
  auto &values = strcmp(name, "extrapolation") == 0 ? model->extrapolation : model->deviation;
  if (values.size() <= static_cast<size_t>(atom->nlocal)) values.resize(atom->nlocal + 1);
  return values.data();
}

void PairMDAug::check(int failed)
{
  if (failed) error->one(FLERR, "pair_style mdaug: {}", mdaug_error(model->core));
}

// ---- rows of ghosts -------------------------------------------------------------------------------------------

int PairMDAug::pack_forward_comm(int n, int *atoms, double *buffer, int /*pbc_flag*/, int * /*pbc*/)
{
  const int width = Model::doubles_for(model->row_bytes());    // at most comm_forward
  for (int k = 0; k < n; ++k) {
    const int row = model->row[atoms[k]];
    if (row >= 0) memcpy(buffer + k * width, model->row_data(row), model->row_bytes());
  }
  return n * width;
}

void PairMDAug::unpack_forward_comm(int n, int first, double *buffer)
{
  const int width = Model::doubles_for(model->row_bytes());
  for (int k = 0; k < n; ++k) {
    const int row = model->row[first + k];
    if (row >= 0) memcpy(model->row_data(row), buffer + k * width, model->row_bytes());
  }
}

double PairMDAug::memory_usage()
{
  return Pair::memory_usage() + static_cast<double>(model->memory());
}

extern "C" void *mdaug_create_pair(void *lammps)
{
  return new PairMDAug(static_cast<LAMMPS *>(lammps));
}
