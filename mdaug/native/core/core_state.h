// SPDX-License-Identifier: MIT
// What a core consists of, and how functions of the C ABI turn exceptions into error texts.

#pragma once

#include "mdaug_core.h"

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "evaluation.h"
#include "model_file.h"
#include "molecules.h"

struct mdaug_core {
    mdaug::core::ModelFile file;
    int threads;
    std::unique_ptr<mdaug::core::AnyEvaluation> evaluation;
    std::unique_ptr<mdaug::core::Molecules> molecules;  // of the baseline
    std::vector<double> energies;                       // atomic energies of replicas
    std::vector<int64_t> first, filled;  // directed pairs of each atom, where they are made from unordered ones
    std::vector<int32_t> neighbor;
    std::vector<double> vectors;
    std::string error;
};

namespace mdaug::core {

// Runs body; returns 1 if it throws, and keeps the text for mdaug_error.
template <typename Body>
int guarded(mdaug_core* core, const Body& body) {
    try {
        core->error.clear();
        body(*core->evaluation);
        return 0;
    } catch (const std::bad_alloc&) {
        core->error = "out of memory for the buffers of the evaluation";
    } catch (const std::exception& error) {
        core->error = error.what();
    } catch (...) {
        core->error = "unknown error in the mdaug core";
    }
    return 1;
}

}  // namespace mdaug::core
