"""Stability of a trajectory: first broken bond, and distances and torsions compared with the training frames.

Criterion and h(r) error of "Forces are not enough" (Fu et al. 2023, arXiv:2210.07237): a run has failed at
the first frame in which the length of any bond deviates by more than 0.5 Å from its mean in the training
frames and is also outside the range of that bond in the frames. For a hydrogen with several partners in the
frames the distance to the nearest partner counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import MDAnalysis as mda
import numpy as np

from mdaug.analysis.distributions import (
    CHUNK,
    Sample,
    distance_histogram_error,
    populations,
    sample_like,
    sample_of,
)
from mdaug.analysis.trajectory import Block, atomic_numbers, blocks
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray, image_cells
from mdaug.geometry.bonds import BoolArray, bond_name
from mdaug.geometry.molecules import has_parted, molecule_of_atom
from mdaug.geometry.pairs import half_width
from mdaug.geometry.torsions import rotatable_torsions, without_straight
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.verdicts import Level, Verdict

TOLERANCE_A = 0.5
"""Largest deviation of an intact bond from its mean length in the training frames."""

SHORTEST_PS = 10.0
"""Shortest run without a broken bond that is evidence of stability: bonds of raw models break after
picoseconds."""

HISTOGRAM_LIMIT = 0.2
"""Largest ∫ |h(r) − h_training(r)| dr of a run that agrees with the training frames; two halves of a set have
0.03 to 0.05."""


@dataclass(frozen=True)
class StabilityResult:
    """Broken bonds of a trajectory, and its distances and torsions before the first failure.

    Parameters
    ----------
    bonds
        Bonds with their mean lengths in the training frames.
    tolerance_A
        A bond is broken when it is farther than this from its mean, and farther than half of it outside its
        range in the training frames.
    times_ps
        Shape (n_frames,), as in the trajectory.
    deviation_A
        Largest |length − mean| of any bond per frame, shape (n_frames,); infinite where a position is not a
        finite number.
    failed
        Whether a bond is broken in each frame, shape (n_frames,).
    bond_max_deviation_A
        Largest finite |length − mean| of each bond, shape (n_bonds,).
    broken_bond
        Row of `bonds` with the largest deviation in the first failed frame; None if no frame has failed.
    torsions
        Rotatable torsions, shape (n_torsions, 4), atom indices.
    visited, expected
        Distances and torsions of the frames before failure, and of the training frames; None where no frames
        were given.
    parted_at_ps
        Time of the first frame in which several molecules without a cell are more than 6 Å apart; None if
        they stay together.
    """

    bonds: TrainingBonds
    tolerance_A: float
    times_ps: FloatArray
    deviation_A: FloatArray
    failed: BoolArray
    bond_max_deviation_A: FloatArray
    broken_bond: int | None
    torsions: IntArray
    visited: Sample | None
    expected: Sample | None
    parted_at_ps: float | None = None

    @property
    def time_to_failure_ps(self) -> float | None:
        """Time of the first failed frame, None if none has failed."""
        if self.broken_bond is None:
            return None
        return float(self.times_ps[np.flatnonzero(self.failed)[0]])

    @property
    def first_broken_bond(self) -> str | None:
        """Name of the first broken bond, for example ``O2-H8``."""
        return None if self.broken_bond is None else self.bonds.names[self.broken_bond]

    @property
    def distance_histogram_error(self) -> float | None:
        """∫ |h(r) − h_training(r)| dr, 0 to 2; None without training frames or good frames."""
        if self.visited is None or self.expected is None or self.visited.n_frames == 0:
            return None
        return distance_histogram_error(self.visited, self.expected)

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Verdicts on broken bonds, separated molecules, and agreement of distances with the training
        frames."""
        duration = float(self.times_ps[-1] - self.times_ps[0])
        verdicts = [self._bonds_verdict(duration)]
        if self.parted_at_ps is not None:
            text = f"The molecules are more than 6 Å apart from {self.parted_at_ps:g} ps on."
            verdicts.append(Verdict("molecules together", "warning", self.parted_at_ps, None, text))
        error = self.distance_histogram_error
        if error is not None:
            alike, enough = error <= HISTOGRAM_LIMIT, duration >= SHORTEST_PS
            text = f"∫|h(r) − h_training(r)| dr is {error:.2g}; the limit is {HISTOGRAM_LIMIT:g}."
            if not alike and not enough:
                text += f" {duration:g} ps are too short to tell; expected {SHORTEST_PS:g} ps."
            level: Level = "ok" if alike else "warning" if enough else "cannot tell"
            verdicts.append(Verdict("distances as in the frames", level, error, HISTOGRAM_LIMIT, text))
        return tuple(verdicts)

    def _bonds_verdict(self, duration_ps: float) -> Verdict:
        """Return an error for a broken bond; otherwise an upper limit of the rate of breaking, by the rule of
        three."""
        name = "no broken bond"
        if self.time_to_failure_ps is not None:
            text = (
                f"{self.first_broken_bond} broke at {self.time_to_failure_ps:g} ps: more than "
                f"{self.tolerance_A:g} Å from its mean, and outside its range, in the training frames."
            )
            return Verdict(name, "error", self.time_to_failure_ps, None, text)
        if duration_ps < SHORTEST_PS:
            text = f"No bond broke; {duration_ps:g} ps are too short to tell, expected {SHORTEST_PS:g} ps."
            return Verdict(name, "cannot tell", duration_ps, SHORTEST_PS, text)
        text = (
            f"No bond broke in {duration_ps:g} ps; on average a break takes over {duration_ps / 3:.2g} ps, "
            "with 95 % confidence."
        )
        return Verdict(name, "ok", duration_ps, SHORTEST_PS, text)

    def torsion_populations(self) -> dict[str, dict[str, dict[str, float] | None]]:
        """Return the fraction of frames in each well, of trajectory and training frames, for each torsion."""
        return {
            bond_name(self.bonds.atomic_numbers, torsion): {
                "trajectory": _populations(self.visited, k),
                "training": _populations(self.expected, k),
            }
            for k, torsion in enumerate(self.torsions)
        }

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``stability.json``."""
        broken = None if self.broken_bond is None else self.bonds.bonds[self.broken_bond].tolist()
        per_bond = zip(self.bonds.names, self.bonds.mean_A, self.bond_max_deviation_A, strict=True)
        return {
            "time_to_failure_ps": self.time_to_failure_ps,
            "first_broken_bond": self.first_broken_bond,
            "max_bond_deviation_A": float(self.bond_max_deviation_A.max()),
            "first_broken_atoms": broken,
            "parted_at_ps": self.parted_at_ps,
            "tolerance_A": self.tolerance_A,
            "duration_ps": float(self.times_ps[-1] - self.times_ps[0]),
            "n_frames": len(self.times_ps),
            "n_frames_before_failure": self.n_frames_before_failure,
            "bonds": {
                name: {"training_mean_A": float(mean), "max_deviation_A": float(largest)}
                for name, mean, largest in per_bond
            },
            "distance_histogram_error": self.distance_histogram_error,
            "torsion_populations": self.torsion_populations(),
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
        }

    @property
    def n_frames_before_failure(self) -> int:
        """Number of frames before the first failure, those of the distributions."""
        failed = np.flatnonzero(self.failed)
        return int(failed[0]) if len(failed) else len(self.failed)


def stability(
    universe: mda.Universe,
    bonds: TrainingBonds,
    *,
    frames: FrameSet | None = None,
    tolerance_A: float = TOLERANCE_A,
    progress: Callable[[int, int], None] | None = None,
) -> StabilityResult:
    """Find the first broken bond of a trajectory and compare the frames before it with the training frames.

    Parameters
    ----------
    universe
        Topology and trajectory as MDAnalysis opens them, atoms in the order of the training frames. With a
        cell, distances are to the nearest image in the directions in which the training frames are periodic.
    bonds
        Bonds and their mean lengths in the training frames.
    frames
        The training frames, for h(r) and torsions; without them neither is computed.
    tolerance_A
        A bond is broken when it is farther than this from its mean length, Å, and farther than half of it
        outside its range in the training frames.
    progress
        Called with (frames done, frames in all).

    Raises
    ------
    DataError
        If the trajectory's atoms are not those of the training frames, it has no frames, no cell where the
        frames have one, or a cell too small to distinguish a bond from its image.
    """
    _check(universe, bonds, frames)
    torsions = rotatable_torsions(bonds.atomic_numbers, bonds.bonds)
    if frames is not None:
        torsions = without_straight(torsions, frames.positions, frames.periodic_cells)
    walk = _Walk(bonds, tolerance_A, None if frames is None else sample_like(frames, torsions))
    for block in _blocks(universe, CHUNK, bonds):
        walk.add(block)
        if progress is not None:
            progress(sum(map(len, walk.times_ps)), len(universe.trajectory))
    return StabilityResult(
        bonds=bonds,
        tolerance_A=tolerance_A,
        times_ps=np.concatenate(walk.times_ps),
        deviation_A=np.concatenate(walk.deviations_A),
        failed=np.concatenate(walk.failed),
        bond_max_deviation_A=walk.bond_max_deviation_A,
        broken_bond=walk.broken_bond,
        torsions=torsions,
        visited=walk.visited,
        expected=None if frames is None else sample_of(frames, torsions),
        parted_at_ps=walk.parted_at_ps,
    )


class _Walk:
    """What was found in a trajectory so far, which is read block by block.

    Parameters
    ----------
    bonds, tolerance_A
        As for `stability`.
    visited
        Collects the frames before the first failure; None if they are not compared.
    """

    def __init__(self, bonds: TrainingBonds, tolerance_A: float, visited: Sample | None) -> None:
        self.visited = visited
        self.times_ps: list[FloatArray] = []
        self.deviations_A: list[FloatArray] = []
        self.failed: list[BoolArray] = []
        self.bond_max_deviation_A = np.zeros(len(bonds.bonds))
        self.broken_bond: int | None = None
        self.parted_at_ps: float | None = None
        self._bonds, self._tolerance_A = bonds, tolerance_A
        self._are_several = bool(molecule_of_atom(len(bonds.atomic_numbers), bonds.bonds).any())

    def add(self, block: Block) -> None:
        """Look at the next frames."""
        lengths = self._bonds.lengths(block.positions, block.cells)
        deviation = _deviations(lengths, self._bonds)
        broken = _broken(lengths, self._bonds, self._tolerance_A)
        largest = np.where(np.isfinite(deviation), deviation, 0.0).max(axis=0)
        self.bond_max_deviation_A = np.maximum(self.bond_max_deviation_A, largest)
        self.times_ps.append(block.times_ps)
        self.deviations_A.append(deviation.max(axis=1))
        self.failed.append(np.any(broken, axis=1))
        if self._are_several and block.cells is None and self.parted_at_ps is None:
            frames = zip(block.times_ps, block.positions, strict=True)
            self.parted_at_ps = next((float(time) for time, r in frames if has_parted(r)), None)
        if self.broken_bond is None:
            self._add_until_failure(block, deviation, broken)

    def _add_until_failure(self, block: Block, deviation: FloatArray, broken: BoolArray) -> None:
        """Collect the frames before the first with a broken bond, and keep the bond that is worst there."""
        failed = np.flatnonzero(self.failed[-1])
        good = slice(0, failed[0] if len(failed) else None)
        if self.visited is not None:
            self.visited.add(block.positions[good], None if block.cells is None else block.cells[good])
        if len(failed):
            first = failed[0]
            self.broken_bond = int(np.where(broken[first], deviation[first], -1.0).argmax())


def _check(universe: mda.Universe, bonds: TrainingBonds, frames: FrameSet | None) -> None:
    if len(universe.trajectory) == 0:
        raise DataError("the trajectory has no frames; expected at least one")
    numbers, expected = atomic_numbers(universe), bonds.atomic_numbers
    if frames is not None and not np.array_equal(frames.atomic_numbers, expected):
        raise DataError(
            f"{frames.name}: its atoms or their order differ from those of the bonds; give frames of the "
            "same atoms in the same order"
        )
    if not np.array_equal(numbers, expected):
        raise DataError(
            f"the trajectory's atoms are {_atoms(numbers)}, those of the training frames {_atoms(expected)}; "
            "expected the same in the same order (--data names the frames)"
        )
    cells = next(_blocks(universe, 1, bonds)).cells
    if frames is not None and frames.periodic and cells is None:
        raise DataError("the training frames are periodic but the trajectory has no cell; write it with one")
    if cells is not None and half_width(cells) < bonds.mean_A.max():
        raise DataError(
            f"half the trajectory's cell ({half_width(cells):.2f} Å) is shorter than its longest bond "
            f"({bonds.mean_A.max():.2f} Å): too short to distinguish a bond from its image; use a larger cell"
        )


def _blocks(universe: mda.Universe, size: int, bonds: TrainingBonds) -> Iterator[Block]:
    """Yield the trajectory in blocks, its cell open in the directions in which the frames are not periodic.

    For training frames without a cell, a cell of the trajectory is periodic in all directions.
    """
    pbc = bonds.pbc if any(bonds.pbc) else (True, True, True)
    for block in blocks(universe, size):
        yield block if block.cells is None else replace(block, cells=image_cells(block.cells, pbc))


def _atoms(numbers: IntArray) -> str:
    """Return the first atoms as text."""
    return bond_name(numbers, range(min(len(numbers), 9))) + (
        f"… ({len(numbers)})" if len(numbers) > 9 else ""
    )


def _deviations(lengths: FloatArray, bonds: TrainingBonds) -> FloatArray:
    """Return |length − mean| (n_frames, n_bonds); infinite where a position is not finite."""
    return np.nan_to_num(np.abs(lengths - bonds.mean_A), nan=np.inf, posinf=np.inf)


def _broken(lengths: FloatArray, bonds: TrainingBonds, tolerance_A: float) -> BoolArray:
    """Return which bonds are broken (n_frames, n_bonds): they deviate from their mean and are outside their
    range."""
    shortest = np.fmin(bonds.mean_A - tolerance_A, bonds.range_A[:, 0] - 0.5 * tolerance_A)
    longest = np.fmax(bonds.mean_A + tolerance_A, bonds.range_A[:, 1] + 0.5 * tolerance_A)
    intact: BoolArray = (shortest <= lengths) & (lengths <= longest)  # NaN is never within the limits
    return ~intact


def _populations(sample: Sample | None, torsion: int) -> dict[str, float] | None:
    if sample is None or sample.n_frames == 0:
        return None
    return populations(sample.angles[:, torsion])
