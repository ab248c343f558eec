"""Frames in which atoms have exchanged their elements, which look like another system."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from mdaug.data.origin import shown
from mdaug.data.verification.bond_stiffness import lasting_bonds
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import bond_name, single_bond_lengths
from mdaug.geometry.pairs import pair_lengths

LENGTH_ERROR_A = 0.03
"""Standard error of the usual lengths of bonds, the sums of covalent radii, Å."""

TO_HYDROGEN_A, TO_HYDROGEN_ERROR_A = {6: 1.09, 7: 1.01, 8: 0.96}, 0.02
"""Usual lengths of bonds of hydrogen, which hardly depend on the molecule, by the other element, and their
standard error."""

EVIDENCE = 25.0
"""Difference of the sums of squared deviations (in standard errors) for and against the same geometry."""

MAX_FRAMES = 200


def refuse_exchanged_elements(systems: Sequence[FrameSet]) -> None:
    """Refuse systems of the same composition whose bonds have the same lengths between other elements.

    In a file in which some frames list the elements in another order than the positions, these frames would
    be a system of their own.

    Parameters
    ----------
    systems
        The frames of each system, lengths in Å.

    Raises
    ------
    DataError
        Two systems have the same geometry with exchanged elements.
    """
    of_composition: dict[bytes, list[FrameSet]] = {}
    for frames in systems:
        of_composition.setdefault(np.sort(frames.atomic_numbers).tobytes(), []).append(frames)
    for same in of_composition.values():
        for pair in combinations(sorted(same, key=len), 2):
            _refuse_if_exchanged(*pair)


def _refuse_if_exchanged(few: FrameSet, many: FrameSet) -> None:
    changed = np.flatnonzero(many.atomic_numbers != few.atomic_numbers)
    if len(changed) and _same_geometry(many, few, changed):
        others = f"other {len(many)} frames" + f" of {many.name}" * (many.name != few.name)
        raise DataError(
            f"{few.name}: in {shown(few, range(len(few)))} atoms {_names(few, changed)} are where the "
            f"{others} have {_names(many, changed)}, with bonds of the same lengths: elements are exchanged; "
            "expected the same order of elements and positions in every frame: correct these frames or leave "
            "them out"
        )


def _same_geometry(many: FrameSet, few: FrameSet, changed: IntArray) -> bool:
    """Whether bonds of atoms with other elements have the same lengths rather than those usual for these."""
    idx_i, idx_j = lasting_bonds(many)
    concerned = np.isin(idx_i, changed) | np.isin(idx_j, changed)
    idx_i, idx_j = idx_i[concerned], idx_j[concerned]
    (mean, error), (mean_of_few, error_of_few) = (_mean_lengths(each, idx_i, idx_j) for each in (many, few))
    (usual, spread), (usual_of_few, spread_of_few) = (
        _usual_lengths(frames.atomic_numbers[idx_i], frames.atomic_numbers[idx_j]) for frames in (many, few)
    )
    difference, expected = mean_of_few - mean, usual_of_few - usual
    variance = error**2 + error_of_few**2 + np.maximum(spread, spread_of_few) ** 2
    as_the_same, as_another = (np.sum(d**2 / variance) for d in (difference, difference - expected))
    return bool(as_the_same < 2 * len(difference) + 6 and as_another > as_the_same + EVIDENCE)


def _usual_lengths(numbers_i: IntArray, numbers_j: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the usual lengths of bonds between elements and their standard errors, Å."""
    lengths = single_bond_lengths(numbers_i, numbers_j)
    errors = np.full(len(lengths), LENGTH_ERROR_A)
    heavier = np.where(numbers_i == 1, numbers_j, numbers_i)
    of_hydrogen = (numbers_i == 1) | (numbers_j == 1)
    for number, length in TO_HYDROGEN_A.items():
        such = of_hydrogen & (heavier == number)
        lengths[such], errors[such] = length, TO_HYDROGEN_ERROR_A
    return lengths, errors


def _mean_lengths(frames: FrameSet, idx_i: IntArray, idx_j: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean lengths of bonds and their standard errors, Å."""
    some = frames.evenly_spaced(MAX_FRAMES)
    lengths = pair_lengths(some.positions, some.periodic_cells, idx_i, idx_j)
    return lengths.mean(axis=0), lengths.std(axis=0) / np.sqrt(len(some))


def _names(frames: FrameSet, atoms: IntArray) -> str:
    return ", ".join(bond_name(frames.atomic_numbers, [atom]) for atom in atoms)
