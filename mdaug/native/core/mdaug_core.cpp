// SPDX-License-Identifier: MIT
// The C ABI of a model and its evaluation: checks arguments.

#include "core_state.h"

#include <algorithm>
#include <cstdio>
#include <limits>

#include "dynamics.h"

using mdaug::core::AnyEvaluation;
using mdaug::core::guarded;
using mdaug::core::ModelFile;
using mdaug::core::Molecules;
using mdaug::core::Replicas;

namespace {

constexpr int64_t MAX_ROWS = std::numeric_limits<int32_t>::max();

[[noreturn]] void refuse(const std::string& what, int64_t index, int64_t value, const std::string& expected) {
    throw std::runtime_error(what + " " + std::to_string(index) + " is " + std::to_string(value) + ", expected " +
                             expected);
}

void check_size(const char* what, int64_t n) {
    if (n < 0 || n > MAX_ROWS)
        throw std::runtime_error(std::string(what) + " is " + std::to_string(n) + ", expected 0 to 2147483647");
}

template <typename Index>
void set_species(mdaug_core* core, int64_t n, const Index* species, int64_t row = 0) {
    const auto n_species = static_cast<int64_t>(core->molecules->elements().size());
    for (int64_t k = 0; k < n; ++k) {
        if (species[k] < 0 || species[k] >= n_species)
            refuse("species of atom", k, species[k], "0 to " + std::to_string(n_species - 1));
        core->evaluation->set_species(row + k, species[k]);
    }
}

void run_stages(AnyEvaluation& evaluation, bool directed) {
    evaluation.start(directed);
    for (int stage = 0; stage < evaluation.n_stages; ++stage) evaluation.stage(stage);
}

struct Pairs {
    int64_t n;
    const int64_t *i, *j;
    const double* shifts;
};

void vector_of(const double* positions, const Pairs& pairs, int64_t p, double* r) {
    const double *ri = positions + 3 * pairs.i[p], *rj = positions + 3 * pairs.j[p];
    for (int k = 0; k < 3; ++k) r[k] = rj[k] - ri[k] + (pairs.shifts ? pairs.shifts[3 * p + k] : 0.0);
}

// Both directions of unordered pairs, sorted by atom, so that threads can share the atoms.
void add_directed(mdaug_core* core, int64_t n_atoms, const double* positions, const Pairs& pairs) {
    auto& first = core->first;
    first.assign(n_atoms + 1, 0);
    for (int64_t p = 0; p < pairs.n; ++p) ++first[pairs.i[p] + 1], ++first[pairs.j[p] + 1];
    for (int64_t i = 0; i < n_atoms; ++i) first[i + 1] += first[i];
    core->filled.assign(first.begin(), first.end() - 1);
    core->neighbor.resize(2 * pairs.n);
    core->vectors.resize(6 * pairs.n);
    for (int64_t p = 0; p < pairs.n; ++p) {
        double r[3];
        vector_of(positions, pairs, p, r);
        const int64_t ij = core->filled[pairs.i[p]]++, ji = core->filled[pairs.j[p]]++;
        core->neighbor[ij] = static_cast<int32_t>(pairs.j[p]);
        core->neighbor[ji] = static_cast<int32_t>(pairs.i[p]);
        for (int k = 0; k < 3; ++k) core->vectors[3 * ij + k] = r[k], core->vectors[3 * ji + k] = -r[k];
    }
    for (int64_t i = 0; i < n_atoms; ++i) {
        for (int64_t p = first[i]; p < first[i + 1]; ++p) {
            const double* r = core->vectors.data() + 3 * p;
            core->evaluation->add_pair(i, core->neighbor[p], r[0], r[1], r[2]);
        }
        core->evaluation->end_of_atom(i);
    }
}

void add_unordered(mdaug_core* core, const double* positions, const Pairs& pairs) {
    for (int64_t p = 0; p < pairs.n; ++p) {
        double r[3];
        vector_of(positions, pairs, p, r);
        core->evaluation->add_pair(pairs.i[p], pairs.j[p], r[0], r[1], r[2]);
    }
}

// Energies (n_systems) and forces of replicas of a molecule.
void evaluate_molecules(mdaug_core* core, int64_t n_systems, int64_t n_atoms, const int64_t* species,
                        const double* positions, double* energies, double* forces) {
    auto& evaluation = *core->evaluation;
    const int64_t n_rows = n_systems * n_atoms;
    check_size("number of atoms of all replicas", n_rows);
    const bool directed = core->threads > 1 && n_rows > mdaug::core::ROW_BLOCK;
    evaluation.begin(n_rows, n_rows, n_rows * (n_atoms - 1) / (directed ? 1 : 2));
    for (int64_t s = 0; s < n_systems; ++s) set_species(core, n_atoms, species, s * n_atoms);
    core->molecules->set_species(n_systems, n_atoms, species, evaluation);
    for (int64_t i = 0; i < n_rows; ++i) {
        const int64_t begin = i / n_atoms * n_atoms;
        const double* ri = positions + 3 * i;
        for (int64_t j = directed ? begin : i + 1; j < begin + n_atoms; ++j) {
            const double* rj = positions + 3 * j;
            if (j != i) evaluation.add_pair(i, j, rj[0] - ri[0], rj[1] - ri[1], rj[2] - ri[2]);
        }
        evaluation.end_of_atom(i);
    }
    run_stages(evaluation, directed);
    core->energies.resize(n_rows);
    evaluation.finish(core->energies.data(), forces, nullptr, nullptr);
    core->molecules->add(n_systems, positions, core->energies.data(), forces, nullptr);
    for (int64_t s = 0; s < n_systems; ++s) {
        energies[s] = 0;
        for (int64_t a = 0; a < n_atoms; ++a) energies[s] += core->energies[s * n_atoms + a];
    }
}

void evaluate_replicas(mdaug_core* core, const Replicas& replicas) {
    evaluate_molecules(core, replicas.n_systems, replicas.n_atoms, replicas.species, replicas.positions,
                       replicas.energies, replicas.forces);
}

std::unique_ptr<AnyEvaluation> make_evaluation(const ModelFile& file, const std::vector<int>& elements,
                                               const std::string& dtype, int threads) {
    if (dtype == "float32") return std::make_unique<mdaug::core::Evaluation<float>>(file, elements, threads);
    if (dtype == "float64") return std::make_unique<mdaug::core::Evaluation<double>>(file, elements, threads);
    throw std::runtime_error("dtype '" + dtype + "': expected 'float32' or 'float64'");
}

// The index of a species' element; −1: no such species.
int element_of(const mdaug_core* core, int species) {
    const auto& elements = core->molecules->elements();
    return species < 0 || species >= static_cast<int>(elements.size()) ? -1 : elements[species];
}

// What an atom of each species would have as its energy without neighbors, without reference energies.
std::vector<double> lone_atom_energies(mdaug_core* core) {
    auto& evaluation = *core->evaluation;
    const auto n = static_cast<int64_t>(core->molecules->elements().size());
    std::vector<double> energies(n), forces(3 * n);
    evaluation.set_energy_offsets(std::vector<double>(n, 0.0));
    evaluation.begin(n, n, 0);
    for (int64_t k = 0; k < n; ++k) evaluation.set_species(k, k), evaluation.end_of_atom(k);
    run_stages(evaluation, false);
    evaluation.finish(energies.data(), forces.data(), nullptr, nullptr);
    return energies;
}

}  // namespace

