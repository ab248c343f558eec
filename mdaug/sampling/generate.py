"""Sampling of frames by Langevin MD with any ASE calculator, in replicas."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.frames import FrameSet
from mdaug.jobs import Failure, Job, Where, error_of, run_jobs
from mdaug.sampling.options import GenerateOptions
from mdaug.sampling.replica import Replica, run_replica
from mdaug.sampling.replica_parts import ReplicaParts
from mdaug.sampling.statistics import SamplingStatistics, sampling_statistics


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
    where: Where = Where(),
    folder: Path | None = None,
) -> tuple[FrameSet, SamplingStatistics]:
    """Sample frames by BAOAB Langevin dynamics (DOI 10.1063/1.4802990), one replica from each start.

    In BAOAB the time-step error of positions vanishes in the harmonic limit, so bond fluctuations and spring
    constants are not biased; the kinetic temperature of each mode is too low by a fraction (ωΔt)²/4.

    Parameters
    ----------
    starts
        Starting structures of one system, one per replica.
    make_calculator
        Returns a new calculator; called once per replica, in the process that runs it.
    options
        Temperature, number of frames, times, friction and seed.
    name, level_of_theory, charge, multiplicity
        Recorded in the frames; `name` is also used in messages.
    progress
        Called with (MD steps done, MD steps in all): after each step in this process, otherwise after each
        replica.
    parts
        Store of finished replicas; stored replicas are not run again.
    where
        Processes that run the replicas.
    folder
        Run folder, if the calculator reads files: workers of a cluster see it and the working folder.

    Returns
    -------
    frames
        Molecules are centered on their center of mass; ``info`` holds ``replica`` and ``time_fs``.
    statistics
        Measured temperatures and correlation time.

    Raises
    ------
    DataError
        `parts` holds replicas of other settings; or a replica failed: its dynamics blow up, or the calculator
        fails. The other replicas have run.
    MDAugError
        The scheduler of the cluster is lost.
    """
    counts = [len(part) for part in np.array_split(np.arange(options.n_frames), len(starts))]
    replicas = _run_replicas(
        starts,
        counts,
        make_calculator,
        options,
        name=name,
        progress=progress,
        parts=parts,
        where=where,
        folder=folder,
    )
    frames = replace(
        _joined(starts[0], replicas, options),
        name=name,
        level_of_theory=level_of_theory,
        charge=charge,
        multiplicity=multiplicity,
    )
    return frames, _statistics(replicas, frames, options)


def _joined(start: Atoms, replicas: list[Replica], options: GenerateOptions) -> FrameSet:
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


def _statistics(replicas: list[Replica], frames: FrameSet, options: GenerateOptions) -> SamplingStatistics:
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
    where: Where,
    folder: Path | None,
) -> list[Replica]:
    """Return a replica from each start, with its count of frames, from `parts` or by MD."""
    seeds = np.random.SeedSequence(options.seed).spawn(len(starts))
    lengths = [options.equilibration_steps + n * options.steps_per_frame for n in counts]
    stored = [None if parts is None else parts.read(k) for k in range(len(starts))]
    replicas = {k: Replica(**arrays) for k, arrays in enumerate(stored) if arrays is not None}
    missing = [k for k in range(len(starts)) if k not in replicas]
    count = _Counter(progress, sum(lengths[k] for k in replicas), sum(lengths))
    tick = count.step if where.in_this_process else None
    own = [options.model_copy(update={"n_frames": n, "n_replicas": 1}) for n in counts]
    jobs = [
        Job(f"replica {k}", run_replica, (starts[k], make_calculator, own[k], seeds[k], tick), folder)
        for k in missing
    ]

    def keep(index: int, ended: Replica | Failure) -> None:
        k = missing[index]
        if isinstance(ended, Failure):
            return
        replicas[k] = ended
        if parts is not None:
            parts.write(k, vars(ended))
        if tick is None:
            count.add(lengths[k])

    failures = [ended for ended in run_jobs(jobs, where, ended=keep) if isinstance(ended, Failure)]
    if failures:
        advice = "" if parts is None else "finished replicas are kept: --resume runs the others"
        raise error_of([replace(failure, name=f"{name}: {failure.name}") for failure in failures], advice)
    return [replicas[k] for k in range(len(starts))]


class _Counter:
    """Counts MD steps over all replicas and reports them."""

    def __init__(self, progress: Callable[[int, int], None] | None, done: int, total: int) -> None:
        self.progress, self.done, self.total = progress, done, total

    def step(self) -> None:
        self.add(1)

    def add(self, n_steps: int) -> None:
        self.done += n_steps
        if self.progress is not None:
            self.progress(self.done, self.total)
