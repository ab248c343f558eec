/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Nearest images in LAMMPS' cell.
 */

#ifndef LMP_PAIR_MDAUG_IMAGE_H
#define LMP_PAIR_MDAUG_IMAGE_H

#include "domain.h"

#include <array>
#include <cmath>

namespace LAMMPS_NS {

// The lattice translation (numbers of cell vectors) from a vector to its shortest image.
inline std::array<double, 3> nearest_image(const Domain &domain, double *r)
{
  std::array<double, 3> n{};
  const double shift[3][3] = {{domain.prd[0], 0, 0},
                              {domain.triclinic ? domain.xy : 0.0, domain.prd[1], 0},
                              {domain.triclinic ? domain.xz : 0.0, domain.triclinic ? domain.yz : 0.0, domain.prd[2]}};
  for (int k = 2; k >= 0; --k) {
    if (!domain.periodicity[k]) continue;
    n[k] = -std::nearbyint(r[k] / domain.prd[k]);
    if (n[k] == 0) continue;
    for (int a = 0; a <= k; ++a) r[a] += n[k] * shift[k][a];
  }
  return n;
}

}    // namespace LAMMPS_NS

#endif
