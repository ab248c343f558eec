// SPDX-License-Identifier: MIT
// Reads a model.pt with torch, after checks that torch does not make.

#include "model_file.h"

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>

#include "archive.h"
#include "json.h"
#include "sha256.h"
#include "shapes.h"

namespace mdaug::core {

namespace {

constexpr const char* FORMAT_VERSIONS[] = {"1", "2", "3", "4"};  // 2: prior; 3: baseline; 4: radians or vectors

// Tensors of each template of a baseline (mdaug/models/molecule_terms.py).
constexpr const char* TEMPLATE_TENSORS[] = {"atomic_numbers", "bonds",           "bond_parameters", "angles",
                                            "mean_cosines",   "torsions",        "pairs",           "pair_parameters",
                                            "factors",        "gates",           "coefficients",    "angle_forms"};

Array array_of(const at::Tensor& tensor) {
    const auto copy = tensor.detach().to(at::kCPU, at::kDouble).contiguous();
    const double* data = copy.const_data_ptr<double>();
    return {{data, data + copy.numel()}, copy.sizes().vec()};
}

std::string first_sentence(const std::string& text) {
    return text.substr(0, std::min(text.find('\n'), text.find(". ")));
}

// torch reads beyond the end of a member that has fewer bytes than its tensor needs.
void check_sizes(const torch::jit::Module& module, const Archive& archive) {
    std::multiset<uint64_t> needed, stored;
    std::set<const void*> seen;
    for (const auto& named : module.named_attributes()) {
        if (!named.value.isTensor()) continue;
        const auto& storage = named.value.toTensor().storage();
        if (seen.insert(storage.unsafeGetStorageImpl()).second) needed.insert(storage.nbytes());
    }
    for (const auto& member : archive.members())
        if (member.name.find("/data/") != std::string::npos) stored.insert(member.size);
    if (needed != stored) throw std::runtime_error("its tensors have other sizes than the bytes stored for them");
}

torch::jit::Module open(const std::string& path, std::string& manifest) {
    if (!std::filesystem::is_regular_file(path))
        throw std::runtime_error(path + ": no such file; expected a model.pt written by mdaug train or mdaug export");
    torch::jit::ExtraFilesMap extra{{"manifest.json", ""}};
    try {
        const Archive archive(path);
        auto module = torch::jit::load(path, c10::Device(c10::kCPU), extra);
        check_sizes(module, archive);
        manifest = extra["manifest.json"];
        if (!manifest.empty()) JsonReader(manifest).check();
        return module;
    } catch (const std::exception& error) {
        throw std::runtime_error(path + ": not a model.pt, or damaged (" + printable(first_sentence(error.what())) +
                                 "); expected a TorchScript file written by mdaug");
    }
}

void check(const std::string& path, const std::string& manifest) {
    if (manifest.empty())
        throw std::runtime_error(path +
                                 ": a TorchScript file, but without manifest.json; expected one written by mdaug");
    const auto version = json_value(manifest, "format_version");
    if (std::find(std::begin(FORMAT_VERSIONS), std::end(FORMAT_VERSIONS), version) == std::end(FORMAT_VERSIONS))
        throw std::runtime_error(path + ": model of format version " + (version.empty() ? "none" : printable(version)) +
                                 ", expected 1, 2, 3 or 4; export it again with this version of mdaug, or use the version "
                                 "that wrote it");
    if (json_value(manifest, "filters") != "\"spline\"")
        throw std::runtime_error(path +
                                 ": its filters are no splines, which the C++ core cannot evaluate; "
                                 "use it as TorchScript, or train with filters = \"spline\"");
}

// Files of format version 1 do not mention a prior.
bool has_prior(const torch::jit::Module& module) {
    return module.hasattr("prior_table") && !module.attr("prior_table").isNone();
}

using NamedTensors = std::map<std::string, at::Tensor>;

// The tensors of each template; files of versions 1 and 2 have none.
std::vector<NamedTensors> baseline_of(const torch::jit::Module& module) {
    std::vector<NamedTensors> templates;
    if (!module.hasattr("baseline") || !module.attr("baseline").isModule()) return templates;
    for (const auto& child : module.attr("baseline").toModule().named_children()) {
        auto& tensors = templates.emplace_back();
        for (const char* name : TEMPLATE_TENSORS)
            if (child.value.hasattr(name) && child.value.attr(name).isTensor())
                tensors[name] = child.value.attr(name).toTensor();
    }
    return templates;
}

NamedTensors tensors_of(const torch::jit::Module& module) {
    NamedTensors tensors;
    for (const auto& named : module.named_parameters()) tensors[named.name] = named.value;
    for (const auto& named : module.named_buffers()) tensors[named.name] = named.value;
    if (has_prior(module)) tensors["prior_table"] = module.attr("prior_table").toTensor();
    return tensors;
}

// The hash of names and bytes of all tensors, by name, must be that of the manifest (mdaug/deployment/manifest.py).
void check_weights(const std::string& path, const std::string& manifest, NamedTensors tensors,
                   const std::vector<NamedTensors>& baseline) {
    for (size_t t = 0; t < baseline.size(); ++t)
        for (const auto& [name, tensor] : baseline[t]) tensors["baseline." + std::to_string(t) + "." + name] = tensor;
    Sha256 hash;
    for (const auto& [name, tensor] : tensors) {
        const auto whole = tensor.contiguous();
        hash.update(name.data(), name.size());
        hash.update(whole.const_data_ptr(), whole.nbytes());
    }
    if (json_value(manifest, "weights_sha256") != '"' + hash.digest() + '"')
        throw std::runtime_error(path + ": its weights are not those of its manifest; take the original file");
}

}  // namespace

const Array& ModelFile::at(const std::string& name) const {
    const auto item = tensors.find(name);
    if (item == tensors.end())
        throw std::runtime_error("the model lacks the tensor " + name + "; export it again with this version of mdaug");
    return item->second;
}

const Array& ModelFile::block(int l, const std::string& name) const {
    return at("network.interactions." + std::to_string(l) + "." + name);
}

int64_t ModelFile::n_vectors() const {
    const auto item = tensors.find("network.interactions.0.vector_inward.weight");
    return item == tensors.end() || item->second.shape.empty() ? 0 : item->second.shape[0];
}

void ModelFile::keep_only(const std::set<std::string>& names) {
    std::erase_if(tensors, [&](const auto& item) { return !names.contains(item.first); });
    baseline.clear();
}

ModelFile ModelFile::read(const std::string& path) {
    ModelFile file;
    const auto module = open(path, file.manifest);
    check(path, file.manifest);
    file.path = path;
    const auto dtype = json_strings(json_value(file.manifest, "dtype"));
    file.dtype = dtype.empty() ? "float64" : dtype[0];
    file.symbols = json_strings(json_value(file.manifest, "elements"));
    const auto tensors = tensors_of(module);
    const auto baseline = baseline_of(module);
    check_weights(path, file.manifest, tensors, baseline);
    for (const auto& [name, tensor] : tensors) file.tensors[name] = array_of(tensor);
    for (const auto& terms : baseline) {
        auto& arrays = file.baseline.emplace_back();
        for (const auto& [name, tensor] : terms) arrays[name] = array_of(tensor);
    }
    file.tensors["reference_energies"] = array_of(module.attr("reference_energies").toTensor());
    file.cutoff = module.attr("cutoff").toDouble();
    file.energy_scale = module.attr("energy_scale").toDouble();
    file.prior_spacing = has_prior(module) ? module.attr("prior_spacing").toDouble() : 0;
    file.spacing = module.attr("filters").toModule().attr("spacing").toDouble();
    file.n_interactions = static_cast<int>(
        std::clamp<int64_t>(module.attr("filters").toModule().attr("n_interactions").toInt(), -1, 1 << 20));
    const auto is_symbol = [](const std::string& text) {
        return !text.empty() && text.size() <= 3 && text == printable(text) && text.find(' ') == std::string::npos;
    };
    if (file.symbols.empty() || file.symbols.size() != file.at("atomic_numbers").data.size() ||
        !std::all_of(file.symbols.begin(), file.symbols.end(), is_symbol))
        throw std::runtime_error(path + ": the elements in its manifest are not those of its weights; export it again");
    try {
        ShapeCheck::run(file);
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(path + ": not a model of mdaug (" + error.what() + "); export it again");
    }
    return file;
}

}  // namespace mdaug::core
