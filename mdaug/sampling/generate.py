"""Frames where a user has none: Langevin MD with any ASE calculator, checked by two thermometers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorError
from ase.md.langevinbaoab import LangevinBAOAB
from pydantic import Field, model_validator

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.options import Options, Positive, Seed
from mdaug.sampling.replica_parts import ReplicaParts
from mdaug.sampling.statistics import SamplingStatistics, sampling_statistics
from mdaug.units import BOLTZMANN_EV_K, FS

POSITION_DECIMALS = 6
"""Frames are rounded to this many decimals of Å *before* they are labelled, so that files lose nothing."""


CALCULATORS_RAISE = (CalculatorError, NotImplementedError, RuntimeError, ValueError)
"""What calculators raise for a structure that they cannot evaluate."""


class GenerateOptions(Options):
    """How frames are sampled."""

    temperature: Annotated[float, Field(gt=0)] = 500.0
    """Temperature of the thermostat in K."""

    n_frames: Positive = 1000
    """Frames to write, over all replicas."""

    n_replicas: Positive = 8
    """Independent runs, from different conformers where the structure is a SMILES string."""

    spacing: Annotated[float, Field(gt=0)] = 150.0
    """Time between frames of a replica in fs."""

    equilibration: Annotated[float, Field(ge=0)] = 2.0
    """Time before the first frame of each replica in ps."""

    timestep: Annotated[float, Field(gt=0)] = 0.5
    """Time step in fs."""

    friction: Annotated[float, Field(gt=0)] = 20.0
    """Friction of the Langevin thermostat in 1/ps."""

    seed: Seed = 0
    """Of the conformers, the starting velocities and the thermostat."""

    @model_validator(mode="after")
    def _each_replica_has_frames(self) -> "GenerateOptions":
        if self.n_replicas > self.n_frames:
            raise ValueError(f"{self.n_replicas} replicas for {self.n_frames} frames; expected a frame each")
        return self

    @property
    def steps_per_frame(self) -> int:
        return max(1, round(self.spacing / self.timestep))

    @property
    def equilibration_steps(self) -> int:
        return round(self.equilibration * 1000 / self.timestep)


@dataclass(frozen=True)
class _Replica:
    """One run: a row of (potential, kinetic, virial −Σ r·F) in eV a step; positions and labels a frame."""

    steps: FloatArray
    positions: FloatArray
    cell: FloatArray
    energies: FloatArray
    forces: FloatArray


def generate_frames(
    starts: Sequence[Atoms],
    make_calculator: Callable[[], Calculator],
    options: GenerateOptions,
    *,
    name: str = "frames",
    level_of_theory: str | None = None,
    charge: float | None = None,
    multiplicity: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    parts: ReplicaParts | None = None,
) -> tuple[FrameSet, SamplingStatistics]:
    """Sample frames by BAOAB Langevin dynamics (DOI 10.1063/1.4802990), one replica from each of `starts`.

    BAOAB samples positions with an error that vanishes in the harmonic limit, so bond fluctuations, hence
    spring constants, carry no time-step bias; the kinetic temperature reads low by (ωΔt)²/4 in each mode.

    Parameters
    ----------
    starts
        Starting structures of one system, one a replica.
    make_calculator
        Gives a new calculator; called once a replica.
    progress
        Called with (MD steps done, MD steps in all).
    parts
        Where finished replicas are kept, and found again.

    Returns
    -------
    frames
        Molecules are centred on their centre of mass; ``info`` holds ``replica`` and ``time_fs``.
    sampling
        Measured temperatures and correlation time.

    Raises
    ------
    DataError
        If the dynamics blow up, the calculator fails, or `parts` holds replicas of other settings.
    """
    counts = [len(part) for part in np.array_split(np.arange(options.n_frames), len(starts))]
    replicas = _run_replicas(
        starts, counts, make_calculator, options, name=name, progress=progress, parts=parts
    )
    x, y, z = (bool(p) for p in starts[0].pbc)
    frame_times = [np.arange(1, n + 1) * options.steps_per_frame * options.timestep for n in counts]
    frames = FrameSet(
        atomic_numbers=starts[0].numbers.astype(np.int64),
        positions=np.concatenate([replica.positions for replica in replicas]),
        energies=np.concatenate([replica.energies for replica in replicas]),
        forces=np.concatenate([replica.forces for replica in replicas]),
        cells=np.repeat(replicas[0].cell[None], options.n_frames, axis=0) if starts[0].pbc.any() else None,
        pbc=(x, y, z),
        temperature_K=options.temperature,
        charge=charge,
        multiplicity=multiplicity,
        name=name,
        level_of_theory=level_of_theory,
        info={
            "replica": np.repeat(np.arange(len(starts)), counts),
            "time_fs": np.concatenate(frame_times),
        },
    )
    return frames, sampling_statistics(
        [replica.steps for replica in replicas],
        frames.n_atoms,
        periodic=frames.periodic,
        timestep_fs=options.timestep,
        per_frame=options.steps_per_frame,
    )


def _run_replicas(
    starts: Sequence[Atoms],
    counts: Sequence[int],
    make_calculator: Callable[[], Calculator],
    options: GenerateOptions,
    *,
    name: str,
    progress: Callable[[int, int], None] | None,
    parts: ReplicaParts | None,
) -> list[_Replica]:
    """Run from each start until it has its count of frames, or take what `parts` keeps of it."""
    total = len(starts) * options.equilibration_steps + options.n_frames * options.steps_per_frame
    seeds = np.random.SeedSequence(options.seed).spawn(len(starts))
    replicas: list[_Replica] = []
    done = 0
    for k, (start, count, seed) in enumerate(zip(starts, counts, seeds, strict=True)):
        kept = None if parts is None else parts.read(k)
        if kept is not None:
            replicas.append(_Replica(**kept))
        else:
            atoms = start.copy()
            atoms.calc = make_calculator()
            tick = _Ticker(progress, done, total)
            try:
                replicas.append(_run(atoms, options, count, np.random.default_rng(seed), tick))
            except CALCULATORS_RAISE as error:
                raise DataError(
                    f"{name}: the calculator failed in replica {k}, at MD step {tick.done - done}: "
                    f"{type(error).__name__}: {error}; are structure, charge and multiplicity right?"
                ) from error
            if parts is not None:
                parts.write(k, **vars(replicas[-1]))
        done += options.equilibration_steps + count * options.steps_per_frame
    return replicas


class _Ticker:
    """Counts MD steps over all replicas and tells the caller."""

    def __init__(self, progress: Callable[[int, int], None] | None, done: int, total: int) -> None:
        self.progress, self.done, self.total = progress, done, total

    def __call__(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total)


def _run(
    atoms: Atoms,
    options: GenerateOptions,
    n_frames: int,
    rng: np.random.Generator,
    tick: Callable[[], None],
) -> _Replica:
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
    per_frame = options.steps_per_frame
    steps, positions = np.empty((n_frames * per_frame, 3)), np.empty((n_frames, len(atoms), 3))
    for step in range(n_frames * per_frame):
        dynamics.run(1)
        tick()
        steps[step] = _observe(atoms, step * options.timestep)
        if (step + 1) % per_frame == 0:
            positions[step // per_frame] = _stored_positions(atoms)
    cell = np.array(atoms.cell)
    return _Replica(steps, positions, cell, *_label(atoms, positions))


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
    """Return positions as files keep them; the thermostat lets a molecule wander, so it is centred."""
    positions = atoms.get_positions()
    if not atoms.pbc.any():
        positions -= atoms.get_center_of_mass()
    return positions.round(POSITION_DECIMALS)


def _label(atoms: Atoms, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return energies (n_frames,) and forces (n_frames, n_atoms, 3) at exactly the stored positions."""
    energies, forces = np.empty(len(positions)), np.empty_like(positions)
    for frame, stored in enumerate(positions):
        atoms.set_positions(stored)
        energies[frame], forces[frame] = atoms.get_potential_energy(), atoms.get_forces()
    return energies, forces
