// SPDX-License-Identifier: MIT
// The C ABI of the baseline: templates of molecules, and which atoms form molecules.

#include "core_state.h"

using mdaug::core::guarded;

namespace {

const mdaug::core::MoleculeTerms* template_of(const mdaug_core* core, int64_t t) {
    const auto& templates = core->molecules->templates();
    return t < 0 || t >= static_cast<int64_t>(templates.size()) ? nullptr : &templates[t];
}

}  // namespace

extern "C" {

int mdaug_n_templates(const mdaug_core* core) { return static_cast<int>(core->molecules->templates().size()); }

int64_t mdaug_template_size(const mdaug_core* core, int64_t t) {
    const auto* terms = template_of(core, t);
    return terms ? terms->n_atoms() : -1;
}

int mdaug_template_atomic_number(const mdaug_core* core, int64_t t, int64_t atom) {
    const auto* terms = template_of(core, t);
    return terms && atom >= 0 && atom < terms->n_atoms() ? terms->atomic_numbers[atom] : -1;
}

int mdaug_template_species(const mdaug_core* core, int64_t t, int64_t atom) {
    const auto* terms = template_of(core, t);
    return terms && atom >= 0 && atom < terms->n_atoms() ? terms->species[atom] : -1;
}

int64_t mdaug_template_n_bonds(const mdaug_core* core, int64_t t) {
    const auto* terms = template_of(core, t);
    return terms ? terms->n_bonds() : -1;
}

int mdaug_template_bond(const mdaug_core* core, int64_t t, int64_t bond, int64_t* pair, double* length) {
    const auto* terms = template_of(core, t);
    if (!terms || bond < 0 || bond >= terms->n_bonds()) return 1;
    pair[0] = terms->edges[bond].from, pair[1] = terms->edges[bond].to;
    *length = terms->bonds[bond].mean_length;
    return 0;
}

int mdaug_set_molecules(mdaug_core* core, int64_t n_molecules, const int64_t* templates, const int64_t* atoms,
                        const double* offsets, int64_t n_atoms) {
    return guarded(core, [&](mdaug::core::AnyEvaluation&) {
        core->molecules->set(n_molecules, templates, atoms, offsets, n_atoms);
    });
}

int mdaug_add_molecule(mdaug_core* core, int64_t t, const int64_t* rows, const double* positions) {
    return guarded(core, [&](mdaug::core::AnyEvaluation&) { core->molecules->add_molecule(t, rows, positions); });
}

}  // extern "C"
