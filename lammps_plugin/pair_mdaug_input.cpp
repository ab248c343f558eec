/* SPDX-License-Identifier: GPL-2.0-only
 *
 * pair_style mdaug: its commands in an input, and restart files.
 */

#include "pair_mdaug_model.h"

#include "atom.h"
#include "comm.h"
#include "error.h"
#include "force.h"

#include "core/json.h"

#include <algorithm>
#include <cstring>

using namespace LAMMPS_NS;

void PairMDAug::settings(int narg, char **arg)
{
  // a second pair_style mdaug in an input changes this one: options that it omits get their defaults
  model->threads = 1;
  model->precision.clear();
  model->reference = true;
  model->strict = false;
  model->committee_paths.clear();
  drop_core();
  for (int k = 0; k < narg; k += 2) set_option(arg[k], k + 1 < narg ? arg[k + 1] : "");
}

void PairMDAug::set_option(const std::string &name, const std::string &value)
{
  const bool yes_or_no = name == "reference" || name == "strict";
  if (name != "threads" && name != "precision" && name != "device" && name != "committee" && !yes_or_no)
    error->all(FLERR,
               "pair_style mdaug: unknown option {}; expected threads, precision, device, reference, strict or committee",
               name);
  if (value.empty()) error->all(FLERR, "pair_style mdaug: option {} needs a value", name);
  if (name == "threads") {
    model->threads = utils::inumeric(FLERR, value, false, lmp);
    if (model->threads < 1) error->all(FLERR, "pair_style mdaug: threads must be at least 1, not {}", value);
  } else if (name == "precision") {
    if (value != "float32" && value != "float64")
      error->all(FLERR, "pair_style mdaug: precision must be float32 or float64, not {}", value);
    model->precision = value;
  } else if (name == "committee") {
    for (size_t begin = 0, end; begin <= value.size(); begin = end + 1) {
      end = std::min(value.find(',', begin), value.size());
      model->committee_paths.push_back(value.substr(begin, end - begin));
    }
  } else if (yes_or_no) {
    if (value != "yes" && value != "no")
      error->all(FLERR, "pair_style mdaug: {} must be yes or no, not {}", name, value);
    (name == "strict" ? model->strict : model->reference) = value == "yes";
  } else if (value != "cpu") {
    error->all(FLERR, "pair_style mdaug: device must be cpu, not {}: the pair style runs on CPUs only", value);
  }
}

void PairMDAug::coeff(int narg, char **arg)
{
  if (narg < 4 || strcmp(arg[0], "*") != 0 || strcmp(arg[1], "*") != 0)
    error->all(FLERR, "pair_coeff for mdaug: expected * * MODEL.pt and an element or NULL for each atom type");
  if (narg - 3 != atom->ntypes)
    error->all(FLERR,
               "pair_coeff for mdaug: {} elements given for {} atom types; name one, or NULL, for each "
               "(put a path with spaces in quotes)",
               narg - 3, atom->ntypes);
  load(arg[2]);
  set_elements(std::vector<std::string>(arg + 3, arg + narg));
}

void PairMDAug::drop_core()
{
  mdaug_free(model->core);
  model->core = nullptr;
  for (auto *other : model->committee) mdaug_free(other);
  model->committee.clear();
  comm_forward = 0;    // until init_style has prepared a run
}

// A model on every rank, or an error on all: one that cannot read the file must not leave the others waiting.
mdaug_core *PairMDAug::open_core(const std::string &path, int network)
{
  std::array<char, 1024> problem{};
  const char *precision = model->precision.empty() ? nullptr : model->precision.c_str();
  mdaug_core *core =
      mdaug_load_member(path.c_str(), network, precision, model->threads, problem.data(), problem.size());
  int loaded = core != nullptr, everywhere = 0;
  MPI_Allreduce(&loaded, &everywhere, 1, MPI_INT, MPI_MIN, world);
  if (!loaded) error->all(FLERR, "pair_coeff for mdaug: {}", problem.data());
  if (!everywhere) error->all(FLERR, "pair_coeff for mdaug: {}: not every rank could load it", path);
  return core;
}

// The other models of a committee, once: those of the option, or those in the file of the model when they are requested.
void PairMDAug::load_committee()
{
  Model &m = *model;
  if (!m.committee.empty()) return;
  for (const auto &path : m.committee_paths) add_to_committee(path);
  if (!m.committee.empty() || !m.committee_requested) return;
  for (int k = 1; k < mdaug_committee_size(m.core); ++k) add_to_committee(m.path, k);
}

