/* SPDX-License-Identifier: MIT
 *
 * mdaug core: energies, forces and strain derivatives of a model.pt that `mdaug train` wrote. C ABI over C++; needs
 * neither libtorch nor Python nor LAMMPS. This header is the manual.
 *
 * Units: eV, Å, and derivatives of them. With mdaug_verlet and mdaug_langevin also amu and ASE's time unit,
 * Å sqrt(amu/eV) = 10.18 fs.
 *
 * Geometry: r_ij = r_j − r_i + shift points from atom i to (an image of) atom j. forces = −∂E/∂r. strain = ∂E/∂ε is
 * the derivative of the energy in a homogeneous strain, six numbers in the order xx, yy, zz, xy, xz, yz: positive
 * where the energy rises with stretching. Divided by the volume it is ASE's stress; LAMMPS' virial is MINUS this.
 * Pairs at or beyond the cutoff may be given and contribute nothing; a pair at distance zero makes the results NaN.
 *
 * Precision: the network runs in the dtype of the core, which is also that of exchanged rows; coordinates, forces,
 * energies and all sums over pairs and atoms are double.
 *
 * Errors: nothing throws or exits. Functions that can fail return 0 for success, otherwise 1, and mdaug_error() returns
 * one line of UTF-8 text. After a failed call the core may be used again.
 *
 * Threads: one core serves one thread at a time; several cores serve several threads. Each call uses the
 * number of OpenMP threads given to mdaug_load and does not change torch's (and so OpenMP's) setting.
 *
 * Memory: all buffers belong to the core, grow with the largest system evaluated and never shrink; after
 * that a step allocates nothing. Input arrays are only read, and only during the call, unless stated; arrays of results
 * belong to the caller, are overwritten (never added to), and may be NULL where stated.
 */
#ifndef MDAUG_CORE_H
#define MDAUG_CORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define MDAUG_API __attribute__((visibility("default"))) /* all other symbols are hidden */
#else
#define MDAUG_API
#endif

#define MDAUG_CORE_ABI 8

/* MDAUG_CORE_ABI of the library; compare it with this header's after dlopen. */
MDAUG_API int mdaug_abi(void);

typedef struct mdaug_core mdaug_core;

/* ---- A model ------------------------------------------------------------------------------------------------- */

/* Load a model.pt.
 *   dtype    "float32", "float64", or NULL for the one in the manifest.
 *   threads  OpenMP threads of each call, at least 1.
 *   error    gets one line of text (cut to error_size bytes, terminated) if NULL is returned; may be NULL.
 * Fails, with a line that states the problem and its remedy, for: a missing file, a file that is not a model of mdaug,
 * another format version, an unknown dtype, filters that are not splines (such models run as TorchScript only), a
 * baseline whose indices or sizes are out of range. */
MDAUG_API mdaug_core* mdaug_load(const char* path, const char* dtype, int threads, char* error, size_t error_size);

/* The number of networks in the file of a core: 1, or those of a committee (mdaug train --committee N). */
MDAUG_API int mdaug_committee_size(const mdaug_core* core);

/* Load a network of the committee in a model.pt, 0 <= network < mdaug_committee_size; 0 is what mdaug_load loads. The
 * other arguments are its. Fails for a file that does not contain the network, too. */
MDAUG_API mdaug_core* mdaug_load_member(const char* path, int network, const char* dtype, int threads, char* error,
                                        size_t error_size);

MDAUG_API void mdaug_free(mdaug_core* core); /* NULL is fine */

/* Why the last call on this core failed; "" if it did not. Valid until the next call on it. */
MDAUG_API const char* mdaug_error(const mdaug_core* core);

/* The manifest of the model, JSON text (keys: mdaug.deployment.manifest). Valid as long as the core. */
MDAUG_API const char* mdaug_manifest(const mdaug_core* core);

MDAUG_API double mdaug_cutoff(const mdaug_core* core); /* Å */

/* A "species" is a row of the network's embedding. Elements of the model have the species 0 <= species <
 * mdaug_n_elements. Those of a baseline's atom types follow: atoms of one element with different places in a molecule have
 * different types (mdaug_template_species). The functions for whole systems take the species of the elements and set
 * those of atom types by the molecules. */
