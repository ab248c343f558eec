// SPDX-License-Identifier: MIT
// Reads a model.pt without torch, so that it is read in milliseconds.

#include "model_file.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <stdexcept>

#include "archive.h"
#include "json.h"
#include "sha256.h"
#include "shapes.h"
#include "stored_module.h"

namespace mdaug::core {

namespace {

constexpr const char* FORMAT_VERSIONS[] = {"1", "2", "3", "4", "5", "6", "7"};  // mdaug/deployment/manifest.py

// Tensors of each template of a baseline (mdaug/models/molecule_terms.py).
constexpr const char* TEMPLATE_TENSORS[] = {"atomic_numbers", "bonds",           "bond_parameters", "angles",
                                            "mean_cosines",   "torsions",        "pairs",           "pair_parameters",
                                            "factors",        "gates",           "coefficients",    "angle_forms",
                                            "atom_types"};

std::string first_sentence(const std::string& text) {
    return text.substr(0, std::min(text.find('\n'), text.find(". ")));
}

// Returns read(); names the file if that fails.
template <typename Read>
auto readable(const std::string& path, const Read& read) {
    try {
        return read();
    } catch (const std::exception& error) {
        throw std::runtime_error(path + ": not a model.pt, or damaged (" + printable(first_sentence(error.what())) +
                                 "); expected a TorchScript file written by mdaug");
    }
}

std::string manifest_of(const Archive& archive) {
    if (!archive.contains("constants.pkl")) throw std::runtime_error("no TorchScript, but perhaps a checkpoint");
    if (!archive.contains("extra/manifest.json")) return "";
    const std::string manifest(archive.content("extra/manifest.json"));
    JsonReader(manifest).check();
    return manifest;
}

// The networks of a committee are extra files of the archive, each a whole model.pt (mdaug/deployment/committee.py).
constexpr int MOST_NETWORKS = 1000;

Archive archive_of(const std::string& path, int network) {
    Archive archive(path);
    if (network == 0) return archive;
    const std::string name = "extra/committee/network-" + std::to_string(network) + ".pt";
    if (!archive.contains(name)) throw std::runtime_error("the file does not contain it");
    const auto bytes = archive.content(name);
    return Archive(std::vector<char>(bytes.begin(), bytes.end()));
}

int n_networks_of(const std::string& path, const std::string& manifest) {
    const auto committee = json_value(manifest, "committee");
    if (committee.empty() || committee == "null") return 1;
    const auto text = json_value(committee, "networks");
    const bool is_integer = !text.empty() && text.size() <= 4 && text.find_first_not_of("0123456789") == std::string::npos;
    const int n = is_integer ? std::stoi(text) : 0;
    if (n < 2 || n > MOST_NETWORKS)
        throw std::runtime_error(path + ": manifest.json has committee = " + printable(committee.substr(0, 80)) +
                                 ", which is not valid; export it again");
    return n;
}

void check(const std::string& path, const std::string& manifest) {
    if (manifest.empty())
        throw std::runtime_error(path +
                                 ": a TorchScript file, but without manifest.json; expected one written by mdaug");
    const auto version = json_value(manifest, "format_version");
    if (std::find(std::begin(FORMAT_VERSIONS), std::end(FORMAT_VERSIONS), version) == std::end(FORMAT_VERSIONS))
        throw std::runtime_error(path + ": model of format version " + (version.empty() ? "none" : printable(version)) +
                                 ", expected 1 to 6; export it again with this version of mdaug, or use the version "
                                 "that wrote it");
    if (json_value(manifest, "filters") != "\"spline\"")
        throw std::runtime_error(path +
                                 ": its filters are no splines, which the C++ core cannot evaluate; "
                                 "use it as TorchScript, or train with filters = \"spline\"");
}

using NamedTensors = std::map<std::string, StoredTensor>;

std::string prefix_of(size_t t) { return "baseline." + std::to_string(t) + "."; }

// The tensors of each template; files of versions 1 and 2 have none.
std::vector<NamedTensors> baseline_of(const StoredModule& module) {
    std::vector<NamedTensors> templates;
    for (;;) {
        NamedTensors tensors;
        for (const char* name : TEMPLATE_TENSORS) {
            const auto item = module.tensors().find(prefix_of(templates.size()) + name);
            if (item != module.tensors().end()) tensors[name] = item->second;
        }
        if (tensors.empty()) return templates;
        templates.push_back(std::move(tensors));
    }
}

// Tensors outside the baseline that are in the hash of the weights: parameters, buffers, the prior and output scales.
bool is_hashed(const std::string& name) {
    return name.starts_with("network.") || name == "atomic_numbers" || name == "filters.table" ||
           name == "prior_table" || name == "output_scales";
}

// The hash of names and bytes of all tensors, by name, must be that of the manifest (mdaug/deployment/manifest.py).
void check_weights(const std::string& path, const std::string& manifest, const StoredModule& module) {
    NamedTensors tensors;
    for (const auto& [name, tensor] : module.tensors())
        if (is_hashed(name)) tensors[name] = tensor;
    const auto baseline = baseline_of(module);
    for (size_t t = 0; t < baseline.size(); ++t)
        for (const auto& [name, tensor] : baseline[t]) tensors[prefix_of(t) + name] = tensor;
    Sha256 hash;
    for (const auto& [name, tensor] : tensors) {
        hash.update(name.data(), name.size());
        const std::string bytes = tensor.bytes();
        hash.update(bytes.data(), bytes.size());
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

int64_t ModelFile::n_species() const { return at("network.embedding.weight").shape[0]; }

int64_t ModelFile::n_vectors() const {
    const auto item = tensors.find("network.interactions.0.vector_inward.weight");
    return item == tensors.end() || item->second.shape.empty() ? 0 : item->second.shape[0];
}

void ModelFile::keep_only(const std::set<std::string>& names) {
    std::erase_if(tensors, [&](const auto& item) { return !names.contains(item.first); });
    baseline.clear();
}

void ModelFile::fill(const StoredModule& module) {
    for (const auto& [name, tensor] : module.tensors())
        if (!name.starts_with("baseline.")) tensors[name] = tensor.array();
    for (const auto& terms : baseline_of(module)) {
        auto& arrays = baseline.emplace_back();
        for (const auto& [name, tensor] : terms) arrays[name] = tensor.array();
    }
    cutoff = module.number("cutoff");
    energy_scale = module.number("energy_scale");
    prior_spacing = tensors.contains("prior_table") ? module.number("prior_spacing") : 0;
    spacing = module.number("filters.spacing");
    n_interactions = static_cast<int>(std::clamp<int64_t>(module.integer("filters.n_interactions"), -1, 1 << 20));
}

ModelFile ModelFile::read(const std::string& path_of_file, int network) {
    if (!std::filesystem::is_regular_file(path_of_file))
        throw std::runtime_error(path_of_file +
                                 ": no such file; expected a model.pt written by mdaug train or mdaug export");
    const std::string path =
        network == 0 ? path_of_file : path_of_file + ", network " + std::to_string(network) + " of its committee";
    ModelFile file;
    file.path = path;
    const Archive archive = readable(path, [&] { return archive_of(path_of_file, network); });
    file.manifest = readable(path, [&] { return manifest_of(archive); });
    check(path, file.manifest);
    const auto dtype = json_strings(json_value(file.manifest, "dtype"));
    file.dtype = dtype.empty() ? "float64" : dtype[0];
    file.symbols = json_strings(json_value(file.manifest, "elements"));
    file.n_networks = n_networks_of(path, file.manifest);
    const StoredModule module = readable(path, [&] { return StoredModule(archive); });
    check_weights(path, file.manifest, module);
    readable(path, [&] { file.fill(module); });
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