extern "C" {

int mdaug_abi(void) { return MDAUG_CORE_ABI; }

mdaug_core* mdaug_load(const char* path, const char* dtype, int threads, char* error, size_t error_size) {
    return mdaug_load_member(path, 0, dtype, threads, error, error_size);
}

mdaug_core* mdaug_load_member(const char* path, int network, const char* dtype, int threads, char* error,
                              size_t error_size) {
    std::string reason;
    try {
        auto core = std::make_unique<mdaug_core>();
        core->file = ModelFile::read(path, network);
        core->threads = std::max(1, threads);
        core->molecules = std::make_unique<Molecules>(core->file, core->threads);
        core->evaluation = make_evaluation(core->file, core->molecules->elements(), dtype ? dtype : core->file.dtype,
                                           core->threads);
        core->file.keep_only({"atomic_numbers", "reference_energies"});  // the evaluation has its own weights
        return core.release();
    } catch (const std::exception& caught) {
        reason = caught.what();
    } catch (...) {
        reason = std::string(path) + ": unknown error when loading the model";
    }
    if (error && error_size > 0) std::snprintf(error, error_size, "%s", reason.substr(0, reason.find('\n')).c_str());
    return nullptr;
}

int mdaug_committee_size(const mdaug_core* core) { return core->file.n_networks; }

void mdaug_free(mdaug_core* core) { delete core; }

const char* mdaug_error(const mdaug_core* core) { return core->error.c_str(); }

const char* mdaug_manifest(const mdaug_core* core) { return core->file.manifest.c_str(); }

double mdaug_cutoff(const mdaug_core* core) { return core->file.cutoff; }

int mdaug_n_elements(const mdaug_core* core) { return static_cast<int>(core->file.symbols.size()); }

int mdaug_atomic_number(const mdaug_core* core, int species) {
    const int element = element_of(core, species);
    return element < 0 ? -1 : static_cast<int>(core->file.at("atomic_numbers").data[element]);
}

const char* mdaug_symbol(const mdaug_core* core, int species) {
    const int element = element_of(core, species);
    return element < 0 ? "" : core->file.symbols[element].c_str();
}

int mdaug_species(const mdaug_core* core, const char* symbol) {
    const auto& symbols = core->file.symbols;
    const auto place = std::find(symbols.begin(), symbols.end(), symbol);
    return place == symbols.end() ? -1 : static_cast<int>(place - symbols.begin());
}

size_t mdaug_element_size(const mdaug_core* core) { return core->evaluation->element_size(); }

size_t mdaug_memory(const mdaug_core* core) {
    return core->evaluation->bytes() + core->molecules->bytes() + core->energies.capacity() * sizeof(double) +
           (core->first.capacity() + core->filled.capacity()) * sizeof(int64_t) +
           core->neighbor.capacity() * sizeof(int32_t) + core->vectors.capacity() * sizeof(double);
}

int mdaug_set_reference(mdaug_core* core, int with_reference) {
    return guarded(core, [&](AnyEvaluation& evaluation) {
        std::vector<double> offsets;
        for (const int element : core->molecules->elements())
            offsets.push_back(core->file.at("reference_energies").data[element]);
        if (!with_reference) {
            offsets = lone_atom_energies(core);
            for (auto& offset : offsets) offset = -offset;
        }
        evaluation.set_energy_offsets(offsets);
    });
}

int mdaug_evaluate(mdaug_core* core, int64_t n_atoms, const int64_t* species, const double* positions, int64_t n_pairs,
                   const int64_t* idx_i, const int64_t* idx_j, const double* shifts, double* energies, double* forces,
                   double* strain) {
    return guarded(core, [&](AnyEvaluation& evaluation) {
        check_size("n_atoms", n_atoms);
        const Pairs pairs{n_pairs, idx_i, idx_j, shifts};
        for (int64_t p = 0; p < n_pairs; ++p)
            for (const int64_t k : {idx_i[p], idx_j[p]})
                if (k < 0 || k >= n_atoms) refuse("an atom of pair", p, k, "0 to n_atoms - 1");
        const bool directed = core->threads > 1 && n_atoms > mdaug::core::ROW_BLOCK;
        evaluation.begin(n_atoms, n_atoms, directed ? 2 * n_pairs : n_pairs);
        set_species(core, n_atoms, species);
        core->molecules->set_species(1, n_atoms, species, evaluation);
        directed ? add_directed(core, n_atoms, positions, pairs) : add_unordered(core, positions, pairs);
        run_stages(evaluation, directed);
        evaluation.finish(energies, forces, strain, nullptr);
        core->molecules->add(1, positions, energies, forces, strain);
    });
}

int mdaug_evaluate_molecules(mdaug_core* core, int64_t n_systems, int64_t n_atoms, const int64_t* species,
                             const double* positions, double* energies, double* forces) {
    return guarded(core, [&](AnyEvaluation&) {
        evaluate_molecules(core, n_systems, n_atoms, species, positions, energies, forces);
    });
}

int mdaug_verlet(mdaug_core* core, int64_t n_systems, int64_t n_atoms, const int64_t* species, const double* masses,
                 double timestep, int64_t n_steps, double* positions, double* momenta, double* forces, double* energies,
                 int64_t* done) {
    *done = 0;
    return guarded(core, [&](AnyEvaluation&) {
        const Replicas replicas{n_systems, n_atoms, species, masses, timestep, positions, momenta, forces, energies};
        const auto move = [&](int64_t) { mdaug::core::drift(replicas, timestep); };
        *done = mdaug::core::integrate(replicas, n_steps, move, [&] { evaluate_replicas(core, replicas); });
    });
}

int mdaug_langevin(mdaug_core* core, int64_t n_systems, int64_t n_atoms, const int64_t* species, const double* masses,
                   double timestep, double friction, double kT, const double* noise, int64_t n_steps, double* positions,
                   double* momenta, double* forces, double* energies, int64_t* done) {
    *done = 0;
    return guarded(core, [&](AnyEvaluation&) {
        const Replicas replicas{n_systems, n_atoms, species, masses, timestep, positions, momenta, forces, energies};
        mdaug::core::Thermostat thermostat(n_atoms, masses, timestep, friction, kT);
        const int64_t size = 3 * n_atoms;
        const auto move = [&](int64_t step) {
            mdaug::core::drift(replicas, 0.5 * timestep);
            for (int64_t k = 0; k < n_systems; ++k)
                thermostat.apply(positions + k * size, noise + (k * n_steps + step) * size, momenta + k * size);
            mdaug::core::drift(replicas, 0.5 * timestep);
        };
        *done = mdaug::core::integrate(replicas, n_steps, move, [&] { evaluate_replicas(core, replicas); });
    });
}

int mdaug_has_extrapolation(const mdaug_core* core) { return core->evaluation->has_extrapolation(); }

int mdaug_compute_extrapolation(mdaug_core* core, int on) {
    return guarded(core, [&](AnyEvaluation& evaluation) {
        if (on && !evaluation.has_extrapolation())
            throw std::runtime_error(core->file.path + ": the model has no statistics of its training frames, so no "
                                     "extrapolation; `mdaug export` adds them in the folder of its training");
        evaluation.compute_extrapolation(on != 0);
    });
}

const double* mdaug_extrapolation(const mdaug_core* core) { return core->evaluation->extrapolation(); }

int64_t mdaug_row_width(const mdaug_core* core) { return core->evaluation->row_width(); }

int mdaug_n_stages(const mdaug_core* core) { return core->evaluation->n_stages; }

int mdaug_begin(mdaug_core* core, int64_t n_local, int64_t n_total, const int32_t* species, const int64_t* first,
                const int32_t* idx_j, const double* r_ij) {
    return guarded(core, [&](AnyEvaluation& evaluation) {
        check_size("n_total", n_total);
        if (n_local < 0 || n_local > n_total)
            throw std::runtime_error("n_local is " + std::to_string(n_local) + ", expected 0 to n_total");
        evaluation.begin(n_local, n_total, n_local ? first[n_local] : 0);
        set_species(core, n_total, species);
        core->molecules->begin(n_local, species);
        for (int64_t i = 0; i < n_local; ++i) {
            for (int64_t p = first[i]; p < first[i + 1]; ++p) {
                if (idx_j[p] < 0 || idx_j[p] >= n_total) refuse("neighbor", p, idx_j[p], "0 to n_total - 1");
                evaluation.add_pair(i, idx_j[p], r_ij[3 * p], r_ij[3 * p + 1], r_ij[3 * p + 2]);
            }
            evaluation.end_of_atom(i);
        }
        evaluation.start(true);
    });
}

int mdaug_stage(mdaug_core* core, int stage, mdaug_rows* rows) {
    *rows = {nullptr, mdaug_row_width(core), mdaug_element_size(core)};
    return guarded(core, [&](AnyEvaluation& evaluation) {
        if (stage < 0 || stage >= evaluation.n_stages)
            throw std::runtime_error("stage " + std::to_string(stage) + ", expected 0 to mdaug_n_stages - 1");
        const auto exchanged = evaluation.stage(stage);
        rows->data = exchanged.data, rows->width = exchanged.width;
    });
}

int mdaug_finish(mdaug_core* core, double* energies, double* forces, double* strain, double* atomic_strains) {
    return guarded(core, [&](AnyEvaluation& evaluation) {
        evaluation.finish(energies, forces, strain, atomic_strains);
        core->molecules->finish(energies, forces, strain, atomic_strains);
    });
}

}  // extern "C"