MDAUG_API int mdaug_n_elements(const mdaug_core* core);
MDAUG_API int mdaug_atomic_number(const mdaug_core* core, int species);
MDAUG_API const char* mdaug_symbol(const mdaug_core* core, int species); /* "H"; valid as long as the core */
MDAUG_API int mdaug_species(const mdaug_core* core, const char* symbol); /* −1: not an element of the model */

MDAUG_API size_t mdaug_element_size(const mdaug_core* core); /* of the network's numbers: 4 or 8 bytes */
MDAUG_API size_t mdaug_memory(const mdaug_core* core);       /* bytes held by all buffers and weights */

/* Whether energies include the reference energies of the elements; they do after mdaug_load. With 0 energies are
 * relative to single atoms, as the model evaluates them: an atom without neighbors has the energy zero, apart from the
 * plateaus of its broken bonds in a baseline. Forces do not change. Returns 0 for success. */
MDAUG_API int mdaug_set_reference(mdaug_core* core, int with_reference);

/* Extrapolation: how unlike those of the training frames the network's features of an atom are. Without unit; 1 is the
 * largest value of the training frames for the species of the atom (formula: mdaug/deployment/feature_statistics.py).
 * Models of earlier versions of mdaug do not have it. */
MDAUG_API int mdaug_has_extrapolation(const mdaug_core* core); /* 0: no */

/* Whether evaluations compute it; they do not after mdaug_load. An error if the model does not have it. */
MDAUG_API int mdaug_compute_extrapolation(mdaug_core* core, int on);

/* The values of the last evaluation, one for each atom in the order in which it had them: (n_atoms) of mdaug_evaluate,
 * (n_systems, n_atoms) of functions for replicas, (n_local) after mdaug_finish. NULL if they were not computed. Valid
 * until the next evaluation. */
MDAUG_API const double* mdaug_extrapolation(const mdaug_core* core);

/* ---- Molecules of a model with a baseline ----------------------------------------------------------------------
 *
 * The energy of a model with a baseline is E = M(r) + SchNet(r), where M is a sum over molecules of bonds, angles,
 * torsions and repulsion, in double (formula: mdaug/models/molecule_terms.py). The model holds M for one or more kinds of
 * molecules, its templates, and does not find molecules itself: the caller states which atoms form them. Without this
 * statement, or if it does not cover every atom exactly once, a model with a baseline refuses to evaluate.
 * Of a model without baseline none of this is needed; mdaug_n_templates is 0.
 *
 * A bond as long as the cutoff has exactly the energy D of its plateau, and all other terms that depend on it, as well
 * as pairs that far apart, have exactly the energy 0, with two continuous derivatives.
 *
 * In atomic energies and strains each term counts in equal parts for the atoms that it depends on. */

MDAUG_API int mdaug_n_templates(const mdaug_core* core);

/* Atoms of template t, 0 <= t < mdaug_n_templates; −1: no such template. */
MDAUG_API int64_t mdaug_template_size(const mdaug_core* core, int64_t t);
MDAUG_API int mdaug_template_atomic_number(const mdaug_core* core, int64_t t, int64_t atom); /* −1: no such atom */

/* Species of an atom of template t: that of its atom type or, without one, of its element; −1: no such atom. */
MDAUG_API int mdaug_template_species(const mdaug_core* core, int64_t t, int64_t atom);

/* Bonds of template t: the two atoms (places in the template) of a bond, and its mean length in training, Å.
 * mdaug_template_bond returns 0 for success, 1 if there is no such bond. */
MDAUG_API int64_t mdaug_template_n_bonds(const mdaug_core* core, int64_t t);
MDAUG_API int mdaug_template_bond(const mdaug_core* core, int64_t t, int64_t bond, int64_t* pair /* (2) */,
                                  double* length);

/* State the molecules of the systems to be evaluated, until the next call. For mdaug_evaluate atoms are those of the
 * system; for mdaug_evaluate_molecules, mdaug_verlet and mdaug_langevin those of one replica. All arguments are copied.
 *   templates  (n_molecules)
 *   atoms      (n_atoms): the atoms of one molecule after another, each molecule's in the order of its template.
 *              Every number from 0 to n_atoms − 1 occurs once.
 *   offsets    (n_atoms, 3), Å, by atom (not in the order of `atoms`): lattice translations; positions + offsets are
 *              those of whole molecules. NULL: all zero. In a cell that changes they change, too.
 * n_molecules = 0 with n_atoms = 0 means that the baseline is left out, as for lone atoms. After a failed call no
 * molecules are set. */
