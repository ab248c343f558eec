// SPDX-License-Identifier: MIT
// Velocity Verlet and Langevin (BAOAB) integration of independent replicas of a molecule; friction and noise without
// net momentum and angular momentum.

#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "vector3.h"

namespace mdaug::core {

// The middle of a BAOAB step (DOI 10.1093/amrx/abs010): p = c p + √(1 − c²) R with c = exp(−friction dt),
// and R the Maxwell–Boltzmann momenta under the condition that net momentum and angular momentum are zero.
class Thermostat {
  public:
    Thermostat(int64_t n_atoms, const double* masses, double timestep, double friction, double kT)
        : n_atoms(n_atoms), masses(masses), damping(std::exp(-friction * timestep)), kT(kT), noise_momenta(n_atoms) {}

    // positions, noise (independent standard normal numbers) and momenta: (n_atoms, 3); momenta are changed.
    void apply(const double* positions, const double* noise, double* momenta) {
        for (int64_t i = 0; i < n_atoms; ++i) {
            const double sigma = std::sqrt(masses[i] * kT);
            noise_momenta[i] = {sigma * noise[3 * i], sigma * noise[3 * i + 1], sigma * noise[3 * i + 2]};
        }
        remove_rigid_motion(positions);
        const double added = std::sqrt(1.0 - damping * damping);
        for (int64_t i = 0; i < n_atoms; ++i)
            for (int x = 0; x < 3; ++x) momenta[3 * i + x] = damping * momenta[3 * i + x] + added * noise_momenta[i][x];
    }

  private:
    // noise_momenta −= m (V + ω × a): V their mean velocity, a the position relative to the center of mass, I ω = L.
    void remove_rigid_motion(const double* positions) {
        double mass = 0.0;
        Vector3 center{}, momentum{}, angular{};
        for (int64_t i = 0; i < n_atoms; ++i) {
            mass += masses[i];
            for (int x = 0; x < 3; ++x) {
                center[x] += masses[i] * positions[3 * i + x];
                momentum[x] += noise_momenta[i][x];
            }
        }
        std::array<Vector3, 3> inertia{};
        for (int64_t i = 0; i < n_atoms; ++i) {
            const Vector3 arm = arm_of(i, positions, center, mass), torque = cross(arm, noise_momenta[i]);
            for (int x = 0; x < 3; ++x) {
                angular[x] += torque[x];
                inertia[x][x] += masses[i] * dot(arm, arm);
                for (int y = 0; y < 3; ++y) inertia[x][y] -= masses[i] * arm[x] * arm[y];
            }
        }
        const Vector3 omega = solve(inertia, angular);
        for (int64_t i = 0; i < n_atoms; ++i) {
            const Vector3 spin = cross(omega, arm_of(i, positions, center, mass));
            for (int x = 0; x < 3; ++x) noise_momenta[i][x] -= masses[i] * (momentum[x] / mass + spin[x]);
        }
    }

    static Vector3 arm_of(int64_t i, const double* positions, const Vector3& center, double mass) {
        return {positions[3 * i] - center[0] / mass, positions[3 * i + 1] - center[1] / mass,
                positions[3 * i + 2] - center[2] / mass};
    }

    // x with A x = right for a symmetric matrix A, by Cramer's rule.
    static Vector3 solve(const std::array<Vector3, 3>& rows, const Vector3& right) {
        const Vector3 a = cross(rows[1], rows[2]), b = cross(rows[2], rows[0]), c = cross(rows[0], rows[1]);
        const double determinant = dot(rows[0], a);
        Vector3 solution;
        for (int x = 0; x < 3; ++x) solution[x] = (a[x] * right[0] + b[x] * right[1] + c[x] * right[2]) / determinant;
        return solution;
    }

    int64_t n_atoms;
    const double* masses;
    double damping, kT;
    std::vector<Vector3> noise_momenta;
};

// Arrays as in mdaug_verlet.
struct Replicas {
    int64_t n_systems, n_atoms;
    const int64_t* species;
    const double* masses;
    double timestep;
    double *positions, *momenta, *forces, *energies;
    int64_t size() const { return 3 * n_systems * n_atoms; }
};

inline void drift(const Replicas& replicas, double time) {
    for (int64_t k = 0; k < replicas.size(); ++k)
        replicas.positions[k] += time * replicas.momenta[k] / replicas.masses[k / 3 % replicas.n_atoms];
}

// Half a time step of the momenta; returns whether the forces are finite.
inline bool half_kick(const Replicas& replicas) {
    bool finite = true;
    for (int64_t k = 0; k < replicas.size(); ++k) {
        replicas.momenta[k] += 0.5 * replicas.timestep * replicas.forces[k];
        finite = finite && std::isfinite(replicas.forces[k]);
    }
    return finite;
}

// Each step: half_kick, move(step), evaluate(), half_kick. Returns the number of steps taken: stops where forces are
// not finite.
template <typename Move, typename Evaluate>
int64_t integrate(const Replicas& replicas, int64_t n_steps, const Move& move, const Evaluate& evaluate) {
    for (int64_t step = 0; step < n_steps; ++step) {
        half_kick(replicas);
        move(step);
        evaluate();
        if (!half_kick(replicas)) return step + 1;
    }
    return n_steps;
}

}  // namespace mdaug::core