// They read the rows and molecules of the first model.
void PairMDAug::add_to_committee(const std::string &path, int network)
{
  const mdaug_core *core = model->core;
  mdaug_core *other = open_core(path, network);
  model->committee.push_back(other);
  bool same = mdaug_n_elements(other) == mdaug_n_elements(core) && mdaug_cutoff(other) == mdaug_cutoff(core) &&
      mdaug_n_templates(other) == mdaug_n_templates(core);
  for (int k = 0; same && k < mdaug_n_elements(core); ++k)
    same = mdaug_atomic_number(other, k) == mdaug_atomic_number(core, k);
  for (int t = 0; same && t < mdaug_n_templates(core); ++t) {
    same = mdaug_template_size(other, t) == mdaug_template_size(core, t);
    for (int64_t k = 0; same && k < mdaug_template_size(core, t); ++k)
      same = mdaug_template_atomic_number(other, t, k) == mdaug_template_atomic_number(core, t, k) &&
          mdaug_template_species(other, t, k) == mdaug_template_species(core, t, k);
  }
  if (!same)
    error->all(FLERR, "pair_style mdaug: committee {}{}: its elements, cutoff or molecules are not those of {}; take the "
               "networks of one training", path, network ? fmt::format(", network {}", network) : "", model->path);
}

void PairMDAug::load(const std::string &path)
{
  if (mdaug_abi() != MDAUG_CORE_ABI)
    error->all(FLERR, "pair_style mdaug: compiled for core ABI {}, found {}; run 'mdaug lammps build'", MDAUG_CORE_ABI,
               mdaug_abi());
  drop_core();
  model->core = open_core(path);
  model->path = path;
  load_committee();
  check(mdaug_set_reference(model->core, model->reference));
  model->compared = false;
  const std::string weights = mdaug::core::json_value(mdaug_manifest(model->core), "weights_sha256");
  if (weights != model->weights) model->molecules_hash.clear();
  model->weights = weights;
  model->molecule_template.clear();
  set_templates();
}

// After read_restart, or a pair_style mdaug that changed the settings.
void PairMDAug::load_again()
{
  const std::string before = model->weights;
  load(model->path);
  if (model->weights != before)
    error->all(FLERR, "pair_style mdaug: {} is another model than before; give a pair_coeff command to use it",
               model->path);
  set_elements(model->symbols);
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
      std::string elements;
      for (int k = 0; k < mdaug_n_elements(model->core); ++k)
        elements += std::string(" ") + mdaug_symbol(model->core, k);
      error->all(FLERR, "pair_coeff for mdaug: {} has no element {} (atom type {}); its elements are{}", model->path,
                 symbol, type, elements);
    }
  }
  // hybrid gives pairs of types that are not set to other styles; alone, the style covers all pairs, and those with
  // NULL have no forces
  const bool alone = force->pair == this;
  for (int i = 1; i <= n; ++i)
    for (int j = 1; j <= n; ++j) setflag[i][j] = alone || (model->species[i] >= 0 && model->species[j] >= 0);
}

// ---- restart files ------------------------------------------------------------------------------------------------

void PairMDAug::write_restart(FILE *file)
{
  write_restart_settings(file);
  std::string text = model->path + '\n' + model->weights;
  for (const auto &symbol : model->symbols) text += '\n' + symbol;
  if (!model->molecules_hash.empty()) text += '\n' + model->molecules_hash;
  const int size = static_cast<int>(text.size());
  fwrite(&size, sizeof(int), 1, file);
  fwrite(text.data(), 1, size, file);
}

void PairMDAug::write_restart_settings(FILE *file)
{
  const std::array<int, 4> numbers = {model->threads,
                                      model->precision.empty() ? 0 : (model->precision == "float32" ? 4 : 8),
                                      model->reference, model->strict};
  fwrite(numbers.data(), sizeof(int), numbers.size(), file);
}

void PairMDAug::read_restart(FILE *file)
{
  read_restart_settings(file);
  int size = 0;
  if (comm->me == 0) utils::sfread(FLERR, &size, sizeof(int), 1, file, nullptr, error);
  MPI_Bcast(&size, 1, MPI_INT, 0, world);
  std::string text(size, ' ');
  if (comm->me == 0) utils::sfread(FLERR, text.data(), 1, size, file, nullptr, error);
  MPI_Bcast(text.data(), size, MPI_CHAR, 0, world);

  // init_style loads the model, unless a pair_coeff names another one before
  std::vector<std::string> lines = utils::split_lines(text);
  model->path = lines.at(0);
  model->weights = lines.at(1);
  lines.resize(2 + atom->ntypes + 1);
  model->symbols.assign(lines.begin() + 2, lines.end() - 1);
  model->molecules_hash = lines.back();    // "" without a baseline
  allocate();
  for (int i = 1; i <= atom->ntypes; ++i)
    for (int j = 1; j <= atom->ntypes; ++j) setflag[i][j] = 1;
}

void PairMDAug::read_restart_settings(FILE *file)
{
  std::array<int, 4> numbers{};
  if (comm->me == 0) utils::sfread(FLERR, numbers.data(), sizeof(int), numbers.size(), file, nullptr, error);
  MPI_Bcast(numbers.data(), numbers.size(), MPI_INT, 0, world);
  model->threads = numbers[0];
  model->precision = numbers[1] == 0 ? "" : (numbers[1] == 4 ? "float32" : "float64");
  model->reference = numbers[2] != 0;
  model->strict = numbers[3] != 0;
}
