"""Sampling of frames by Langevin MD with any ASE calculator."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorError
from ase.md.langevinbaoab import LangevinBAOAB

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.quantum.calculators import calculate_frames
from mdaug.sampling.options import GenerateOptions
from mdaug.sampling.replica_parts import ReplicaParts
from mdaug.sampling.statistics import SamplingStatistics, sampling_statistics
from mdaug.units import BOLTZMANN_EV_K, FS

POSITION_DECIMALS = 6
"""Positions are rounded to this number of decimals (Å) *before* they are labeled, so that files contain them
exactly."""


CALCULATOR_ERRORS = (CalculatorError, NotImplementedError, RuntimeError, ValueError)
"""Errors of calculators for a structure that they cannot evaluate."""


@dataclass(frozen=True)
class _Replica:
    """One run: (potential, kinetic, virial −Σ r·F) in eV of each step; positions and labels of each frame."""

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
    """Sample frames by BAOAB Langevin dynamics (DOI 10.1063/1.4802990), one replica from each start.

    In BAOAB the time-step error of positions vanishes in the harmonic limit, so bond fluctuations and spring
    constants are not biased; the kinetic temperature of each mode is too low by a fraction (ωΔt)²/4.

    Parameters
    ----------
    starts
        Starting structures of one system, one per replica.
    make_calculator
        Returns a new calculator; called once per replica.
    options
        Temperature, number of frames, times, friction and seed.
    name, level_of_theory, charge, multiplicity
        Recorded in the frames; `name` is also used in messages.
    progress
        Called with (MD steps done, MD steps in all).
    parts
        Store of finished replicas; stored replicas are not run again.

    Returns
    -------
    frames
        Molecules are centered on their center of mass; ``info`` holds ``replica`` and ``time_fs``.
    statistics
        Measured temperatures and correlation time.

    Raises
    ------
    DataError
        The dynamics blow up, the calculator fails, or `parts` holds replicas of other settings.
    """
    counts = [len(part) for part in np.array_split(np.arange(options.n_frames), len(starts))]
    replicas = _run_replicas(
        starts, counts, make_calculator, options, name=name, progress=progress, parts=parts
    )
    frames = replace(
        _joined(starts[0], replicas, options),
        name=name,
        level_of_theory=level_of_theory,
        charge=charge,
        multiplicity=multiplicity,
    )
    return frames, _statistics(replicas, frames, options)


def _joined(start: Atoms, replicas: list[_Replica], options: GenerateOptions) -> FrameSet:
    """Return the frames of all replicas, one after another."""
    counts = [len(replica.positions) for replica in replicas]
    times_fs = [np.arange(1, n + 1) * options.steps_per_frame * options.timestep for n in counts]
    x, y, z = (bool(p) for p in start.pbc)
    return FrameSet(
        atomic_numbers=start.numbers.astype(np.int64),
        positions=np.concatenate([replica.positions for replica in replicas]),
        energies=np.concatenate([replica.energies for replica in replicas]),
        forces=np.concatenate([replica.forces for replica in replicas]),
        cells=np.repeat(replicas[0].cell[None], sum(counts), axis=0) if start.pbc.any() else None,
        pbc=(x, y, z),
        temperature_K=options.temperature,
        info={"replica": np.repeat(np.arange(len(counts)), counts), "time_fs": np.concatenate(times_fs)},
    )


def _statistics(replicas: list[_Replica], frames: FrameSet, options: GenerateOptions) -> SamplingStatistics:
    return sampling_statistics(
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
    """Return a replica from each start, with its count of frames, from `parts` or by MD."""
    total = len(starts) * options.equilibration_steps + options.n_frames * options.steps_per_frame
    seeds = np.random.SeedSequence(options.seed).spawn(len(starts))
    replicas: list[_Replica] = []
    done = 0
    for k, (start, count, seed) in enumerate(zip(starts, counts, seeds, strict=True)):
        finished = None if parts is None else parts.read(k)
        if finished is not None:
            replicas.append(_Replica(**finished))
        else:
            atoms = start.copy()
            atoms.calc = make_calculator()
            tick = _Ticker(progress, done, total)
            try:
                replicas.append(_run(atoms, options, count, np.random.default_rng(seed), tick))
            except CALCULATOR_ERRORS as error:
                raise DataError(
                    f"{name}: the calculator failed in replica {k}, at MD step {tick.done - done}: "
                    f"{type(error).__name__}: {error}; are structure, charge and multiplicity right?"
                ) from error
            if parts is not None:
                parts.write(k, vars(replicas[-1]))
        done += options.equilibration_steps + count * options.steps_per_frame
    return replicas


class _Ticker:
    """Counts MD steps over all replicas and reports them."""

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
