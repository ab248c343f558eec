// SPDX-License-Identifier: MIT
// Friction and noise of Langevin dynamics, without translation and rotation of the whole.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace mdaug {

using Vector3 = std::array<double, 3>;

inline Vector3 cross(const Vector3& a, const Vector3& b) {
    return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}

inline double dot(const Vector3& a, const Vector3& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

// The middle of a BAOAB step (DOI 10.1093/amrx/abs010): p = kept p + √(1 − kept²) R with kept = exp(−friction dt),
// and R the Maxwell–Boltzmann momenta under the condition that net momentum and angular momentum are zero.
class Thermostat {
public:
    Thermostat(int64_t n_atoms, const double* masses, double timestep, double friction, double kT)
        : n_atoms(n_atoms), masses(masses), kept(std::exp(-friction * timestep)), kT(kT), kicks(n_atoms) {}

    // positions, noise (independent standard normal numbers) and momenta: (n_atoms, 3); momenta are changed.
    void apply(const double* positions, const double* noise, double* momenta) {
        for (int64_t i = 0; i < n_atoms; ++i) {
            const double spread = std::sqrt(masses[i] * kT);
            kicks[i] = {spread * noise[3 * i], spread * noise[3 * i + 1], spread * noise[3 * i + 2]};
        }
        remove_rigid_motion(positions);
        const double added = std::sqrt(1.0 - kept * kept);
        for (int64_t i = 0; i < n_atoms; ++i)
            for (int x = 0; x < 3; ++x) momenta[3 * i + x] = kept * momenta[3 * i + x] + added * kicks[i][x];
    }

private:
    // kicks −= m (V + ω × a): V their mean velocity, a the place from the centre of mass, I ω = L.
    void remove_rigid_motion(const double* positions) {
        double mass = 0.0;
        Vector3 centre{}, momentum{}, angular{};
        for (int64_t i = 0; i < n_atoms; ++i) {
            mass += masses[i];
            for (int x = 0; x < 3; ++x) {
                centre[x] += masses[i] * positions[3 * i + x];
                momentum[x] += kicks[i][x];
            }
        }
        std::array<Vector3, 3> inertia{};
        for (int64_t i = 0; i < n_atoms; ++i) {
            const Vector3 arm = arm_of(i, positions, centre, mass), turning = cross(arm, kicks[i]);
            for (int x = 0; x < 3; ++x) {
                angular[x] += turning[x];
                inertia[x][x] += masses[i] * dot(arm, arm);
                for (int y = 0; y < 3; ++y) inertia[x][y] -= masses[i] * arm[x] * arm[y];
            }
        }
        const Vector3 omega = solve(inertia, angular);
        for (int64_t i = 0; i < n_atoms; ++i) {
            const Vector3 spin = cross(omega, arm_of(i, positions, centre, mass));
            for (int x = 0; x < 3; ++x) kicks[i][x] -= masses[i] * (momentum[x] / mass + spin[x]);
        }
    }

    static Vector3 arm_of(int64_t i, const double* positions, const Vector3& centre, double mass) {
        return {positions[3 * i] - centre[0] / mass, positions[3 * i + 1] - centre[1] / mass,
                positions[3 * i + 2] - centre[2] / mass};
    }

    // A symmetric matrix's rows: Cramer's rule.
    static Vector3 solve(const std::array<Vector3, 3>& rows, const Vector3& right) {
        const Vector3 a = cross(rows[1], rows[2]), b = cross(rows[2], rows[0]), c = cross(rows[0], rows[1]);
        const double determinant = dot(rows[0], a);
        Vector3 found;
        for (int x = 0; x < 3; ++x)
            found[x] = (a[x] * right[0] + b[x] * right[1] + c[x] * right[2]) / determinant;
        return found;
    }

    int64_t n_atoms;
    const double* masses;
    double kept, kT;
    std::vector<Vector3> kicks;
};

}  // namespace mdaug