MDAUG_API int mdaug_set_molecules(mdaug_core* core, int64_t n_molecules, const int64_t* templates, const int64_t* atoms,
                                  const double* offsets, int64_t n_atoms);

/* ---- Whole systems ------------------------------------------------------------------------------------------- */

/* Evaluate one system, or several flattened into one whose pairs stay within each.
 *   species    (n_atoms)
 *   positions  (n_atoms, 3), Å
 *   idx_i, idx_j  (n_pairs): every UNORDERED pair once (not both i-j and j-i); i == j is an atom and its own periodic
 *              image, once for two opposite images.
 *   shifts     (n_pairs, 3), Å, Cartesian; NULL: all zero.
 *   energies   (n_atoms), eV; their sum is the energy of the system(s).
 *   forces     (n_atoms, 3), eV/Å
 *   strain     (6), eV, summed over all systems; may be NULL. */
MDAUG_API int mdaug_evaluate(mdaug_core* core, int64_t n_atoms, const int64_t* species, const double* positions,
                             int64_t n_pairs, const int64_t* idx_i, const int64_t* idx_j, const double* shifts,
                             double* energies, double* forces, double* strain);

/* Evaluate n_systems replicas of one molecule, all pairs of each; no cell.
 *   species    (n_atoms), the same for each replica
 *   positions  (n_systems, n_atoms, 3), Å
 *   energies   (n_systems), eV: one per replica, unlike in mdaug_evaluate
 *   forces     (n_systems, n_atoms, 3), eV/Å */
MDAUG_API int mdaug_evaluate_molecules(mdaug_core* core, int64_t n_systems, int64_t n_atoms, const int64_t* species,
                                       const double* positions, double* energies, double* forces);

/* Velocity Verlet for n_systems independent replicas of a molecule: per step p += ½ dt F; r += dt p / m; F = F(r);
 * p += ½ dt F. Takes n_steps steps, or fewer: stops after the first step at which the forces of a replica are not
 * finite.
 *   masses     (n_atoms), amu        timestep  Å sqrt(amu/eV)
 *   positions, momenta, forces       (n_systems, n_atoms, 3); Å, sqrt(amu eV), eV/Å. All three are read and
 *              overwritten; on entry forces are those at positions.
 *   energies   (n_systems), eV, potential, at the last positions (untouched if n_steps is 0)
 *   done       gets the number of steps taken. */
MDAUG_API int mdaug_verlet(mdaug_core* core, int64_t n_systems, int64_t n_atoms, const int64_t* species,
                           const double* masses, double timestep, int64_t n_steps, double* positions, double* momenta,
                           double* forces, double* energies, int64_t* done);

/* Langevin dynamics (BAOAB, DOI 10.1093/amrx/abs010): per step p += ½ dt F; r += ½ dt p / m; friction and noise
 * p = c p + √(1 − c²) R with c = exp(−friction dt); r += ½ dt p / m; F = F(r); p += ½ dt F. R are Maxwell–Boltzmann
 * momenta without net momentum and angular momentum, so a molecule that starts without either keeps 3N − 6 degrees
 * of freedom. Arguments as for mdaug_verlet, and
 *   friction   1 / time unit         kT  eV
 *   noise      (n_systems, n_steps, n_atoms, 3), independent standard normal numbers
 * The molecule must not be linear: its moment of inertia about the axis is zero, and the results would be NaN. */
MDAUG_API int mdaug_langevin(mdaug_core* core, int64_t n_systems, int64_t n_atoms, const int64_t* species,
                             const double* masses, double timestep, double friction, double kT, const double* noise,
                             int64_t n_steps, double* positions, double* momenta, double* forces, double* energies,
                             int64_t* done);

