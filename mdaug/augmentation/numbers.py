"""Default numbers of augmented frames, which follow the size of the molecule."""

from collections.abc import Sequence
from typing import NamedTuple

from mdaug.augmentation.stretches import Stretcher
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.geometry.molecules import count_molecules

DISPLACED_PER_ATOM, STRETCHED_PER_BOND, IMPULSES_PER_ATOM = 22, 62, 44
"""Augmented frames; for ethanol (9 atoms, 8 bonds) the 200, 500 and 400 with which it was tested."""

OF_LIQUIDS = 200, 500, 400
"""Displaced, stretched and impulse frames of a liquid or crystal, whose frames hold many molecules."""

MOST, MOST_PER_FRAME = 1100, 5
"""Most augmented frames: so many, or so many for each raw frame, if these are more."""

MOST_TOGETHER = 16_000
"""Most raw and augmented frames of all systems of a training, as long as no more than half are raw: 100
epochs of 20 frames a step are then 80,000 steps."""

MANY_MOLECULES = 8
"""Least number of molecules of a liquid; its frames show each atom in as many surroundings as augmented
frames."""


class AugmentedNumbers(NamedTuple):
    """Default numbers of augmented frames.

    Parameters
    ----------
    displaced, stretched, impulses
        Frames with atoms displaced, with a bond stretched, and after an impulse.
    recommended
        Whether augmented frames are recommended: not for crystals and narrow cells.
    reason
        How the numbers follow from the frames, in one line.
    """

    displaced: int
    stretched: int
    impulses: int
    recommended: bool
    reason: str


def is_complex(n_molecules: int) -> bool:
    """Return whether frames of so many molecules are of a complex, neither of one molecule nor of a liquid.

    Parameters
    ----------
    n_molecules
        From `count_molecules`.
    """
    return 1 < n_molecules < MANY_MOLECULES


def augmented_numbers(frames: FrameSet, n_raw: int) -> AugmentedNumbers:
    """Return the default numbers of augmented frames for a system.

    Parameters
    ----------
    frames
        Its frames.
    n_raw
        How many of them are trained on.
    """
    try:
        n_bonds = len(Stretcher(frames).bonds)
    except DataError:  # rings only, an atom, a crystal
        n_bonds = 0
    without_bonds = frames.periodic and n_bonds == 0
    if count_molecules(frames) >= MANY_MOLECULES or without_bonds:
        displaced, stretched, impulses = OF_LIQUIDS
        reason = (
            "no force field is fitted to crystals and narrow cells"
            if without_bonds
            else "trainings with and without augmented frames are compared"
        )
        return AugmentedNumbers(displaced, stretched * (n_bonds > 0), impulses, not without_bonds, reason)
    reason = (
        f"{frames.n_atoms} atoms, {n_bonds} bonds outside rings: {DISPLACED_PER_ATOM} and "
        f"{IMPULSES_PER_ATOM} an atom, {STRETCHED_PER_BOND} a bond"
    )
    sizes = (
        DISPLACED_PER_ATOM * frames.n_atoms,
        STRETCHED_PER_BOND * n_bonds,
        IMPULSES_PER_ATOM * frames.n_atoms,
    )
    most = max(MOST, MOST_PER_FRAME * n_raw)
    share = min(1.0, most / sum(sizes))
    if share < 1:
        reason += f", of these {share:.2g}: {most} in all"
    displaced, stretched, impulses = (round(share * size / 10) * 10 for size in sizes)
    return AugmentedNumbers(displaced, stretched, impulses, True, reason)


def numbers_together(systems: Sequence[FrameSet]) -> list[AugmentedNumbers]:
    """Return the default numbers of augmented frames of systems that are trained on together.

    They have a common factor where they are too many: a file of forty molecules with ten frames each would
    have 20,000 augmented frames beside 400 of the data.

    Parameters
    ----------
    systems
        Training frames of each system.
    """
    n_raw, alone = sum(map(len, systems)), [augmented_numbers(frames, len(frames)) for frames in systems]
    n_augmented = sum(sum(numbers[:3]) for numbers in alone)
    share = min(1.0, max(MOST_TOGETHER - n_raw, n_raw) / max(n_augmented, 1))
    return [
        numbers._replace(
            displaced=round(share * numbers.displaced),
            stretched=round(share * numbers.stretched),
            impulses=round(share * numbers.impulses),
        )
        for numbers in alone
    ]
