"""Stability of a trajectory: first broken bond, and distances and torsions compared with the training frames.

Criterion and h(r) error of "Forces are not enough" (Fu et al. 2023, arXiv:2210.07237): a run has failed at
the first frame in which the length of any bond deviates by more than 0.5 Å from its mean in the training
frames and is also outside the range of that bond in the frames. For a hydrogen with several partners in the
frames the distance to the nearest partner counts.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import MDAnalysis as mda
import numpy as np

from mdaug.analysis.distributions import CHUNK, Sample, sample_like, sample_of
from mdaug.analysis.stability_result import StabilityResult
from mdaug.analysis.trajectory import Block, atomic_numbers, blocks
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray, image_cells
from mdaug.geometry.bonds import BoolArray, bond_name
from mdaug.geometry.image_distances import farthest_image
from mdaug.geometry.molecules import has_parted, molecule_of_atom
from mdaug.geometry.pairs import half_width
from mdaug.geometry.torsions import without_straight
from mdaug.geometry.training_bonds import TrainingBonds

TOLERANCE_A = 0.5
"""Largest deviation of an intact bond from its mean length in the training frames."""


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
        cell, distances are to the nearest image in the directions in which the training frames are periodic;
        in a narrow cell, in which an atom is bonded to several images of another, to the nearest ones.
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
        frames have one, or a cell so narrow that an atom is always near an image of its neighbor.
    """
    _check(universe, bonds, frames, tolerance_A)
    torsions = bonds.torsions()
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


def _check(universe: mda.Universe, bonds: TrainingBonds, frames: FrameSet | None, tolerance_A: float) -> None:
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
            f"the trajectory's atoms are {_atoms(numbers)}, those of {bonds.source} {_atoms(expected)}; "
            "expected the same in the same order (--data names the frames)"
        )
    cells = next(_blocks(universe, 1, bonds)).cells
    if frames is not None and frames.periodic and cells is None:
        raise DataError(f"{bonds.source} are periodic but the trajectory has no cell; write it with one")
    if cells is not None and bonds.image is not None:
        _check_that_bonds_can_break(cells[0], bonds, tolerance_A)
    elif cells is not None and half_width(cells) < bonds.mean_A.max():
        raise DataError(
            f"half the trajectory's cell ({half_width(cells):.2f} Å) is shorter than its longest bond "
            f"({bonds.mean_A.max():.2f} Å), and {bonds.source} do not tell to which images of an atom it is: "
            "name frames of this cell with --data, or judge a trajectory of a larger cell"
        )


def _check_that_bonds_can_break(cell: FloatArray, bonds: TrainingBonds, tolerance_A: float) -> None:
    """Refuse a cell so narrow that some image of an atom is always as near as in a bond."""
    assert bonds.image is not None
    _, longest = _limits(bonds, tolerance_A)
    last_of_pair = {tuple(pair): bond for bond, pair in enumerate(bonds.bonds.tolist())}
    for bond in last_of_pair.values():
        farthest = farthest_image(cell, int(bonds.image[bond]))
        if farthest <= longest[bond]:
            raise DataError(
                f"the trajectory's cell is {2 * half_width(cell):.2f} Å narrow: the atoms of "
                f"{bonds.names[bond]} are always within {farthest:.2f} Å of each other or of an image, and "
                f"the bond is broken beyond {longest[bond]:.2f} Å; judge a trajectory of a supercell, or "
                "lower --tolerance"
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
    shortest, longest = _limits(bonds, tolerance_A)
    intact: BoolArray = (shortest <= lengths) & (lengths <= longest)  # NaN is never within the limits
    return ~intact


def _limits(bonds: TrainingBonds, tolerance_A: float) -> tuple[FloatArray, FloatArray]:
    """Return the shortest and the longest length of each intact bond."""
    shortest = np.fmin(bonds.mean_A - tolerance_A, bonds.range_A[:, 0] - 0.5 * tolerance_A)
    longest = np.fmax(bonds.mean_A + tolerance_A, bonds.range_A[:, 1] + 0.5 * tolerance_A)
    return shortest, longest