/* ---- One rank's share of a system, in stages (LAMMPS with MPI) -------------------------------------------------
 *
 * The rank owns atoms 0 … n_local − 1; rows n_local … n_total − 1 are ghosts: atoms that another rank owns, and
 * periodic images. Per evaluation:
 *
 *     mdaug_begin(core, n_local, n_total, species, first, idx_j, r_ij);
 *     for (each molecule with an owned atom) mdaug_add_molecule(core, t, rows, positions);      // with a baseline
 *     for (int stage = 0; stage < mdaug_n_stages(core); ++stage) {
 *         mdaug_rows rows;
 *         mdaug_stage(core, stage, &rows);
 *         if (rows.data) comm->forward_comm(pair);       // owned rows are packed, ghost rows filled, on EVERY rank
 *     }
 *     mdaug_finish(core, energies, forces, strain, NULL);
 *
 * Each stage fills rows of owned atoms; between stages the caller sends each owner's row to its ghosts. No reverse
 * communication is needed: forces are given for owned atoms only and are complete, as every rank sums both
 * directions of its atoms' pairs. Ranks without atoms (n_local = 0) make the same calls. The number of stages, and which of them
 * return rows, is the same on all ranks. Molecules that several ranks own together are evaluated by each of them.
 */

/* Rows to exchange: row k begins at data + k * width * element_size, k < n_total. NULL data: nothing to exchange. */
typedef struct {
    void* data;
    int64_t width;       /* numbers in a row: at most mdaug_row_width; the same on all ranks, not in all stages */
    size_t element_size; /* bytes of a number: 4 (float) or 8 (double) */
} mdaug_rows;

MDAUG_API int64_t mdaug_row_width(const mdaug_core* core); /* the largest; known after loading: for comm_forward */
MDAUG_API int mdaug_n_stages(const mdaug_core* core);      /* twice the number of interaction blocks */

/* Begin an evaluation. All arguments are copied: none need outlive the call.
 *   species   (n_total), ghosts too; with a baseline those of mdaug_template_species
 *   first     (n_local + 1): neighbors of owned atom i are entries first[i] … first[i + 1] − 1 of idx_j and r_ij
 *   idx_j     rows of the neighbors (0 <= idx_j < n_total): DIRECTED, every neighbor within the cutoff of every
 *             owned atom, so a pair of two owned atoms appears twice. Row i itself stands for an image of
 *             atom i that is not a ghost.
 *   r_ij      (first[n_local], 3), Å: r_j − r_i. */
MDAUG_API int mdaug_begin(mdaug_core* core, int64_t n_local, int64_t n_total, const int32_t* species,
                          const int64_t* first, const int32_t* idx_j, const double* r_ij);

/* Add a molecule to the evaluation that mdaug_begin has begun: its terms count for its owned atoms. Every owned row
 * must be in exactly one molecule when mdaug_finish is called. Only for models with a baseline. All arguments are
 * copied.
 *   t          its template
 *   rows       (size of the template): 0 … n_local − 1 for an atom that is this owned row; n_local or more for any
 *              other atom whose position is known (of another rank, or an image of an owned atom; the number itself
 *              does not matter); −1 for an atom that is absent. The bonds of absent atoms count as broken, and their
 *              distances from all atoms as longer than the cutoff. It is an error if that leaves a term of an owned
 *              atom undefined.
 *   positions  (size of the template, 3), Å, of the whole molecule around any image; of absent atoms they are not read.
 * A molecule of which a rank owns atoms in several images is added once for each. */
MDAUG_API int mdaug_add_molecule(mdaug_core* core, int64_t t, const int64_t* rows, const double* positions);

/* Run stage 0 … mdaug_n_stages − 1, in order. */
MDAUG_API int mdaug_stage(mdaug_core* core, int stage, mdaug_rows* rows);

/* Results for owned atoms.
 *   energies        (n_local), eV
 *   forces          (n_local, 3), eV/Å, complete
 *   strain          (6), eV: this rank's share, half of each directed pair, and of the terms of molecules the parts of
 *                   owned atoms; the sum over ranks is the system's. May be NULL.
 *   atomic_strains  (n_local, 6), eV: the same atom by atom; NULL if not wanted. */
MDAUG_API int mdaug_finish(mdaug_core* core, double* energies, double* forces, double* strain, double* atomic_strains);

/* ---- Lower bounds of the times, for mdaug bench; they return a number only so that no compiler leaves out the work -- */

/* Multiplies and adds in registers, n_flops operations (a multiply-add counts two), with whole vectors of the dtype. */
MDAUG_API double mdaug_multiply_add(const char* dtype, double n_flops);

/* Reads n_bytes from one end to the other. */
MDAUG_API double mdaug_read(const void* data, int64_t n_bytes);

#ifdef __cplusplus
}
#endif
#endif
