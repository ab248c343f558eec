"""One replica of a sampling: Langevin MD, and the labels of its frames."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorError
from ase.md.langevinbaoab import LangevinBAOAB

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.quantum.calculators import calculate_frames
from mdaug.sampling.options import GenerateOptions
from mdaug.units import BOLTZMANN_EV_K, FS

POSITION_DECIMALS = 6
"""Positions are rounded to this number of decimals (Å) *before* they are labeled, so that files contain them
exactly."""

CALCULATOR_ERRORS = (CalculatorError, NotImplementedError, RuntimeError, ValueError)
"""Errors of calculators for a structure that they cannot evaluate."""


@dataclass(frozen=True)
class Replica:
    """Steps and frames of one run.

    Parameters
    ----------
    steps
        Shape (n_steps, 3): potential and kinetic energy, virial −Σ r·F, in eV.
    positions
        Positions of the frames, shape (n_frames, n_atoms, 3), Å.
    cell
        Shape (3, 3), Å.
    energies
        Shape (n_frames,), eV.
    forces
        Shape (n_frames, n_atoms, 3), eV/Å.
    """

    steps: FloatArray
    positions: FloatArray
    cell: FloatArray
    energies: FloatArray
    forces: FloatArray


def run_replica(
    start: Atoms,
    make_calculator: Callable[[], Calculator],
    options: GenerateOptions,
    seed: np.random.SeedSequence,
    tick: Callable[[], None] | None = None,
) -> Replica:
    """Sample the frames of one replica.

    Parameters
    ----------
    start
        Starting structure.
    make_calculator
        Returns a new calculator.
    options
        Temperature, times and friction; number of frames of this replica.
    seed
        Seed of velocities and thermostat.
    tick
        Called after each MD step.

    Raises
    ------
    DataError
        The dynamics blow up, or the calculator fails.
    """
    atoms, n_done = start.copy(), 0
    atoms.calc = make_calculator()

    def count() -> None:
        nonlocal n_done
        n_done += 1
        if tick is not None:
            tick()

    try:
        return _run(atoms, options, np.random.default_rng(seed), count)
    except CALCULATOR_ERRORS as error:
        raise DataError(
            f"the calculator failed at MD step {n_done}: {type(error).__name__}: {error}; are structure, "
            "charge and multiplicity right?"
        ) from error


def _run(
    atoms: Atoms,
    options: GenerateOptions,
    rng: np.random.Generator,
    tick: Callable[[], None],
) -> Replica:
    thermal = np.sqrt(BOLTZMANN_EV_K * options.temperature * atoms.get_masses())[:, None]
    atoms.set_momenta(thermal * rng.normal(size=(len(atoms), 3)))
    dynamics = LangevinBAOAB(
        atoms,
        options.timestep * FS,
        temperature_K=options.temperature,
        T_tau=1000.0 * FS / options.friction,
        rng=rng,
    )
    for _ in range(options.equilibration_steps):
        dynamics.run(1)
        tick()
    n_frames, per_frame = options.n_frames, options.steps_per_frame
    steps, positions = np.empty((n_frames * per_frame, 3)), np.empty((n_frames, len(atoms), 3))
    for step in range(n_frames * per_frame):
        dynamics.run(1)
        tick()
        steps[step] = _observe(atoms, step * options.timestep)
        if (step + 1) % per_frame == 0:
            positions[step // per_frame] = _stored_positions(atoms)
    cell = np.array(atoms.cell)
    return Replica(steps, positions, cell, *_label(atoms, positions))


def _observe(atoms: Atoms, time_fs: float) -> tuple[float, float, float]:
    potential, kinetic = atoms.get_potential_energy(), atoms.get_kinetic_energy()
    virial = -float(np.sum(atoms.get_positions() * atoms.get_forces()))
    if not np.isfinite([potential, kinetic, virial]).all():
        raise DataError(
            f"the dynamics blew up {time_fs:g} fs after equilibration: energy is not finite; "
            "start from a relaxed structure, or take a smaller --timestep"
        )
    return potential, kinetic, virial


def _stored_positions(atoms: Atoms) -> FloatArray:
    """Return rounded positions; a molecule is centered, because the thermostat moves it."""
    positions = atoms.get_positions()
    if not atoms.pbc.any():
        positions -= atoms.get_center_of_mass()
    return positions.round(POSITION_DECIMALS)


def _label(atoms: Atoms, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return energies (n_frames,) and forces (n_frames, n_atoms, 3) at exactly the stored positions."""
    n_frames = len(positions)
    x, y, z = (bool(p) for p in atoms.pbc)
    frames = FrameSet(
        atoms.numbers,
        positions,
        np.empty(n_frames),
        np.empty_like(positions),
        cells=np.repeat(np.array(atoms.cell)[None], n_frames, axis=0) if atoms.pbc.any() else None,
        pbc=(x, y, z),
    )
    return calculate_frames(atoms.calc, frames)
