/* SPDX-License-Identifier: GPL-2.0-only */

#include "pair_mdaug.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"
#include "memory.h"
#include "neigh_list.h"
#include "neighbor.h"
#include "update.h"

#include "core/mdaug_core.h"

#include <array>
#include <cstdint>
#include <cstring>

using namespace LAMMPS_NS;

struct PairMDAug::Model {
  mdaug_core *core = nullptr;
  int threads = 1;
  std::string precision;    // "": that of the manifest
  std::string path;
  std::vector<std::string> symbols;    // by atom type − 1; "NULL" for types that the model does not see
  std::vector<int> species;            // by atom type; −1 for those
  double energy_unit = 1.0;            // eV in LAMMPS' unit of energy

  // rows of the core: owned atoms that the model sees, then ghosts
  std::vector<int> row;      // of each owned and ghost atom of LAMMPS, −1 where the model does not see it
  std::vector<int> atoms;    // the other way round
  int n_owned = 0;
  std::vector<int32_t> row_species, idx_j;
  std::vector<int64_t> first;
  std::vector<double> r_ij;

  std::vector<double> energies, forces, atomic_strains;
  std::array<double, 6> strain{};
  mdaug_rows exchanged{};    // what forward communication carries now

  ~Model() { mdaug_free(core); }
  size_t row_bytes() const { return exchanged.width * exchanged.element_size; }
  char *row_data(int k) const { return static_cast<char *>(exchanged.data) + k * row_bytes(); }
  size_t memory() const
  {
    const size_t integers = row.capacity() + atoms.capacity() + row_species.capacity() + idx_j.capacity();
    const size_t numbers = r_ij.capacity() + energies.capacity() + forces.capacity() +
        atomic_strains.capacity() + first.capacity();
    return integers * sizeof(int) + numbers * sizeof(double) + (core ? mdaug_memory(core) : 0);
  }
};

