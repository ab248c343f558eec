/* SPDX-License-Identifier: GPL-2.0-only
 *
 * pair_style mdaug [threads N] [precision float32|float64] [device cpu] [reference yes|no] [strict yes|no]
 *                  [committee model.pt,…]
 * pair_coeff * * model.pt ELEMENT …       one element symbol, or NULL, for each atom type
 *
 * SchNet force fields that `mdaug train` wrote. Each rank computes its own atoms; per interaction block the ghosts'
 * features travel forward through LAMMPS' stock communication, and per block of the gradient their derivatives.
 */

#ifdef PAIR_CLASS
// clang-format off
PairStyle(mdaug,PairMDAug);
// clang-format on
#else

#ifndef LMP_PAIR_MDAUG_H
#define LMP_PAIR_MDAUG_H

#include "pair.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

struct mdaug_core;

namespace LAMMPS_NS {

class PairMDAug : public Pair {
 public:
  PairMDAug(class LAMMPS *);
  ~PairMDAug() override;

  void settings(int, char **) override;
  void coeff(int, char **) override;
  void init_style() override;
  double init_one(int, int) override;
  void compute(int, int) override;

  int pack_forward_comm(int, int *, double *, int, int *) override;
  void unpack_forward_comm(int, int, double *) override;

  void write_restart(FILE *) override;
  void read_restart(FILE *) override;
  void write_restart_settings(FILE *) override;
  void read_restart_settings(FILE *) override;
  double memory_usage() override;
  void *extract(const char *, int &) override;
  void *extract_peratom(const char *, int &) override;

 private:
  struct Template;
  struct Model;
  std::unique_ptr<Model> model;

  void allocate();
  void set_option(const std::string &, const std::string &);
  void drop_core();
  mdaug_core *open_core(const std::string &, int network = 0);
  void load(const std::string &);
  void load_committee();
  void add_to_committee(const std::string &, int network = 0);
  void load_again();
  void set_elements(const std::vector<std::string> &);
  std::array<int64_t, 4> this_run();
  void check_commands();
  void check_fixes();
  void refuse_insertions();
  void check_masses();
  void check_prepared();
  void check_insertions();
  void check_list();
  void check_special_bonds();
  void check_hybrid();
  void check_exclusions();
  std::array<int, 4> occupied(int, int);
  bool on_any_rank(int);
  void compare_with_training();
  void set_templates();
  void assign_molecules();
  void check_molecules();
  void add_molecules();
  int place_of(tagint) const;
  int species_in_molecule(int, int) const;
  void place_molecule(const Template &, int, int, int);
  int place_atom(int, const double *, double *) const;
  void claim_row(const Template &, int, int);
  void check_absent(const Template &, int) const;
  double ghost_cutoff() const;
  double distance_to_absent(const double *) const;
  void gather_atoms();
  void gather_neighbors();
  void evaluate();
  void evaluate_stages();
  void evaluate_committee();
  void set_virial_deviation(const std::vector<std::array<double, 6>> &);
  void add_results();
  void set_extrapolation();
  void check(int);
};

}    // namespace LAMMPS_NS

#endif
#endif
