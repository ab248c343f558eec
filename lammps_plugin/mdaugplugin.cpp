// SPDX-License-Identifier: GPL-2.0-only
//
// The thin loader that every `lmp` of the environment loads at its start. It registers `pair_style mdaug`; the pair
// style itself and the core are loaded when an input uses the style.
//
// It uses only LAMMPS' C interface, so that a version mismatch gives a readable error.

#include <dlfcn.h>

#include <string>

#include "plugin_api.h"

#ifndef MDAUG_LAMMPS_VERSION
#error "define MDAUG_LAMMPS_VERSION as the version of LAMMPS that lammps_version() returns, e.g. 20250722"
#endif

extern "C" {
// of liblammps (library.h)
int lammps_version(void *lammps);
void lammps_error(void *lammps, int error_type, const char *message);
}

namespace {

constexpr int ERROR_ALL = 2;    // on all ranks: all of them run the same pair_style
constexpr const char *REMEDY =
    "; run 'mdaug lammps build' with the Python that LAMMPS belongs to, or CMake (lammps_plugin/CMakeLists.txt)";

std::string folder_of_this_file()
{
  Dl_info info;
  if (dladdr(reinterpret_cast<void *>(&lammpsplugin_init), &info) == 0) return ".";
  const std::string path = info.dli_fname;
  return path.substr(0, path.find_last_of('/'));
}

lammpsplugin_factory load_factory(std::string &problem)
{
  const std::string path = folder_of_this_file() + "/pair_mdaug.so";
  void *library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    problem = std::string("cannot load it: ") + dlerror();
    return nullptr;
  }
  void *symbol = dlsym(library, "mdaug_create_pair");
  if (symbol == nullptr) problem = path + " lacks the function mdaug_create_pair";
  return reinterpret_cast<lammpsplugin_factory>(symbol);
}

void *create_pair(void *lammps)
{
  static lammpsplugin_factory factory = nullptr;
  std::string problem;
  if (lammps_version(lammps) != MDAUG_LAMMPS_VERSION)
    problem = "compiled for LAMMPS " + std::to_string(MDAUG_LAMMPS_VERSION) + ", but this is LAMMPS " +
              std::to_string(lammps_version(lammps));
  else if (factory == nullptr)
    factory = load_factory(problem);
  if (!problem.empty()) {
    problem = "pair_style mdaug: " + problem + REMEDY;
    lammps_error(lammps, ERROR_ALL, problem.c_str());
    return nullptr;
  }
  return factory(lammps);
}

}    // namespace

extern "C" void lammpsplugin_init(void *lammps, void *handle, void *regfunc)
{
  lammpsplugin_t plugin;
  plugin.version = nullptr;    // LAMMPS would only warn of a difference; create_pair refuses it
  plugin.style = "pair";
  plugin.name = "mdaug";
  plugin.info = "SchNet force fields of mdaug (model.pt)";
  plugin.author = "the maintainers of mdaug";
  plugin.creator = create_pair;
  plugin.handle = handle;
  reinterpret_cast<lammpsplugin_regfunc>(regfunc)(&plugin, lammps);
}