PairMDAug::PairMDAug(LAMMPS *lmp) : Pair(lmp), model(std::make_unique<Model>())
{
  one_coeff = 1;
  manybody_flag = 1;
  single_enable = 0;
  restartinfo = 1;
  no_virial_fdotr_compute = 1;    // the core gives the virial
  centroidstressflag = CENTROID_NOTAVAIL;
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

// ---- what an input says ---------------------------------------------------------------------------------------

void PairMDAug::settings(int narg, char **arg)
{
  for (int k = 0; k < narg; k += 2) {
    const std::string name = arg[k];
    if (k + 1 == narg) error->all(FLERR, "pair_style mdaug: option {} needs a value", name);
    const std::string value = arg[k + 1];
    if (name == "threads") {
      model->threads = utils::inumeric(FLERR, value, false, lmp);
      if (model->threads < 1) error->all(FLERR, "pair_style mdaug: threads must be at least 1, not {}", value);
    } else if (name == "precision") {
      if (value != "float32" && value != "float64")
        error->all(FLERR, "pair_style mdaug: precision must be float32 or float64, not {}", value);
      model->precision = value;
    } else if (name == "device") {
      if (value != "cpu")
        error->all(FLERR, "pair_style mdaug: device must be cpu, not {}: the pair style computes on CPUs", value);
    } else {
      error->all(FLERR, "pair_style mdaug: unknown option {}; expected threads, precision or device", name);
    }
  }
}

void PairMDAug::coeff(int narg, char **arg)
{
  if (narg < 4 || strcmp(arg[0], "*") != 0 || strcmp(arg[1], "*") != 0)
    error->all(FLERR, "pair_coeff for mdaug: expected * * MODEL.pt and an element or NULL for each atom type");
  if (narg - 3 != atom->ntypes)
    error->all(FLERR, "pair_coeff for mdaug: {} elements given for {} atom types; name one, or NULL, for each",
               narg - 3, atom->ntypes);
  load(arg[2]);
  set_elements(std::vector<std::string>(arg + 3, arg + narg));
}

void PairMDAug::load(const std::string &path)
{
  if (mdaug_abi() != MDAUG_CORE_ABI)
    error->all(FLERR, "pair_style mdaug: compiled for core ABI {}, found {}; run 'mdaug lammps build'",
               MDAUG_CORE_ABI, mdaug_abi());
  mdaug_free(model->core);
  std::array<char, 1024> problem{};
  const char *precision = model->precision.empty() ? nullptr : model->precision.c_str();
  model->core = mdaug_load(path.c_str(), precision, model->threads, problem.data(), problem.size());
  model->path = path;

  // a rank that cannot read the file must not leave the others waiting
  int loaded = model->core != nullptr, everywhere = 0;
  MPI_Allreduce(&loaded, &everywhere, 1, MPI_INT, MPI_MIN, world);
  if (!loaded) error->all(FLERR, "pair_coeff for mdaug: {}", problem.data());
  if (!everywhere) error->all(FLERR, "pair_coeff for mdaug: {}: not every rank could load it", path);
}

void PairMDAug::set_elements(const std::vector<std::string> &symbols)
{
  if (!allocated) allocate();
  const int n = atom->ntypes;
  model->symbols = symbols;
  model->species.assign(n + 1, -1);
  for (int type = 1; type <= n; ++type) {
    const std::string &symbol = symbols[type - 1];
    if (symbol == "NULL") continue;
    model->species[type] = mdaug_species(model->core, symbol.c_str());
    if (model->species[type] < 0) {
      std::string known;
      for (int k = 0; k < mdaug_n_elements(model->core); ++k) known += std::string(" ") + mdaug_symbol(model->core, k);
      error->all(FLERR, "pair_coeff for mdaug: {} does not know element {} of atom type {}; it knows{}", model->path,
                 symbol, type, known);
    }
  }
  // hybrid leaves pairs of types that are not set to others; alone, the style covers all, and NULL has no forces
  const bool alone = force->pair == this;
  for (int i = 1; i <= n; ++i)
    for (int j = 1; j <= n; ++j) setflag[i][j] = alone || (model->species[i] >= 0 && model->species[j] >= 0);
}

// ---- before a run ---------------------------------------------------------------------------------------------

void PairMDAug::init_style()
{
  if (model->core == nullptr) {
    if (model->path.empty()) error->all(FLERR, "pair_style mdaug: no pair_coeff names a model");
    load(model->path);    // after read_restart
    set_elements(model->symbols);
  }
  const std::string units = update->unit_style;
  if (units == "real")
    model->energy_unit = utils::get_conversion_factor(utils::ENERGY, utils::METAL2REAL);
  else if (units == "metal")
    model->energy_unit = 1.0;
  else
    error->all(FLERR, "pair_style mdaug: units {} are not supported; use real or metal", units);
  check_special_bonds();
  neighbor->add_request(this, NeighConst::REQ_FULL);

  // rows travel as doubles; hybrid asks for its substyles' widths only when they are created
  const size_t row_bytes = mdaug_row_width(model->core) * mdaug_element_size(model->core);
  comm_forward = static_cast<int>((row_bytes + sizeof(double) - 1) / sizeof(double));
  force->pair->comm_forward = MAX(force->pair->comm_forward, comm_forward);
}

void PairMDAug::check_special_bonds()
{
  if (atom->molecular == Atom::ATOMIC) return;
  for (int k = 1; k <= 3; ++k)
    if (force->special_lj[k] != 1.0)
      error->all(FLERR,
                 "pair_style mdaug: special_bonds would scale or drop bonded pairs, all of which the model needs; "
                 "set special_bonds lj/coul 1 1 1");
}

double PairMDAug::init_one(int /*i*/, int /*j*/)
{
  return mdaug_cutoff(model->core);
}

void PairMDAug::setup()
{
  const double ghost_cutoff = comm->get_comm_cutoff(), cutoff = mdaug_cutoff(model->core);
  if (ghost_cutoff < cutoff)
    error->all(FLERR, "pair_style mdaug: ghost cutoff {} is below the model's cutoff {}; raise it by comm_modify cutoff",
               ghost_cutoff, cutoff);
}

// ---- one evaluation -------------------------------------------------------------------------------------------

void PairMDAug::compute(int eflag, int vflag)
{
  ev_init(eflag, vflag);
  gather_atoms();
  gather_neighbors();
  evaluate();
  add_results();
}

void PairMDAug::gather_atoms()
{
  Model &m = *model;
  const int n_all = atom->nlocal + atom->nghost;
  m.row.assign(n_all, -1);
  m.atoms.clear();
  m.row_species.clear();
  const auto add = [&](int i) {
    const int species = m.species[atom->type[i]];
    if (species < 0) return;
    m.row[i] = static_cast<int>(m.atoms.size());
    m.atoms.push_back(i);
    m.row_species.push_back(species);
  };
  for (int ii = 0; ii < list->inum; ++ii) add(list->ilist[ii]);
  m.n_owned = static_cast<int>(m.atoms.size());
  for (int i = atom->nlocal; i < n_all; ++i) add(i);    // also those that only pass through to other ranks
  if (m.atoms.empty()) m.row_species.push_back(0);      // a row that nobody sees: all ranks exchange rows
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
  check(mdaug_begin(m.core, m.n_owned, static_cast<int64_t>(m.row_species.size()), m.row_species.data(), m.first.data(),
                    m.idx_j.data(), m.r_ij.data()));
  for (int stage = 0; stage < mdaug_n_stages(m.core); ++stage) {
    m.exchanged = mdaug_rows{};
    check(mdaug_stage(m.core, stage, &m.exchanged));
    if (m.exchanged.data != nullptr) comm->forward_comm(this);
  }
  m.energies.resize(m.n_owned);
  m.forces.resize(3 * m.n_owned);
  m.atomic_strains.resize(vflag_atom ? 6 * m.n_owned : 0);
  check(mdaug_finish(m.core, m.energies.data(), m.forces.data(), vflag_global ? m.strain.data() : nullptr,
                     vflag_atom ? m.atomic_strains.data() : nullptr));
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
}

void PairMDAug::check(int failed)
{
  if (failed) error->one(FLERR, "pair_style mdaug: {}", mdaug_error(model->core));
}

// ---- rows of ghosts -------------------------------------------------------------------------------------------

int PairMDAug::pack_forward_comm(int n, int *atoms, double *buffer, int /*pbc_flag*/, int * /*pbc*/)
{
  for (int k = 0; k < n; ++k) {
    const int row = model->row[atoms[k]];
    if (row >= 0) memcpy(buffer + k * comm_forward, model->row_data(row), model->row_bytes());
  }
  return n * comm_forward;
}

void PairMDAug::unpack_forward_comm(int n, int first, double *buffer)
{
  for (int k = 0; k < n; ++k) {
    const int row = model->row[first + k];
    if (row >= 0) memcpy(model->row_data(row), buffer + k * comm_forward, model->row_bytes());
  }
}

// ---- restart files and memory ---------------------------------------------------------------------------------

void PairMDAug::write_restart(FILE *file)
{
  write_restart_settings(file);
  std::string words = model->path;
  for (const auto &symbol : model->symbols) words += '\n' + symbol;
  const int size = static_cast<int>(words.size());
  fwrite(&size, sizeof(int), 1, file);
  fwrite(words.data(), 1, size, file);
}

void PairMDAug::write_restart_settings(FILE *file)
{
  const std::array<int, 2> numbers = {model->threads,
                                      model->precision.empty() ? 0 : (model->precision == "float32" ? 4 : 8)};
  fwrite(numbers.data(), sizeof(int), numbers.size(), file);
}

void PairMDAug::read_restart(FILE *file)
{
  read_restart_settings(file);
  int size = 0;
  if (comm->me == 0) utils::sfread(FLERR, &size, sizeof(int), 1, file, nullptr, error);
  MPI_Bcast(&size, 1, MPI_INT, 0, world);
  std::string words(size, ' ');
  if (comm->me == 0) utils::sfread(FLERR, words.data(), 1, size, file, nullptr, error);
  MPI_Bcast(words.data(), size, MPI_CHAR, 0, world);

  // the model is loaded by init_style, unless a pair_coeff names another before
  std::vector<std::string> lines = utils::split_lines(words);
  model->path = lines.front();
  model->symbols.assign(lines.begin() + 1, lines.end());
  allocate();
  for (int i = 1; i <= atom->ntypes; ++i)
    for (int j = 1; j <= atom->ntypes; ++j) setflag[i][j] = 1;
}

void PairMDAug::read_restart_settings(FILE *file)
{
  std::array<int, 2> numbers{};
  if (comm->me == 0) utils::sfread(FLERR, numbers.data(), sizeof(int), numbers.size(), file, nullptr, error);
  MPI_Bcast(numbers.data(), numbers.size(), MPI_INT, 0, world);
  model->threads = numbers[0];
  model->precision = numbers[1] == 0 ? "" : (numbers[1] == 4 ? "float32" : "float64");
}

double PairMDAug::memory_usage()
{
  return Pair::memory_usage() + static_cast<double>(model->memory());
}

extern "C" void *mdaug_create_pair(void *lammps)
{
  return new PairMDAug(static_cast<LAMMPS *>(lammps));
}
