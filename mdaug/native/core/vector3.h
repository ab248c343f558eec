// SPDX-License-Identifier: MIT
// Vectors in space.

#pragma once

#include <array>
#include <cmath>

namespace mdaug::core {

using Vector3 = std::array<double, 3>;

inline Vector3 cross(const Vector3& a, const Vector3& b) {
    return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

inline double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

inline void add_to(double* sum, double factor, const Vector3& a) {
    for (int k = 0; k < 3; ++k) sum[k] += factor * a[k];
}

// sum += factor × the symmetric part of a ⊗ b, in the order xx, yy, zz, xy, xz, yz.
inline void add_symmetric_product(double* sum, double factor, const Vector3& a, const Vector3& b) {
    const double half = 0.5 * factor;
    for (int k = 0; k < 3; ++k) sum[k] += factor * a[k] * b[k];
    sum[3] += half * (a[0] * b[1] + a[1] * b[0]);
    sum[4] += half * (a[0] * b[2] + a[2] * b[0]);
    sum[5] += half * (a[1] * b[2] + a[2] * b[1]);
}

}  // namespace mdaug::core
