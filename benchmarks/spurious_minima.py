"""Spurious minima of models, by short MD with each, from held-out frames with hot velocities.

    python benchmarks/spurious_minima.py RUN … --temperatures 4000 6000

RUN is a folder of `mdaug train` on one molecule. It counts trajectories (of 120, 500 fs each) on which the
model's energy falls 20 kcal/mol below that of the force-matched field of the training frames, and those on
which a bond breaks (1.7 times its mean length) while the two agree.
The temperature is that of the initial velocities; about half of their energy becomes potential energy.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from ase.data import atomic_masses

from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.augmentation.force_matching.force_field import ForceField
from mdaug.calculators.evaluators import make_evaluator
from mdaug.calculators.structures import elements_of
from mdaug.deployment import read_manifest
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.pairs import molecule_pairs
from mdaug.geometry.rigid_motion import rigid_basis, without_rigid_motion
from mdaug.units import BOLTZMANN_EV_K, EV_PER_KCAL_MOL, FS, KCAL_MOL_PER_EV
from mdaug.workflows.use_model import own_frames

N_RUNS, N_STEPS, LOOK_EVERY, TIMESTEP = 120, 1000, 10, 0.5 * FS
DEEP, BROKEN = 20.0 * EV_PER_KCAL_MOL, 1.7

Evaluate = Callable[[FloatArray], tuple[FloatArray, FloatArray]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--temperatures", nargs="+", type=float, default=[4000.0])
    given = parser.parse_args()
    for run in given.runs:
        train, test = own_frames(run / "model.pt", "train"), own_frames(run / "model.pt", "test")
        field, model = match_forces(train), model_of(run / "model.pt", train.atomic_numbers)
        shift = train.energies.mean() - field.evaluate(train.positions)[0].mean()
        for temperature in given.temperatures:
            fell, broke, at = explore(test, model, field, shift, temperature)
            height = f", at {min(at):.0f} to {max(at):.0f} kcal/mol above the lowest frame" if at else ""
            print(
                f"{run.name}, {temperature:g} K: {fell} of {N_RUNS} fell{height}; {broke} broke", flush=True
            )


def model_of(path: Path, atomic_numbers: np.ndarray) -> Evaluate:
    """Return what evaluates (n_frames, n_atoms, 3) at once with all pairs."""
    species = elements_of(atomic_numbers, read_manifest(path)["elements"])
    evaluate, _ = make_evaluator(path, None, "cpu", 0, "auto")
    idx_i, idx_j = molecule_pairs(len(species))

    def energies_and_forces(positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        n_frames = len(positions)
        first = np.arange(n_frames)[:, None] * len(species)
        pairs = [torch.as_tensor((first + idx).ravel()) for idx in (idx_i, idx_j)]
        shifts = torch.zeros(len(pairs[0]), 3, dtype=torch.float64)
        out = evaluate(np.tile(species, n_frames), positions.reshape(-1, 3), (*pairs, shifts), None)
        return out["atomic_energies"].reshape(n_frames, -1).sum(1), out["forces"].reshape(positions.shape)

    return energies_and_forces


def explore(
    frames: FrameSet, model: Evaluate, field: ForceField, shift: float, temperature: float
) -> tuple[int, int, list[float]]:
    """Return how many runs fell, how many broke, and the matched energies (kcal/mol) where they fell."""
    rng, masses = np.random.default_rng(11), atomic_masses[frames.atomic_numbers][:, None]
    start = frames.positions[rng.choice(len(frames), N_RUNS)]
    drawn = rng.standard_normal(start.shape) * np.sqrt(BOLTZMANN_EV_K * temperature / masses)
    basis = rigid_basis(start, masses[:, 0])
    velocities = without_rigid_motion(masses * drawn, masses[:, 0], basis) / masses
    positions = start.copy()
    lowest = field.evaluate(start)[0].min() + shift
    i, j = field.topology.bonds.T
    fell, broke, at = np.zeros(N_RUNS, dtype=bool), np.zeros(N_RUNS, dtype=bool), []
    forces = model(positions)[1]
    for step in range(1, N_STEPS + 1):
        velocities += 0.5 * TIMESTEP * forces / masses
        positions += TIMESTEP * velocities
        energies, forces = model(positions)
        velocities += 0.5 * TIMESTEP * forces / masses
        if step % LOOK_EVERY == 0:
            matched = field.evaluate(positions)[0] + shift
            new = ~fell & ~broke & ~(matched - energies < DEEP)
            at += ((matched - lowest)[new] * KCAL_MOL_PER_EV).tolist()
            fell |= new
            lengths = np.linalg.norm(positions[:, j] - positions[:, i], axis=-1) / field.mean_lengths
            broke |= ~fell & (lengths > BROKEN).any(axis=1)
            done = fell | broke
            positions[done], velocities[done], forces[done] = start[done], 0.0, 0.0
    return int(fell.sum()), int(broke.sum()), at


if __name__ == "__main__":
    main()
